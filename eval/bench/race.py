"""Contenders embed the same sheets in turn: how fast each is, and how far apart their vectors are."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from transformers import Qwen3VLModel, Qwen3VLProcessor

from eval.bench.flops import Architecture
from eval.bench.peers import (
    EmbedContender,
    Floats,
    OneByOne,
    Ours,
    SentenceTransformers,
    without_cache,
)
from indexer.embed.protocol import Document, Model
from indexer.embed.qwen.model import Qwen3VL
from indexer.embed.qwen.tuning import Tuning
from indexer.errors import FontError, UserError
from indexer.sheet.render import SheetSpec

OURS, COMPILED = "ours", "ours, compiled"
PEER, LOOP = "sentence-transformers", "upstream's loop"

TUNING, TUNING_ON_CPU = 20.0, 5.0  # seconds
SECONDS = 8.0  # of a round, for a peer: a slow one gets fewer sheets
MIN_SHEETS = 4  # sheets
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)  # of sentence-transformers, that are tried
SAMPLE = 16  # sheets on which a batch size is tried, or two batches
WORSE = 2  # batch sizes in a row that bring nothing end the search


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model in the memory of a device."""

    model: Qwen3VLModel
    processor: Qwen3VLProcessor
    identity: Model

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    def embedder(self) -> Qwen3VL:
        """Raises UserError where it computes something else than the model's own forward does."""
        embedder = Qwen3VL(self.model, self.processor, self.identity)
        embedder.check()
        return embedder


@dataclass(frozen=True, kw_only=True)
class Work:
    """The sheets, and what each of them costs."""

    documents: Sequence[Document]
    spec: SheetSpec
    tokens: Sequence[int]  # text included
    flops: Sequence[int]

    @classmethod
    def of(cls, subject: Subject, documents: Sequence[Document], spec: SheetSpec) -> Work:
        architecture = Architecture.from_config(subject.model.config.to_dict())
        read = subject.embedder().read(documents)
        tokens = [len(item.ids) for item in read if not isinstance(item, FontError)]
        image = architecture.image_tokens(spec.height, spec.width)
        # what has to be computed: a share of the peak is not flattered by work that is skipped
        flops = [
            architecture.flops(spec.height, spec.width, count - image, pooled=True)
            for count in tokens
        ]
        return cls(documents=documents, spec=spec, tokens=tokens, flops=flops)


@dataclass(kw_only=True)
class Entry:
    """A contender, and what it has done so far."""

    embed: EmbedContender
    batch: int  # sheets of a forward pass
    sheets: int  # of a round
    rates: list[float] = field(default_factory=list)  # sheets per second of each round
    vectors: Floats | None = None  # of the last round
    peak_bytes: int | None = None  # of the device's memory, weights included; None on a CPU


