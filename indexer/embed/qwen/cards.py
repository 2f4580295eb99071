"""One process per card, each with the whole model, fed from one queue of documents.

`device_map="auto"` would run a model's layers on one card after the other, with all but one idle;
copies work all the time. The process that fetches, renders and writes imports no torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from indexer.embed.halving import halved
from indexer.embed.protocol import Document, Embedder, Model, Query, Vector, only
from indexer.embed.qwen.card import Card
from indexer.embed.qwen.checkpoint import Checkpoint
from indexer.embed.qwen.devices import fitting, look
from indexer.embed.qwen.limits import Limits
from indexer.embed.qwen.messages import Attention, Call, Documents, Order, Queries, Ready
from indexer.embed.qwen.pool import Pool
from indexer.embed.qwen.process import CardLost
from indexer.errors import EmbedderUnavailable, FontError, UserError

REQUEST = 32  # documents of a call
REQUEST_OF_CPU = 4  # which takes half a minute for each
CALLS_PER_CARD = 3  # one is computed, the next is read, the last is being saved

Failed = TypeVar("Failed", FontError, UserError)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every card's process is started with."""

    checkpoint: Checkpoint
    identity: Model
    sheet: tuple[int, int]  # height and width in px, for which the batch size is found
    devices: tuple[str, ...] | None = None  # None: all cards that have room
    shard: bool = False  # one model over all devices, in place of one on each
    attention: Attention | None = None  # None: what is usual for the devices
    step: int | None = None  # sheets of a forward pass; None: what is found by measurement
    limits: Limits = field(default_factory=Limits)

    def processes(self) -> list[tuple[str, ...]]:
        """The devices of each process. Raises UserError where no card has room."""
        devices = self.devices
        if devices is None:
            cards = look().cards
            shared = tuple(card.device for card in cards) if self.shard else ()
            devices = shared or fitting(cards, self.checkpoint.name)
        return [devices] if self.shard else [(device,) for device in devices]


@dataclass(frozen=True, kw_only=True)
class _Death:
    """A card's process ended while it had a call."""

    card: Card
    why: str


class Cards(Embedder):
    """Embedder on the devices of a plan. Safe to be called from several threads; close() it.

    A process that ends or hangs is started again. What it had to do is done again alone, in halves:
    so an item that ends its process again is known, and alone fails.
    """

    def __init__(self, plan: Plan, *, say: Callable[[str], None] = lambda line: None) -> None:
        self._plan = plan
        self._say = say
        self._pool = Pool(plan.limits.wait)
        self._starting = threading.Lock()
        self._started = False

    @property
    def model(self) -> Model:
        return self._plan.identity

    @property
    def batch_size(self) -> int:
        return REQUEST_OF_CPU if "cpu" in (self._plan.devices or ()) else REQUEST

    @property
    def parallel(self) -> int:
        return max(CALLS_PER_CARD * len(self._pool.left), 1)

    @property
    def device(self) -> str:
        return ", ".join(card.name for card in self._pool.left) or "no card"

    @property
    def given_up(self) -> str | None:
        return self._pool.given_up

    @property
    def reads_images(self) -> bool:
        return True

    def start(self, expected: int = 0) -> None:
        """Load the model on every card, and say what each came to. Does nothing once it is done.

        For `expected` documents in all, batch size and compilation are found by measurement where
        that pays. Raises UserError where no card has room, and for a checkpoint that cannot be used;
        EmbedderUnavailable where no card gets up.
        """
        with self._starting:
            if self._started:
                return
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
                attention=self._plan.attention,
                step=self._plan.step,
            )
            rates = [ready.rate for ready in self._filled(processes, order) if ready.rate]
            self._started = True
        if expected and rates:
            self._say(f"{expected} fonts will take about {_duration(expected / sum(rates))}.")

    def close(self) -> None:
        """Ends the processes; calls that wait for them raise EmbedderUnavailable."""
        self._pool.close()

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of sheet, text or both; FontError for a sheet that cannot be read, or that ends a process.

        Raises EmbedderUnavailable where no card is left, or is up in time.
        """
        # traits are for other embedders, and need not travel
        slim = [Document(text=document.text, sheet=document.sheet) for document in documents]
        return self._embedded(Documents, slim, _document_to_blame, confined=True)

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text."""
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        """Of text, image or both, before documents that wait; UserError for what cannot be read.

        Raises EmbedderUnavailable as embed_documents does.
        """
        # a text is hardly to blame, and somebody waits for it
        pictures = any(query.image is not None for query in queries)
        return self._embedded(Queries, queries, _query_to_blame, confined=pictures)

    def _filled(self, processes: Sequence[Sequence[str]], order: Order) -> list[Ready]:
        """What the cards came to that got up at once; at least one is up."""
        pool, limits = self._pool, self._plan.limits
        cards = [
            Card(devices, order, limits, changed=pool.changed, say=self._say)
            for devices in processes
        ]
        pool.fill(cards)
        ready, refused = list[Ready](), list[UserError]()
        try:
            for card in cards:
                try:
                    ready.append(card.first.result())
                except UserError as error:  # of the checkpoint, or of this card
                    refused.append(error)
                except (CardLost, OSError):  # it is started again
                    pass
            if len(refused) == len(cards):
                raise refused[0]
            for why in refused:
                self._say(f"{why} The other cards go on.")
            with pool.lease():
                return ready
        except BaseException:
            pool.empty()
            raise

    def _embedded(
        self,
        call: Callable[..., Call],
        items: Sequence[Any],
        blamed: Callable[[_Death], Failed],
        *,
        confined: bool,
    ) -> list[Vector | Failed]:
        """`confined`: what ended a process is tried again on that card, and the others go on."""
        if not items:
            return []
        self.start()
        answer = self._attempt(call, items)
        if not isinstance(answer, _Death):
            return answer
        on = answer.card if confined else None

        def alone(part: Sequence[Any]) -> list[Vector | Failed] | _Death:
            return self._attempt(call, part, alone=True, on=on)

        if len(items) == 1 and not isinstance(answer := alone(items), _Death):
            return answer
        return halved(items, answer, alone, blamed)

    def _attempt(
        self,
        call: Callable[..., Call],
        items: Sequence[Any],
        *,
        alone: bool = False,
        on: Card | None = None,
    ) -> list[Any] | _Death:
        while True:
            with self._pool.lease(alone=alone, on=on) as (card, process):
                try:
                    return process.ask(call, items).result()
                except EmbedderUnavailable as error:
                    # the card has no memory, perhaps for a while; another one may have it
                    process.end(str(error))
                    if card.useless:
                        card.give_up(str(error))
                except CardLost as lost:
                    if card.useless:
                        raise EmbedderUnavailable(
                            f"{lost} None of its last processes answered anything: is the card broken?"
                        ) from lost
                    return _Death(card=card, why=str(lost))


def _document_to_blame(death: _Death) -> FontError:
    return FontError("embed", f"It ended the embedder twice, and is not tried again. {death.why}")


def _query_to_blame(death: _Death) -> UserError:
    return UserError(f"The query ended the embedder twice: ask for something else. {death.why}")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
