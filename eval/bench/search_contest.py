"""The ways to answer a query of the search benchmark, asked in turn and timed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from pgvector import HalfVector
from pgvector import Vector as FullVector

from eval.bench.search_table import RARE, Truth, font_number, word
from indexer.database.connect import Connection

ALPHA = 0.5
BUDGET = 60.0  # seconds for each contender: a slow one gets fewer queries
MIN_QUERIES = 5  # queries

OURS = """
    select id, exactness from public.match_fonts_hybrid(
      query_embedding => %(text)b, match_threshold => -1, match_count => %(count)s, {options})
"""
BOTH = "query_embedding_vl => %(vl)b, alpha => %(alpha)s"
WORDS = "query_text => %(words)s"
RARE_ONLY = "filter => jsonb_build_object('category', %(rare)s::text)"
EXACT = "strategy => 'exact'"
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


@dataclass(frozen=True, kw_only=True)
class SearchContender:
    """A way to answer a query: statements, one after the other."""

    statements: tuple[str, ...]
    judged: bool = True  # the answer is meant to be the best by both vectors
    filtered: bool = False  # to the fonts of category RARE


def _ours(*options: str, judged: bool = True) -> SearchContender:
    return SearchContender(
        statements=(OURS.format(options=", ".join(options)),),
        judged=judged,
        filtered=RARE_ONLY in options,
    )


OURS_BY_DEFAULT = _ours(BOTH)
CONTENDERS = {
    "ours": OURS_BY_DEFAULT,
    "ours, exact": _ours(BOTH, EXACT),
    "ours, 1 % filter": _ours(BOTH, RARE_ONLY),
    "ours, exact, 1 % filter": _ours(BOTH, EXACT, RARE_ONLY),
    "hybrid_search": SearchContender(statements=(HYBRID_SEARCH,)),
    "two exact scans": SearchContender(statements=(TEXT_SCAN, VL_SCAN), judged=False),
}
# without those that read the whole table, and so evict the index between two of our queries
ALONE = {
    "ours": OURS_BY_DEFAULT,
    "ours, 1 % filter": _ours(BOTH, RARE_ONLY),
    "text, words: convex": _ours(WORDS, "fusion => 'convex'", judged=False),
    "text, words: rrf": _ours(WORDS, "fusion => 'rrf'", judged=False),
}


@dataclass(frozen=True, kw_only=True)
class SearchTimes:
    """Of one contender. Milliseconds of wall clock at the client; recall: see bench_search."""

    queries: int
    p50_ms: float
    p95_ms: float
    cpu_ms: (
        float  # of the server's process, a query's mean; processes that helped it are not counted
    )
    recall: float | None
    exactness: Mapping[str, int]  # how many answers say what of themselves
    likely_and_exact: int | None  # how many of those that say likely have recall 1


@dataclass(kw_only=True)
class Tally:
    """What one contender took and found, query by query."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    exactness: list[str] = field(default_factory=list)

    def outcome(self) -> SearchTimes:
        p50, p95 = np.quantile(self.seconds, [0.5, 0.95]) * 1000
        answers = zip(self.exactness, self.recalls, strict=False)
        right = sum(kind == "likely" and recall == 1 for kind, recall in answers)
        return SearchTimes(
            queries=len(self.seconds),
            p50_ms=float(p50),
            p95_ms=float(p95),
            cpu_ms=float(np.mean(self.cpu_seconds)) * 1000,
            recall=float(np.mean(self.recalls)) if self.recalls else None,
            exactness=dict(Counter(self.exactness)),
            likely_and_exact=right if self.recalls else None,
        )


def contest(
    connection: Connection,
    truth: Truth,
    contenders: Mapping[str, SearchContender],
    queries: range,
    match_count: int,
    budget: float = BUDGET,
) -> dict[str, Tally]:
    """Each query by every contender before the next, so that noise of the machine hits all alike."""
    tallies = {name: Tally() for name in contenders}
    order = random.Random(0)  # noqa: S311
    server = psutil.Process(connection.info.backend_pid)
    for query in queries:
        values = asked(truth, query, match_count)
        # in another order each time: none is always the one after a scan
        for name in order.sample(list(contenders), len(contenders)):
            contender, tally = contenders[name], tallies[name]
            if len(tally.seconds) >= MIN_QUERIES and sum(tally.seconds) > budget:
                continue
            cpu_before = cpu_seconds(server)
            begin = time.perf_counter()
            for statement in contender.statements:
                answer = connection.execute(statement, values, binary=True).fetchall()
            tally.seconds.append(time.perf_counter() - begin)
            tally.cpu_seconds.append(cpu_seconds(server) - cpu_before)
            for row in answer[:1]:  # all rows of an answer say the same
                tally.exactness += row[1:]
            if contender.judged:
                found = [font_number(row[0]) for row in answer]
                filtered = contender.filtered
                recall = truth.recall(query, found, match_count, alpha=ALPHA, filtered=filtered)
                tally.recalls.append(recall)
    return tallies


def asked(truth: Truth, query: int, match_count: int) -> dict[str, Any]:
    """What the statements name of a query."""
    return {
        "text": FullVector(truth.queries["text"][query]),
        "vl": HalfVector(truth.queries["vl"][query]),
        "words": word(query),
        "count": match_count,
        "alpha": ALPHA,
        "rare": RARE,
    }


def cpu_seconds(process: psutil.Process) -> float:
    """In steps of 10 ms, so only a mean over many queries means anything."""
    times = process.cpu_times()
    return times.user + times.system
