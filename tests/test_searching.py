"""A search within the service: what happens to it while spaces switch, embedders die and callers leave."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from psycopg import errors

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from indexer import spaces
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Embedder, Model, Query, Vector, only
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.legs import SWITCHED
from indexer.search import Fonts
from indexer.serve.reading import Reader
from indexer.serve.refusals import Refusal, refusal_of
from indexer.serve.search.finding import Search
from indexer.serve.search.schema import LegState, SearchAnswer
from indexer.serve.search.searching import answer, warm_up
from indexer.serve.service import Service, ServiceOptions
from indexer.serve.vectors import embedders, query_vectors
from indexer.serve.vectors.query_vectors import QueryVectors
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from tests.fix_rows import add, axis

SERIF = Search(query="high contrast serif")
PICTURE = Search(image=b"png")
Work = Callable[[Service], Coroutine[Any, Any, None]]


@pytest.fixture
def empty(database: Database) -> Database:
    with database.open() as connection:
        spaces.register(connection, spaces.text_space(HashedNgrams()))
        spaces.register(connection, spaces.vl_space(MeasuredTraits(), SheetSpec(), None))
    return database


@pytest.fixture
def three(empty: Database) -> Database:
    """Two fonts with both vectors, and one without any."""
    with empty.open() as connection:
        add(connection, "Seen", text=axis(1, 0), vl=axis(1, 0))
        add(connection, "Seen too", text=axis(0, 1), vl=axis(0, 1))
        add(connection, "Unseen")
    return empty


def run(database: Database, work: Work) -> None:
    """With a service in the event loop, without HTTP."""
    said: list[str] = []
    reader = Reader.from_settings(Settings(), database, said.append)
    service = Service(reader, Settings(), ServiceOptions(), said.append)

    async def main() -> None:
        service.embedders.start(lambda: warm_up(service))
        try:
            await service.embedders.tried(60)
            assert service.embedders.state == "ok", said
            await work(service)
        finally:
            await service.embedders.close()

    with reader:
        asyncio.run(main())


class Held(Embedder):
    """Embeds as another does, but only when it is let."""

    def __init__(self, other: Embedder) -> None:
        self.other = other
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.down = False
        self.why: str | None = None

    @property
    def given_up(self) -> str | None:
        return self.why

    @property
    def model(self) -> Model:
        return self.other.model

    @property
    def batch_size(self) -> int:
        return self.other.batch_size

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        return self.other.embed_documents(documents)

    def embed_query(self, text: str) -> Vector:
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        self.asked.set()
        assert self.gate.wait(10)
        if self.down:
            raise EmbedderUnavailable("The card is gone.")
        return self.other.embed_queries(queries)


async def hold(service: Service, leg: spaces.Leg) -> Held:
    """In the place of a leg's embedder."""
    old = service.embedders.ready[leg]
    held = Held(old.embedder)
    await old.close()
    service.embedders.ready[leg] = QueryVectors(leg, held, service.metrics)
    service.embedders.ready[leg].start()
    return held


def switch(connection: Connection, leg: spaces.Leg, revision: str | None) -> None:
    """Another space of the leg serves; None: none does."""
    connection.execute(
        "update font_index.spaces set state = case when %(to)s::text is null then 'retired' else 'active' end,"
        " identity = jsonb_set(identity, '{model,revision}', to_jsonb(coalesce(%(to)s, '')))"
        " where leg = %(leg)s",
        {"to": revision, "leg": leg},
    )


@pytest.mark.parametrize("leg", ["text", "vl"])
@pytest.mark.parametrize("revision", ["another", None])
def test_a_vector_is_not_compared_with_those_of_a_space_that_began_to_serve_meanwhile(
    three: Database, leg: spaces.Leg, revision: str | None
) -> None:
    async def work(service: Service) -> None:
        held = await hold(service, leg)
        search = asyncio.create_task(answer(service, SERIF))
        assert await asyncio.to_thread(held.asked.wait, 10)
        with three.open() as connection:
            switch(connection, leg, revision)
        held.gate.set()
        if (leg, revision) == ("vl", "another"):
            with pytest.raises(Refusal, match="This service embeds with") as caught:
                await search
            assert caught.value.status == 503
            return
        found = SearchAnswer.model_validate(await search)
        asked = getattr(found.legs, leg)
        assert (asked.asked, asked.why_not) == (False, SWITCHED)
        assert {getattr(font, f"{leg}_similarity") for font in found.fonts} <= {None}

    run(three, work)


