"""What a switch to another space costs those who read and write meanwhile, and how long it takes."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from uuid import UUID

import numpy as np
import psycopg

from eval.bench.bookkeeping import record_all
from eval.bench.search_table import Truth, fill, font_id
from eval.bench.vectors import Floats, SyntheticFonts, unit
from eval.bench.write import save_all
from indexer import functions, spaces
from indexer.activate import activate
from indexer.database import local, schema
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.job.pending import pending
from indexer.sheet.render import SheetSpec
from indexer.staging import INDEX
from indexer.text import DESCRIBED, LIGHT

CHANGED = "update font_index.embeddings set input_hash = '' where space_id = %s"
DIRECT = 800  # vectors
QUIET_SECONDS = 3.0  # before the switch, for comparison
READERS, WRITERS = 2, 2
PAUSE = 0.01  # seconds between two statements of one of them
MARK = (
    1.0  # the first coordinate of a vector of the first space, before it is scaled; -1 of the other
)


class Marked(SyntheticFonts):
    """Vectors of appearance whose first coordinate tells their space, by its sign."""

    def __init__(self, rows: int, mark: float) -> None:
        super().__init__(rows)
        self._mark = mark

    def chunks(self) -> Iterator[tuple[int, dict[str, Floats]]]:
        for first, legs in super().chunks():
            marked = legs["vl"].copy()
            marked[:, 0] = self._mark
            yield first, {**legs, "vl": unit(marked)}


@dataclass(kw_only=True)
class Live:
    """What readers and writers met with. Seconds of single statements."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    mixed: int = 0  # answers with similarities of both spaces
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ActivateBench:
    rows: int
    cpus: int | None
    filled_seconds: float  # the candidate's vectors saved, by the writers of a job
    parts: dict[str, float]  # of the switch, in seconds; in the last one it serves already
    quiet: Live  # before the switch
    live: Live  # during it
    built_seconds: float  # the index of a loaded table, with nobody at work
    direct_per_second: float  # vectors saved into the index that serves, by the same writers

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.rows} fonts, {self.cpus} CPUs, {READERS} readers and {WRITERS} writers at work",
                f"candidate filled in {self.filled_seconds:.1f} s, and serving, all of it indexed, "
                f"{sum(list(self.parts.values())[:-1]):.1f} s later",
                f"the index of the loaded table took {self.built_seconds:.1f} s, with nobody at work",
                f"without a candidate, into the index that serves: {self.direct_per_second:.0f} fonts/s, "
                f"{self.rows / self.direct_per_second:.1f} s for all",
                *(f"  {seconds:6.1f} s  {part}" for part, seconds in self.parts.items()),
                *(
                    f"{name}: longest write {max(seen.writes):.3f} s (median {median(seen.writes):.3f}), "
                    f"longest read {max(seen.reads):.3f} s (median {median(seen.reads):.3f}), "
                    f"{len(seen.writes)} writes, {len(seen.reads)} reads, {seen.mixed} mixed, "
                    f"errors: {'; '.join(seen.errors) or 'none'}"
                    for name, seen in (("before", self.quiet), ("during", self.live))
                ),
            ]
        )


def bench_activate(rows: int, *, say: Callable[[str], None]) -> ActivateBench:
    """Fill a candidate of `rows` fonts, and let it serve under readers and writers.

    On an embedded Postgres of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = Database(conninfo=local.start(Path(folder)), label="bench")
        try:
            schema.upgrade(database.conninfo)
            with database.open() as connection:
                say("Making the table.")
                fonts = Marked(rows, MARK)
                table = fill(connection, fonts, Truth.of(fonts, 1, 0.0))
                record_all(connection, spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT))
                query = fonts.queries(1)["vl"][0]
                query[0] = MARK
                numbers = count()
                with _at_work(database, rows, query, numbers) as quiet:
                    time.sleep(QUIET_SECONDS)
                other = spaces.vl_space(MeasuredTraits(), SheetSpec(), DESCRIBED)
                spaces.register(connection, other)
                made = [vector for _, legs in Marked(rows, -MARK).chunks() for vector in legs["vl"]]
                with _at_work(database, rows, query, numbers) as live:
                    say("Filling a candidate.")
                    work = list(zip(pending(connection, other), made, strict=False))
                    filled = save_all(connection, other, work)
                    parts = _Parts(say)
                    activate(connection, other.id, force=True, say=parts.begin)
                    parts.end()
                with _at_work(database, rows, query, numbers):
                    say("Saving vectors of the space that serves now.")
                    connection.execute(CHANGED, [other.id])
                    work = list(zip(pending(connection, other)[:DIRECT], made[::-1], strict=False))
                    direct = len(work) / save_all(connection, other, work)
        finally:
            local.stop(Path(folder))
    return ActivateBench(
        rows=rows, cpus=os.cpu_count(), filled_seconds=filled, parts=parts.seconds,
        quiet=quiet, live=live, direct_per_second=direct, built_seconds=table.indexes[INDEX].seconds,
    )  # fmt: skip


class _Parts:
    """Seconds of what `activate` says that it does."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say
        self._doing = "looking"
        self._since = time.perf_counter()

    def begin(self, sentence: str) -> None:
        self._note()
        self._doing = sentence
        self._say(sentence)

    def end(self) -> None:
        self._note()

    def _note(self) -> None:
        now = time.perf_counter()
        self.seconds[self._doing] = self.seconds.get(self._doing, 0.0) + now - self._since
        self._since = now


@contextmanager
def _at_work(
    database: Database, rows: int, query: Floats, numbers: Iterator[int]
) -> Iterator[Live]:
    """Readers and writers, each over a connection of its own, until the end of the block."""
    live, ended = Live(), threading.Event()

    def write(connection: Connection) -> None:
        number = next(numbers)
        _write(connection, number, font_id(number * 7919 % rows))

    def read(connection: Connection) -> None:
        hits = functions.match(connection, text=None, vl=query, count=10)
        signs = {np.sign(hit.vl_similarity) for hit in hits if hit.vl_similarity is not None}
        live.mixed += len(signs) > 1

    def work(act: Callable[[Connection], None], seconds: list[float]) -> None:
        with database.open() as connection:
            while not ended.wait(PAUSE):
                begin = time.perf_counter()
                try:
                    act(connection)
                except psycopg.Error as error:
                    live.errors.append(str(error)[:200])
                seconds.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=work, args=(read, live.reads)) for _ in range(READERS)]
    threads += [threading.Thread(target=work, args=(write, live.writes)) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield live
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _write(connection: Connection, number: int, font: UUID) -> None:
    """As an app does: mostly a row changed, now and then one new and one gone."""
    if number % 10 == 0:
        connection.execute("insert into public.fonts (name) values (%s)", [f"New {number}"])
    elif number % 10 == 5:
        connection.execute("delete from public.fonts where name = %s", [f"New {number - 5}"])
    else:
        connection.execute(
            "update public.fonts set license = %s where id = %s", [f"License {number}", font]
        )
