"""The database's search functions, as Python calls them: those that the app calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack
from uuid import UUID

from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.embed.protocol import Vector
from indexer.spaces import padded
from indexer.weights import Fusion

CALL = sql.SQL("select * from public.{function}({arguments})")

Normalization = Literal["raw", "min_max", "z_score"]
Strategy = Literal["auto", "exact", "index"]
Exactness = Literal["scanned", "likely", "unproven"]


class Options(TypedDict, total=False):
    """What match_fonts_hybrid has defaults for; sql/0006_match_fonts_hybrid.sql says what they are."""

    query_text: str | None
    # None, as for fusion and full_text_weight: as deployed for the serving spaces
    alpha: float | None
    fusion: Fusion | None
    candidates: int | None
    filter: Mapping[str, Any] | None
    match_offset: int
    full_text_weight: float | None
    normalization: Normalization
    rrf_k: int
    strategy: Strategy


class SimilarOptions(TypedDict, total=False):
    """What similar_fonts has defaults for."""

    match_count: int
    alpha: float
    match_threshold: float | None
    filter: Mapping[str, Any] | None
    match_offset: int


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One row of the answer.

    Similarities are cosines, and ts_rank for the words; a rank counts from 1 and is None where the
    leg was not asked so far. `exactness` is of the whole answer.
    """

    id: UUID
    name: str
    category: str | None
    description: str | None
    tags: Sequence[str]
    source: str | None
    files: Mapping[str, str]
    score: float
    text_similarity: float | None
    text_rank: int | None
    vl_similarity: float | None
    vl_rank: int | None
    full_text_similarity: float | None
    full_text_rank: int | None
    exactness: Exactness


def match(
    connection: Connection,
    *,
    text: Vector | None,
    vl: Vector | None,
    count: int = 10,
    threshold: float | None = None,
    **options: Unpack[Options],
) -> list[Hit]:
    """The best fonts for a query's vectors and words; shorter vectors than 4096 are padded with zeros.

    Raises psycopg.errors.InvalidParameterValue, with a sentence, for what the function refuses.
    """
    return _call(
        connection,
        "match_fonts_hybrid",
        {
            "query_embedding": FullVector(padded(text)) if text is not None else None,
            "query_embedding_vl": HalfVector(padded(vl)) if vl is not None else None,
            "match_threshold": threshold,
            "match_count": count,
            **options,
        },
    )


def similar(connection: Connection, font_id: UUID, **options: Unpack[SimilarOptions]) -> list[Hit]:
    """The neighbours of a font by what it looks like, or by a mix; raises as `match` does."""
    return _call(connection, "similar_fonts", {"font_id": font_id, **options})


def _call(connection: Connection, function: str, arguments: Mapping[str, object]) -> list[Hit]:
    named = [
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in arguments
    ]
    statement = CALL.format(function=sql.Identifier(function), arguments=sql.SQL(", ").join(named))
    values = {
        name: Jsonb(value) if isinstance(value, Mapping) else value
        for name, value in arguments.items()
    }
    with connection.cursor(row_factory=class_row(Hit)) as cursor:
        return cursor.execute(statement, values).fetchall()
