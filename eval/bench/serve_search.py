"""What `POST /search` costs above the database's function that it calls."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import median

from psycopg import sql
from psycopg.types.json import Jsonb

from eval.bench.search_table import Truth, fill
from eval.bench.serve_load import text
from eval.bench.serve_processes import Server
from eval.bench.vectors import SyntheticFonts
from eval.fonts.made import made_font
from indexer import functions, spaces
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.fontfile import open_font
from indexer.serve.visitors import ANONYMOUS
from indexer.sheet.render import SheetSpec
from indexer.traits.measure import measure

COUNT = 20
WARM_UP = 20  # pairs that are not counted


@dataclass(frozen=True, kw_only=True)
class SearchCost:
    """Of one caller's searches. Medians, in ms; `above` of the differences, pair by pair."""

    fonts: int
    pairs: int
    request_ms: float
    rpc_ms: float  # called by psycopg with the same vectors, and the rows read
    above_ms: float
    above_p95_ms: float
    parts: Mapping[str, float]  # what the service says of itself


def fill_fonts(connection: Connection, rows: int) -> None:
    """Made-up vectors of both legs, in serving spaces whose queries need no torch.

    All fonts have the measurements of one: an answer that explains itself reads them.
    """
    traits = Jsonb(measure(open_font(made_font(0).data)).to_json())
    default = "alter table public.fonts alter column traits set default {}"
    connection.execute(sql.SQL(default).format(sql.Literal(traits)))
    fonts = SyntheticFonts(rows)
    fill(connection, fonts, Truth.of(fonts, 1, noise=0.5))
    connection.execute("alter table public.fonts alter column traits drop default")
    for space in (
        spaces.text_space(HashedNgrams()),
        spaces.vl_space(MeasuredTraits(), SheetSpec(), None),
    ):
        spaces.register(connection, space)


def search_cost(database: Database, server: Server, rows: int, *, seconds: float) -> SearchCost:
    """Pairs of a request and a call for the same words, which goes first by turns."""
    requests: list[float] = []
    calls: list[float] = []
    told: list[Mapping[str, float]] = []
    ends = time.monotonic() + seconds
    http = HTTPConnection("127.0.0.1", server.port)
    with database.open() as connection:
        # the rights are looked at in every call: the service's are those of visitors
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(ANONYMOUS)))
        while len(calls) < 2 * WARM_UP or time.monotonic() < ends:
            words = text("search", 0, len(calls))
            if len(calls) % 2:
                calls.append(_called(connection, words))
            taken, parts = _requested(http, words)
            requests.append(taken)
            told.append(parts)
            if len(calls) < len(requests):
                calls.append(_called(connection, words))
    http.close()
    pairs = list(zip(requests, calls, strict=True))[WARM_UP:]
    above = sorted(request - call for request, call in pairs)
    return SearchCost(
        fonts=rows,
        pairs=len(pairs),
        request_ms=median(request for request, _ in pairs) * 1000,
        rpc_ms=median(call for _, call in pairs) * 1000,
        above_ms=median(above) * 1000,
        above_p95_ms=above[int(0.95 * len(above))] * 1000,
        parts={name: median(parts[name] for parts in told[WARM_UP:]) for name in told[0]},
    )


def _requested(http: HTTPConnection, words: str) -> tuple[float, Mapping[str, float]]:
    began = time.perf_counter()
    body = json.dumps({"query": words, "limit": COUNT})
    http.request("POST", "/search", body, {"Content-Type": "application/json"})
    response = http.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - began
    found = json.loads(answer)
    if response.status != 200 or len(found["fonts"]) != COUNT:
        raise RuntimeError(f"No good answer: {response.status} {answer[:300].decode()}")
    return seconds, found["milliseconds"]


def _called(connection: Connection, words: str) -> float:
    vectors = (HashedNgrams().embed_query(words), MeasuredTraits().embed_query(words))
    began = time.perf_counter()
    functions.match(connection, text=vectors[0], vl=vectors[1], count=COUNT, query_text=words)
    return time.perf_counter() - began
