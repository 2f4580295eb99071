"""Around every request: an id, a line in the log, a number in the metrics, and how many are let in."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
import traceback
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.serve.http import errors
from indexer.serve.metrics import Metrics
from indexer.serve.refusals import Refusal, refusal_of

LOG = logging.getLogger("indexer.serve")
MAX_UNDER_WAY = 320  # requests: a full queue of queries, and two calls with them
ALWAYS_ANSWERED = ("/health", "/metrics")
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS"})
REQUEST_ID = 64  # characters of a caller's own id that are kept
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Observed:
    """Tells of each request what it came to, never what was asked: no text, no key, no address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        sound = given.isascii() and given.replace("-", "").isalnum() and len(given) <= REQUEST_ID
        request_id = given if sound else secrets.token_hex(8)
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        trace = None
        try:
            await self._app(scope, receive, answer)
        except (
            asyncio.CancelledError
        ):  # by the server, which is told to stop: nobody else ends a request
            if not status:
                refusal = Refusal(503, "The service is stopping. Try again.", retry_after_s=5)
                await errors.response(Request(scope), refusal)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the service
            trace = _trace(error)
            if not status:  # nothing was sent yet
                request = Request(scope, receive)
                await errors.response(request, refusal_of(error))(scope, receive, answer)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - began, trace)

    def _tell(
        self, scope: Scope, request_id: str, status: int, seconds: float, trace: str | None
    ) -> None:
        route = getattr(scope.get("route"), "path", "none")  # a path would hold whatever was asked
        # and so would a method: HTTP takes any word, and each would be kept in the metrics for ever
        method = scope["method"] if scope["method"] in METHODS and route != "none" else "ANY"
        self._metrics.latency.labels(route, method).observe(seconds)
        self._metrics.answers.labels(route, str(status or "none")).inc()
        about: dict[str, Any] = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,  # 0: the caller had left
            "milliseconds": round(seconds * 1000, 1),
        }
        if trace is not None:
            about["trace"] = trace
        level = logging.INFO if trace is None else logging.ERROR
        LOG.log(level, "request", extra={"about": about})


class Bounded:
    """Refuses at once where too many requests are under way.

    All of them advance by turns: were each let in only to hear that the queue is full, none would be
    answered in time, those that are in the queue neither.
    """

    def __init__(self, app: ASGIApp, most: int = MAX_UNDER_WAY) -> None:
        self._app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            refusal = Refusal(429, "Too many requests. Try again in a second.", retry_after_s=1)
            await errors.response(Request(scope), refusal)(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(line | getattr(record, "about", {}), ensure_ascii=False)


def _trace(error: BaseException) -> str:
    """Where it happened and of what kind it is. Its words are omitted: they may quote a query."""
    frames = "".join(traceback.format_tb(error.__traceback__)[-8:])
    return f"{frames}{type(error).__name__}"
