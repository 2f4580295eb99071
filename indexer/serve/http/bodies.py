"""Bodies of requests, read before anything else is done: within bounds of size, time and values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.serve.http import errors
from indexer.serve.http.access import Access
from indexer.serve.refusals import Refusal

MAX_BODY = 12 << 20  # bytes: an image of 8 MiB in base64, and some text
MAX_BODY_WITHOUT_KEY = 4 << 10  # bytes: a key
MAX_SECONDS = 30.0  # for all of it: 3 Mbit/s for the largest
MAX_HELD = 1 << 30  # bytes of all bodies that are being read or answered
# Parsing and validation hold the event loop: for minutes where 12 MiB are a list of short strings. A
# filter of 64 KB and texts of 256,000 characters have not as many of these, and base64 has none.
STRUCTURE = b"[{,"
MAX_STRUCTURE = 65_536
MAX_KEYS = 64  # each that is not known is an error, which takes long to make


class Body(BaseModel):
    """What a route takes, and no other keys."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _of_few_keys(cls, given: object) -> object:
        if isinstance(given, dict) and len(given) > MAX_KEYS:
            raise PydanticCustomError("too_many_keys", "There are too many keys")
        return given


class Bodies:
    """Hands on requests with their whole body. What is too large or too slow is refused unread.

    Who has no key may send a key and no more: routes ask for the key once a body is parsed.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    async for part in self._parts(scope, receive):
                        parts.append(part)
                        self._held += len(part)
                        if self._held > MAX_HELD:
                            raise Refusal(
                                429,
                                "Too many large requests. Try again in a second.",
                                retry_after_s=1,
                            )
            except TimeoutError:
                sentence = f"The body of the request was not there within {MAX_SECONDS:g} seconds."
                raise Refusal(408, sentence) from None
            await self._app(scope, _with_body(b"".join(parts), receive), send)
        except _GoneError:
            return
        except Refusal as refusal:
            await errors.response(Request(scope), refusal)(scope, receive, send)
        finally:
            self._held -= sum(map(len, parts))

    async def _parts(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """Raises Refusal, and _GoneError."""
        limit = MAX_BODY
        refusal = Refusal(413, f"The request is larger than {MAX_BODY >> 20} MiB.")
        try:
            await self._access.check(Request(scope))
        except Refusal as keyless:
            limit, refusal = MAX_BODY_WITHOUT_KEY, keyless
        length = Headers(scope=scope).get("content-length", "0")
        received = int(length) if length.isdecimal() else 0
        if received > limit:
            raise refusal
        received, structure, more = 0, 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            part, more = message.get("body", b""), message.get("more_body", False)
            received += len(part)
            structure += len(part) - len(part.translate(None, STRUCTURE))
            if received > limit:
                raise refusal
            if structure > MAX_STRUCTURE:
                raise Refusal(
                    413, "The request holds too many values. Send several, with fewer each."
                )
            yield part


class _GoneError(Exception):
    """The caller has left."""


def _with_body(body: bytes, receive: Receive) -> Receive:
    """What a route receives: all of the body at once, and then whatever else the caller does."""
    waiting = True

    async def received() -> Message:
        nonlocal waiting
        if waiting:
            waiting = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return received
