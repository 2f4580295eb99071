"""Two spaces of one leg, of which each vector tells by its first number which one it is of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql

from eval.bench.bookkeeping import record_all
from indexer.database.connect import Connection
from indexer.embed.protocol import Model, Vector, normalised
from indexer.functions import Hit, match
from indexer.spaces import SERVING_COLUMN, STAMP, Leg, Space, padded
from indexer.text import PRODUCT

FONTS = 60


@dataclass(frozen=True, kw_only=True)
class Pair:
    """`one` serves at first, and its similarities to a query are above 0; those of `other` below."""

    leg: Leg
    one: Space
    other: Space


def make_pair(connection: Connection, leg: Leg, fonts: int = FONTS) -> Pair:
    """With so many fonts, which have a vector of both spaces, and of a third on the other leg."""
    connection.execute(
        "insert into fonts (name, category) select 'Font ' || n, 'serif' from generate_series(1, %s) n",
        [fonts],
    )
    pair = Pair(leg=leg, one=space(leg, "one"), other=space(leg, "other"))
    serve(connection, space("vl" if leg == "text" else "text", "third"), 1.0)
    serve(connection, pair.one, 1.0)
    add_candidate(connection, pair.other, -1.0)
    return pair


def space(leg: Leg, name: str) -> Space:
    return Space(
        leg=leg,
        model=Model(name=name, revision="1", dimension=8),
        sheet_spec="made" if leg == "vl" else None,
        text_schema=PRODUCT.identity if leg == "text" else None,
    )


def serve(connection: Connection, new: Space, sign: float) -> None:
    record_all(connection, new)
    column = SERVING_COLUMN[new.leg]
    kind = FullVector if new.leg == "text" else HalfVector
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("update fonts set {} = %s where id = %s").format(column),
            [(kind(padded(vector)), font) for font, vector in _vectors(connection, sign)],
        )
    connection.execute(STAMP, {"space_id": new.id, "ids": None})


def add_candidate(connection: Connection, new: Space, sign: float) -> None:
    record_all(connection, new)
    with connection.cursor() as cursor:
        cursor.executemany(
            "update font_index.embeddings set embedding = %s where font_id = %s and space_id = %s",
            [
                (FullVector(padded(vector)), font, new.id)
                for font, vector in _vectors(connection, sign)
            ],
        )


def asked(connection: Connection, leg: Leg, count: int = 10) -> list[Hit]:
    """What an app gets that asks by one leg, through the index: an error where that is missing."""
    query = np.eye(8, dtype=np.float32)[0] + np.float32(0.01)
    return match(
        connection,
        text=query if leg == "text" else None,
        vl=query if leg == "vl" else None,
        count=count,
        strategy="index",
    )


def signs(hits: list[Hit]) -> set[float]:
    """Of the similarities: one where all of them are of one space."""
    found = [hit.text_similarity for hit in hits] + [hit.vl_similarity for hit in hits]
    return {float(np.sign(similarity)) for similarity in found if similarity is not None}


def _vectors(connection: Connection, sign: float) -> list[tuple[object, Vector]]:
    draw = np.random.default_rng(7)
    fonts = connection.execute("select id from fonts order by id").fetchall()
    return [(font, normalised(_marked(draw, sign))) for (font,) in fonts]


def _marked(draw: np.random.Generator, sign: float) -> Vector:
    vector = draw.standard_normal(8).astype(np.float32) * np.float32(0.3)
    vector[0] = sign
    return vector
