"""What is found by measurement before a job: batch size, attention kernels, whether compiling pays."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from indexer.embed.qwen.inputs import Item
from indexer.embed.qwen.model import MIN_COSINE, Qwen3VL, least_cosine
from indexer.errors import EmbedderUnavailable

STEPS = (1, 2, 4, 8, 16, 32)  # sheets of a forward pass that are measured
WORTH_IT = 1.03  # a larger step has to be so much faster, for the memory it takes
RESERVE = 1024**3  # bytes of a card that stay free: shapes differ, and memory falls to pieces
LONG_TEXT = 128  # tokens of instruction, template and short text that few fonts exceed
COMPILING = 60.0  # seconds
COMPILED_GAIN = 0.1  # of the time, at least
FASTER = 1.02  # than without a compiler, or it is not used


@dataclass(frozen=True, kw_only=True)
class Tuned:
    rate: float  # sheets per second
    step: int  # sheets of a forward pass
    compiled: bool = False
    note: str | None = None  # why it is not compiled though that was tried, in a sentence


class Tuning:
    """Of an embedder for sheets of one size, in the thread that will launch them.

    cuDNN keeps the plans of its kernels by thread.
    """

    def __init__(self, embedder: Qwen3VL, height: int, width: int) -> None:
        self._embedder = embedder
        # noise, as sheets are: a card draws less power for white, and runs faster
        noise = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
        self._item = embedder.sample(noise, LONG_TEXT)

    def run(
        self, *, expected: int = STEPS[-1], step: int | None = None, seconds: float = 20.0
    ) -> Tuned:
        """Find the fastest step and keep it; then the kernels; compile, where that pays.

        `expected`: sheets to come; larger steps than they need are not tried. `step`: this one, and
        no other. Raises EmbedderUnavailable where there is no memory for one sheet, or for `step`.
        """
        rate, best = self._step((step,) if step else STEPS, expected, seconds)
        self._embedder.budget.found(best * self._embedder.width_of(self._item))
        if self._on_cuda:
            rate = max(rate, self._cudnn(best, rate))
        tuned = Tuned(rate=rate, step=best)
        if self._on_cuda and expected / rate * COMPILED_GAIN > COMPILING:
            tuned = self.compile(tuned)
        return tuned

    def compile(self, tuned: Tuned) -> Tuned:
        """Compile the layers on shapes of the job; taken back where that fails, errs or is slower."""
        fast = self._embedder.fast
        if fast is None or not fast.may_be_compiled:
            return tuned
        items = [self._item] * tuned.step
        others = [self._shorter()] * max(1, tuned.step - 1)  # so that shapes are variables
        before = [self._hidden(batch) for batch in (items, others)]
        fast.compile()
        try:
            after = [self._hidden(batch) for batch in (items, others)]
            taken = self._embedder.timed(items)
        except Exception as error:  # noqa: BLE001 - no compiler, no header, a kernel that does not build
            what = (str(error).splitlines() or [""])[0][:200].rstrip(".")
            why = f"{type(error).__name__}: {what}"
        else:
            cosine = min(least_cosine(one, two) for one, two in zip(before, after, strict=True))
            rate = tuned.step / taken if taken else 0.0
            if cosine >= MIN_COSINE and rate > tuned.rate * FASTER:
                return Tuned(rate=rate, step=tuned.step, compiled=True)
            why = (
                f"it is {rate / tuned.rate:.2f} times as fast"
                if cosine >= MIN_COSINE
                else f"it computes other vectors (cosine {cosine:.3f})"
            )
        fast.interpret()
        return Tuned(rate=tuned.rate, step=tuned.step, note=f"Layers are not compiled: {why}.")

    @property
    def _on_cuda(self) -> bool:
        return self._embedder.device.type == "cuda"

    def _step(self, steps: tuple[int, ...], expected: int, seconds: float) -> tuple[float, int]:
        """The best rate (sheets per second), and how many sheets of a pass it took."""
        began, best_rate, best_step = time.perf_counter(), 0.0, 0
        for step in steps:
            taken = self._embedder.timed([self._item] * step)
            if taken is None or (best_step and self._embedder.free_bytes() < RESERVE):
                self._embedder.give_back()
                break
            if (rate := step / taken) > best_rate * WORTH_IT:
                best_rate, best_step = rate, step
            if step >= expected or time.perf_counter() - began + 4 * taken > seconds:
                break
        if not best_step:
            sheets = "a single sheet" if steps[0] == 1 else f"{steps[0]} sheets at once"
            raise EmbedderUnavailable(f"{self._embedder.device} has no memory for {sheets}.")
        return best_rate, best_step

    def _cudnn(self, step: int, rate: float) -> float:
        """The rate with cuDNN's attention for images, which is kept where it is faster."""
        fast = self._embedder.fast
        if fast is None:
            return 0.0
        fast.use_cudnn(True)
        try:
            taken = self._embedder.timed([self._item] * step)
        except RuntimeError:  # it has no kernel for this head or card
            taken = None
        found = step / taken if taken else 0.0
        fast.use_cudnn(found > rate)
        return found

    def _hidden(self, items: list[Item]) -> Tensor:
        hidden = self._embedder.run(items)
        if hidden is None:
            raise torch.OutOfMemoryError("no memory to compile in")
        return hidden

    def _shorter(self) -> Item:
        assert self._item.pixels is not None
        return self._embedder.sample(np.asarray(self._item.pixels), LONG_TEXT // 2)
