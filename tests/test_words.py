"""Words are learned from the development half alone, and move no query but those that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from eval.datasets.building import family_half
from eval.datasets.importers import Tags
from eval.datasets.tags import tag_queries
from eval.words.train import MIN_FAMILIES, MIN_TAGGED, of_development, train, written
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.measured.learned import parse, standard
from indexer.errors import UserError
from indexer.traits import Traits
from tests.test_measured import SCRIPT, TEXT_SANS

NAMES = [f"Family{number} Sans" for number in range(3 * MIN_FAMILIES)]
TAGS: Tags = {
    name: {"cursive": 1.0} if at % 4 == 0 else {"scrawl": 1.0} if at % 4 == 1 else {"round": 1.0}
    for at, name in enumerate(NAMES)
}
HALVES = {query.id: query.split for query in tag_queries(TAGS)}
TRAITS: Mapping[str, Traits] = {
    name: replace(SCRIPT if "cursive" in TAGS[name] else TEXT_SANS, x_height=0.5 + at % 7 / 20)
    for at, name in enumerate(NAMES)
}


def test_neither_families_nor_tags_of_the_reporting_half_are_learned_from() -> None:
    assert set(HALVES.values()) == {"dev", "test"}
    allowed = of_development(TAGS)
    assert {family_half(name) for name in allowed} == {"dev"}
    assert {HALVES[tag] for tags in allowed.values() for tag in tags} == {"dev"}
    reported = {name: TRAITS[name] for name in NAMES if name not in allowed}
    assert len(reported) > MIN_FAMILIES
    # what the reporting half looks like, and is tagged with, changes nothing
    hidden = {name: {"cursive": 1.0, "scrawl": 1.0, "round": 1.0} for name in reported}
    counts_as_before = {**TAGS, **{name: TAGS[name] for name in hidden}}
    learned = train(counts_as_before, {**TRAITS, **dict.fromkeys(reported, SCRIPT)})
    assert written(learned) == written(train(TAGS, TRAITS))
    assert learned["families"] == len(allowed)
    assert all(HALVES[word] == "dev" for word in learned["words"])


def test_relatives_are_of_one_half() -> None:
    assert len({family_half(name) for name in ("Noto Sans", "Noto Serif Thai", "Noto")}) == 1


def test_too_few_families_teach_nothing() -> None:
    few = dict(list(TRAITS.items())[: MIN_TAGGED * 2])
    with pytest.raises(UserError, match=r"Only \d+ tagged families .* --families"):
        train(TAGS, few)


def test_a_learned_word_moves_its_own_queries_towards_what_people_showed() -> None:
    towards = {"x_height": [0.0, 1.0]}
    learned = parse(json.dumps({"words": {"cursive": {"families": 400, "towards": towards}}}))
    plain, taught = MeasuredTraits(learned={}), MeasuredTraits(learned=learned)
    large = plain.embed_query("large x-height")

    def nearer(query: str) -> float:
        return float((taught.embed_query(query) - plain.embed_query(query)) @ large)

    assert nearer("cursive") > 0.3
    assert nearer("a running hand") > 0.3, "another phrase of the same entry"
    for other in ("handwriting", "elegant serif", "not cursive"):
        assert nearer(other) == 0
    assert taught.model == plain.model
    assert taught.vocabulary != plain.vocabulary == MeasuredTraits(learned={}).vocabulary
    assert MeasuredTraits().vocabulary not in (taught.vocabulary, plain.vocabulary)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"condensed": {"families": 9, "towards": {}}}, "'condensed' is no phrase .* learned"),
        ({"cursive": {"families": 9, "towards": {"zest": [0, 1]}}}, "'cursive' has unknown axes"),
    ],
)
def test_a_word_that_names_a_measurement_is_not_to_be_learned(
    words: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parse(json.dumps({"words": words}))


def test_the_package_has_words_of_enough_families() -> None:
    assert standard()
    assert all(word.families >= MIN_TAGGED for word in standard().values())