class Race:
    """All contenders that run. One that fails is left out, and `failed` says why."""

    def __init__(self, subject: Subject, work: Work, say: Callable[[str], None]) -> None:
        self._subject, self._work, self._say = subject, work, say
        self.entries: dict[str, Entry] = {}
        self.failed: dict[str, str] = {}
        self.batches: dict[int, float] = {}  # of sentence-transformers: size to sheets per second
        self.read_per_second = 0.0  # sheets, where reading on the CPU is all that is done
        self.warm_up_seconds = 0.0  # of the first pass of ours, compilation included

    def warm_up(self, *, compiled: bool) -> None:
        """Make the contenders ready, find the batch size of each, and how many sheets it gets."""
        without_cache(self._subject.model)
        self._try(OURS, lambda: self._ours(OURS))
        if compiled:
            self._try(COMPILED, lambda: self._ours(COMPILED))
        self._try(PEER, self._peer)
        self._try(LOOP, self._loop)

    def round(self, number: int) -> None:
        """In another order each time: what disturbs the machine for a while hits all alike.

        Raises UserError where no contender is left.
        """
        names = list(self.entries)
        if not names:
            raise UserError(f"No contender can run here: {self.failed}.")
        start = number % len(names)
        for name in names[start:] + names[:start]:
            self._say(f"Round {number + 1}: {name}.")
            self._try(name, lambda: self._run(self.entries[name]))  # noqa: B023 - called at once

    def cosine(self, name: str) -> float | None:
        """The least of a contender's vectors with those of upstream's loop."""
        ours, theirs = self.entries[name].vectors, self._vectors_of(LOOP)
        if ours is None or theirs is None:
            return None
        both = min(len(ours), len(theirs))
        return float(np.min(np.sum(ours[:both] * theirs[:both], axis=1)))

    def unlike(self) -> float | None:
        """The median cosine of two different sheets: what a cosine between the ways has to beat."""
        vectors = self._vectors_of(OURS)
        if vectors is None or len(vectors) == 1:
            return None
        return median(float(one @ other) for one, other in pairwise(vectors))

    def _vectors_of(self, name: str) -> Floats | None:
        return self.entries[name].vectors if name in self.entries else None

    def _ours(self, name: str) -> None:
        documents, spec = self._work.documents, self._work.spec
        embedder = self._subject.embedder()
        begin = time.perf_counter()
        embedder.read(documents)
        self.read_per_second = len(documents) / (time.perf_counter() - begin)
        on_cpu = self._subject.device.type == "cpu"
        tuning = Tuning(embedder, spec.height, spec.width)
        tuning.run(seconds=TUNING_ON_CPU if on_cpu else TUNING)
        if name == COMPILED and embedder.fast:
            self._say("Compiling.")
            embedder.fast.compile()
        embed = Ours(embedder)
        # all the sheets, so that each shape of a batch has been there, and is compiled
        self.warm_up_seconds = self._seconds(embed, documents)
        batch = embedder.step(spec.height, spec.width)
        self.entries[name] = Entry(embed=embed, batch=batch, sheets=len(documents))

    def _peer(self) -> None:
        self._say("Finding the best batch size of sentence-transformers.")
        embed = SentenceTransformers(self._subject.model, self._subject.processor)
        documents = self._work.documents
        worse, best = 0, 0.0
        for batch in BATCHES:
            if batch > len(documents) or worse == WORSE:
                break
            embed.batch_size = batch
            try:
                rate = self._rate(embed, batch, max(SAMPLE, 2 * batch))
            except RuntimeError as error:  # no memory, which kernels say in words of their own
                self._say(f"Not {batch} sheets at once: {_first(error)}")
                if not self.batches:
                    raise
                break
            self.batches[batch] = rate
            worse, best = (0, rate) if rate > best else (worse + 1, best)
        gc.collect()
        torch.cuda.empty_cache()  # of what was too much
        embed.batch_size = max(self.batches, key=self.batches.__getitem__)
        sheets = self._share(best, embed.batch_size)
        self.entries[PEER] = Entry(embed=embed, batch=embed.batch_size, sheets=sheets)

    def _loop(self) -> None:
        embed = OneByOne(self._subject.model, self._subject.processor)
        sheets = self._share(self._rate(embed, 1, MIN_SHEETS), 1)
        self.entries[LOOP] = Entry(embed=embed, batch=1, sheets=sheets)

    def _share(self, rate: float, batch: int) -> int:
        """How many sheets a peer gets: whole batches, at least two of them, or all sheets."""
        whole = max(int(rate * SECONDS) // batch, 2) * batch
        return min(max(whole, MIN_SHEETS), len(self._work.documents))

    def _run(self, entry: Entry) -> None:
        documents, device = self._work.documents[: entry.sheets], self._subject.device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._wait()
        begin = time.perf_counter()
        entry.vectors = entry.embed(documents)  # in the host's memory: nothing is left to wait for
        entry.rates.append(len(documents) / (time.perf_counter() - begin))
        if device.type == "cuda":
            entry.peak_bytes = torch.cuda.max_memory_allocated(device)

    def _rate(self, embed: EmbedContender, first: int, then: int) -> float:
        """Sheets per second of the second of two runs of so many sheets."""
        embed(self._work.documents[:first])
        documents = self._work.documents[:then]
        return len(documents) / self._seconds(embed, documents)

    def _seconds(self, embed: EmbedContender, documents: Sequence[Document]) -> float:
        self._wait()
        begin = time.perf_counter()
        embed(documents)
        return time.perf_counter() - begin

    def _wait(self) -> None:
        if self._subject.device.type == "cuda":
            torch.cuda.synchronize(self._subject.device)

    def _try(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - each fails in its own way, and the others still count
            self.entries.pop(name, None)
            self.failed[name] = f"{type(error).__name__}: {_first(error)}"
            self._say(f"{name} failed: {self.failed[name]}")


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]
