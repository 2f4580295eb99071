"""Queries and documents that wait together go through the model together, queries first.

Nobody waits for a batch to fill: the batch is what waits when the model is free, so a single client
is answered at once, and many share a pass.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from indexer.embed.protocol import Document, Embedder, Query, Vector
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.serve.metrics import Metrics
from indexer.serve.refusals import Refusal
from indexer.spaces import Leg

Kind = Literal["queries", "documents"]
Result = Vector | UserError
Call = Callable[[Sequence[Query]], Sequence[Result]]

MAX_WAITING = 256  # of each kind
QUERY_CALLS = 2  # at once: the next is prepared while one is computed
DOCUMENT_SECONDS = 0.2  # of a call with documents: a query waits for the one that is computed
QUERY_SECONDS = 0.1  # of a call with queries that is larger than the embedder's batch of documents
MAX_QUERIES = 32  # of such a call
LATEST = 0.2  # weight of the latest call in the moving average
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    query: Query
    answer: asyncio.Future[Vector] = field(repr=False)


class Batcher:
    """Calls one embedder. Belongs to the event loop in which it is started."""

    def __init__(
        self, embedder: Embedder, leg: Leg, metrics: Metrics, *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._embedder = embedder
        self._leg = leg
        self._metrics = metrics
        self._max_waiting = max_waiting
        # of one, a moving average; with the call's wait for the card, so calls rather get smaller
        self._seconds: dict[Kind, float] = {}
        self._queues: dict[Kind, asyncio.Queue[_Waiting]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(
            QUERY_CALLS + embedder.parallel, thread_name_prefix="embed"
        )

    def start(self) -> None:
        self._start("queries", QUERY_CALLS, self._embed)
        # one call less than the embedder takes, so that a query finds a place
        self._start("documents", max(1, self._embedder.parallel - 1), self._embed_documents)

    def _start(self, kind: Kind, calls: int, call: Call) -> None:
        queue = self._queues[kind] = asyncio.Queue(self._max_waiting)
        self._metrics.watch_queue(self._leg, kind, queue.qsize)
        self._tasks += [asyncio.create_task(self._work(kind, call)) for _ in range(calls)]

    async def close(self) -> None:
        """Whoever still waits is told to try again; nothing more is taken."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for queue in self._queues.values():
            while not queue.empty():
                _settle(queue.get_nowait(), _closed())
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def embed(self, query: Query, *, low_priority: bool = False) -> Vector:
        """Cancel it to give it up: what nobody waits for is not computed.

        Raises Refusal (429) where too many wait, UserError for what the embedder refuses, and
        EmbedderUnavailable.
        """
        instruction = (
            self._embedder.model.document_instruction
        )  # none: it makes documents of traits
        own = bool(instruction) and query.instruction == instruction
        is_document = low_priority and own and self._embedder.reads_images
        kind: Kind = "documents" if is_document else "queries"
        if self._closed:  # nobody would take it from the queue
            raise _closed()
        waiting = _Waiting(query=query, answer=asyncio.get_running_loop().create_future())
        try:
            self._queues[kind].put_nowait(waiting)
        except asyncio.QueueFull:
            self._metrics.refused.labels(self._leg, kind).inc()
            raise Refusal(
                429, f"{self._max_waiting} {kind} wait already. Try again in a second.",
                retry_after_s=RETRY_AFTER_S,
            ) from None  # fmt: skip
        return await waiting.answer

    async def _work(self, kind: Kind, call: Call) -> None:
        while True:
            batch = await self._taken(kind)
            try:
                if batch:
                    await self._answer(kind, batch, call)
            except asyncio.CancelledError:  # by close()
                for waiting in batch:
                    _settle(waiting, _closed())
                raise

    async def _taken(self, kind: Kind) -> list[_Waiting]:
        queue = self._queues[kind]
        batch, limit = [await queue.get()], self._limit(kind)
        while len(batch) < limit and not queue.empty():
            batch.append(queue.get_nowait())
        return [waiting for waiting in batch if not waiting.answer.done()]

    def _limit(self, kind: Kind) -> int:
        seconds, most = self._seconds.get(kind), self._embedder.batch_size
        if kind == "documents":
            return min(int(DOCUMENT_SECONDS / seconds) or 1, most) if seconds else 1
        return max(min(int(QUERY_SECONDS / seconds), MAX_QUERIES), most) if seconds else most

    async def _answer(self, kind: Kind, batch: Sequence[_Waiting], call: Call) -> None:
        queries = [waiting.query for waiting in batch]
        began = time.perf_counter()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, call, queries)
            answers = list(zip(batch, found, strict=True))
        except EmbedderUnavailable as error:
            for waiting in batch:
                _settle(waiting, error)
            return
        except Exception as error:  # noqa: BLE001 - an input that no embedder foresaw
            if len(batch) == 1:
                _settle(batch[0], error)
                return
            for waiting in batch:  # the others are not to blame
                if not waiting.answer.done():
                    await self._answer(kind, [waiting], call)
            return
        seconds = time.perf_counter() - began
        self._metrics.embedding.labels(self._leg, kind).observe(seconds)
        self._metrics.batch_size.labels(self._leg, kind).observe(len(batch))
        each = seconds / len(batch)
        self._seconds[kind] = (1 - LATEST) * self._seconds.get(kind, each) + LATEST * each
        for waiting, result in answers:
            _settle(waiting, result)

    def _embed(self, queries: Sequence[Query]) -> Sequence[Result]:
        return self._embedder.embed_queries(queries)

    def _embed_documents(self, queries: Sequence[Query]) -> Sequence[Result]:
        documents = [Document(text=query.text, sheet=query.image) for query in queries]
        results = self._embedder.embed_documents(documents)
        return [UserError(r.message) if isinstance(r, FontError) else r for r in results]


def _closed() -> EmbedderUnavailable:
    return EmbedderUnavailable("The model is being exchanged, or the service ends. Try again.")


def _settle(waiting: _Waiting, result: Vector | Exception) -> None:
    if waiting.answer.done():  # given up meanwhile
        return
    if isinstance(result, Exception):
        waiting.answer.set_exception(result)
    else:
        waiting.answer.set_result(result)
