"""Rows of fonts with vectors whose cosines one can work out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from pgvector import HalfVector, Vector

from indexer.database.connect import Connection

DIMENSION = 4096


def axis(*weights: float) -> Any:
    """A unit vector whose first coordinates have these weights."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[: len(weights)] = weights
    return vector / np.linalg.norm(vector)


def add(connection: Connection, name: str, text: Any = None, vl: Any = None) -> None:
    connection.execute(
        "insert into public.fonts (name, category, tags, files, embedding, embedding_vl)"
        " values (%s, 'serif', '{latin}', '{\"400\": \"u\"}', %s, %s)",
        [
            name,
            Vector(text) if text is not None else None,
            HalfVector(vl) if vl is not None else None,
        ],
    )
