"""Processes that open fonts of others: bounded in time and memory, and replaced when a font ends one.

All processes of a command share one budget of memory, so that a bad font in each of them at once
leaves the machine as it was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Self, TypeVar

from indexer.errors import FontError, UserError
from indexer.memory import available_bytes

MEMORY_SHARE = 0.5  # of what is available when the processes are made
MIN_PROCESS_BYTES = 512 * 1024**2  # of address space; a CJK family of 30,000 glyphs takes 300 MiB
MAX_PROCESS_BYTES = 2 * 1024**3
BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM)
# The caller's path of modules, once the connection is there; Ctrl-C is the main process's to handle.
BOOT = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
try:
    sys.path[:] = connection.recv()
except (EOFError, OSError):
    sys.exit()
from indexer.bounded_process import work
work(connection)
"""

Answer = TypeVar("Answer")


class LimitError(FontError):
    """The font ended its process, or exceeded the limit of time or memory."""


class EndedByOthers(LimitError):
    """Twice, by who looks after the machine, or Linux where memory is short: no font does, within the budget."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many processes there may be, and how much memory each may use."""

    count: int
    bytes_each: int  # of address space

    @classmethod
    def of(cls, available: int, wanted: int) -> Self:
        """Of `available` bytes. Where too little is left for `wanted` processes, there are fewer."""
        budget = int(available * MEMORY_SHARE)
        count = max(min(wanted, budget // MIN_PROCESS_BYTES), 1)
        each = max(min(budget // count, MAX_PROCESS_BYTES), MIN_PROCESS_BYTES)
        return cls(count=count, bytes_each=each)


@dataclass(frozen=True, kw_only=True)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[object, ...]
    answer: Future[Any]


class FontProcesses:
    """A pool of processes, each started when it is first needed. Thread-safe.

    wanted: how many, where there is memory for them. seconds: what one call may take.
    """

    def __init__(self, wanted: int, *, seconds: float) -> None:
        share = Share.of(available_bytes(), wanted)
        self.count = share.count
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._guard = Lock()
        self._closed = False
        self._processes = [_Process(seconds, share.bytes_each) for _ in range(share.count)]
        self._threads = [
            Thread(target=self._serve, args=[process], name="fonts", daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.close(now=kind is not None)

    @property
    def ids(self) -> list[int]:
        """Of the processes that have been started."""
        return [process.id for process in self._processes if process.id is not None]

    def submit(self, function: Callable[..., Answer], *arguments: object) -> Future[Answer]:
        """A call under way; its exceptions are those of `call`."""
        answer: Future[Answer] = Future()
        with self._guard:
            if self._closed:
                raise RuntimeError("The processes have been closed.")
            self._calls.put(_Call(function=function, arguments=arguments, answer=answer))
        return answer

    def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """What the function returns in one of the processes; both must be of a module.

        Raises LimitError (stage "render") for a call that crashed its process or exceeded the time
        or memory limit, UserError where no process can be started, and whatever the function raises.
        """
        return self.submit(function, *arguments).result()

    def close(self, *, now: bool = False) -> None:
        """Wait for what was submitted, or end it."""
        with self._guard:
            self._closed = True
            with suppress(Empty):
                while now and (call := self._calls.get_nowait()):
                    call.answer.cancel()
            for _ in self._threads:
                self._calls.put(None)
        if now:
            for process in self._processes:
                process.close()
        for thread in self._threads:
            thread.join()

    def _serve(self, process: _Process) -> None:
        while call := self._calls.get():
            if not call.answer.set_running_or_notify_cancel():
                continue
            try:
                made = process.call(call.function, call.arguments)
            except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
                call.answer.set_exception(error)
            else:
                call.answer.set_result(made)
        process.close()


class _Process:
    """Of one thread. Another one may close it, for good."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._limits = seconds, max_bytes
        self._guard = Lock()  # of the start and the end
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def id(self) -> int | None:
        return self._process.pid if self._process else None

    def call(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        try:
            fine, answer = self._asked(function, arguments)
        except EndedByOthers:
            fine, answer = self._asked(function, arguments)
        if fine:
            return answer
        if isinstance(answer, MemoryError):
            raise LimitError("render", "The font needs more memory than is allowed.")
        raise answer

    def _asked(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        if self._process is None:
            self._start()
        try:
            self._connection.send((function, arguments))
            return self._connection.recv()
        except (EOFError, OSError):
            code = self._ended()
        if code in BY_OTHERS:
            raise EndedByOthers("render", f"Its process was ended (exit code {code}).")
        if code == -signal.SIGALRM:
            seconds, _ = self._limits
            raise LimitError("render", f"The font was not rendered within {seconds:g} seconds.")
        raise LimitError("render", f"The font crashed the renderer (exit code {code}).")

    def close(self) -> None:
        with self._guard:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _start(self) -> None:
        code = self._started()
        if code in BY_OTHERS:
            code = self._started()
        if code is not None:
            raise UserError(f"The processes that open fonts cannot be started (exit code {code}).")

    def _started(self) -> int | None:
        """The exit code, where it ended instead."""
        # multiprocessing's own start would run the caller's program again, up to its commands
        with self._guard:
            if self._closed:
                raise RuntimeError("The processes have been closed.")
            self._connection, theirs = Pipe()
            with theirs:
                number = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                    [sys.executable, "-P", "-c", BOOT, str(number)],
                    pass_fds=[number], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    # each thread of a linear-algebra library reserves address space
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                )  # fmt: skip
        try:
            self._connection.send(sys.path)
            self._connection.send(self._limits)
            self._connection.recv()
        except (EOFError, OSError):
            return self._ended()
        return None

    def _ended(self) -> int:
        """Its exit code."""
        with self._guard:
            assert self._process is not None
            self._connection.close()
            code = self._process.wait()
            self._process = None
        return code
