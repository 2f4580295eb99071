"""How fast and how right search is on made-up vectors, beside the ways to do without it."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import psycopg
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql

from eval.bench.search_table import RARE, BuiltIndex, Truth, fill, font_number
from eval.bench.vectors import SyntheticFonts
from indexer.database import local, schema
from indexer.database.connect import Connection, Database

ALPHA = 0.5
BUDGET = 60.0  # seconds for each contender: a slow one gets fewer queries
MIN_QUERIES = 5  # queries
WARM_UP = 10  # queries that are not timed, within a tenth of the budget

OURS = """
    select id, exactness from public.match_fonts_hybrid(
      query_embedding => %(text)b, query_embedding_vl => %(vl)b, match_threshold => -1,
      match_count => %(count)s, alpha => %(alpha)s, strategy => {strategy}, filter => {filter})
"""
# The shape that https://supabase.com/docs/guides/ai/hybrid-search documents, here on two vector legs.
CREATE_HYBRID_SEARCH = """
    create function public.hybrid_search(
      query_embedding vector(4096),
      query_embedding_vl halfvec(4096),
      match_count int,
      text_weight float = 1,
      vl_weight float = 1,
      rrf_k int = 50
    )
    returns setof public.fonts
    language sql
    as $$
    with text_leg as (
      select id, row_number() over (order by embedding <=> query_embedding) as rank_ix
        from public.fonts
       order by rank_ix
       limit least(match_count, 30) * 2
    ),
    vl_leg as (
      select id, row_number() over (order by embedding_vl <=> query_embedding_vl) as rank_ix
        from public.fonts
       order by rank_ix
       limit least(match_count, 30) * 2
    )
    select fonts.*
      from text_leg
      full outer join vl_leg on text_leg.id = vl_leg.id
      join public.fonts on coalesce(text_leg.id, vl_leg.id) = fonts.id
     order by coalesce(1.0 / (rrf_k + text_leg.rank_ix), 0.0) * text_weight
            + coalesce(1.0 / (rrf_k + vl_leg.rank_ix), 0.0) * vl_weight desc
     limit least(match_count, 30)
    $$
