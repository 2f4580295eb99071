"""Qwen3-VL-Embedding in this process, on one device or spread over several.

The computation is that of QwenLM/Qwen3-VL-Embedding, scripts/qwen3_vl_embedding.py: the hidden state
of the last token, in float32, cut to the wanted dimension (Matryoshka) and scaled to length 1.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, groupby
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen3VLModel, Qwen3VLProcessor

from indexer.embed.protocol import Document, Model, Query, Vector, normalised, only
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION
from indexer.embed.qwen.forward import Forward
from indexer.embed.qwen.inputs import Inputs, Item
from indexer.embed.qwen.loading import processor_of, weights_of
from indexer.embed.qwen.plain import Plain
from indexer.errors import EmbedderUnavailable, FontError, UserError

REQUEST = 32  # documents of a call
FIRST_BUDGET = 5_120  # tokens of a forward pass before anything is measured: 8 sheets
STEPS = (1, 2, 4, 8, 16, 32)  # sheets of a forward pass that are measured
LONG_TEXT = 128  # tokens of instruction, template and short text that few fonts exceed
WORTH_IT = 1.03  # a larger step has to be so much faster, for the memory it takes
ALIGNMENT = 8  # tokens, for the matrix units
MIN_COSINE = 0.99  # a mistake of structure is far below, bfloat16 and another batch above .999
READERS = 8  # threads that decode sheets

Result = Vector | FontError


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A call on its way through the device."""

    read: list[Item | FontError]
    states: Tensor  # (readable items, dimension) float32, in host memory once `done`
    done: torch.cuda.Event | None  # None: it is


