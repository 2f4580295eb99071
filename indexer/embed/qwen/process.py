"""A card's process, seen from here: calls that wait for its answers, and a watch over how long."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from indexer.embed.qwen.limits import Limits
from indexer.embed.qwen.messages import (
    READY,
    Call,
    Documents,
    Failure,
    Items,
    Order,
    Ready,
    Reply,
    Result,
)
from indexer.embed.qwen.worker import work

SECONDS_TO_STOP = 5.0
SECONDS_TO_DIE = 1.0  # of a process whose connection has ended; its exit code is worth the wait


class CardLost(Exception):
    """A card's process is gone; what it was doing has no answer."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A call that waits for its answer. Kinds are told apart, for queries pass documents."""

    kind: type[Call] | None  # None: the start
    documents: int
    answer: Future[Any]
    since: float = field(default_factory=time.monotonic)


class CardProcess:
    """A process with the model on its devices. Safe to be called from several threads."""

    def __init__(self, devices: Sequence[str], order: Order, limits: Limits) -> None:
        self._name = "+".join(devices)
        self._devices = devices
        self._limits = limits
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._connection: Connection
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, devices, order), name=f"card {self._name}", daemon=True
        )
        self._process.start()
        theirs.close()  # or its end would not be noticed
        self._ready: Future[Ready] = Future()
        self._state = threading.Lock()  # of what follows; held for moments
        self._sending = threading.Lock()  # held for as long as the process does not read
        self._asked = {READY: _Asked(kind=None, documents=0, answer=self._ready)}
        self._numbers = count(READY + 1)
        self._answered: dict[type[Call] | None, float] = {}  # when, of each kind, the latest was
        self._lost: str | None = None
        self.answers = 0
        self.ended = threading.Event()
        threading.Thread(target=self._listen, name=self._process.name, daemon=True).start()

    @property
    def lost(self) -> str | None:
        """Why it ended, in a sentence; None while it lives."""
        return self._lost

    def started(self) -> Ready:
        """Waits for the model to be loaded. Raises UserError where it cannot be, and CardLost."""
        try:
            return self._ready.result(self._limits.start)
        except TimeoutError:
            self.end(f"The process of {self._name} was not ready in {self._limits.start:.0f} s.")
            return self._ready.result()

    def ask(self, call: Callable[..., Call], items: Items) -> Future[list[Result]]:
        """The results to come; CardLost where the process ends first."""
        answer: Future[list[Result]] = Future()
        with self._state:
            if self._lost:
                answer.set_exception(CardLost(self._lost))
                return answer
            message = call(number=next(self._numbers), items=items)
            documents = len(items) if isinstance(message, Documents) else 0
            asked = _Asked(kind=type(message), documents=documents, answer=answer)
            self._asked[message.number] = asked
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:  # it has ended, which the thread that listens tells all who wait
            pass
        except BaseException:
            with self._state:
                self._asked.pop(message.number, None)
            raise
        return answer

    def watch(self) -> None:
        """End it where a call waits and none of its kind has been answered for too long."""
        now = time.monotonic()
        with self._state:
            asked = list(self._asked.values())
            # a query may have to wait for the documents that are being computed
            most = max((call.documents for call in asked), default=0)
            limit = self._limits.silence(self._devices, most)
            overdue = any(now - self._began(call) > limit for call in asked)
        if overdue:
            self.end(f"The process of {self._name} gave no answer for {limit:.0f} s: it was ended.")

    def stop(self) -> None:
        """End it, while it loads too."""
        self._process.terminate()
        self._process.join(SECONDS_TO_STOP)
        self.end(f"The process of {self._name} was stopped.")

    def _listen(self) -> None:
        why = None
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            self._process.join(SECONDS_TO_DIE)
        except Exception as error:  # noqa: BLE001 - what cannot be read is as bad as no answer
            why = f"sent what cannot be read ({type(error).__name__})"
        finally:
            code = self._process.exitcode
            self.end(f"The process of {self._name} {why or f'ended (exit code {code})'}.")
            with self._sending:  # nobody writes to a number that is another file's by then
                self._connection.close()

    def _take(self, reply: Reply) -> None:
        now = time.monotonic()
        with self._state:
            asked = self._asked.pop(reply.number)
            self._answered[asked.kind] = now
            short = isinstance(reply.content, Failure) and reply.content.kind == "unavailable"
            self.answers += asked.kind is not None and not short  # of memory, which is no answer
        match reply.content:
            case Ready() as ready:
                asked.answer.set_result(ready)
            case Failure() as failure:
                asked.answer.set_exception(failure.error())
            case results:
                asked.answer.set_result(
                    [
                        result.error() if isinstance(result, Failure) else result
                        for result in results
                    ]
                )

    def _began(self, asked: _Asked) -> float:
        """When it was its turn, as far as is known here."""
        return max(asked.since, self._answered.get(asked.kind, 0.0))

    def end(self, why: str) -> None:
        """Kill it; calls that wait raise CardLost. Of no effect on one that has ended.

        One that a driver holds is not waited for.
        """
        self._process.kill()
        with self._state:
            if self._lost:
                return
            self._lost = why
            left, self._asked = list(self._asked.values()), {}
        for asked in left:
            asked.answer.set_exception(CardLost(why))
        self.ended.set()
