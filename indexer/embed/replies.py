"""What a service answers to a request for embeddings, looked through before it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np

from indexer.embed.protocol import Vector, normalised
from indexer.errors import FontError


@dataclass(frozen=True)
class Items:
    """The vectors of a batch as they came, in the order of its texts."""

    vectors: list[list[float]]


@dataclass(frozen=True)
class Later:
    """A failure that may pass."""

    message: str
    after_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """The server does not take this input."""

    message: str


@dataclass(frozen=True)
class Broken:
    """A failure that will not pass."""

    message: str


Reply = Items | Later | Refused | Broken


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


def items_of(answer: Any, count: int, dimension: int) -> Items | Broken:
    """The vectors in the order of the texts, after a look at their number, order and dimension."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        return Broken("answered without a list of embeddings.")
    if len(data) != count:
        return Broken(f"answered with {len(data)} embeddings for {count} texts.")
    order = [item.get("index", place) for place, item in enumerate(data)]
    if not all(type(index) is int for index in order) or sorted(order) != list(range(count)):
        return Broken("answered with embeddings whose indices are not those of the texts.")
    vectors = [item.get("embedding") for item in data]
    if not all(isinstance(vector, list) and all(map(_is_number, vector)) for vector in vectors):
        return Broken("answered with embeddings that are not lists of numbers.")
    if wrong := {len(vector) for vector in vectors} - {dimension}:
        return Broken(
            f"answered with {min(wrong)} dimensions where {dimension} are expected: "
            "is it the right model?"
        )
    return Items([vector for _, vector in sorted(zip(order, vectors, strict=True), key=_index)])


def _index(pair: tuple[int, list[float]]) -> int:
    return pair[0]


def _is_number(value: object) -> bool:
    return isinstance(value, float) or type(value) is int


def vector_of(numbers: list[float]) -> Vector | FontError:
    try:
        return normalised(np.asarray(numbers, dtype=np.float64))
    except (ValueError, OverflowError):
        return FontError("embed", "The embedding service answered with zeros or NaN for it.")