class Qwen3VL:
    """Embedder of sheets, texts and both. `launch` and `collect` let calls overlap on a card."""

    def __init__(self, model: Qwen3VLModel, processor: Qwen3VLProcessor, identity: Model) -> None:
        self._identity = identity
        self._inputs = Inputs(processor)
        self._plain = Plain(model, self._inputs.mean, self._inputs.std)
        spread = len(set((getattr(model, "hf_device_map", None) or {}).values())) > 1
        self._fast = None if spread else Forward(model, self._inputs.mean, self._inputs.std)
        self._forward = self._fast or self._plain
        self._budget = FIRST_BUDGET
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._query_readers = ThreadPoolExecutor(READERS, thread_name_prefix="read-query")

    @classmethod
    def load(cls, folder: Path, identity: Model, devices: Sequence[str]) -> Self:
        """On one device ("cuda:1", "cpu"), or with its layers spread over several.

        Raises UserError for a checkpoint that does not fit or is not whole, and where what is
        computed here is not what the model itself computes.
        """
        embedder = cls(weights_of(folder, devices), processor_of(folder), identity)
        embedder.check()
        return embedder

    @property
    def model(self) -> Model:
        return self._identity

    @property
    def batch_size(self) -> int:
        return REQUEST

    def embed_documents(self, documents: Sequence[Document]) -> list[Result]:
        """Of sheet, text or both; FontError for a sheet that cannot be read."""
        return self.collect(self.launch(self.read(documents)))

    @property
    def reads_images(self) -> bool:
        return True

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text."""
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        """Of text, image or both; UserError for an image that cannot be read."""
        results = self.collect(self.launch(self.read_queries(queries)))
        return [
            UserError(result.message) if isinstance(result, FontError) else result
            for result in results
        ]

    def read_queries(self, queries: Sequence[Query]) -> list[Item | FontError]:
        """As `read`; both may be launched together. The error's message is for who asked."""
        return list(self._query_readers.map(self._query_item, queries))

    def read(self, documents: Sequence[Document]) -> list[Item | FontError]:
        """Token ids and pixels, on the CPU; a FontError in the place of what cannot be read."""
        return list(self._readers.map(self._item, documents))

    def launch(self, read: list[Item | FontError]) -> Launched:
        """Put a call on the device, without waiting for it.

        Out of memory, the batch is halved, for later calls too; raises EmbedderUnavailable where a
        single document is too much.
        """
        with self._current_device():
            return self._launch(read)

    def _launch(self, read: list[Item | FontError]) -> Launched:
        items = [item for item in read if isinstance(item, Item)]
        width = self._identity.dimension
        states = torch.empty(len(items), width, device=self._forward.device)
        waiting = self._batches(items, range(len(items)))
        while waiting:
            places = waiting.pop(0)
            hidden = self._run([items[place] for place in places])
            if hidden is None:
                self._halve([items[place] for place in places])
                waiting = self._batches(items, [*places, *chain.from_iterable(waiting)])
            else:
                states[self._put(np.asarray(places))] = hidden[:, :width].to(states.device)
        if states.device.type != "cuda":
            return Launched(read=read, states=states, done=None)
        host = torch.empty(states.shape, pin_memory=True)
        host.copy_(states, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        return Launched(read=read, states=host, done=done)

    def collect(self, launched: Launched) -> list[Result]:
        """Wait for a call; its vectors in the order of its documents."""
        if launched.done:
            launched.done.synchronize()
        states = iter(launched.states.numpy())
        return [
            item if isinstance(item, FontError) else _vector(next(states)) for item in launched.read
        ]

    def check(self) -> None:
        """That one sheet's vector is what the model's own forward says. Raises UserError."""
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (128, 256, 3), dtype=np.uint8)
        with self._current_device():
            batch = self._on_device([self._sample(pixels), self._sample(pixels[:, ::-1], 5)])
            ours, theirs = self._forward(*batch), self._plain(*batch)
        cosine = float(torch.nn.functional.cosine_similarity(ours, theirs).min())
        if not cosine >= MIN_COSINE:
            raise UserError(
                f"With this version of transformers the fast path computes other vectors than the "
                f"model does (cosine {cosine:.3f}): install the version that was tested."
            )
        last = int(self._inputs.item("a", None, "a").ids[-1])
        if last != self._identity.pooled_token:
            raise UserError(
                f"The last token of an input is {last}, and the space pools "
                f"{self._identity.pooled_token}: is it another tokenizer?"
            )

    def tune(
        self, height: int, width: int, *, expected: int = STEPS[-1], seconds: float = 20.0
    ) -> float:
        """Find the fastest step for sheets of a size (px), and keep it; returns sheets per second.

        `expected`: sheets to come; larger steps than they need are not tried.
        """
        began, best_rate, best_step = time.perf_counter(), 0.0, 1
        item = self._sample(np.full((height, width, 3), 255, dtype=np.uint8), LONG_TEXT)
        for step in STEPS:
            with self._current_device():
                taken = self._timed([item] * step)
            if taken is None:  # out of memory
                torch.cuda.empty_cache()
                break
            if (rate := step / taken) > best_rate * WORTH_IT:
                best_rate, best_step = rate, step
            if step >= expected or time.perf_counter() - began + 4 * taken > seconds:
                break
        if not best_rate:
            raise EmbedderUnavailable(f"{self._forward.device} has no memory for a single sheet.")
        self._budget = best_step * _aligned(len(item.ids))
        return best_rate

    def compile(self) -> None:
        """Fuse the layers' small operations; the first batches wait a minute for it."""
        if self._fast:
            self._fast.compile()

    def step(self, height: int, width: int) -> int:
        """How many sheets of a size go into a forward pass now."""
        sheet = np.full((height, width, 3), 255, dtype=np.uint8)
        return max(1, self._budget // _aligned(len(self._sample(sheet, LONG_TEXT).ids)))

    def _current_device(self) -> AbstractContextManager[Any]:
        """Events, pinned memory and compiled kernels go by the thread's current card, which is the first."""
        device = self._forward.device
        return torch.cuda.device(device) if device.type == "cuda" else nullcontext()

    def _item(self, document: Document) -> Item | FontError:
        return self._read(document.text, document.sheet, self._identity.document_instruction)

    def _query_item(self, query: Query) -> Item | FontError:
        if query.empty:
            return FontError("embed", "Nothing to search for: say what the font looks like.")
        given = query.instruction
        instruction = self._identity.query_instruction if given is None else given
        item = self._read(query.text, query.image, instruction)
        if isinstance(item, FontError):
            return FontError("embed", f"The query cannot be embedded. {item.message}")
        return item

    def _read(self, text: str | None, image: bytes | None, instruction: str) -> Item | FontError:
        try:
            return self._inputs.item(text, image, instruction)
        except FontError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - decoders raise what they like; a panic in the tokenizer is no Exception
            what = "".join(traceback.format_exception_only(error)).strip()
            return FontError("embed", f"It cannot be read: {what[:300].rstrip('.')}.")

    def _batches(self, items: Sequence[Item], places: Iterable[int]) -> list[list[int]]:
        """Places of items that go together: of one layout, and of about one length."""
        batches = []
        order = sorted(places, key=lambda place: _rank(items[place]))
        for _, group in groupby(order, key=lambda place: items[place].layout):
            alike = list(group)
            while alike:
                # the longest first: the others fit its width
                step = max(1, self._budget // _aligned(len(items[alike[0]].ids)))
                even = ceil(len(alike) / ceil(len(alike) / step))  # no pass for a few that are left
                batches.append(alike[:even])
                del alike[:even]
        return batches

    def _halve(self, batch: Sequence[Item]) -> None:
        """Of a batch that was too much. Raises EmbedderUnavailable where it is one document."""
        longest = len(batch[0].ids)
        if len(batch) == 1:
            raise EmbedderUnavailable(
                f"{self._forward.device} has no memory for a single document of {longest} tokens."
            )
        torch.cuda.empty_cache()
        self._budget = len(batch) // 2 * _aligned(longest)

    def _run(self, items: Sequence[Item]) -> Tensor | None:
        """Hidden states (items, hidden) float32; None where there is not enough memory."""
        try:
            return self._forward(*self._on_device(items))
        except torch.OutOfMemoryError:  # what it held goes with it
            return None

    def _timed(self, items: Sequence[Item]) -> float | None:
        """Seconds of the second of two runs."""
        for _ in range(2):
            begin = time.perf_counter()
            if self._run(items) is None:
                return None
            if self._forward.device.type == "cuda":
                torch.cuda.synchronize(self._forward.device)
        return time.perf_counter() - begin

    def _on_device(self, items: Sequence[Item]) -> tuple[Tensor, Tensor, Tensor | None, int]:
        lengths = [len(item.ids) for item in items]
        ids = np.zeros((len(items), _aligned(max(lengths))), dtype=np.int64)
        for row, item in zip(ids, items, strict=True):
            row[: len(item.ids)] = item.ids
        pixels = [item.pixels for item in items if item.pixels is not None]
        return (
            self._put(ids),
            self._put(np.asarray(lengths) - 1),
            self._put(np.stack(pixels)) if pixels else None,
            items[0].image_at,
        )

    def _put(self, array: np.ndarray) -> Tensor:
        tensor, device = torch.from_numpy(array), self._forward.device
        # from pinned memory the copy runs beside the batch that is being computed
        return (
            tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
        )

    def _sample(self, pixels: np.ndarray, text_tokens: int = 9) -> Item:
        """An item of about so many tokens beside those of its pixels."""
        image = Image.fromarray(pixels)
        return self._inputs.item("a " * (text_tokens // 2), image, DOCUMENT_INSTRUCTION)


def _rank(item: Item) -> tuple[tuple[tuple[int, ...], int], int]:
    return item.layout, -len(item.ids)


def _aligned(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _vector(state: np.ndarray) -> Result:
    try:
        return normalised(state)
    except ValueError:
        return FontError("embed", "The model answered with zeros or NaN for it.")
