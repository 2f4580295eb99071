"""A table of fonts that is large enough for the indexes: made once, and only read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from psycopg import conninfo
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection, Database
from indexer.spaces import padded
from tests.fix_database import create_database

FONTS = 2600  # more than match_fonts_hybrid scans without being told to
DIMENSION = 48
CATEGORIES = ("serif", "sans-serif", "display", "handwriting")
MOODS = ("elegant", "playful", "rugged", "quiet", "loud")
INSERT = """
    insert into public.fonts (name, category, tags, description, source, license, embedding, embedding_vl, traits)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning id
"""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """What is in the table, for oracles: row i of each array is the font ids[i]."""

    connection: Connection
    ids: list[UUID]
    text: Floats  # unit vectors, FONTS by DIMENSION
    vl: Floats
    rows: list[dict[str, Any]]

    def query(self, seed: int) -> tuple[Any, Any]:
        """A text and a vl vector that mean the same font, roughly; none of the table's own."""
        random = np.random.default_rng([seed, 1])
        font = random.integers(FONTS)
        return tuple(
            (unit(leg[font] + 0.15 * random.standard_normal(DIMENSION))).astype(np.float32)
            for leg in (self.text, self.vl)
        )


def unit(vectors: Floats) -> Floats:
    normed: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return normed


@pytest.fixture(scope="session")
def crowd(server: str, template: str) -> Iterator[Crowd]:
    name = create_database(server, "crowd", template)
    database = Database(conninfo=conninfo.make_conninfo(server, dbname=name), label=name)
    random = np.random.default_rng(11)
    look = random.standard_normal((FONTS, DIMENSION))  # what both legs see
    text = unit(look + 0.8 * random.standard_normal((FONTS, DIMENSION)))
    vl = unit(look + 0.8 * random.standard_normal((FONTS, DIMENSION)))
    # as they are stored: halves have 11 significant bits
    vl = vl.astype(np.float16).astype(np.float64)
    rows = [
        {
            "category": CATEGORIES[random.integers(4)],
            "tags": ["latin", *sorted(random.choice(MOODS, 2, replace=False))],
            "description": f"A {random.choice(MOODS)} face for {random.choice(['books', 'signs'])}.",
            "source": random.choice(["Google Fonts", "Fontshare"], p=[0.99, 0.01]),
            "license": random.choice(["OFL", "Apache"]),
            "traits": {"x_height": round(float(random.uniform(0.4, 0.9)), 3), "is_text": True},
        }
        for _ in range(FONTS)
    ]
    with database.open() as connection:
        indexes = connection.execute(
            "select indexdef, indexname from pg_indexes where indexname ~ '^fonts_embedding'"
        ).fetchall()
        for _, index in indexes:
            connection.execute(f"drop index public.{index}")  # type: ignore[arg-type]
        ids = []
        with connection.transaction():
            for number, row in enumerate(rows):
                values = [
                    f"Font {number}", row["category"], row["tags"], row["description"],
                    str(row["source"]), str(row["license"]), Vector(padded(text[number])),
                    HalfVector(padded(vl[number])), Jsonb(row["traits"]),
                ]  # fmt: skip
                inserted = connection.execute(INSERT, values).fetchone()
                assert inserted is not None
                ids.append(inserted[0])
        for definition, _ in indexes:
            connection.execute(definition)
        connection.execute("analyze public.fonts")
        connection.execute("set default_transaction_read_only = on")
        yield Crowd(connection=connection, ids=ids, text=text, vl=vl, rows=rows)
