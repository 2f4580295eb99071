"""Refusals as answers of HTTP."""

from __future__ import annotations

import math

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
    405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type", 422: "invalid_request",
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
    """Which fields are wrong and why, without what stood in them."""
    assert isinstance(error, RequestValidationError)
    wrong = dict.fromkeys(
        f"{'.'.join(map(str, problem['loc'][1:])) or 'the body'}: {problem['msg']}"[:200]
        for problem in error.errors()
    )
    return response(request, Refusal(422, f"The request is not valid. {'; '.join([*wrong][:5])}."))
