"""The lexicon keeps its rules, and texts are read as a typographer would read them."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embed.measured.axes import AXES, CONCEPTS
from indexer.embed.measured.lexicon import GROUPS, Lexicon, LexiconError, standard
from indexer.embed.measured.reading import combine, read

LEXICON = standard()
SOURCE = files("indexer.embed.measured").joinpath("lexicon.toml").read_text("utf-8")


def phrases(text: str) -> list[str]:
    return [reading.phrase for reading in read(text, LEXICON)]


def ends(text: str) -> dict[str, float]:
    """How far towards the plus end of each axis a text points."""
    return {axis: end for axis, (_, end) in combine(read(text, LEXICON)).items()}


def point(text: str, axis: str) -> tuple[float, float]:
    return combine(read(text, LEXICON))[axis]


def test_it_has_vocabulary_of_every_kind() -> None:
    assert set(LEXICON.groups) == set(GROUPS)
    assert min(LEXICON.groups.values()) >= 15
    assert sum(LEXICON.groups.values()) >= 250
    assert len(LEXICON.entries.values) >= 1000


def test_every_axis_and_concept_has_words() -> None:
    meant = {axis for _, meaning in LEXICON.entries.values.values() for axis in meaning}
    meant |= {
        axis
        for _, noun in LEXICON.properties.values.values()
        for meaning in noun.degrees.values()
        for axis in meaning
    }
    assert meant == AXES.keys() | CONCEPTS.keys()


def test_each_phrase_is_read_as_itself() -> None:
    for split, meaning in LEXICON.entries.values.values():
        [reading] = read(" ".join(split), LEXICON)
        assert reading.meaning == meaning, split


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('[[mood]]\nsay = ["zesty"]\nmeans = { zest = 1.0 }', "'zesty' means unknown axes: zest"),
        ('[[mood]]\nsay = ["elegant"]\nmeans = { width = 1.0 }', "'elegant' stands .* twice"),
        ('[[mood]]\nsay = ["Art-Deco"]\nmeans = { width = 1.0 }', "'Art-Deco' stands .* twice"),
        ('[[mood]]\nsay = ["zesty"]\nmeans = { width = 1.5 }', "'zesty' has 1.5 on width"),
        ('[[mood]]\nsay = ["zesty"]\nmeans = { width = [2.0, 1.0] }', "'zesty' has .* on width"),
        ('[[mood]]\nsay = ["zesty"]\nmeans = { width = 0.0 }', "'zesty' has 0.0 on width"),
        (
            '[[mood]]\nsay = ["zesty"]\nmeans = { weight = 0.8 }',
            "'zesty' .* more than 0.5 on weight",
        ),
        (
            '[[mood]]\nsay = ["zesty"]\nmeans = { elegant = 1.0 }',
            "'zesty' means nothing .* measured",
        ),
        (
            '[[use]]\nsay = ["a bold font for my shop"]\nmeans = { width = 1.0 }',
            "is not a phrase of one to 4 words",
        ),
        (
            '[[property]]\nnouns = ["zest"]\nlimey = { width = 1.0 }',
            "'zest' takes unknown degrees: limey",
        ),
    ],
)
def test_an_entry_that_breaks_the_rules_is_refused_by_name(entry: str, message: str) -> None:
    with pytest.raises(LexiconError, match=message):
        Lexicon.parse(f"{SOURCE}\n{entry}\n")


def test_any_change_is_another_revision() -> None:
    assert Lexicon.parse(SOURCE).revision == LEXICON.revision
    assert Lexicon.parse(f"{SOURCE}\n# a word\n").revision != LEXICON.revision


def test_the_longest_phrase_wins() -> None:
    assert phrases("a sans serif, not a slab serif") == ["sans serif", "not a slab serif"]
    assert phrases("old style figures") == ["old style figures"]
    assert ends("sans serif")["serif"] < 0 < ends("serif")["serif"]
    assert ends("black letter")["blackletter"] > 0.9


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("art deco", "ART-DECO"),
        ("blackletter", "black letters"),
        ("hand drawn", "hand-drawn"),
        ("handdrawn", "hand drawn"),
        ("two-storey a", "two-story a"),
        ("jewellery", "jewelry"),
        ("swash", "swashes"),
        ("children's book", "childrens books"),
        ("1970s", "70s"),
        ("x-height is large", "large x-height"),
        ("contrast: high", "high contrast"),
        ("high in contrast", "high contrast"),
        ("large x height", "tall x-heights"),
        ("thick and thin strokes", "high contrast"),
    ],
)
def test_ways_of_writing_make_no_difference(one: str, other: str) -> None:
    assert ends(one) == pytest.approx(ends(other))
    assert ends(one)


@pytest.mark.parametrize(
    ("text", "axis", "sign"),
    [
        ("small x-height", "x_height", -1),
        ("generous apertures", "aperture", 1),
        ("the apertures are rather closed", "aperture", -1),
        ("long descenders", "descenders", 1),
        ("small x-height and ascenders", "ascenders", -1),
        ("wide and open apertures", "aperture", 1),
        ("tight letter-spacing", "spacing", -1),
        ("vertical stress", "stress", -1),
        ("rounded corners", "rounded", 1),
        ("no contrast", "contrast", -1),
        ("with serifs", "serif", 1),
        ("no serifs", "serif", -1),
        ("without any serifs", "serif", -1),
        ("non-connected", "connected", -1),
        ("it isn't slanted", "slant", -1),
        ("not bold", "weight", -1),
        ("without serifs or swashes", "flourish", -1),
        ("without serifs or swashes", "serif", -1),
    ],
)
def test_properties_and_negations_are_understood(text: str, axis: str, sign: int) -> None:
    assert ends(text)[axis] * sign > 0.4


def test_adverbs_move_a_phrase_along_its_axis() -> None:
    condensed = [point(f"{adverb} condensed", "width") for adverb in ("slightly", "", "extremely")]
    assert condensed[0][0] > 0.5 > condensed[1][0]  # towards the middle
    assert condensed[1][1] >= condensed[2][1] == pytest.approx(-1.0)
    assert (
        point("very bold", "weight")[1]
        > point("bold", "weight")[1]
        > point("semi-bold", "weight")[1]
    )


def test_not_too_much_is_not_the_opposite() -> None:
    middle, end = point("not too bold", "weight")
    assert middle > abs(end) > 0 > end
    assert point("not bold", "weight")[1] < -0.8


def test_the_middle_of_an_axis_can_be_asked_for() -> None:
    assert point("regular weight", "weight") == pytest.approx((1.0, 0.0))
    assert point("normal width", "width") == pytest.approx((1.0, 0.0))
    assert point("moderate contrast", "contrast") == pytest.approx((1.0, 0.0))


def test_punctuation_ends_a_negation() -> None:
    assert ends("no serifs, high contrast")["contrast"] > 0.9


def test_words_that_only_look_joined_are_not() -> None:
    assert phrases("in line with the others") == []  # not "inline"
    assert phrases("inline") == ["inline"]


def test_what_says_nothing_about_letters_is_passed_over() -> None:
    assert read("please find me something for my uncle", LEXICON) == []
    assert read("", LEXICON) == []


def test_an_adverb_belongs_to_the_word_behind_it() -> None:
    assert phrases("a very nice condensed face, not a script") == ["condensed", "not a script"]
    assert ends("a slightly odd-sized condensed face")["width"] == pytest.approx(-1.0)


def test_no_axis_is_shouted_down_by_repetition() -> None:
    assert max(map(abs, ends("bold heavy bold thick extremely bold serif serif").values())) <= 1.0


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    for middle, end in combine(read(text, LEXICON)).values():
        assert middle**2 + end**2 <= 1 + 1e-9


VOCABULARY = ["not", "very", "slightly", "large", "x-height", "and", "or", "is", "bold", ",", "no"]


@given(st.lists(st.sampled_from([*VOCABULARY, "contrast", "the", "playful", "serif"]), max_size=12))
def test_in_any_order_each_word_of_meaning_is_read_once(words: list[str]) -> None:
    phrases = [reading.phrase.split() for reading in read(" ".join(words), LEXICON)]
    for word in ("bold", "playful", "serif"):
        assert sum(phrase.count(word) for phrase in phrases) == words.count(word)
