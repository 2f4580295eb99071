"""One search: the query's vectors, what the database's function finds by them, and what there is to say about it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from indexer.legs import Embedded, asked
from indexer.serve.refusals import Refusal
from indexer.serve.search import finding, telling
from indexer.serve.search.finding import Found, Search
from indexer.serve.service import Service
from indexer.serve.vectors.embedders import WARM_UP


async def warm_up(service: Service) -> None:
    """One search, so that no caller waits for connections and caches."""
    if await service.mismatch() is None:
        await answer(service, Search(query=WARM_UP))


async def answer(service: Service, wanted: Search) -> dict[str, Any]:
    """The body of POST /search's answer. Raises Refusal, UserError, and what the database refuses."""
    began = time.perf_counter()
    await _refuse_mismatch(service)
    embedded = await _embedded(service, wanted)
    embedding = time.perf_counter() - began

    def read() -> tuple[Found, dict[str, Any], float]:
        """In a thread, the body too: to read a long query, or a picture, takes a while."""
        found = _found(service, wanted, embedded)
        at = time.perf_counter()
        vl = service.embedders.ready.get("vl")
        asked_for = wanted.query or wanted.image
        understanding = (
            vl.embedder.explain(wanted.query or "", wanted.image) if vl and asked_for else None
        )
        return found, telling.body(found, understanding), time.perf_counter() - at

    found, body, rendering = await service.reader.answer(read)
    await service.embedders.follow_text()
    total = time.perf_counter() - began
    parts = {"embedding": embedding, "rpc": found.seconds, "rendering": rendering}
    seconds = {**parts, "reading": total - sum(parts.values()), "total": total}
    body["milliseconds"] = {name: round(1000 * value, 2) for name, value in seconds.items()}
    return body


async def _refuse_mismatch(service: Service) -> None:
    """Before anything is embedded, where the spaces as they were last read do not fit, nor those of now."""
    if service.embedders.mismatch(service.spaces.latest):
        serving = await service.reader.answer(service.spaces.refresh)
        if mismatch := service.embedders.mismatch(serving):
            raise Refusal(503, mismatch)


async def _embedded(service: Service, wanted: Search) -> Embedded:
    if wanted.similar_to is not None or wanted.words_and_picture.empty:
        return {}
    queries = asked(wanted.words_and_picture)
    tasks = [
        asyncio.create_task(service.embedders.embed(leg, query)) for leg, query in queries.items()
    ]
    try:
        return dict(zip(queries, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:  # nobody waits for the other where one is refused
            task.cancel()


def _found(service: Service, wanted: Search, embedded: Embedded) -> Found:
    """All of it from one snapshot: what serves, and what it finds."""
    with service.reader.owner() as connection:
        serving = service.spaces.read(connection)
        if mismatch := service.embedders.mismatch(serving):
            raise Refusal(503, mismatch)
        return finding.find(
            connection, wanted, embedded, serving, become_visitor=service.reader.become_visitor
        )
