"""What runs in a card's process: threads that read, launch and collect, so that it never waits for a CPU.

Reading makes pixels and ids of what is asked for; launching puts it on the card; collecting waits
for vectors and sends them. What none of them foresaw ends the process: another is started, and what
this one was doing is done again. A thread that failed alone would leave its callers waiting.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NoReturn, ParamSpec

from indexer.embed.protocol import Vector
from indexer.embed.qwen.messages import READY, Call, Failure, Order, Queries, Ready, Reply
from indexer.embed.qwen.turns import Read, Turns
from indexer.errors import FontError, UserError

if TYPE_CHECKING:
    from indexer.embed.qwen.model import Launched, Qwen3VL

P = ParamSpec("P")

WORTH_TUNING = 500  # documents; finding the batch size costs as much as some fifty of them
# The allocator's segments grow in place: what batches of many shapes leave free stays in one piece.
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "expandable_segments:True")
ON_THE_CARD = 2  # launches: one is computed, the next is at hand; a query would wait for more


def work(connection: Connection, devices: Sequence[str], order: Order) -> None:
    """Answer calls until the process ends; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.setdefault(*ALLOCATOR)  # read when torch is imported
    try:
        _work(connection, devices, order)
    except BaseException as error:  # noqa: BLE001 - whatever it is, threads must not keep it alive
        _die(error)
    os._exit(0)  # it could not get ready, and has said why


def _work(connection: Connection, devices: Sequence[str], order: Order) -> None:
    try:
        embedder, ready = _prepared(devices, order)
    except UserError as error:
        connection.send(Reply(number=READY, content=Failure.of(error)))
        return
    connection.send(Reply(number=READY, content=ready))
    _Worker(connection, embedder).run()


def _prepared(devices: Sequence[str], order: Order) -> tuple[Qwen3VL, Ready]:
    from transformers.utils import logging  # noqa: PLC0415 - the main process needs no torch

    from indexer.embed.qwen.model import Qwen3VL  # noqa: PLC0415
    from indexer.embed.qwen.tuning import Tuning  # noqa: PLC0415

    logging.disable_progress_bar()  # several at once on one terminal
    embedder = Qwen3VL.load(order.folder, order.identity, devices, order.attention)
    device = "+".join(devices)
    # on a CPU, how long it will take is what has to be known before a run of hours
    if not order.step and order.expected < (1 if devices[0] == "cpu" else WORTH_TUNING):
        return embedder, Ready(device=device, step=embedder.step(*order.sheet), rate=None)
    tuning = Tuning(embedder, *order.sheet)
    tuned = tuning.run(expected=order.expected, step=order.step)
    return embedder, Ready(
        device=device,
        step=tuned.step,
        rate=tuned.rate,
        compiled=tuned.compiled,
        note=tuned.note,
    )


def _or_die(work: Callable[P, None]) -> Callable[P, None]:
    """For the work of a thread, whose failure nobody would see."""

    @wraps(work)
    def seen(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - not all are Exceptions: a panic in Rust is not
            _die(error)

    return seen


class _Worker:
    """An embedder and its threads."""

    def __init__(self, connection: Connection, embedder: Qwen3VL) -> None:
        self._connection = connection
        self._embedder = embedder
        self._turns = Turns()
        self._reading = ThreadPoolExecutor(1)
        self._reading_queries = ThreadPoolExecutor(1)
        self._collecting = ThreadPoolExecutor(1)
        self._room = threading.Semaphore(ON_THE_CARD)

    def run(self) -> NoReturn:
        """Launch in this thread, which is the one that tuned: kernels' plans are kept by thread."""
        threading.Thread(target=self._receive, daemon=True).start()
        while True:
            self._launch()

    @_or_die
    def _receive(self) -> None:
        while True:
            try:
                call = self._connection.recv()
            except (EOFError, ConnectionError):  # the main process is gone
                os._exit(0)
            reading = self._reading_queries if isinstance(call, Queries) else self._reading
            reading.submit(self._read, call)

    @_or_die
    def _read(self, call: Call) -> None:
        if isinstance(call, Queries):
            self._turns.put(Read(call=call, items=self._embedder.read_queries(call.items)))
        else:
            self._turns.put(Read(call=call, items=self._embedder.read(call.items)))

    def _launch(self) -> None:
        self._room.acquire()  # first, so that a query which comes meanwhile is the next
        together = self._turns.take()
        calls = [read.call for read in together]
        try:
            launched = self._embedder.launch([item for read in together for item in read.items])
        except UserError as error:
            self._collecting.submit(self._refuse, calls, Failure.of(error))
        else:
            self._collecting.submit(self._collect, calls, launched)

    @_or_die
    def _collect(self, calls: Sequence[Call], launched: Launched) -> None:
        results = self._embedder.collect(launched)
        self._room.release()
        for call in calls:
            own, results = results[: len(call.items)], results[len(call.items) :]
            content = [_content(call, result) for result in own]
            self._connection.send(Reply(number=call.number, content=content))

    @_or_die
    def _refuse(self, calls: Sequence[Call], failure: Failure) -> None:
        self._room.release()
        for call in calls:
            self._connection.send(Reply(number=call.number, content=failure))


def _content(call: Call, result: Vector | FontError) -> Vector | Failure:
    if not isinstance(result, FontError):
        return result
    return Failure.of(UserError(result.message) if isinstance(call, Queries) else result)


def _die(error: BaseException) -> NoReturn:
    try:
        traceback.print_exception(error)
        sys.stderr.flush()
    finally:
        os._exit(1)
