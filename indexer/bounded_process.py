"""A process that opens fonts of others: it makes one call at a time, within its limits of time and memory."""

from __future__ import annotations

import logging
import pickle
import resource
import signal
from contextlib import suppress
from multiprocessing.connection import Connection

READY = True


def work(connection: Connection) -> None:
    """Answer calls (function, arguments) by (True, answer) or (False, exception) until the other end closes.

    A call that takes too long is ended by the system, with the process, and whether or not anyone
    still waits for it.
    """
    with suppress(EOFError, OSError):  # the other end is closed, or was killed
        seconds, max_bytes = connection.recv()
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
        # what fontTools thinks of a broken font is in the FontError already
        logging.getLogger("fontTools").setLevel(logging.CRITICAL)
        connection.send(READY)
        while True:
            connection.send_bytes(_answer(connection.recv_bytes(), seconds))


def _answer(call: bytes, seconds: float) -> bytes:
    try:
        function, arguments = pickle.loads(call)  # noqa: S301 - from the process that made this one
        signal.setitimer(signal.ITIMER_REAL, seconds)  # imports are done
        try:
            answer = function(*arguments)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return pickle.dumps((True, answer))
    except Exception as error:  # noqa: BLE001 - it is the caller's, whatever it is
        return _portable(error)


def _portable(error: Exception) -> bytes:
    """Some exceptions are pickled and cannot be read again."""
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)  # noqa: S301 - just written
    except Exception:  # noqa: BLE001 - see above
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}"[:300])))
    return data
