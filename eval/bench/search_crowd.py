"""Many clients of search at once: queries a second, and how long one waits among the worst of others.

The clients are threads: while one waits for the server it holds no lock of Python's, and a query costs
it far less than a millisecond, so processes would take more memory and measure the same.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, count, cycle
from queue import SimpleQueue
from typing import Any

import numpy as np
import psutil
from psycopg.types.json import Jsonb

from eval.bench.search_contest import MIN_QUERIES, OURS_BY_DEFAULT, asked, cpu_seconds
from eval.bench.search_table import EVERYWHERE, Truth, font_id
from indexer.database.connect import Connection, Database

CLIENTS = 8
CALLERS = 20
CROWD_SECONDS = 10.0
VISITOR = "anon"  # of Supabase's API: it may call the functions, and read no table of font_index

(DEFAULT_CALL,) = OURS_BY_DEFAULT.statements
DEEPEST_PAGE = """
    select * from public.match_fonts_hybrid(
      query_embedding => %(text)b, query_embedding_vl => %(vl)b, match_threshold => -1, match_count => 200,
      match_offset => 400, query_text => %(everywhere)s, normalization => 'z_score', filter => %(filter)s, {options})
"""
# The dearest calls that are allowed to a visitor, and what the app calls without this project.
CROWDS = {
    "match_fonts_hybrid at its worst": (
        DEEPEST_PAGE.format(options="fusion => 'rrf', candidates => 400"),
        DEEPEST_PAGE.format(options="fusion => 'rrf'"),
        DEEPEST_PAGE.format(options="fusion => 'convex'"),
    ),
    "match_fonts": ("select * from public.match_fonts(%(text)b, 0, %(count)s)",),
}


@dataclass(frozen=True, kw_only=True)
class ClientTimes:
    """Of the default call by several clients at once, each on its own connection."""

    clients: int
    queries: int  # of all of them
    per_second: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True)
class CrowdTimes:
    """Of the default call by one caller among others that keep calling something else."""

    callers: int  # the others
    calls: int  # of the others, to the end of what each had begun
    call_cpu_ms: float  # of the server, a mean call of the others
    queries: int
    p50_ms: float
    p95_ms: float


def ask_together(database: Database, truth: Truth, queries: range, match_count: int) -> ClientTimes:
    """CLIENTS clients take the next query from one list, as soon as each has its answer.

    Every query is asked CLIENTS times; each client has asked one before that.
    """
    waiting: SimpleQueue[int | None] = SimpleQueue()
    order = random.Random(0)  # noqa: S311
    for _ in range(CLIENTS):
        for query in order.sample(queries, len(queries)):
            waiting.put(query)
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        connections = [stack.enter_context(database.open()) for _ in range(CLIENTS)]

        def client(connection: Connection) -> list[float]:
            return [
                _ask(connection, asked(truth, query, match_count))
                for query in iter(waiting.get, None)
            ]

        first = asked(truth, queries[0], match_count)
        list(pool.map(_ask, connections, [first] * CLIENTS))
        for _ in connections:
            waiting.put(None)  # the end of the list, for each
        begin = time.perf_counter()
        seconds = list(chain.from_iterable(pool.map(client, connections)))
        whole = time.perf_counter() - begin
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
    return ClientTimes(
        clients=CLIENTS,
        queries=len(seconds),
        per_second=len(seconds) / whole,
        p50_ms=float(p50),
        p95_ms=float(p95),
    )


def ask_in_crowd(
    database: Database, truth: Truth, queries: range, match_count: int, calls: Sequence[str]
) -> CrowdTimes:
    """One caller's times while CALLERS others make these calls in turn, all of them as VISITOR.

    For CROWD_SECONDS, and until MIN_QUERIES answers are there: a statement timeout would cut off
    the worst. The others finish what they have begun.
    """
    values = [
        asked(truth, query, match_count)
        | {"everywhere": EVERYWHERE, "filter": Jsonb(_widest_filter(truth))}
        for query in queries
    ]
    stop = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(CALLERS) as pool:
        one, *others = (stack.enter_context(database.open()) for _ in range(1 + CALLERS))
        for connection in (one, *others):
            connection.execute(f"set role {VISITOR}")
        _ask(one, values[0])
        servers = [psutil.Process(other.info.backend_pid) for other in others]
        cpu_before = sum(map(cpu_seconds, servers))
        crowd = [
            pool.submit(_call, other, calls, values, first, stop)
            for first, other in enumerate(others)
        ]
        seconds: list[float] = []
        begin = time.perf_counter()
        try:
            for value in cycle(values):
                seconds.append(_ask(one, value))
                if len(seconds) >= MIN_QUERIES and time.perf_counter() - begin > CROWD_SECONDS:
                    break
        finally:
            stop.set()
        answered = sum(other.result() for other in crowd)
        cpu = sum(map(cpu_seconds, servers)) - cpu_before
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
    return CrowdTimes(
        callers=CALLERS,
        calls=answered,
        call_cpu_ms=cpu / answered * 1000,
        queries=len(seconds),
        p50_ms=float(p50),
        p95_ms=float(p95),
    )


def _ask(connection: Connection, values: dict[str, Any]) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    connection.execute(DEFAULT_CALL, values, binary=True).fetchall()
    return time.perf_counter() - begin


def _call(
    connection: Connection,
    calls: Sequence[str],
    values: Sequence[dict[str, Any]],
    first: int,
    stop: threading.Event,
) -> int:
    """Each call with each query in turn, from the first on; returns how many were answered."""
    for turn in count(first):
        call, value = calls[turn % len(calls)], values[turn % len(values)]
        connection.execute(call, value, binary=True).fetchall()
        if stop.is_set():
            break
    return turn - first + 1


def _widest_filter(truth: Truth) -> dict[str, Any]:
    """The longest list of ids that is allowed. None is in the table: all of its fonts stay in the race."""
    beyond = range(len(truth.rare), len(truth.rare) + 1000)
    return {"collapse": True, "exclude": [str(font_id(number)) for number in beyond]}
