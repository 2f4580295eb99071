"""What a search finds in the database, all in one snapshot and, but for the weights, as visitors see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from indexer import functions, weights
from indexer.database.connect import Connection
from indexer.embed.protocol import Query
from indexer.functions import Hit
from indexer.legs import Embedded, Ranking, ranking
from indexer.serve.search.visible import object_or_none
from indexer.spaces import Serving
from indexer.weights import Fusion

MAX_QUERY = 1_000  # characters, as match_fonts_hybrid takes
DETAILS = "select id, license, styles, traits from public.fonts where id = any(%s)"
CONDITION = "select font_index.filter_condition(%s)"
BY_NAME = sql.SQL("""
    select id, name, category, description, tags, source, files from (
      select f.id, f.name, f.category, f.description, f.tags, f.source, f.files, {place} as place
      from public.fonts f where {condition}) f
    where place = 1 order by name, id limit %s offset %s
""")
EACH = sql.SQL("1")
FIRST_OF_ITS_DESIGN = sql.SQL(
    "row_number() over (partition by coalesce(f.design, f.id::text) order by f.name, f.id)"
)
NO_LEGS = dict.fromkeys((
    "score", "text_similarity", "text_rank", "vl_similarity", "vl_rank",
    "full_text_similarity", "full_text_rank",
))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked for; without query, image and font all fonts by name."""

    query: str | None = None
    image: bytes | None = None
    similar_to: UUID | None = None
    alpha: float | None = None
    words: float | None = None  # full_text_weight
    fusion: Fusion | None = None
    filter: Mapping[str, Any] | None = None
    limit: int = 20
    offset: int = 0

    @property
    def words_and_picture(self) -> Query:
        return Query(text=self.query, image=self.image)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Rows, and what they were found by."""

    rows: Sequence[dict[str, Any]]
    details: Mapping[UUID, dict[str, Any]]
    exactness: str | None
    serving: Serving
    by: Ranking
    alpha: float
    seconds: float  # of the database's function alone


def find(
    connection: Connection,
    wanted: Search,
    embedded: Embedded,
    serving: Serving,
    *,
    become_visitor: Callable[[Connection], None],
) -> Found:
    """Raises UserError as `ranking` does, and what the database refuses."""
    usual = weights.serving(connection)
    become_visitor(connection)
    usual = weights.fitting(connection, usual, wanted.query)
    alpha = usual.alpha if wanted.alpha is None else wanted.alpha
    by = ranking(
        wanted.words_and_picture, embedded, serving, alpha=wanted.alpha, words=wanted.words
    )
    hits: list[Hit] | None = None
    began = time.perf_counter()
    if wanted.similar_to is not None:
        alpha = wanted.alpha or 0.0
        hits = _similar(connection, wanted.similar_to, wanted, alpha)
    elif not wanted.words_and_picture.empty:
        hits = _match(connection, replace(wanted, alpha=alpha), by)
    rows = _by_name(connection, wanted) if hits is None else [dict(vars(hit)) for hit in hits]
    seconds = time.perf_counter() - began
    return Found(
        rows=rows,
        details=_details(connection, [row["id"] for row in rows]),
        exactness=hits[0].exactness if hits else None,
        serving=serving,
        by=by,
        alpha=alpha,
        seconds=seconds,
    )


def _match(connection: Connection, wanted: Search, by: Ranking) -> list[Hit]:
    return functions.match(
        connection,
        text=by.vectors.get("text"),
        vl=by.vectors.get("vl"),
        count=wanted.limit,
        match_offset=wanted.offset,
        query_text=by.query_text,
        full_text_weight=by.full_text_weight,
        alpha=wanted.alpha,
        fusion=wanted.fusion,
        filter=wanted.filter,
    )


def _similar(connection: Connection, font: UUID, wanted: Search, alpha: float) -> list[Hit]:
    return functions.similar(
        connection,
        font,
        match_count=wanted.limit,
        match_offset=wanted.offset,
        alpha=alpha,
        filter=wanted.filter,
    )


def _by_name(connection: Connection, wanted: Search) -> list[dict[str, Any]]:
    given = Jsonb(wanted.filter) if wanted.filter else None
    row = connection.execute(CONDITION, [given]).fetchone()
    assert row is not None
    # quoted by the database that made it; a percent sign in it is not a placeholder
    condition = sql.SQL(row[0].replace("%", "%%"))
    collapsed = wanted.filter is not None and wanted.filter.get("collapse")
    statement = BY_NAME.format(
        condition=condition, place=FIRST_OF_ITS_DESIGN if collapsed else EACH
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement, [wanted.limit, wanted.offset]).fetchall()
    return [{**font, **NO_LEGS} for font in found]


def _details(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            row["id"]: {
                **row, "styles": object_or_none(row["styles"]), "traits": object_or_none(row["traits"])
            }
            for row in cursor.execute(DETAILS, [list(ids)])
        }  # fmt: skip
