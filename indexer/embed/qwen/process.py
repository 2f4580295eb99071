"""What runs in a card's process: three threads, so that the card never waits for a CPU.

One reads documents (PNG to pixels, text to ids), one launches, one waits for results and sends them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from indexer.embed.protocol import Model, Query
from indexer.errors import UserError

if TYPE_CHECKING:
    from indexer.embed.qwen.model import Launched, Qwen3VL

Reply = Callable[[object], None]

WORTH_TUNING = 500  # documents; finding the batch size costs as much as some fifty of them
COMPILING = 60.0  # seconds
COMPILED_GAIN = 0.1  # of the time, at least


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to load and to expect."""

    folder: Path
    identity: Model
    sheet: tuple[int, int]  # height and width in px
    expected: int  # documents


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What a card came to."""

    device: str
    step: int  # sheets of a forward pass
    rate: float | None  # sheets per second, where it was measured
    compiled: bool

    def __str__(self) -> str:
        rate = f", {self.rate:.2g} sheets/s" if self.rate else ""
        return f"{self.device}: {self.step} sheets at once{rate}{', compiled' * self.compiled}."


def serve(connection: Connection, devices: Sequence[str], order: Order) -> None:
    """Answer calls until there are no more. A device that fails ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        embedder, ready = _prepared(devices, order)
    except UserError as error:
        connection.send((0, error))
        return
    connection.send((0, ready))
    with (
        ThreadPoolExecutor(1) as reading,
        ThreadPoolExecutor(1) as launching,
        ThreadPoolExecutor(1) as collecting,
    ):
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):  # the main process is gone
                message = None
            if message is None:
                os._exit(0)  # whatever is still being computed
            number, call, argument = message

            def reply(result: object, number: int = number) -> None:
                connection.send((number, result))

            if call == "embed_queries":
                launching.submit(_queries, embedder, argument, reply, collecting)
            else:
                read = reading.submit(embedder.read, argument)
                launching.submit(_launch, embedder, read, reply, collecting)


def _prepared(devices: Sequence[str], order: Order) -> tuple[Qwen3VL, Ready]:
    from transformers.utils import logging  # noqa: PLC0415 - the main process needs no torch

    from indexer.embed.qwen.model import Qwen3VL  # noqa: PLC0415

    logging.disable_progress_bar()  # several at once on one terminal
    embedder = Qwen3VL.load(order.folder, order.identity, devices)
    rate, compiled = None, False
    # on a CPU, how long it will take is what has to be known before a run of hours
    if order.expected >= (1 if devices[0] == "cpu" else WORTH_TUNING):
        rate = embedder.tune(*order.sheet)
        compiled = order.expected / rate * COMPILED_GAIN > COMPILING and devices[0] != "cpu"
        if compiled:
            embedder.compile()
    step = embedder.step(*order.sheet)
    return embedder, Ready(device="+".join(devices), step=step, rate=rate, compiled=compiled)


def _launch(
    embedder: Qwen3VL, read: Future[Any], reply: Reply, collecting: ThreadPoolExecutor
) -> None:
    try:
        items = read.result()
    except Exception as error:  # noqa: BLE001 - a document that no reader foresaw: the caller halves its batch
        collecting.submit(reply, error)
        return
    try:
        launched = embedder.launch(items)
    except UserError as error:
        collecting.submit(reply, error)
    except Exception as error:  # noqa: BLE001 - of the device, which is of no further use
        _die(error)
    else:
        collecting.submit(_collect, embedder, launched, reply)


def _collect(embedder: Qwen3VL, launched: Launched, reply: Reply) -> None:
    try:
        vectors = embedder.collect(launched)
    except Exception as error:  # noqa: BLE001 - kernels fail when they are waited for
        _die(error)
    reply(vectors)


def _queries(
    embedder: Qwen3VL, queries: list[Query], reply: Reply, collecting: ThreadPoolExecutor
) -> None:
    answer: object
    try:
        answer = embedder.embed_queries(queries)
    except UserError as error:
        answer = error
    except Exception as error:  # noqa: BLE001 - of the device
        _die(error)
    collecting.submit(reply, answer)  # like all replies: one thread writes to the connection


def _die(error: Exception) -> NoReturn:
    sys.stderr.write(f"{type(error).__name__}: {str(error).splitlines()[0][:300]}\n")
    sys.stderr.flush()
    os._exit(1)
