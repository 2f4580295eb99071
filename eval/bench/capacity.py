"""What a first backfill of so many fonts takes, stage by stage, and what each number rests on.

Measured numbers name the command that repeats them; all of them are of two cores of a virtual machine.
Estimates were worked out, or seen once in passing; `--rate` takes what your card was measured to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal, Self

from eval.bench.flops import ARCHITECTURES, TEXT_TOKENS, duration
from indexer.embed.qwen import LARGE, SMALL
from indexer.embed.qwen.devices import NEEDS
from indexer.sheet.render import SheetSpec

Model = Literal["2b", "8b"]
Basis = Literal["measured", "estimate", "given", "worked out"]

# Sheets (1,024 px by 512) a second on one card: lower ends of what a review of the code estimated, never run.
RATES: Mapping[str, Mapping[Model, float]] = {
    "H200": {"2b": 106.0, "8b": 42.0},
    "RTX 3090": {"2b": 13.0, "8b": 4.7},
}
RENDER_CORE_SECONDS = 0.10  # sheet .034, traits .065: the medians of 111 files
FETCH_THREAD_SECONDS = 7.0  # 60 families took 84 s longer without a cache, by 5 threads
FETCH_THREADS_BESIDE = 4  # that a host has beside one for each rendering process
SAVED_PER_SECOND = 130.0  # with the index in place
GRAPH_SECONDS = 14 / (20_000 * log2(20_000))  # of each font and doubling
BYTES = {  # of 20,000 fonts; 2,000 predict all of it to 0.5 %, bookkeeping to 24 %
    "vectors": 33_160,  # TOAST: 16 kB of text, 8 kB of sight, 4 kB of both side by side
    "rows": 1_590,
    "graph": 8_190,
    "other indexes": 190,
    "bookkeeping": 670,
}
CANDIDATE_BYTES = 16_700  # of a font in a space that does not serve
CONNECTIONS_OF_A_WORKER = 5
EVAL = "python -m eval bench"


@dataclass(frozen=True, kw_only=True)
class Line:
    what: str
    value: float
    unit: Literal["seconds", "bytes", "connections"]
    basis: Basis
    source: str

    def __str__(self) -> str:
        if self.unit == "seconds":
            shown = duration(self.value / 3600)
        elif self.unit == "bytes":
            shown = f"{self.value / 2**30:.2f} GiB"
        else:
            shown = f"{self.value:.0f}"
        return f"| {self.what} | {shown} | {self.basis}: {self.source} |"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What one card embeds in a second."""

    sheets: float
    basis: Basis
    source: str

    @classmethod
    def of(cls, gpu: str, model: Model) -> Self:
        source = f"{gpu} by a review of the code; measure yours: {EVAL} embed"
        return cls(sheets=RATES[gpu][model], basis="estimate", source=source)

    @classmethod
    def by_flops(cls, tflops: float, utilisation: float, model: Model) -> Self:
        spec = SheetSpec()
        flops = ARCHITECTURES[model].flops(spec.height, spec.width, TEXT_TOKENS)
        source = f"{utilisation:.0%} of {tflops:g} TFLOP/s; measure yours: {EVAL} embed"
        return cls(sheets=tflops * 1e12 * utilisation / flops, basis="estimate", source=source)


def capacity(
    fonts: int, gpus: int, rate: Rate, *, model: Model, cores: int, hosts: int
) -> list[Line]:
    """`cores` and `hosts`: of all hosts together, and how many."""
    fetching = max(cores - hosts, hosts) + FETCH_THREADS_BESIDE * hosts
    stages = [
        _seconds("fetch from npm, nothing cached", fonts * FETCH_THREAD_SECONDS / fetching, "estimate",
                 f"{FETCH_THREAD_SECONDS:g} s for each font and thread, {fetching} threads; once, by indexer demo"),
        _seconds("render and measure", fonts * RENDER_CORE_SECONDS / max(cores - hosts, hosts), "measured",
                 f"{RENDER_CORE_SECONDS:.2f} s of a core for each font, on {cores} cores; {EVAL} fonts FOLDER"),
        _seconds("embed sheets", fonts / (gpus * rate.sheets), rate.basis,
                 f"{rate.sheets:.1f} sheets/s on each card, {rate.source}"),
        _seconds("save, index in place", fonts / SAVED_PER_SECOND, "measured",
                 f"{SAVED_PER_SECOND:.0f} fonts/s; workers do not add up where the database has no cores left"),
    ]  # fmt: skip
    slowest = max(stages, key=lambda stage: stage.value)
    storage = [
        _bytes(what, fonts * size, "measured", f"{size:,} bytes for each font; {EVAL} storage")
        for what, size in BYTES.items()
    ]
    graph = fonts * BYTES["graph"]
    return [
        *stages,
        _seconds("the whole run", slowest.value, "worked out", f"stages overlap: {slowest.what}"),
        *storage,
        _bytes("all of the table", fonts * sum(BYTES.values()), "worked out", "the sum"),
        _bytes("a candidate space", fonts * CANDIDATE_BYTES, "worked out",
               "4,096 numbers of 4 bytes and their row, until it serves"),
        _seconds("build the graph anew", GRAPH_SECONDS * fonts * log2(max(fonts, 2)), "measured",
                 f"14 s for 20,000 by 2 cores, times n log n; {EVAL} search"),
        _bytes("shared_buffers for the graph", graph, "measured", "where it fits, searches read no disk"),
        _bytes("maintenance_work_mem to build it", graph, "measured",
               "a graph that does not fit takes several times as long"),
        _bytes("memory of each card, free", NEEDS[SMALL if model == "2b" else LARGE], "estimate",
               "weights in bfloat16, and room to work in"),
        Line(what="connections", value=CONNECTIONS_OF_A_WORKER * gpus + 1, unit="connections", basis="measured",
             source="at most 5 for each worker, and one of the command; tests/test_watch.py"),
    ]  # fmt: skip


def table(lines: Sequence[Line]) -> str:
    """In Markdown."""
    return "\n".join(["| what | amount | rests on |", "| --- | --- | --- |", *map(str, lines)])


def _seconds(what: str, value: float, basis: Basis, source: str) -> Line:
    return Line(what=what, value=value, unit="seconds", basis=basis, source=source)


def _bytes(what: str, value: float, basis: Basis, source: str) -> Line:
    return Line(what=what, value=value, unit="bytes", basis=basis, source=source)
