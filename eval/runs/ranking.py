"""One query ranked in one way, by the real Postgres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from pgvector import HalfVector
from psycopg import sql

from eval.runs.record import Setting
from indexer import functions
from indexer.database.connect import EXTENSION_SCHEMA, Connection
from indexer.embed.protocol import Vector
from indexer.functions import Normalization, Options
from indexer.spaces import Space, padded

RRF_K = 60
CANDIDATES = 200  # of each leg of RRF, as where nobody says otherwise

# A candidate space by the cosine, in the precision and with the ties of match_fonts_hybrid at alpha 0.
BY_CANDIDATE = sql.SQL("""
    with similarities as materialized (
      select f.id, f.name,
             nullif(1 - (e.embedding::{schema}.halfvec operator({schema}.<=>) %(vector)s), 'NaN') as similarity
      from font_index.embeddings e join public.fonts f on f.id = e.font_id
      where e.space_id = %(space)s and e.embedding is not null)
    select name, similarity from similarities where similarity is not null
    order by similarity desc, id limit %(count)s
""")


@dataclass(frozen=True, kw_only=True)
class EmbeddedQuery:
    """A query with its vectors; None where the leg has no embedder, or could not embed it."""

    words: str
    text: Vector | None
    vl: Vector | None


@dataclass(frozen=True, kw_only=True)
class Way:
    """What all rankings of a run have in common."""

    depth: int  # fonts of a ranking, at most
    words: float = 0.0  # share of the full-text leg, for all variants but B1
    normalization: Normalization = "raw"  # of similarities in C


def rank(connection: Connection, setting: Setting, asked: EmbeddedQuery, way: Way) -> list[str]:
    """Names of fonts, the best first; none where no leg of the variant could embed the query."""
    text = asked.text if setting.variant != "B2" else None
    vl = asked.vl if setting.variant != "A" else None
    options: Options = {"strategy": "exact", "fusion": "convex"}  # whatever is deployed
    if setting.variant == "C":
        assert setting.alpha is not None
        options |= {"alpha": setting.alpha, "normalization": way.normalization}
    elif setting.variant == "RRF":
        options |= {"fusion": "rrf", "rrf_k": RRF_K, "candidates": CANDIDATES}
    if way.words:
        options |= {"query_text": asked.words, "full_text_weight": way.words}
    elif text is None and vl is None:
        return []
    try:
        hits = functions.match(connection, text=text, vl=vl, count=way.depth, **options)
    except psycopg.errors.InvalidParameterValue:
        if text is None and vl is None:  # and none of its words counts
            return []
        raise
    return [hit.name for hit in hits]


def rank_candidate(
    connection: Connection, space: Space, vector: Vector, count: int
) -> Mapping[str, float]:
    """Names to cosines, the best first, of a space whose vectors do not serve."""
    schema = connection.execute(EXTENSION_SCHEMA).fetchone()
    assert schema is not None
    statement = BY_CANDIDATE.format(schema=sql.Identifier(str(schema[0])))
    values = {"vector": HalfVector(padded(vector)), "space": space.id, "count": count}
    return dict(connection.execute(statement, values).fetchall())
