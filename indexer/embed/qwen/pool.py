"""Which card does what next: the least busy one, or one for a call alone that is under suspicion."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from indexer.embed.qwen.card import Card
from indexer.embed.qwen.process import CardProcess
from indexer.errors import EmbedderUnavailable


class Pool:
    """Cards, and who is on each. Safe to be used by several threads."""

    def __init__(self, wait: float) -> None:
        """`wait`: seconds that a call waits while no card is up."""
        self._wait = wait
        self._cards: list[Card] = []
        self._changed = threading.Condition()
        self._calls: Counter[Card] = Counter()
        self._reserved: set[Card] = set()
        self._closed = False

    @property
    def left(self) -> list[Card]:
        """The cards that are not given up."""
        return [card for card in self._cards if card.given_up is None]

    @property
    def given_up(self) -> str | None:
        """Why none of the cards is left, in a sentence; None while one is, and before there were any."""
        cards = list(self._cards)
        reasons = [why for card in cards if (why := card.given_up)]
        return reasons[0] if reasons and len(reasons) == len(cards) else None

    def fill(self, cards: Sequence[Card]) -> None:
        with self._changed:
            self._cards = list(cards)
            closed = self._closed
        if closed:
            self.empty()

    def changed(self) -> None:
        """To be called when a card is up, down or given up."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Closes the cards; those who wait for one raise EmbedderUnavailable."""
        with self._changed:
            self._closed = True
        self.empty()

    def empty(self) -> None:
        """Closes the cards; it can be filled again."""
        with self._changed:
            cards, self._cards = self._cards, []
            self._changed.notify_all()
        for card in cards:
            card.close()

    @contextmanager
    def lease(
        self, *, alone: bool = False, on: Card | None = None
    ) -> Iterator[tuple[Card, CardProcess]]:
        """A card that is up, and its process.

        `alone`: with no other call on it, so that nothing else can be the cause of what happens.
        `on`: that card, if it comes up again in time. Raises EmbedderUnavailable where none does.
        """
        with self._changed:
            card, process = self._emptied(on) if alone else self._free(None)
            self._calls[card] += 1
        try:
            yield card, process
        finally:
            with self._changed:
                self._calls[card] -= 1
                if alone:
                    self._reserved.discard(card)
                self._changed.notify_all()

    def _emptied(self, on: Card | None) -> tuple[Card, CardProcess]:
        """A card that takes no other calls from now on, once those that it has are done."""
        while True:
            card, process = self._free(on)
            self._reserved.add(card)
            try:
                while self._calls[card] and not (process.lost or self._closed):
                    self._changed.wait()
            except BaseException:
                self._reserved.discard(card)
                raise
            if not (process.lost or self._closed):
                return card, process
            self._reserved.discard(card)
            self._changed.notify_all()

    def _free(self, on: Card | None) -> tuple[Card, CardProcess]:
        """The least busy card that is up and takes calls; waits for one."""
        down_since: float | None = None
        while True:
            left = self._left_or_raise()
            wanted = [on] if on in left else left
            up = [(card, process) for card in wanted if (process := card.process)]
            if free := [pair for pair in up if pair[0] not in self._reserved]:
                return min(free, key=lambda pair: self._calls[pair[0]])
            if up:
                down_since = None
                self._changed.wait()
                continue
            down_since = down_since or time.monotonic()
            patience = down_since + self._wait - time.monotonic()
            if patience > 0:
                self._changed.wait(patience)
            elif on in left:
                on = None
            else:
                raise EmbedderUnavailable(
                    f"No card was up for {self._wait:.0f} s. What is done is kept; run it again for "
                    "the rest."
                )

    def _left_or_raise(self) -> list[Card]:
        if self._closed:
            raise EmbedderUnavailable("The cards were closed.")
        if left := self.left:
            return left
        raise EmbedderUnavailable(
            f"No card is left to embed with. {self.given_up or ''} What is done is kept; run it again for the rest."
        )
