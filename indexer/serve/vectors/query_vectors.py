"""Query vectors of one leg: a cache in front of the embedder's batches."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

from indexer.embed.protocol import Embedder, Query, Vector
from indexer.serve.metrics import Metrics
from indexer.serve.refusals import Refusal
from indexer.serve.vectors.batching import Batcher
from indexer.spaces import Leg

MAX_VECTORS = 2_000  # 16 KB each at 4096 dimensions
MAX_SECONDS = 10.0  # of a query, from its arrival
MAX_SECONDS_OF_DOCUMENT = 120.0

Key = tuple[str | None, bytes | None, str | None]


class QueryVectors:
    """Belongs to the event loop in which it is started."""

    def __init__(self, leg: Leg, embedder: Embedder, metrics: Metrics) -> None:
        self.leg: Leg = leg
        self.embedder = embedder
        self._metrics = metrics
        self._batcher = Batcher(embedder, leg, metrics)
        self._known: OrderedDict[Key, Vector] = OrderedDict()

    def start(self) -> None:
        self._batcher.start()

    async def close(self) -> None:
        await self._batcher.close()
        await asyncio.to_thread(self.embedder.close)

    async def of(self, query: Query, *, low_priority: bool = False) -> Vector:
        """Of shape (dimension,) and length 1; the same array for the same query. Cancel it to give it up.

        Raises Refusal where too many wait (429) or it takes too long (504), UserError for what the
        embedder refuses, EmbedderUnavailable.
        """
        if low_priority:  # a document, which nobody asks for twice
            return await self._embedded(query, low_priority=True)
        key = _key(query)
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            self._metrics.cache.labels(self.leg, "yes").inc()
            return known
        self._metrics.cache.labels(self.leg, "no").inc()
        vector = await self._embedded(query, low_priority=False)
        self._known[key] = vector
        if len(self._known) > MAX_VECTORS:
            self._known.popitem(last=False)
        return vector

    async def _embedded(self, query: Query, *, low_priority: bool) -> Vector:
        seconds = MAX_SECONDS_OF_DOCUMENT if low_priority else MAX_SECONDS
        try:
            async with asyncio.timeout(seconds):
                return await self._batcher.embed(query, low_priority=low_priority)
        except TimeoutError:
            raise Refusal(
                504, f"The input was not embedded within {seconds:g} seconds. Try again."
            ) from None


def _key(query: Query) -> Key:
    image = hashlib.sha256(query.image).digest() if query.image is not None else None
    return query.text, image, query.instruction
