"""What the legs of a query are asked, and which may rank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.embed.protocol import Model, Query
from indexer.errors import EmbedderUnavailable, UserError
from indexer.legs import NO_WEIGHT, SWITCHED, Embedded, QueryVector, Ranking, asked, ranking
from indexer.spaces import Leg, Serving, Space

WORDS = Query(text="elegant serif")
PICTURE = Query(image=b"png")
UNKNOWN = UserError("It knows no such word.")


def model(name: str) -> Model:
    return Model(name=name, revision="1", dimension=2, document_instruction="")


SERVING: Serving = {
    leg: Space(leg=leg, model=model(leg), sheet_spec=None, text_schema=None)
    for leg in ("text", "vl")
}


def made(name: str) -> QueryVector:
    return QueryVector(model=model(name), vector=np.array([1, 0], np.float32))


BOTH: Embedded = {"text": made("text"), "vl": made("vl")}


def ranked(
    embedded: Embedded,
    query: Query = WORDS,
    *,
    serving: Serving = SERVING,
    alpha: float | None = None,
    words: float | None = None,
) -> Ranking:
    return ranking(query, embedded, serving, alpha=alpha, words=words)


def test_a_picture_says_nothing_to_the_text_leg() -> None:
    both = replace(PICTURE, text="elegant serif")
    assert asked(WORDS) == {"vl": WORDS, "text": WORDS}
    assert asked(PICTURE) == {"vl": PICTURE}
    assert asked(both) == {"vl": both, "text": WORDS}


def test_vectors_of_the_serving_spaces_rank_with_the_words_as_deployed() -> None:
    by = ranked(BOTH)
    assert by.vectors.keys() == {"text", "vl"} and not by.why_not
    assert (by.query_text, by.full_text_weight) == ("elegant", None)


@pytest.mark.parametrize(("words", "text"), [(0.0, None), (0.2, "elegant")])
def test_words_without_weight_are_not_looked_up(words: float, text: str | None) -> None:
    by = ranked(BOTH, words=words)
    assert (by.query_text, by.full_text_weight) == (text, words)


@pytest.mark.parametrize("leg", ["text", "vl"])
def test_a_vector_of_another_model_or_of_no_space_never_ranks(leg: Leg) -> None:
    revised = replace(made(leg), model=replace(model(leg), revision="2"))
    shorter = replace(made(leg), model=replace(model(leg), dimension=1))
    for embedded, serving in (
        ({**BOTH, leg: revised}, SERVING),
        ({**BOTH, leg: shorter}, SERVING),
        (BOTH, {**SERVING, leg: None}),
        (BOTH, {other: space for other, space in SERVING.items() if other != leg}),
    ):
        by = ranked(embedded, serving=serving)
        assert leg not in by.vectors and len(by.vectors) == 1
        assert by.why_not == {leg: SWITCHED}


@pytest.mark.parametrize(("alpha", "vectors"), [(0.0, set()), (0.01, {"text"}), (1.0, {"text"})])
def test_spelling_does_not_rank_where_looks_alone_are_asked_for(
    alpha: float, vectors: set[Leg]
) -> None:
    by = ranked({**BOTH, "vl": UNKNOWN}, alpha=alpha, words=0.0)
    assert by.vectors.keys() == vectors
    assert by.why_not == {"vl": str(UNKNOWN)} | ({} if vectors else {"text": NO_WEIGHT})
    # what has the words may be found by them
    assert by.full_text_weight == (0.0 if vectors else 1.0)
    assert by.query_text == (None if vectors else "elegant serif")


def test_spelling_finds_what_sight_does_not_understand_where_nobody_asks_for_looks_alone() -> None:
    assert ranked({**BOTH, "vl": UNKNOWN}, Query(text="Montserat")).vectors.keys() == {"text"}


@pytest.mark.parametrize(
    ("text", "looked_up"),
    [("friendly rounded sans", "friendly rounded"), ("Open Sans", "Open"), ("serif font", None)],
)
def test_words_that_sight_reads_for_itself_are_not_looked_up_in_names(
    text: str, looked_up: str | None
) -> None:
    query = Query(text=text)
    assert ranked(BOTH, query).query_text == looked_up
    assert ranked({**BOTH, "vl": UNKNOWN}, query).query_text == text


def test_at_alpha_0_the_text_leg_is_there_for_its_similarity() -> None:
    assert ranked(BOTH, alpha=0).vectors.keys() == {"text", "vl"}


def test_without_any_vector_words_alone_rank() -> None:
    by = ranked({"text": UNKNOWN, "vl": UNKNOWN}, words=0.0)
    assert (by.vectors, by.query_text, by.full_text_weight) == ({}, "elegant serif", 1.0)


@pytest.mark.parametrize("query", [PICTURE, replace(PICTURE, text="elegant serif")])
def test_a_picture_that_looks_cannot_be_ranked_by_is_refused(query: Query) -> None:
    down = EmbedderUnavailable("The card is gone.")
    for why in (UNKNOWN, down):
        with pytest.raises(UserError) as caught:
            ranked({"vl": why, "text": made("text")}, query)
        assert caught.value is why, "whether to come back is told by the kind of error"
    with pytest.raises(EmbedderUnavailable, match="Another space"):
        ranked({"vl": made("vl")}, query, serving={**SERVING, "vl": None})
    assert ranked({"vl": made("vl"), "text": UNKNOWN}, query).vectors.keys() == {"vl"}
