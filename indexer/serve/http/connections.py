"""Connections of clients that dawdle are closed in time, and there are never more than can be held."""

from __future__ import annotations

import asyncio
import json
import resource
from typing import Literal, cast

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from indexer.serve.http.errors import CODES

MAX_CONNECTIONS = 4096  # or half of the files that the process may open, if that is less
SECONDS_TO_ASK = (
    1.0  # in which a connection is not closed to make room: a request may be on its way
)
Awaited = Literal["head", "body", "taking"]
SECONDS: dict[Awaited, float] = {
    "head": 10.0,  # from the connection, or from the first byte of a later request
    "body": 30.0,  # the rest of one that was refused: an answer is lost where its reader is cut off
    "taking": 30.0,  # of what was answered
}


def files() -> int:
    """How many files this process may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_more_files() -> None:
    """Let this process open as many files as the system lets it, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MAX_CONNECTIONS
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it. Each byte may be late, but not all of them together.

    A body that is being read has its own limit (bodies), and a kept connection uvicorn's.
    """

    _awaited: Awaited | None = None
    _timer: asyncio.TimerHandle | None = None
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        if len(self.connections) > min(MAX_CONNECTIONS, files() // 2):
            self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._expect(None)

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():  # what arrives after the last answer is not looked at
            super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since = self.loop.time()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is not a request of HTTP/1.1, or its head is too large.")

    def _should_upgrade(self) -> bool:
        return (
            False  # to nothing; uvicorn would log each request for it, and advise to install more
        )

    @property
    def _idle(self) -> bool:
        """Nothing is asked, or was and is answered."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        """Or who opens many and asks nothing, or only half of something, would keep all others out."""
        others = [cast(Connection, other) for other in self.connections if other is not self]
        before = self.loop.time() - SECONDS_TO_ASK
        late = [
            other
            for other in others
            if (other._idle or other.conn.their_state is h11.SEND_BODY)
            and other._idle_since < before
        ]
        if late:
            longest = min(late, key=lambda other: other._idle_since)
            self.connections.discard(longest)
            longest.transport.abort()
        else:
            self._refuse(503, "Too many connections. Try again in a second.")

    def _waits_for(self) -> Awaited | None:
        if self.transport.is_closing() or self.flow.write_paused:
            return "taking"
        if self.conn.their_state is h11.IDLE and (self.cycle is None or self._begun):
            return "head"
        if self.conn.their_state is h11.SEND_BODY and self._idle:
            return "body"
        return None

    @property
    def _begun(self) -> bool:
        return bool(self.conn.trailing_data[0])

    def _watch(self) -> None:
        if (awaited := self._waits_for()) != self._awaited:
            self._expect(awaited)

    def _expect(self, awaited: Awaited | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._awaited = awaited
        self._timer = awaited and self.loop.call_later(SECONDS[awaited], self._end)

    def _end(self) -> None:
        if self._awaited == "head" and self._begun:
            sentence = f"The head of the request was not there within {SECONDS['head']:g} seconds."
            self._refuse(408, sentence)
        else:
            self.transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """The last that is sent, unless an answer is being sent already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": {"message": message, "code": CODES[status]}}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._watch()