class Successor(HashedNgrams):
    @property
    def model(self) -> Model:
        return replace(super().model, revision="another")


def test_a_vector_is_judged_by_the_model_that_made_it_and_not_by_its_successor(
    three: Database,
) -> None:
    async def work(service: Service) -> None:
        held = await hold(service, "text")
        search = asyncio.create_task(answer(service, SERIF))
        assert await asyncio.to_thread(held.asked.wait, 10)
        old = service.embedders.ready["text"]
        with three.open() as connection:
            switch(connection, "text", "another")
        service.embedders.ready["text"] = QueryVectors("text", Successor(), service.metrics)
        service.embedders.ready["text"].start()
        held.gate.set()
        found = SearchAnswer.model_validate(await search)
        assert (found.legs.text.asked, found.legs.text.why_not) == (False, SWITCHED)
        await old.close()

    run(three, work)


def test_a_mismatch_that_has_passed_refuses_nothing_any_more(three: Database) -> None:
    async def work(service: Service) -> None:
        own = service.embedders.model.revision
        with three.open() as connection:
            switch(connection, "vl", "another")
            with pytest.raises(Refusal, match="This service embeds with"):
                await answer(service, SERIF)
            switch(connection, "vl", own)
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert found.legs.vl.asked

    run(three, work)


def test_the_embedder_of_texts_follows_the_space_there_and_back(three: Database) -> None:
    async def work(service: Service) -> None:
        async def text_leg() -> LegState:
            return SearchAnswer.model_validate(await answer(service, SERIF)).legs.text

        own = service.embedders.ready["text"].embedder.model.revision
        with three.open() as connection:
            switch(connection, "text", "another")
            assert (await text_leg()).why_not == SWITCHED
            for _ in range(2):
                assert "which is not available here" in ((await text_leg()).why_not or "")
            switch(connection, "text", own)
            assert not (await text_leg()).asked
            assert (await text_leg()).asked

    run(three, work)


def test_an_embedder_that_dies_costs_its_leg_until_it_is_back(three: Database) -> None:
    async def work(service: Service) -> None:
        held = await hold(service, "vl")
        held.gate.set()
        held.down = True
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert (found.legs.vl.asked, found.legs.text.asked) == (False, True)
        assert found.notices == [found.legs.vl.why_not] == ["The card is gone."]
        # what a picture shows is found by nothing else, so its caller is to come back
        with pytest.raises(EmbedderUnavailable, match="The card is gone") as gone:
            await answer(service, PICTURE)
        assert refusal_of(gone.value).status == 503
        held.down = False
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert found.legs.vl.asked
        with pytest.raises(UserError, match="cannot be read") as unread:
            await answer(service, PICTURE)
        assert refusal_of(unread.value).status == 422

    run(three, work)


def test_an_embedder_that_is_given_up_is_loaded_again(
    three: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedders, "SECONDS_BETWEEN_TRIES", 0.05)

    async def work(service: Service) -> None:
        held = await hold(service, "vl")
        held.gate.set()
        held.down = True
        held.why = "The card is broken."
        async with asyncio.timeout(20):
            while "vl" in service.embedders.ready and service.embedders.vl.embedder is held:
                await asyncio.sleep(0.01)
            while service.embedders.state != "ok":
                assert service.embedders.why_not.get("vl") in ("The card is broken.", None)
                await asyncio.sleep(0.01)
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert found.legs.vl.asked

    run(three, work)


