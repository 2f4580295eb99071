"""Processes that open fonts of others: bounded in time and memory, and replaced when a font ends one."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from threading import Lock, Thread
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from indexer.errors import FontError

MAX_PROCESS_BYTES = 4 * 1024**3  # bytes of address space; a font bomb hits this, not the machine

NEEDED = ("indexer.job.prepare", "indexer.serve.specimens.opened")  # modules

Answer = TypeVar("Answer")


class FontProcesses:
    """A pool of processes, and another one where it broke. Thread-safe.

    Pebble gives up a whole pool where a process ends between two calls, as when the machine is short
    of memory and Linux picks it.

    seconds: what one call may take once a process has begun with it. max_bytes: of address space,
    per process.
    """

    def __init__(self, count: int, *, seconds: float, max_bytes: int = MAX_PROCESS_BYTES) -> None:
        self._count = count
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._running: set[ProcessFuture[Any]] = set()
        self._guard = Lock()
        self._closed = False
        self._pool = self._made()

    def submit(self, function: Callable[..., Answer], *arguments: object) -> ProcessFuture[Answer]:
        """A call under way; `explained` tells what its exceptions mean.

        It ends in BrokenProcessPool where it may be made again, and is not to blame.
        """
        future: ProcessFuture[Answer]
        with self._guard:
            try:
                future = self._pool.schedule(function, arguments, timeout=self._seconds)
            except RuntimeError:
                if self._closed:
                    raise
                Thread(target=_end, args=[self._pool], daemon=True).start()
                self._pool = self._made()
                future = self._pool.schedule(function, arguments, timeout=self._seconds)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """What the function returns in one of the processes; both must be of a module.

        Raises FontError (stage "render") for a call that crashed its process or exceeded the time
        or memory limit, and whatever the function raises.
        """
        answer: Answer
        try:
            try:
                answer = self.submit(function, *arguments).result()
            except BrokenProcessPool:
                answer = self.submit(function, *arguments).result()
        except (TimeoutError, ProcessExpired, MemoryError) as error:
            raise self.explained(error) from None
        return answer

    def explained(self, error: TimeoutError | ProcessExpired | MemoryError) -> FontError:
        """What a call's end by a limit says about its font."""
        if isinstance(error, ProcessExpired):
            reason = f"The font crashed the renderer (exit code {error.exitcode})."
        elif isinstance(error, MemoryError):
            reason = "The font needs more memory than is allowed."
        else:
            reason = f"The font was not rendered within {self._seconds:g} seconds."
        return FontError("render", reason)

    def close(self, *, now: bool = False) -> None:
        """Wait for what is under way, or end it."""
        with self._guard:
            self._closed = True
        if now:
            for future in list(self._running):
                future.cancel()  # type: ignore[no-untyped-call]  # or the thread that waits for it holds up the exit
            self._pool.stop()  # type: ignore[no-untyped-call]
        else:
            self._pool.close()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _made(self) -> ProcessPool:
        return ProcessPool(
            self._count,
            initializer=_start,
            initargs=[self._max_bytes],
            context=_context(),
        )


def _context() -> BaseContext:
    """Of processes that are forks of one that has imported what they need, and nothing else.

    A fork of this process would copy its threads and its database connection, and one that starts
    from nothing takes most of a second of a CPU for its imports.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # on Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *NEEDED])
    return context


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _start(max_bytes: int) -> None:
    """Of a process: a MemoryError of its own beyond the limit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    # what fontTools thinks of a broken font is in the FontError already
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
