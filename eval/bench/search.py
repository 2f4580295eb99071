"""How fast and how right search is on made-up vectors, beside the ways to do without it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from eval.bench.search_contest import (
    ALONE,
    BUDGET,
    CONTENDERS,
    CREATE_HYBRID_SEARCH,
    SearchTimes,
    Tally,
    contest,
)
from eval.bench.search_crowd import (
    CROWDS,
    ClientTimes,
    CrowdTimes,
    ask_in_crowd,
    ask_together,
)
from eval.bench.search_table import BuiltIndex, Truth, fill
from eval.bench.vectors import SyntheticFonts
from indexer.database import local, schema
from indexer.database.connect import Database

WARM_UP = 10  # queries that are not timed, within a tenth of the budget

SERVER = """
    select current_setting('server_version'), extversion, current_setting('shared_buffers'),
           pg_size_bytes(current_setting('shared_buffers'))
    from pg_extension where extname = 'vector'
"""


@dataclass(frozen=True, kw_only=True)
class SearchBench:
    rows: int
    match_count: int
    noise: float  # share of a query's energy
    postgres: str
    pgvector: str
    shared_buffers: str
    cpus: int | None
    rank_correlation: float  # Spearman's, of a query's similarities on the two legs
    load_seconds: float
    indexes: Mapping[str, BuiltIndex]
    indexes_fit: bool  # all of them together, into shared buffers
    contenders: Mapping[str, SearchTimes]  # in turn
    alone: Mapping[str, SearchTimes]  # those that use the index, in turn, after the others
    together: ClientTimes
    crowds: Mapping[str, CrowdTimes]  # by what the crowd calls; none unless asked for

    def __str__(self) -> str:
        fit = "fit" if self.indexes_fit else "do not fit"
        lines = [
            f"{self.rows} fonts, {self.match_count} a query, noise {self.noise}; Postgres {self.postgres}, pgvector "
            f"{self.pgvector}, {self.shared_buffers} shared buffers, {self.cpus} CPUs",
            f"loaded in {self.load_seconds:.1f} s; the legs' rank correlation {self.rank_correlation:.2f}",
            *(
                f"{name}: {index.bytes / 2**20:.1f} MB, built in {index.seconds:.1f} s"
                for name, index in self.indexes.items()
            ),
            f"the indexes {fit} into shared buffers",
            f"{'':24}{'queries':>8}{'p50 ms':>10}{'p95 ms':>10}{'CPU ms':>10}{'recall':>8}  answers",
            *(_line(name, times) for name, times in self.contenders.items()),
            "the index alone, warm:",
            *(_line(name, times) for name, times in self.alone.items()),
            "ours, many at once:",
            _line(
                f"{self.together.clients} clients",
                self.together,
                note=f"{self.together.per_second:.1f} queries/s",
            ),
            *(
                _line(
                    "one in a crowd",
                    times,
                    note=f"{times.callers} others call {name}: {times.calls} answers, "
                    f"{times.call_cpu_ms:.0f} ms CPU each",
                )
                for name, times in self.crowds.items()
            ),
        ]
        return "\n".join(lines)


def _line(name: str, times: SearchTimes | ClientTimes | CrowdTimes, note: str = "") -> str:
    """A row of the table; recall and processor time only where they were measured."""
    cpu = recall = ""
    if isinstance(times, SearchTimes):
        cpu = f"{times.cpu_ms:.1f}"
        recall = "" if times.recall is None else f"{times.recall:.4f}"
        note = ", ".join(f"{many} {kind}" for kind, many in times.exactness.items())
        if "likely" in times.exactness and times.likely_and_exact is not None:
            note += f" ({times.likely_and_exact} of the likely exact)"
    return (
        f"{name:24}{times.queries:8}{times.p50_ms:10.1f}{times.p95_ms:10.1f}{cpu:>10}{recall:>8}"
        f"  {note}"
    ).rstrip()


def bench_search(
    rows: int, *, queries: int, match_count: int, noise: float, crowd: bool = False
) -> SearchBench:
    """Ask every contender the same queries in turn, on an embedded Postgres of its own.

    Then those that use the index, without the others, each query once before it is timed; then the
    default call by many clients at once, and with `crowd` by one among others that ask too much.

    Recall is the share of the best fonts by exact convex fusion with equal weights. hybrid_search
    fuses by ranks, so it is not meant to reach 1. Everything is warm: other queries go before, and
    shared buffers are a quarter of the memory, as hosts set them.
    """
    fonts = SyntheticFonts(rows)
    truth = Truth.of(fonts, queries + WARM_UP, noise)
    timed = range(queries)
    with tempfile.TemporaryDirectory() as folder, own_database(Path(folder)) as database:
        with database.open() as connection:
            loaded = fill(connection, fonts, truth)
            connection.execute(CREATE_HYBRID_SEARCH)
            others = range(queries, queries + WARM_UP)
            contest(connection, truth, CONTENDERS, others, match_count, BUDGET / 10)
            in_turn = contest(connection, truth, CONTENDERS, timed, match_count)
            contest(connection, truth, ALONE, timed, match_count)
            alone = contest(connection, truth, ALONE, timed, match_count)
            server = connection.execute(SERVER).fetchone()
        together = ask_together(database, truth, timed, match_count)
        crowds = {
            name: ask_in_crowd(database, truth, timed, match_count, calls)
            for name, calls in CROWDS.items()
            if crowd
        }
    assert server is not None
    return SearchBench(
        rows=rows,
        match_count=match_count,
        noise=noise,
        postgres=server[0],
        pgvector=server[1],
        shared_buffers=server[2],
        cpus=os.cpu_count(),
        rank_correlation=truth.rank_correlation(),
        load_seconds=loaded.seconds,
        indexes=loaded.indexes,
        indexes_fit=sum(index.bytes for index in loaded.indexes.values()) <= server[3],
        contenders=_outcomes(in_turn),
        alone=_outcomes(alone),
        together=together,
        crowds=crowds,
    )


def _outcomes(tallies: Mapping[str, Tally]) -> dict[str, SearchTimes]:
    return {name: tally.outcome() for name, tally in tallies.items()}


@contextmanager
def own_database(folder: Path) -> Iterator[Database]:
    """A migrated database with the roles of Supabase's API, stopped before its folder goes."""
    conninfo = local.start(folder)
    try:
        quarter = f"{psutil.virtual_memory().total // 4 // 2**20}MB"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("alter system set shared_buffers = {}").format(quarter))
            connection.execute("alter system set fsync = off")
            connection.execute(schema.read_sql("local_roles.sql"))
        local.stop(folder)
        conninfo = local.start(folder)
        schema.upgrade(conninfo)
        yield Database(conninfo=conninfo, label="bench")
    finally:
        local.stop(folder)
