"""A time limit for a whole request, where httpx only limits each single wait."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any


class Deadline:
    """Ends a connection at the deadline, even while a server drips its headers byte by byte.

    The timer shuts the socket down rather than closing it: a blocked read wakes up at once, and the
    descriptor cannot be given to another connection meanwhile.
    """

    def __init__(self, deadline: float) -> None:
        self.expired = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(deadline - time.monotonic(), 0.001), self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """For the request's "trace" extension: learns of the connection."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.expired:
                self._end()

    def _end(self) -> None:
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already gone
                self._socket.shutdown(socket.SHUT_RDWR)