"""
HYBRID_SEARCH = "select id from public.hybrid_search(%(text)b, %(vl)b, %(count)s)"
TEXT_SCAN = "select id from public.fonts order by embedding <=> %(text)b limit %(count)s"
VL_SCAN = "select id from public.fonts order by embedding_vl <=> %(vl)b limit %(count)s"
SERVER = """select current_setting('server_version'), extversion, current_setting('shared_buffers')
    from pg_extension where extname = 'vector'"""


@dataclass(frozen=True, kw_only=True)
class SearchContender:
    """A way to answer a query: statements, one after the other."""

    statements: tuple[str, ...]
    fused: bool = True  # the answer is a fused ranking
    filtered: bool = False  # to the fonts of category RARE


def _ours(strategy: str, *, filtered: bool = False) -> SearchContender:
    condition = "jsonb_build_object('category', %(rare)s::text)" if filtered else "null"
    ours = OURS.format(strategy=f"'{strategy}'", filter=condition)
    return SearchContender(statements=(ours,), filtered=filtered)


CONTENDERS = {
    "ours": _ours("auto"),
    "ours, exact": _ours("exact"),
    "ours, 1 % filter": _ours("auto", filtered=True),
    "ours, exact, 1 % filter": _ours("exact", filtered=True),
    "hybrid_search": SearchContender(statements=(HYBRID_SEARCH,)),
    "two exact scans": SearchContender(statements=(TEXT_SCAN, VL_SCAN), fused=False),
}


@dataclass(frozen=True, kw_only=True)
class SearchTimes:
    """Of one contender. Milliseconds of wall clock at the client; recall: see bench_search."""

    queries: int
    p50_ms: float
    p95_ms: float
    recall: float | None
    exactness: Mapping[str, int]  # how many answers say what of themselves
    bounded_and_exact: int  # how many of those that say bounded have recall 1


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
    contenders: Mapping[str, SearchTimes]

    def __str__(self) -> str:
        lines = [
            f"{self.rows} fonts, {self.match_count} a query, noise {self.noise}; Postgres {self.postgres}, pgvector "
            f"{self.pgvector}, {self.shared_buffers} shared buffers, {self.cpus} CPUs",
            f"loaded in {self.load_seconds:.1f} s; the legs' rank correlation {self.rank_correlation:.2f}",
            *(
                f"{name}: {index.bytes / 2**20:.1f} MB, built in {index.seconds:.1f} s"
                for name, index in self.indexes.items()
            ),
            f"{'':24}{'queries':>8}{'p50 ms':>10}{'p95 ms':>10}{'recall':>8}  answers",
        ]
        for name, outcome in self.contenders.items():
            recall = "" if outcome.recall is None else f"{outcome.recall:.4f}"
            answers = ", ".join(f"{many} {kind}" for kind, many in outcome.exactness.items())
            if "bounded" in outcome.exactness:
                answers += f" ({outcome.bounded_and_exact} of the bounded exact)"
            lines.append(
                f"{name:24}{outcome.queries:8}{outcome.p50_ms:10.1f}{outcome.p95_ms:10.1f}"
                f"{recall:>8}  {answers}".rstrip()
            )
        return "\n".join(lines)


@dataclass(kw_only=True)
class _Tally:
    seconds: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    exactness: list[str] = field(default_factory=list)

    def outcome(self) -> SearchTimes:
        p50, p95 = np.quantile(self.seconds, [0.5, 0.95]) * 1000
        answers = zip(self.exactness, self.recalls, strict=False)
        return SearchTimes(
            queries=len(self.seconds),
            p50_ms=float(p50),
            p95_ms=float(p95),
            recall=float(np.mean(self.recalls)) if self.recalls else None,
            exactness=dict(Counter(self.exactness)),
            bounded_and_exact=sum(kind == "bounded" and right == 1 for kind, right in answers),
        )


def bench_search(rows: int, *, queries: int, match_count: int, noise: float) -> SearchBench:
    """Ask every contender the same queries in turn, on an embedded Postgres of its own.

    Recall is the share of the best fonts by exact convex fusion with equal weights. hybrid_search
    fuses by ranks, so it is not meant to reach 1. Everything is warm: other queries go before, and
    shared buffers are a quarter of the memory, as hosts set them.
    """
    fonts = SyntheticFonts(rows)
    truth = Truth.of(fonts, queries + WARM_UP, noise)
    with tempfile.TemporaryDirectory() as folder:
        conninfo = _server(Path(folder))
        try:
            schema.upgrade(conninfo)
            with Database(conninfo=conninfo, label="bench").open() as connection:
                loaded = fill(connection, fonts, truth)
                connection.execute(CREATE_HYBRID_SEARCH)
                _contest(
                    connection, truth, range(queries, queries + WARM_UP), match_count, BUDGET / 10
                )
                tallies = _contest(connection, truth, range(queries), match_count, BUDGET)
                server = connection.execute(SERVER).fetchone()
        finally:
            local.stop(Path(folder))
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
        contenders={name: tally.outcome() for name, tally in tallies.items()},
    )


def _server(folder: Path) -> str:
    conninfo = local.start(folder)
    quarter = f"{psutil.virtual_memory().total // 4 // 2**20}MB"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("alter system set shared_buffers = {}").format(quarter))
        connection.execute("alter system set fsync = off")
    local.stop(folder)
    return local.start(folder)


def _contest(
    connection: Connection, truth: Truth, queries: range, match_count: int, budget: float
) -> dict[str, _Tally]:
    """Each query by every contender before the next, so that noise of the machine hits all alike."""
    tallies = {name: _Tally() for name in CONTENDERS}
    order = random.Random(0)  # noqa: S311
    for query in queries:
        values = {
            "text": FullVector(truth.queries["text"][query]),
            "vl": HalfVector(truth.queries["vl"][query]),
            "count": match_count,
            "alpha": ALPHA,
            "rare": RARE,
        }
        # in another order each time: none is always the one after a scan
        for name in order.sample(list(CONTENDERS), len(CONTENDERS)):
            contender, tally = CONTENDERS[name], tallies[name]
            if len(tally.seconds) >= MIN_QUERIES and sum(tally.seconds) > budget:
                continue
            begin = time.perf_counter()
            for statement in contender.statements:
                answer = connection.execute(statement, values, binary=True).fetchall()
            tally.seconds.append(time.perf_counter() - begin)
            if not contender.fused:
                continue
            found = [font_number(row[0]) for row in answer]
            filtered = contender.filtered
            recall = truth.recall(query, found, match_count, alpha=ALPHA, filtered=filtered)
            tally.recalls.append(recall)
            for row in answer[:1]:  # all rows of an answer say the same
                tally.exactness += row[1:]
    return tallies
