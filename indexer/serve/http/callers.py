"""Work for callers who may leave: what nobody waits for is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import Request

from indexer.embed.protocol import Query, Vector
from indexer.serve.refusals import Refusal
from indexer.serve.vectors.query_vectors import QueryVectors

T = TypeVar("T")
AT_ONCE = 64  # of one caller: two calls of a card
LEFT = 499  # nginx's, for the log: nobody reads this answer


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to; it is cancelled where the caller hangs up before. Raises what it raises."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Refusal(LEFT, "The caller has left.")
    finally:
        task.cancel()
        gone.cancel()


async def all_of(
    vectors: QueryVectors, queries: Sequence[Query], *, low_priority: bool = False
) -> list[Vector]:
    """One vector per query, in order. Raises the first of what any of them raises.

    A few at once, so that those of others come between, and that a long list alone does not fill the queue.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def vector_of(query: Query) -> Vector:
        async with turn:
            return await vectors.of(query, low_priority=low_priority)

    tasks = [asyncio.create_task(vector_of(query)) for query in queries]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
