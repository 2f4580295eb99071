"""A query weighs its phrases alike, and asks for a class as for a class."""

from __future__ import annotations

from math import hypot

import pytest

from indexer.embed.measured.asking import pointed
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.measured.lexicon import Lexicon, LexiconError, of_queries, standard
from indexer.embed.measured.reading import read
from tests.test_measured import VECTORS

ASKED = of_queries()


def measured(text: str) -> dict[str, tuple[float, float]]:
    return pointed(read(text, ASKED), ASKED, {})[0]


def length(points: dict[str, tuple[float, float]]) -> float:
    return hypot(*(value for point in points.values() for value in point))


@pytest.mark.parametrize("text", ["poster", "wedding invitation", "psychedelic", "condensed"])
def test_no_phrase_is_longer_than_1_however_much_it_means(text: str) -> None:
    assert 0.5 < length(measured(text)) <= 1.0001


def test_what_is_said_twice_counts_once() -> None:
    assert measured("narrow, condensed, compressed") == measured("condensed")
    assert measured("condensed bold") != measured("condensed")


def test_a_class_counts_for_more_than_what_it_is_like() -> None:
    points = measured("elegant sans serif")
    assert points["serif"][1] < -1.0
    assert abs(points["contrast"][1]) < 0.6


def test_vectors_of_fonts_do_not_depend_on_the_vocabulary_of_queries() -> None:
    assert MeasuredTraits().model == MeasuredTraits(standard()).model


def test_further_entries_replace_those_of_the_same_phrase() -> None:
    base = '[grammar]\nempty = []\n[spelling]\n[degrees]\nhigh = ["high"]\n[[property]]\nnouns = ["x"]\n'
    base += '[[mood]]\nsay = ["calm", "quiet"]\nmeans = { width = 1.0 }\n'
    both = Lexicon.parse(base, '[[mood]]\nsay = ["calm"]\nmeans = { slant = -1.0 }')
    assert [reading.entry.keys() for reading in read("calm, quiet", both)] == [{"slant"}, {"width"}]
    with pytest.raises(LexiconError, match="not 'spelling'"):
        Lexicon.parse(base, '[spelling]\ngrey = "gray"')


@pytest.mark.parametrize("adjective", ["bold", "heavy", "light", "compact", "elegant", "modern"])
def test_an_adjective_before_a_class_says_nothing_against_it(adjective: str) -> None:
    """A bold serif is no slab serif, and of a modern sans serif no serif is left over."""
    for name, sign in (("serif", 1), ("sans serif", -1)):
        points = measured(f"{adjective} {name}")
        assert sign * points["serif"][1] > 0.4, name
        assert points.get("slab", (0.0, 0.0))[1] < 0.5


@pytest.mark.parametrize(
    ("query", "axis", "sign"),
    [
        ("no serifs", "serif", -1),
        ("nothing handwritten", "handwritten", -1),
        ("less slanted", "slant", -1),
        ("kind of condensed", "width", -1),
        ("like Futura", "geometric", 1),
        ("like a typewriter but modern", "monospaced", 1),
        ("a dinosaur birthday", "rounded", 1),
        ("police warning", "weight", 1),
        ("gym logo", "squared", 1),
    ],
)
def test_what_people_say_points_where_a_typographer_would(query: str, axis: str, sign: int) -> None:
    assert sign * measured(query)[axis][1] > 0.1


def test_what_is_no_text_stays_behind_letters_however_little_they_fit() -> None:
    asked = MeasuredTraits().embed_query("blackletter, pixel, outlined")
    barcode, letters = (float(VECTORS[name] @ asked) for name in ("barcode", "text_sans"))
    assert barcode < letters
