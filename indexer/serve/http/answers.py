"""How answers are written: JSON with vectors in it, fast; and the error that routes document."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from indexer.embed.protocol import Vector, normalised
from indexer.serve.refusals import Refusal

MAX_DEPTH = 100  # of what is written of a row's JSON


class ErrorDetail(BaseModel):
    message: str
    code: str


class Error(BaseModel):
    """A sentence that says what is wrong and what to do."""

    error: ErrorDetail


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error} for status in (400, 401, 408, 413, 415, 422, 429, 503, 504)
}


def json_of(content: object, headers: dict[str, str] | None = None) -> Response:
    """NumPy's float32 is written by its shortest digits, a tenth of the time of Python's floats."""
    try:
        body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # of a row: jsonb holds longer numbers and deeper lists than are written here
        body = orjson.dumps(_writable(content, MAX_DEPTH), option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json", headers=headers)


def has(request: Request, etag: str) -> bool:
    """Whether the caller has it already, by If-None-Match."""
    given = request.headers.get("if-none-match", "")
    return any(known.strip().removeprefix("W/") in (etag, "*") for known in given.split(","))


def cut(vector: Vector, dimension: int | None) -> Vector:
    """The first dimensions (Matryoshka), of length 1. Raises Refusal for more than there are."""
    if dimension is None or dimension == vector.size:
        return vector
    if not 1 <= dimension <= vector.size:
        raise Refusal(400, f"The model has {vector.size} dimensions: ask for at most as many.")
    try:
        return normalised(np.asarray(vector[:dimension]))
    except ValueError:
        raise Refusal(422, f"The first {dimension} dimensions of it are all zero.") from None


def _writable(value: object, depth: int) -> object:
    """Integers beyond 64 bits as floats; null for what no float holds, and for what lies deeper."""
    if isinstance(value, dict):
        return {key: _writable(own, depth - 1) for key, own in value.items()} if depth else None
    if isinstance(value, list | tuple):
        return [_writable(own, depth - 1) for own in value] if depth else None
    if isinstance(value, int) and value.bit_length() > 63:
        try:
            return float(value)
        except OverflowError:
            return None
    return value
