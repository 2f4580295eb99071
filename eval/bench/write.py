"""How fast vectors are saved into a table whose index is in place, by one writer and by several."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from eval.bench.search_table import Truth, fill
from eval.bench.vectors import SyntheticFonts
from indexer import spaces
from indexer.database import local, schema
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.protocol import Vector
from indexer.errors import UserError
from indexer.job.ahead import Outcome
from indexer.job.pending import EVERYTHING, Claim, pending
from indexer.job.run import BATCH
from indexer.job.saving import Batch, Saved
from indexer.job.store import JobRun
from indexer.job.writers import WRITERS, Writers
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import LIGHT

SEED = 1  # of the vectors that are saved; those of the table have another


@dataclass(frozen=True, kw_only=True)
class WriteBench:
    rows: int
    vectors: int  # saved in a turn, by each number of writers
    cpus: int | None
    per_second: Mapping[int, Sequence[float]]  # by the number of writers, of each round

    def ratio(self, writers: int) -> float:
        """Of the rates of so many and of one, in the same round; the median."""
        pairs = zip(self.per_second[writers], self.per_second[1], strict=True)
        return median(many / one for many, one in pairs)

    def __str__(self) -> str:
        lines = [f"{self.rows} fonts in the index, {self.vectors} saved a turn, {self.cpus} CPUs"]
        for writers, rates in self.per_second.items():
            lines.append(
                f"{writers} writer{'s' * (writers > 1)}: {median(rates):.0f} fonts/s, "
                f"{self.ratio(writers):.2f} of one ({', '.join(f'{rate:.0f}' for rate in rates)})"
            )
        return "\n".join(lines)


def bench_write(rows: int, *, vectors: int, rounds: int) -> WriteBench:
    """Save vectors of the vl leg by 1, 2 and 3 writers in turn, on an embedded Postgres of its own.

    Each turn saves other fonts of a table of `rows`. Raises UserError where that has too few.
    """
    turns = rounds * WRITERS
    if rows < turns * vectors:
        raise UserError(f"{turns} turns of {vectors} vectors need as many fonts: raise --rows.")
    found: dict[int, list[float]] = {writers: [] for writers in range(1, WRITERS + 1)}
    with tempfile.TemporaryDirectory() as folder:
        database = Database(conninfo=local.start(Path(folder)), label="bench")
        try:
            schema.upgrade(database.conninfo)
            with database.open() as connection:
                fonts = SyntheticFonts(rows)
                fill(connection, fonts, Truth.of(fonts, 1, 0.0))
                space = spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT)
                spaces.register(connection, space)
                work = list(
                    zip(pending(connection, space), _vectors(turns * vectors), strict=False)
                )
                for _ in range(rounds):
                    for writers, rates in found.items():
                        mine, work = work[:vectors], work[vectors:]
                        rates.append(vectors / save_all(connection, space, mine, writers))
        finally:
            local.stop(Path(folder))
    return WriteBench(rows=rows, vectors=vectors, cpus=os.cpu_count(), per_second=found)


def _vectors(count: int) -> list[Vector]:
    chunks = SyntheticFonts(count, seed=SEED).chunks()
    return [vector for _, legs in chunks for vector in legs["vl"]]


def save_all(
    connection: Connection,
    space: Space,
    work: Sequence[tuple[Claim, Vector]],
    writers: int = WRITERS,
) -> float:
    """Seconds that a job's writers take to save these vectors."""
    run = JobRun.start(connection, space, {})
    for start in range(0, len(work), 1000):
        run.claim([claim for claim, _ in work[start : start + 1000]], EVERYTHING)
    connection.execute("checkpoint")  # nothing pays for the writes of what came before
    saved: list[Saved] = []
    begin = time.perf_counter()
    with Writers(run, saved.append, count=writers) as several:
        for start in range(0, len(work), BATCH):
            part = work[start : start + BATCH]
            ready = [Outcome(claim=claim) for claim, _ in part]
            batch = Batch(ready=ready, documents=[], failed=[])
            several.save(batch, [vector for _, vector in part])
    seconds = time.perf_counter() - begin
    run.finish("finished", {}, {})
    if sum(part.embedded for part in saved) != len(work):
        raise RuntimeError(f"not all fonts were saved: {saved}")
    return seconds
