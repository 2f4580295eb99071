"""Refusals as answers of HTTP."""

from __future__ import annotations

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import Error as DatabaseError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from indexer.errors import FontError, UserError
from indexer.serve.refusals import Refusal, refusal_of

OPENAI = "/v1/"  # below which errors have OpenAI's shape
CODES = {
    400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 408: "too_slow", 413: "too_large", 415: "unsupported_media_type", 422: "invalid_request",
    429: "busy", 500: "internal_error", 503: "unavailable", 504: "too_late",
}  # fmt: skip


def install(app: FastAPI) -> None:
    """Make all errors of an application answers of this kind."""
    for kind in (Refusal, UserError, FontError, DatabaseError):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def response(request: Request, refusal: Refusal) -> JSONResponse:
    code = CODES.get(refusal.status, "error")
    error: dict[str, object] = {"message": refusal.message, "code": code}
    if request.url.path.startswith(OPENAI):
        kind = "invalid_request_error" if refusal.status < 500 else "server_error"
        error |= {"type": kind, "param": None}
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error}, refusal.status, headers)


def _known(request: Request, error: Exception) -> JSONResponse:
    return response(request, refusal_of(error))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = response(request, Refusal(error.status_code, f"{error.detail}."))
    answer.headers.update(error.headers or {})
    return answer


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Which keys are wrong and why, without what stood in them."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes) and error.body:
        sentence = (
            "The body of a request must be JSON, with the header Content-Type: application/json."
        )
        return response(request, Refusal(415, sentence))
    wrong: dict[str, dict[str, None]] = {}  # of each key, what the kinds say that it may have
    for problem in error.errors():
        if problem["type"] == "json_invalid":
            return response(request, Refusal(422, "The body of the request is not JSON."))
        wrong.setdefault(_place(problem, error.body)[:100], {})[problem["msg"][:100]] = None
    told = [f"{place}: {', or '.join([*said][:2])}" for place, said in wrong.items()]
    return response(request, Refusal(422, f"The request is not valid. {'; '.join(told[:5])}."))


def _place(problem: dict[str, Any], body: Any) -> str:
    """The keys that lead there. Between them pydantic names the kinds of a union, which are ours."""
    source, *parts = problem["loc"]
    if source != "body":
        return ".".join(map(str, parts))
    keys = []
    for number, part in enumerate(parts, 1):
        try:
            body = body[part]
        except (LookupError, TypeError):
            if problem["type"] != "missing" or number < len(parts):
                continue
        keys.append(part)
    return ".".join(map(str, keys)) or "the body"
