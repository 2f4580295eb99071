"""A table of made-up fonts for the page: real files and measurements, many names, both legs filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg.types.json import Jsonb

from eval.bench.bookkeeping import record_all
from eval.bench.search_table import drop_indexes, font_id
from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.database.connect import Connection
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Vector
from indexer.errors import FontError
from indexer.fontfile import open_font
from indexer.sheet.render import SheetSpec
from indexer.spaces import padded
from indexer.text import LIGHT, PRODUCT, TextSchema
from indexer.traits import Traits
from indexer.traits.measure import measure

FILES = 48  # drawn fonts; the rows share them, with measurements that stray from theirs
STRAY = 0.08
CHUNK = 500
SYLLABLES = [
    "ba", "re", "mi", "do", "lu", "na", "te", "so", "va", "ki", "or", "el", "ga", "pu", "xi", "zen",
]  # fmt: skip
STYLES = {"axes": [], "italic": False, "weight": [400, 400], "weights": [400]}
CATEGORIES = ("serif", "sans-serif", "display", "handwriting", "monospace")
COPY = """copy public.fonts
    (id, name, category, description, tags, source, license, files, traits, styles, embedding, embedding_vl)
    from stdin (format binary)"""
TYPES = [
    "uuid", "text", "text", "text", "text[]", "text", "text", "jsonb", "jsonb", "jsonb", "vector", "halfvec",
]  # fmt: skip


def fill(connection: Connection, folder: Path, rows: int) -> None:
    """Rows as `indexer backfill` leaves them with the offline embedders. The indexes are built last."""
    definitions = drop_indexes(connection)
    drawn = [_drawn(folder / f"{number}.ttf", number) for number in range(FILES)]
    with connection.cursor().copy(COPY) as copy:
        copy.set_types(TYPES)
        for row in _rows(drawn, rows):
            copy.write_row(row)
    for space in (
        spaces.text_space(HashedNgrams()),
        spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT),
    ):
        record_all(connection, space)
    connection.execute("set maintenance_work_mem = '512MB'")
    for definition in definitions.values():
        connection.execute(definition.encode())
    connection.execute("vacuum analyze public.fonts")


def _drawn(path: Path, number: int) -> tuple[Path, Traits]:
    chosen = np.random.default_rng(number)
    font = ParametricFont(
        x_height=chosen.uniform(0.5, 0.85), contrast=chosen.uniform(0, 0.85),
        weight=chosen.uniform(0.05, 0.2), o_proportion=chosen.uniform(0.75, 1.2),
        slant=chosen.choice([0.0, 0.0, 0.0, 12.0]), serifs=chosen.choice([0.0, 0.0, 0.6, 1.0]),
        spacing=chosen.uniform(0.45, 0.9),
    ).build()  # fmt: skip
    path.write_bytes(font)
    return path, measure(open_font(font))


def _rows(drawn: list[tuple[Path, Traits]], rows: int) -> Iterator[tuple[Any, ...]]:
    texts, sheets = HashedNgrams(), MeasuredTraits()
    chance = np.random.default_rng(0)
    for first in range(0, rows, CHUNK):
        fonts = [_font(chance, drawn, number) for number in range(first, min(first + CHUNK, rows))]
        text = texts.embed_documents([Document(text=_text(font, PRODUCT)) for font in fonts])
        vl = sheets.embed_documents(
            [Document(text=_text(font, LIGHT), traits=font["measured"]) for font in fonts]
        )
        for font, said, seen in zip(fonts, text, vl, strict=True):
            yield (
                font["id"], font["name"], font["category"], font["description"], font["tags"], "made",
                "OFL-1.1", Jsonb({"400": font["path"].as_uri()}), Jsonb(font["measured"].to_json()),
                Jsonb(STYLES), FullVector(padded(_sound(said))), HalfVector(padded(_sound(seen))),
            )  # fmt: skip


def _font(
    chance: np.random.Generator, drawn: list[tuple[Path, Traits]], number: int
) -> dict[str, Any]:
    path, traits = drawn[int(chance.integers(len(drawn)))]
    strayed = {
        name: round(value * float(chance.normal(1, STRAY)), 4)
        for name, value in asdict(traits).items()
        if type(value) is float
    }
    return {
        "id": font_id(number),
        "name": "".join(chance.choice(SYLLABLES, 3)).capitalize() + f" {number}",
        "category": str(chance.choice(CATEGORIES)),
        "description": "A made-up face.",
        "tags": ["latin"] + ["latin-ext"] * bool(chance.integers(2)),
        "path": path,
        "measured": Traits.from_json(asdict(traits) | strayed),
    }


def _text(font: dict[str, Any], schema: TextSchema) -> str:
    return schema.compose(
        name=font["name"], category=font["category"], tags=font["tags"],
        description=font["description"], traits=font["measured"],
    )  # fmt: skip


def _sound(vector: Vector | FontError) -> Vector:
    if isinstance(vector, FontError):
        raise vector
    return vector
