"""Requests that wait together are computed together, queries first; nobody waits for nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from indexer.embed.protocol import Document, Embedder, Model, Query, Vector, normalised, only
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.serve.metrics import Metrics
from indexer.serve.refusals import Refusal
from indexer.serve.vectors import batching, query_vectors
from indexer.serve.vectors.batching import Batcher
from indexer.serve.vectors.query_vectors import QueryVectors

MODEL = Model(name="gated", revision="1", dimension=2, document_instruction="a document")
DOCUMENT = MODEL.document_instruction


class Gated(Embedder):
    """Computes one call at a time, each when it is let; keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    @property
    def model(self) -> Model:
        return MODEL

    @property
    def batch_size(self) -> int:
        return 4

    @property
    def parallel(self) -> int:
        return 2

    @property
    def reads_images(self) -> bool:
        return True

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        self._wait([f"document {document.text}" for document in documents])
        return [normalised(np.ones(2)) for _ in documents]

    def embed_query(self, text: str) -> Vector:
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        texts = [query.text or "" for query in queries]
        self._wait(texts)
        if "down" in texts:
            raise EmbedderUnavailable("The card is gone.")
        if "poison" in texts:
            raise ValueError("nobody foresaw this")
        found = [
            UserError("no word") if text == "unknown" else normalised(np.array([1.0, len(text)]))
            for text in texts
        ]
        return found[1:] if "forgotten" in texts else found

    def _wait(self, texts: list[str]) -> None:
        self.calls.append(texts)
        self.arrived.release()
        assert self.gate.acquire(timeout=10)


Work = Callable[[Batcher, Gated], Coroutine[Any, Any, None]]


def run(work: Work, *, max_waiting: int = 16) -> Gated:
    embedder = Gated()

    async def main() -> None:
        batcher = Batcher(embedder, "vl", Metrics(), max_waiting=max_waiting)
        batcher.start()
        try:
            await work(batcher, embedder)
        finally:
            embedder.gate.release(100)
            await batcher.close()

    asyncio.run(main())
    return embedder


async def called(embedder: Gated, times: int = 1) -> None:
    for _ in range(times):
        assert await asyncio.to_thread(embedder.arrived.acquire, timeout=10)


def ask(batcher: Batcher, *texts: str, **options: Any) -> list[asyncio.Task[Vector]]:
    return [asyncio.create_task(batcher.embed(Query(text=text, **options))) for text in texts]


def test_what_waits_while_the_model_computes_goes_together() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        first = ask(batcher, "a")
        await called(embedder)
        second = ask(batcher, "b")
        await called(embedder)  # of two calls at once, one is computed and the next is made ready
        later = ask(batcher, "c", "d", "e", "f", "g")
        await asyncio.sleep(0.05)
        embedder.gate.release(10)
        found = await asyncio.gather(*first, *second, *later)
        assert all(np.allclose(vector, normalised(np.array([1.0, 1.0]))) for vector in found)

    calls = run(work).calls
    assert calls[:2] == [["a"], ["b"]]
    assert sorted(calls[2:]) == [["c", "d", "e", "f"], ["g"]]


@pytest.mark.parametrize(("seconds", "most"), [(1e6, 10), (0.0, 4)])
def test_queries_that_are_fast_go_in_larger_calls_than_documents(
    monkeypatch: pytest.MonkeyPatch, seconds: float, most: int
) -> None:
    monkeypatch.setattr(batching, "QUERY_SECONDS", seconds)

    async def work(batcher: Batcher, embedder: Gated) -> None:
        embedder.gate.release(1)
        await asyncio.gather(*ask(batcher, "measured"))
        await called(embedder)
        running = ask(batcher, "a")
        await called(embedder)
        running += ask(batcher, "b")
        await called(embedder)
        running += ask(batcher, *"cdefghijkl")
        await asyncio.sleep(0)
        embedder.gate.release(20)
        await asyncio.gather(*running)

    assert max(len(call) for call in run(work).calls) == most


def test_too_many_are_refused_and_none_is_lost() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        running = ask(batcher, "a")
        await called(embedder)
        running += ask(batcher, "b")
        await called(embedder)
        waiting = ask(batcher, *"cdef")
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as caught:
            await batcher.embed(Query(text="g"))
        assert (caught.value.status, caught.value.retry_after_s) == (429, 1.0)
        embedder.gate.release(10)
        assert len(await asyncio.gather(*running, *waiting)) == 6

    run(work, max_waiting=4)


def test_what_nobody_waits_for_any_more_is_not_computed() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        running = ask(batcher, "a")
        await called(embedder)
        running += ask(batcher, "b")
        await called(embedder)
        leaving, staying = ask(batcher, "gone", "stays")
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        embedder.gate.release(10)
        await asyncio.gather(staying, *running)

    assert run(work).calls[2:] == [["stays"]]


