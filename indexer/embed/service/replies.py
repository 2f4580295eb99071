"""What a service answers, looked through before it is believed: embeddings, and what it serves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import httpx
import numpy as np

from indexer.embed.protocol import Model, Vector, normalised
from indexer.errors import FontError


@dataclass(frozen=True)
class Content:
    """The JSON of an answer that reports no failure."""

    json: Any


@dataclass(frozen=True)
class Items:
    """The vectors of a batch as they came, in the order of its inputs."""

    vectors: list[list[float]]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that a server serves."""

    id: str  # by which requests name it
    root: str | None  # where vLLM has it from: often the hub's id
    model: Model | None  # the full identity; of fontsight's own query service alone


@dataclass(frozen=True)
class ServedModels:
    """What a server serves."""

    cards: list[ServedModel]


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
    status: int | None = None  # of HTTP, where that is the failure


Failure = Later | Refused | Broken
Reply = Items | Failure


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def items_of(answer: Any, count: int, dimension: int | None) -> Items | Broken:
    """The vectors in the order of the inputs, after a look at their number, order and dimension.

    Without a dimension to expect, all that matters is that they have the same.
    """
    data = _list_of(answer)
    if data is None:
        return Broken("answered without a list of embeddings.")
    if len(data) != count:
        return Broken(f"answered with {len(data)} embeddings for {count} inputs.")
    order = [item.get("index", place) for place, item in enumerate(data)]
    if not all(type(index) is int for index in order) or sorted(order) != list(range(count)):
        return Broken("answered with embeddings whose indices are not those of the inputs.")
    vectors: list[Any] = [item.get("embedding") for item in data]
    if not all(isinstance(vector, list) and all(map(_is_number, vector)) for vector in vectors):
        return Broken("answered with embeddings that are not lists of numbers.")
    expected = len(vectors[0]) if dimension is None else dimension
    if wrong := {len(vector) for vector in vectors} - {expected}:
        return Broken(
            f"answered with {min(wrong)} dimensions where {expected} are expected: "
            "is it the right model?"
        )
    return Items([vector for _, vector in sorted(zip(order, vectors, strict=True), key=_index)])


def served_models_of(answer: Any) -> ServedModels | Broken:
    """The models of OpenAI's "List models", with what vLLM and fontsight's own service add."""
    data = _list_of(answer)
    if data is None or not all(isinstance(item.get("id"), str) for item in data):
        return Broken("answered without a list of the models that it serves.")
    cards = []
    for item in data:
        identity, root = item.get("space_model"), item.get("root")
        if identity is not None and not _is_model(identity):
            return Broken(
                "describes a model in a way that is not understood here: "
                "is it of the same version of fontsight?"
            )
        cards.append(
            ServedModel(
                id=item["id"],
                root=root if isinstance(root, str) else None,
                model=None if identity is None else Model(**identity),
            )
        )
    return ServedModels(cards)


def _list_of(answer: Any) -> list[dict[str, Any]] | None:
    data = answer.get("data") if isinstance(answer, dict) else None
    good = isinstance(data, list) and all(isinstance(item, dict) for item in data)
    return data if good else None


def _is_model(identity: Any) -> bool:
    """Each field of a Model, of its type, and nothing that this version does not know of."""
    if not isinstance(identity, dict) or set(identity) != {field.name for field in fields(Model)}:
        return False
    token = identity["pooled_token"]
    words = ("name", "revision", "document_instruction", "query_instruction")
    return (
        all(isinstance(identity[field], str) for field in words)
        and type(identity["dimension"]) is int
        and (token is None or type(token) is int)
    )


def _index(pair: tuple[int, list[float]]) -> int:
    return pair[0]


def _is_number(value: object) -> bool:
    return isinstance(value, float) or type(value) is int


def vector_of(numbers: list[float]) -> Vector | FontError:
    try:
        return normalised(np.asarray(numbers, dtype=np.float64))
    except (ValueError, OverflowError):
        return FontError("embed", "The embedding service answered with zeros or NaN for it.")
