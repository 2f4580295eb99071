"""The table that searches are timed on, and what the right answers are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql

from eval.bench.vectors import LEGS, Floats, SyntheticFonts, unit
from indexer.database.connect import Connection

RARE = "one_percent"  # the category of every hundredth font, at random
WORDS = {
    "geometric": 0.1,
    "elegant": 0.03,
    "condensed": 0.01,
}  # of descriptions: share of the fonts
# What every font's name and nearly every category say, and as many words more as 1,000 characters hold.
EVERYWHERE = " ".join(["font", "common", *map("".join, permutations("bcdfghjklmnpqrstvwxz", 2))])[
    :1000
]
NEAR = 1e-6  # scores no further apart are ties: the server adds up in another order

COPY = """copy public.fonts (id, name, category, description, embedding, embedding_vl)
    from stdin (format binary)"""
INDEXES = """
    select c.relname, pg_get_indexdef(i.indexrelid)
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = 'public.fonts'::regclass and not i.indisunique order by c.relname
"""


@dataclass(frozen=True, kw_only=True)
class BuiltIndex:
    bytes: int
    seconds: float  # to build it on the loaded table


@dataclass(frozen=True, kw_only=True)
class FilledTable:
    seconds: float  # drawing the vectors included
    indexes: Mapping[str, BuiltIndex]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Exact similarities of every font to every query, worked out beside the database."""

    queries: Mapping[str, Floats]
    rare: NDArray[np.bool_]  # (fonts,): those that the filter keeps
    similarities: Mapping[str, Floats] = field(repr=False)  # per leg (queries, fonts)

    @classmethod
    def of(cls, fonts: SyntheticFonts, queries: int, noise: float) -> Truth:
        """Room for the similarities, which come while the table is filled."""
        rare = np.zeros(fonts.rows, dtype=bool)
        rare[np.random.default_rng(0).choice(fonts.rows, -(-fonts.rows // 100), False)] = True
        room = {leg: np.empty((queries, fonts.rows), dtype=np.float32) for leg in LEGS}
        asked = fonts.queries(queries, noise)
        asked = {leg: _as_stored(leg, vectors) for leg, vectors in asked.items()}
        return cls(queries=asked, rare=rare, similarities=room)

    def recall(
        self, query: int, found: Sequence[int], count: int, *, alpha: float, filtered: bool
    ) -> float:
        """The share of the best `count` fonts by exact convex fusion that are among those found."""
        scores = alpha * self.similarities["text"][query]
        scores += (1 - alpha) * self.similarities["vl"][query]
        if filtered:
            scores[~self.rare] = -np.inf
        count = min(count, int(np.isfinite(scores).sum()))
        last = np.partition(scores, -count)[-count]
        return float(np.sum(scores[list(found)] >= last - NEAR)) / count

    def rank_correlation(self) -> float:
        """Spearman's, of the fonts' similarities to a query on the two legs; the mean of 20 queries."""
        text, vl = (self.similarities[leg][:20].argsort(axis=1).argsort(axis=1) for leg in LEGS)
        return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(text, vl, strict=True)]))


def fill(
    connection: Connection,
    fonts: SyntheticFonts,
    truth: Truth,
    before_indexes: Callable[[], None] = lambda: None,
) -> FilledTable:
    """Load the fonts, then build the indexes: as a large table is filled."""
    definitions = drop_indexes(connection)
    begin = time.perf_counter()
    with connection.cursor().copy(COPY) as copy:
        copy.set_types(["uuid", "text", "text", "text", "vector", "halfvec"])
        for row in _rows(fonts, truth):
            copy.write_row(row)
    before_indexes()
    connection.execute("vacuum analyze public.fonts")
    seconds = time.perf_counter() - begin
    # a graph that does not fit is built several times slower; 64 MB is Postgres's default
    memory = max(64, fonts.rows * 8 // 1024)
    connection.execute(sql.SQL("set maintenance_work_mem = {}").format(f"{memory}MB"))
    indexes = {name: _build(connection, name, made) for name, made in definitions.items()}
    return FilledTable(seconds=seconds, indexes=indexes)


def drop_indexes(connection: Connection) -> dict[str, str]:
    """Drop those that no constraint needs; returns how each was made."""
    definitions: dict[str, str] = dict(connection.execute(INDEXES).fetchall())
    for name in definitions:
        connection.execute(sql.SQL("drop index public.{}").format(sql.Identifier(name)))
    return definitions


def font_id(number: int) -> UUID:
    return UUID(int=number + 1)


def font_number(font_id: UUID) -> int:
    return font_id.int - 1


def word(query: int) -> str:
    """What a query says, where it says anything: some of the fonts have it in their description."""
    return list(WORDS)[query % len(WORDS)]


def descriptions(rows: int) -> list[str]:
    """Each word once, twice, … or not at all: words that all fonts have in the same measure rank none."""
    times = np.random.default_rng(1).poisson(list(WORDS.values()), (rows, len(WORDS)))
    return [" ".join(np.repeat(list(WORDS), row)) for row in times]


def _rows(fonts: SyntheticFonts, truth: Truth) -> Iterator[tuple[Any, ...]]:
    described = descriptions(fonts.rows)
    for first, legs in fonts.chunks():
        for leg, vectors in legs.items():
            cosines = unit(truth.queries[leg]) @ unit(_as_stored(leg, vectors)).T
            truth.similarities[leg][:, first : first + len(vectors)] = cosines
        for number, (text, vl) in enumerate(zip(legs["text"], legs["vl"], strict=True), first):
            category = RARE if truth.rare[number] else "common"
            name, description = f"Font {number}", described[number]
            yield font_id(number), name, category, description, FullVector(text), HalfVector(vl)


def _as_stored(leg: str, vectors: Floats) -> Floats:
    """The vl leg is a halfvec."""
    return vectors.astype(np.float16).astype(np.float32) if leg == "vl" else vectors


def _build(connection: Connection, name: str, definition: str) -> BuiltIndex:
    begin = time.perf_counter()
    connection.execute(definition.encode())
    seconds = time.perf_counter() - begin
    size = connection.execute("select pg_relation_size(%s::regclass)", [name]).fetchone()
    assert size is not None
    return BuiltIndex(bytes=size[0], seconds=seconds)
