"""What the service says instead of an answer: a status, a sentence, and when to come back."""

from __future__ import annotations

import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import DataError
from psycopg import Error as DatabaseError
from psycopg.errors import InsufficientPrivilege, InvalidParameterValue
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.serve.reading import DatabaseUnavailable

OPENAI = "/v1/"  # below which errors have OpenAI's shape
CODES = {
    400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type", 422: "invalid_request",
    429: "busy", 500: "internal_error", 503: "unavailable", 504: "too_late",
}  # fmt: skip


class Refusal(Exception):
    """An answer other than the one that was asked for; the sentence says what to do."""

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


def of(error: Exception) -> Refusal:
    """What an exception of the rest of the program comes to here."""
    refusal = Refusal(500, "Something went wrong; the service's log says what.")
    match error:
        case Refusal():
            refusal = error
        case EmbedderUnavailable() | DatabaseUnavailable():
            refusal = Refusal(503, str(error), retry_after_s=5)
        case UserError():
            refusal = Refusal(422, str(error))
        case FontError():
            refusal = Refusal(422, error.message)
        case InvalidParameterValue():
            hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
            refusal = Refusal(400, f"{error.diag.message_primary}.{hint}")
        case DataError():  # a NUL, half a character or a number without end, which JSON may hold
            reason = (str(error).splitlines() or ["it is no value of its type"])[0][:100]
            refusal = Refusal(400, f"The database cannot read the request: {reason}.")
        case InsufficientPrivilege():
            refusal = Refusal(403, f"The database refused: {error.diag.message_primary}.")
        case DatabaseError():
            refusal = Refusal(503, "The database does not answer. Try again.", retry_after_s=5)
    return refusal


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
    return response(request, of(error))


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
