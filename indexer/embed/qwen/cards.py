"""One process per card, each with the whole model, fed from one queue of documents.

`device_map="auto"` would run a model's layers on one card after the other, with all but one idle;
copies work all the time. The process that fetches, renders and writes imports no torch.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from indexer.embed.protocol import Document, Embedder, Model, Query, Vector, only
from indexer.embed.qwen.checkpoint import Checkpoint
from indexer.embed.qwen.devices import fitting, look
from indexer.embed.qwen.process import Order, Ready, serve
from indexer.errors import EmbedderUnavailable, FontError, UserError

REQUEST = 32  # documents of a call
REQUEST_OF_CPU = 4  # which takes half a minute for each
CALLS_PER_CARD = 3  # one is computed, the next is read, the last is being saved
SECONDS_TO_STOP = 5.0


class CardLost(Exception):
    """A card's process is gone; what it was doing can be done by another."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every card's process is started with."""

    checkpoint: Checkpoint
    identity: Model
    sheet: tuple[int, int]  # height and width in px, for which the batch size is found
    devices: tuple[str, ...] | None = None  # None: all cards that have room
    shard: bool = False  # one model over all devices, in place of one on each

    def processes(self) -> list[tuple[str, ...]]:
        """The devices of each process. Raises UserError where no card has room."""
        devices = self.devices
        if devices is None:
            cards = look().cards
            shared = tuple(card.device for card in cards) if self.shard else ()
            devices = shared or fitting(cards, self.checkpoint.name)
        return [devices] if self.shard else [(device,) for device in devices]


class Cards(Embedder):
    """Embedder on the devices of a plan. Safe to be called from several threads; close() it."""

    def __init__(self, plan: Plan, *, say: Callable[[str], None] = lambda line: None) -> None:
        self._plan = plan
        self._say = say
        self._cards: list[_CardProcess] = []
        self._lock = threading.RLock()
        self._started = self._closed = False

    @property
    def model(self) -> Model:
        return self._plan.identity

    @property
    def batch_size(self) -> int:
        return REQUEST_OF_CPU if self._plan.devices == ("cpu",) else REQUEST

    @property
    def parallel(self) -> int:
        return max(CALLS_PER_CARD * len(self._cards), 1)

    def start(self, expected: int = 0) -> None:
        """Load the model on every card, and say what each came to. Does nothing the second time.

        For `expected` documents in all, batch size and compilation are found by measurement where
        that pays. A card whose process dies is said and left out. Raises UserError where no card has
        room, and for a checkpoint that cannot be used; EmbedderUnavailable where all processes die.
        """
        with self._lock:
            if self._started:
                return
            self._started = True
            processes = self._plan.processes()
            if len(processes[0]) > 1:
                self._say(
                    f"One model over {len(processes[0])} cards: its layers run on one card after "
                    "the other, so it is as fast as one card at best."
                )
            order = Order(
                folder=self._plan.checkpoint.with_weights(),
                identity=self._plan.identity,
                sheet=self._plan.sheet,
                expected=expected // len(processes),
            )
            self._cards = [_CardProcess(devices, order) for devices in processes]
            ready = [self._awaited(card) for card in list(self._cards)]
        if not self._cards:
            raise EmbedderUnavailable("No card could start.")
        rates = [card.rate for card in ready if card and card.rate]
        if expected and rates:
            self._say(f"{expected} fonts will take about {_duration(expected / sum(rates))}.")

    def close(self) -> None:
        """Ends the processes; calls that wait for them raise EmbedderUnavailable."""
        with self._lock:
            self._closed = True
            cards, self._cards = self._cards, []
        for card in cards:
            card.stop()

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of sheet, text or both; FontError for a sheet that cannot be read.

        A card that dies is left out and its work done by another; raises EmbedderUnavailable where
        none is left.
        """
        # traits are for other embedders, and need not travel
        slim = [Document(text=document.text, sheet=document.sheet) for document in documents]
        result: list[Vector | FontError] = self._ask("embed_documents", slim)
        return result

    @property
    def reads_images(self) -> bool:
        return True

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text."""
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        result: list[Vector | UserError] = self._ask("embed_queries", list(queries))
        return result

    def _ask(self, call: str, argument: object) -> Any:
        self.start()
        while True:
            card, answer = self._give(call, argument)
            try:
                return answer.result()
            except CardLost as lost:
                self._leave_out(card, lost)

    def _give(self, call: str, argument: object) -> tuple[_CardProcess, Future[Any]]:
        """To the card that has least to do. Raises EmbedderUnavailable where there is none."""
        with self._lock:
            if not self._cards:
                raise EmbedderUnavailable(
                    "No card is left that embeds. What is done is kept; run it again for the rest."
                )
            card = min(self._cards, key=lambda card: card.waiting)
            return card, card.ask(call, argument)

    def _awaited(self, card: _CardProcess) -> Ready | None:
        try:
            ready = card.ready.result()
        except CardLost as lost:
            self._leave_out(card, lost)
            return None
        self._say(str(ready))
        return ready

    def _leave_out(self, card: _CardProcess, lost: CardLost) -> None:
        with self._lock:
            if card not in self._cards:
                return
            self._cards.remove(card)
        card.stop()
        if not self._closed:
            rest = f"Its work goes to the other cards: {len(self._cards)}." if self._cards else ""
            self._say(f"{lost} {rest}".strip())


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class _CardProcess:
    """A process with the model on its devices, and the answers that are waited for."""

    def __init__(self, devices: tuple[str, ...], order: Order) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._connection: Connection
        self._connection, theirs = context.Pipe()
        self._name = "+".join(devices)
        self._process = context.Process(
            target=serve, args=(theirs, devices, order), name=f"card {self._name}", daemon=True
        )
        self._process.start()
        theirs.close()  # or its end would not be noticed
        self._lock = threading.Lock()
        self._answers: dict[int, Future[Any]] = {}
        self._asked = 0
        self._gone = False
        self.ready: Future[Ready] = Future()
        self._answers[0] = self.ready
        threading.Thread(target=self._listen, name=self._process.name, daemon=True).start()

    @property
    def waiting(self) -> int:
        return len(self._answers)

    def ask(self, call: str, argument: object) -> Future[Any]:
        """The answer to come; CardLost where the process is gone."""
        answer: Future[Any] = Future()
        with self._lock:
            self._asked += 1
            self._answers[self._asked] = answer
            try:
                self._connection.send((self._asked, call, argument))
            except OSError:
                self._gone = True
            if self._gone:
                self._answers.pop(self._asked, None)
                answer.set_exception(self._lost())
        return answer

    def stop(self) -> None:
        with self._lock, suppress(OSError):
            self._connection.send(None)  # closing it would not wake the thread that listens
        self._process.join(SECONDS_TO_STOP)
        if self._process.is_alive():  # still loading
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _listen(self) -> None:
        try:
            while True:
                number, result = self._connection.recv()
                with self._lock:
                    answer = self._answers.pop(number)
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        except (EOFError, OSError, TypeError):  # it died, or stop() closed the connection
            with self._lock:
                self._gone = True
                left, self._answers = list(self._answers.values()), {}
            for answer in left:
                answer.set_exception(self._lost())

    def _lost(self) -> CardLost:
        self._process.join(1.0)
        return CardLost(f"The process of {self._name} ended (exit code {self._process.exitcode}).")
