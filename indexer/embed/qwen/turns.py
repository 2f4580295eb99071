"""Who is next on a card: queries, which somebody waits for, before documents, which a job does."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embed.qwen.messages import Call, Queries
from indexer.errors import FontError

if TYPE_CHECKING:
    from indexer.embed.qwen.inputs import Item

# seconds of queries alone, while documents wait: a flood must not hold them forever
PATIENCE = 10.0
TOGETHER = 64  # queries of one launch, at most; a call that has more goes alone


@dataclass(frozen=True, kw_only=True)
class Read:
    """A call whose items are ready for the card."""

    call: Call
    items: list[Item | FontError]


class Turns:
    """Calls that wait for the card."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._documents: deque[Read] = deque()
        self._queries: deque[Read] = deque()
        self._held_since: float | None = None  # documents, by the first query that passed them
        self._changed = threading.Condition()

    def put(self, read: Read) -> None:
        with self._changed:
            (self._queries if isinstance(read.call, Queries) else self._documents).append(read)
            self._changed.notify()

    def take(self) -> list[Read]:
        """Waits for a call: one of documents, or all of queries that go into one launch."""
        with self._changed:
            self._changed.wait_for(lambda: self._queries or self._documents)
            if self._documents and (not self._queries or self._held_too_long()):
                self._held_since = None
                return [self._documents.popleft()]
            if self._documents and self._held_since is None:
                self._held_since = self._now()
            return self._together()

    def _held_too_long(self) -> bool:
        return self._held_since is not None and self._now() - self._held_since > PATIENCE

    def _together(self) -> list[Read]:
        together = [self._queries.popleft()]
        count = len(together[0].items)
        while self._queries and (count := count + len(self._queries[0].items)) <= TOGETHER:
            together.append(self._queries.popleft())
        return together