def test_a_leg_that_is_too_late_is_omitted_and_a_picture_is_to_come_back(
    three: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(service: Service) -> None:
        held = await hold(service, "vl")
        monkeypatch.setattr(query_vectors, "MAX_SECONDS", 0.2)
        with pytest.raises(EmbedderUnavailable, match="not embedded within"):
            await answer(service, PICTURE)
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert "not embedded within" in (found.legs.vl.why_not or "")
        assert found.legs.text.asked
        held.gate.set()

    run(three, work)


def test_a_search_whose_caller_leaves_is_given_up(three: Database) -> None:
    async def work(service: Service) -> None:
        held = await hold(service, "vl")
        leaving = asyncio.create_task(answer(service, SERIF))
        assert await asyncio.to_thread(held.asked.wait, 10)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        held.gate.set()
        found = SearchAnswer.model_validate(await answer(service, SERIF))
        assert found.legs.vl.asked

    run(three, work)


def test_an_empty_table_is_an_empty_answer(empty: Database) -> None:
    async def work(service: Service) -> None:
        for wanted in (SERIF, Search(), Search(query="xyzzy", alpha=0)):
            found = SearchAnswer.model_validate(await answer(service, wanted))
            assert (found.fonts, found.exactness, found.strategy) == ([], None, None)

    run(empty, work)
    with Fonts(empty.conninfo) as fonts:
        assert fonts.search(SERIF.query) == []


def test_numbers_that_are_none_get_a_sentence(three: Database) -> None:
    odd = (math.nan, math.inf, -math.inf, -0.1, 1.1)

    async def work(service: Service) -> None:
        for value in odd:
            for wanted in (replace(SERIF, alpha=value), replace(SERIF, words=value)):
                with pytest.raises(errors.InvalidParameterValue, match="must be between 0 and 1"):
                    await answer(service, wanted)

    run(three, work)
    with Fonts(three.conninfo) as fonts:
        for value in odd:
            with pytest.raises(errors.InvalidParameterValue, match="must be between 0 and 1"):
                fonts.search(SERIF.query, alpha=value)
            with pytest.raises(errors.InvalidParameterValue, match="must be between 0 and 1"):
                fonts.search(SERIF.query, words=value)


def test_beyond_the_end_there_is_nothing_and_unknown_keys_are_refused(three: Database) -> None:
    with three.open() as connection:
        ids: dict[str, UUID] = dict(
            connection.execute("select name, id from public.fonts").fetchall()
        )

    async def work(service: Service) -> None:
        like_seen = Search(similar_to=ids["Seen"])
        for wanted, count in ((SERIF, 2), (Search(), 3), (like_seen, 1)):
            assert len((await answer(service, wanted))["fonts"]) == count
            assert (await answer(service, replace(wanted, offset=3)))["fonts"] == []
            with pytest.raises(errors.InvalidParameterValue, match="unknown key: colour"):
                await answer(service, replace(wanted, filter={"colour": "red"}))
        with pytest.raises(errors.InvalidParameterValue, match="Unseen has no appearance vector"):
            await answer(service, Search(similar_to=ids["Unseen"]))

    run(three, work)


def test_words_that_rank_alone_are_told_to_have_been_asked(three: Database) -> None:
    async def work(service: Service) -> None:
        found = SearchAnswer.model_validate(await answer(service, replace(SERIF, words=0.0)))
        assert not found.legs.words.asked
        unread = Search(query="xyzzy seen", alpha=0, words=0.0)
        found = SearchAnswer.model_validate(await answer(service, unread))
        assert found.legs.words.asked
        assert {font.name for font in found.fonts} == {"Seen", "Seen too"}

    run(three, work)


def test_the_parts_of_an_answers_time_sum_to_the_whole(three: Database) -> None:
    async def work(service: Service) -> None:
        for wanted in (SERIF, Search()):
            took = (await answer(service, wanted))["milliseconds"]
            total = took.pop("total")
            assert sum(took.values()) == pytest.approx(total, abs=0.05)
            assert all(part >= 0 for part in took.values())
            assert took["rpc"] > 0 and took["reading"] > 0

    run(three, work)
