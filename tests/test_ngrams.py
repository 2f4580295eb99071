"""Hashed n-grams: spelling meets spelling, the same on every machine."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embed.ngrams import HashedNgrams, words
from indexer.embed.protocol import Document, Embedder, Vector
from indexer.errors import FontError, UserError

NGRAMS: Embedder = HashedNgrams()


def embed(text: str) -> Vector:
    [vector] = NGRAMS.embed_documents([Document(text=text)])
    assert not isinstance(vector, FontError)
    return vector


def cosine(one: str, other: str) -> float:
    return float(embed(one) @ embed(other))


def test_a_query_finds_the_text_with_its_words() -> None:
    texts = [
        "Name: Lora. Category: serif. Tags: calligraphic. Description: A serif with brushed curves",
        "Name: Inter. Category: sans-serif. Tags: ui. Description: Made for computer screens",
        "Name: Caveat. Category: handwriting. Tags: casual. Description: Notes by hand",
    ]
    documents = np.array([embed(text) for text in texts])
    for query, best in (("computer screen", 1), ("calligraphic brush", 0), ("handwritten note", 2)):
        assert int(np.argmax(documents @ NGRAMS.embed_query(query))) == best


def test_inflected_and_misspelt_words_meet() -> None:
    for one, other in (("calligraphy", "caligraphic"), ("handwriting", "handwritten")):
        assert cosine(one, other) > cosine(one, "monospaced") + 0.15


def test_case_width_and_composition_of_characters_make_no_difference() -> None:
    assert np.array_equal(embed("STRASSE Éclair"), embed("straße e\u0301clair"))
    assert np.array_equal(embed("ｆｕｌｌ"), embed("full"))


def test_a_word_said_often_counts_less_than_that_often() -> None:
    assert cosine("script", "script " * 50) > 0.6
    assert cosine("script " * 50 + "serif", "serif") > 0.1  # .03 if each counted in full


def test_labels_of_the_layout_and_common_words_are_left_out() -> None:
    assert words("Name: Lora. Category: serif. Description: a font for the web") == [
        "lora",
        "serif",
        "web",
    ]
    assert words("my Description: a name") == ["description", "name"]  # no label there


def test_a_text_without_a_word_is_a_font_error_and_without_harm_to_others() -> None:
    results = NGRAMS.embed_documents([Document(), Document(text="Name: ..."), Document(text="Ada")])
    assert [type(result) for result in results] == [FontError, FontError, np.ndarray]
    assert isinstance(results[0], FontError)
    assert results[0].stage == "embed"


@pytest.mark.parametrize("query", ["", "  ", "?!", "the font for a"])
def test_a_query_of_which_nothing_remains_is_refused(query: str) -> None:
    with pytest.raises(UserError, match="Nothing to search for"):
        NGRAMS.embed_query(query)


def test_vectors_do_not_depend_on_the_process() -> None:
    """hash() would: it is salted anew in each process."""
    code = (
        "from indexer.embed.ngrams import HashedNgrams\n"
        "print(HashedNgrams().embed_query('high contrast serif').tobytes().hex())"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert done == [NGRAMS.embed_query("high contrast serif").tobytes().hex()] * 2


@given(st.text(max_size=60))
def test_any_text_gives_a_unit_vector_or_an_error(text: str) -> None:
    [result] = NGRAMS.embed_documents([Document(text=text)])
    if not isinstance(result, FontError):
        assert result.shape == (NGRAMS.model.dimension,)
        assert result.dtype == np.float32
        assert np.linalg.norm(result) == pytest.approx(1, abs=1e-5)


def test_two_thousand_texts_take_seconds_at_most() -> None:
    source = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(source.choices(letters, k=source.randint(3, 10))) for _ in range(5000)]
    documents = [Document(text=" ".join(source.choices(known, k=40))) for _ in range(2000)]
    begin = time.perf_counter()
    NGRAMS.embed_documents(documents)
    assert time.perf_counter() - begin < 5  # 1 s on an idle core