def test_one_that_the_embedder_refuses_is_no_fault_of_the_others() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        embedder.gate.release(20)
        good, unknown, other = await asyncio.gather(
            *ask(batcher, "good", "unknown", "other"), return_exceptions=True
        )
        assert isinstance(good, np.ndarray)
        assert isinstance(unknown, UserError)
        assert isinstance(other, np.ndarray)
        good, poison = await asyncio.gather(*ask(batcher, "good", "poison"), return_exceptions=True)
        assert isinstance(good, np.ndarray)
        assert isinstance(poison, ValueError)
        down = await asyncio.gather(*ask(batcher, "down"), return_exceptions=True)
        assert isinstance(down[0], EmbedderUnavailable)

    run(work)


@pytest.mark.parametrize("trouble", ["down", "poison", "forgotten"])
def test_after_trouble_the_next_are_answered(trouble: str) -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        embedder.gate.release(100)
        for _ in range(2 * batching.QUERY_CALLS):  # as often as would end all that work
            (failed,) = await asyncio.gather(*ask(batcher, trouble), return_exceptions=True)
            assert isinstance(failed, EmbedderUnavailable | ValueError)
        (vector,) = await asyncio.wait_for(asyncio.gather(*ask(batcher, "serif")), 5)
        assert np.allclose(vector, normalised(np.array([1.0, 5.0])))

    run(work)


def test_what_is_tried_again_alone_is_not_computed_for_one_who_has_left() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        running = ask(batcher, "a")
        await called(embedder)
        running += ask(batcher, "b")
        await called(embedder)
        poison, gone, stays = ask(batcher, "poison", "gone", "stays")
        await asyncio.sleep(0)
        embedder.gate.release(2)
        await called(embedder)  # all three, of which one spoils the call
        gone.cancel()
        await asyncio.sleep(0)
        embedder.gate.release(10)
        await asyncio.gather(*running, stays)
        with pytest.raises(ValueError, match="foresaw"):
            await poison

    assert run(work).calls[3:] == [["poison"], ["stays"]]


def test_queries_overtake_documents() -> None:
    async def work(batcher: Batcher, embedder: Gated) -> None:
        documents = [
            asyncio.create_task(
                batcher.embed(Query(text=str(number), instruction=DOCUMENT), low_priority=True)
            )
            for number in range(6)
        ]
        await called(embedder)
        query = ask(batcher, "query")
        await called(embedder)
        embedder.gate.release(20)
        await asyncio.gather(*query, *documents)

    calls = run(work).calls
    assert calls[0] == ["document 0"], "before anything is measured, one"
    assert calls[1] == ["query"]
    assert [text for call in calls[2:] for text in call] == [f"document {n}" for n in range(1, 6)]


def test_documents_go_in_calls_that_a_query_can_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "DOCUMENT_SECONDS", 0.0)

    async def work(batcher: Batcher, embedder: Gated) -> None:
        embedder.gate.release(20)
        await asyncio.gather(
            *(
                batcher.embed(Query(text=str(number), instruction=DOCUMENT), low_priority=True)
                for number in range(4)
            )
        )

    assert all(len(call) == 1 for call in run(work).calls)


def test_what_takes_too_long_is_given_up_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_vectors, "MAX_SECONDS", 0.05)
    embedder = Gated()

    async def main() -> None:
        slow = QueryVectors("vl", embedder, Metrics())
        slow.start()
        with pytest.raises(Refusal, match=r"within 0.05 seconds") as caught:
            await slow.of(Query(text="a"))
        assert caught.value.status == 504
        embedder.gate.release(10)
        await slow.close()

    asyncio.run(main())


def test_a_vector_is_computed_once_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(query_vectors, "MAX_VECTORS", 2)
    embedder = Gated()
    embedder.gate.release(20)

    async def main() -> None:
        cached = QueryVectors("vl", embedder, Metrics())
        cached.start()
        for text in ("a", "b", "a", "c", "a", "b"):
            await cached.of(Query(text=text))
        await cached.of(Query(text="a", instruction="another"))
        await cached.close()

    asyncio.run(main())
    assert embedder.calls == [["a"], ["b"], ["c"], ["b"], ["a"]]


def test_at_the_end_nobody_waits_whose_call_was_to_be_tried_again() -> None:
    embedder = Gated()

    async def main() -> None:
        batcher = Batcher(embedder, "vl", Metrics())
        batcher.start()
        tasks = ask(batcher, "poison", "b", "c")
        await called(embedder)
        embedder.gate.release()
        await called(embedder)  # the first of them, alone
        await batcher.close()
        embedder.gate.release(10)
        for task in tasks:
            with pytest.raises(EmbedderUnavailable, match="Try again"):
                await asyncio.wait_for(task, 1)

    asyncio.run(main())


def test_at_the_end_nobody_is_left_waiting() -> None:
    embedder = Gated()

    async def main() -> None:
        batcher = Batcher(embedder, "vl", Metrics())
        batcher.start()
        running = ask(batcher, "a")
        await called(embedder)
        running += ask(batcher, "b")
        await called(embedder)
        waiting = ask(batcher, "c")
        await asyncio.sleep(0)
        embedder.gate.release(10)
        await batcher.close()
        late = ask(batcher, "d")  # of one who got hold of it before
        for task in [*running, *waiting, *late]:  # what is computed has no one to take it either
            with pytest.raises(EmbedderUnavailable, match="Try again"):
                await asyncio.wait_for(task, 1)

    asyncio.run(main())
