"""Search, through the same function of the database that the app calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg.rows import class_row

from indexer.database import Connection
from indexer.embed.protocol import Vector
from indexer.spaces import padded

MATCH = """
    select * from public.match_fonts_hybrid(
      query_embedding => %(text)s, query_embedding_vl => %(vl)s,
      match_threshold => %(threshold)s, match_count => %(count)s, alpha => %(alpha)s)
"""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One row of the answer. Similarities are cosines; a rank counts from 1 in the whole table."""

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


def match(
    connection: Connection,
    *,
    text: Vector | None,
    vl: Vector | None,
    alpha: float = 0.5,
    count: int = 10,
    threshold: float = -1.0,
) -> list[Hit]:
    """The best fonts for a query's vectors; shorter vectors than 4096 are padded with zeros."""
    values = {
        "text": FullVector(padded(text)) if text is not None else None,
        "vl": HalfVector(padded(vl)) if vl is not None else None,
        "alpha": alpha,
        "count": count,
        "threshold": threshold,
    }
    with connection.cursor(row_factory=class_row(Hit)) as cursor:
        return cursor.execute(MATCH, values).fetchall()
