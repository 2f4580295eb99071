"""Words that are spelt alike: difflib's answers, sooner."""

from __future__ import annotations

from difflib import get_close_matches

from hypothesis import given
from hypothesis import strategies as st

from indexer.embed.measured.spelt import NEAR, Vocabulary

WORDS = ("bold", "bald", "old", "contrast", "contrasted", "contract", "condensed", "é", "aaab")
LETTERS = st.text("abcdelnorstü", max_size=10)


@given(st.one_of(LETTERS, st.sampled_from(WORDS).flatmap(lambda word: st.permutations(word).map("".join))))  # fmt: skip
def test_the_near_words_are_difflibs(word: str) -> None:
    assert Vocabulary(WORDS).near(word, 3) == get_close_matches(word, WORDS, 3, NEAR)


def test_a_misspelt_word_finds_the_right_one_first() -> None:
    assert Vocabulary(WORDS).near("kontrast", 2) == ["contrast", "contrasted"]
