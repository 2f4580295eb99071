"""Pictures of words tell the offline embedder what their font looks like, however they come."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eval.fonts.parametric import ParametricFont
from eval.pictures.draw import ASKED, MANNERS, TAUGHT, Manner, draw
from indexer.embed.measured.embedder import MEASURED, MeasuredTraits
from indexer.embed.measured.pictures.paper import MAX_PIXELS
from indexer.embed.measured.pictures.told import in_words, shown
from indexer.embed.protocol import Document, Query, Vector, only
from indexer.errors import UserError
from indexer.fontfile import FontFile, open_font
from indexer.traits.measure import measure

EMBEDDER = MeasuredTraits()
KINDS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "heavy": {"weight": 0.2},
    "light": {"weight": 0.05},
    "leaning": {"slant": 12.0},
    "didone": {"contrast": 0.85, "serifs": 0.7, "serif_weight": 0.15},
    "slab": {"serifs": 0.7, "serif_weight": 0.9},
    "narrow": {"o_proportion": 0.72},
    "broad": {"o_proportion": 1.35},
}


@cache
def font(kind: str) -> FontFile:
    return open_font(ParametricFont(**KINDS[kind]).build())


@cache
def documents() -> Mapping[str, Vector]:
    made = EMBEDDER.embed_documents([Document(traits=measure(font(kind))) for kind in KINDS])
    return {
        kind: vector
        for kind, vector in zip(KINDS, made, strict=True)
        if isinstance(vector, np.ndarray)
    }


@cache
def picture(kind: str, manner: Manner) -> bytes:
    drawn = draw(font(kind), kind, manner, ASKED)
    assert drawn is not None
    return drawn.data


def found(query: Query) -> list[str]:
    vector = only(EMBEDDER.embed_queries([query]))
    return sorted(documents(), key=lambda kind: -float(documents()[kind] @ vector))


@pytest.mark.parametrize("manner", MANNERS)
def test_a_picture_finds_its_font_however_it_comes(manner: Manner) -> None:
    for kind in ("heavy", "leaning", "narrow"):
        assert found(Query(image=picture(kind, manner)))[0] == kind


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("heavy", "black"), ("light", "thin"), ("leaning", "slanted"),
        ("narrow", "condensed"), ("broad", "wide"), ("plain", "sans serif"),
    ],
)  # fmt: skip
def test_what_stands_out_is_told_with_a_confidence(kind: str, word: str) -> None:
    seen = in_words(shown(picture(kind, "clean")).places)
    assert word in [each.word for each in seen]
    assert all(0.6 <= each.confidence <= 0.95 and -1 <= each.position <= 1 for each in seen)
    assert all(one.confidence >= other.confidence for one, other in pairwise(seen))
    assert EMBEDDER.explain("", picture(kind, "clean")).seen == seen


def test_words_win_where_they_name_what_the_picture_shows() -> None:
    alone, both, bold = EMBEDDER.embed_queries(
        [
            Query(image=picture("light", "clean")),
            Query(image=picture("light", "clean"), text="bold"),
            Query(text="bold"),
        ]
    )
    assert isinstance(both, np.ndarray)
    assert isinstance(bold, np.ndarray)
    assert isinstance(alone, np.ndarray)
    end = MEASURED["weight"] + 1
    assert alone[end] < 0 < both[end]
    assert both @ alone > bold @ alone, "the rest is as in the picture"
    assert found(Query(image=picture("light", "clean"), text="bold")).index("heavy") < 3


def test_an_unknown_word_beside_a_picture_is_refused_as_it_is_alone() -> None:
    with pytest.raises(UserError, match="no word that the lexicon knows"):
        only(EMBEDDER.embed_queries([Query(image=picture("plain", "clean"), text="xyzzy")]))


def test_the_same_picture_gives_the_same_vector() -> None:
    data = picture("slab", "photo")
    first, second = EMBEDDER.embed_queries([Query(image=data), Query(image=data)])
    assert np.array_equal(first, second)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)


def png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


NOISE = np.random.default_rng(1).integers(0, 255, (300, 500, 3))


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((200, 300), 255),
        np.full((200, 300, 3), 90),
        np.zeros((1, 1)),
        np.eye(2) * 255,
        np.zeros((1, 4000)),
        NOISE,
        np.linspace(0, 255, 500)[None].repeat(300, 0),
    ],
    ids=["white", "grey", "a pixel", "four pixels", "a row", "noise", "a gradient"],
)
def test_what_holds_no_letters_is_told_in_a_sentence(pixels: Any) -> None:
    with pytest.raises(UserError, match="No letters were found"):
        shown(png(pixels))


def test_letters_that_are_too_small_are_told_to_be() -> None:
    with Image.open(io.BytesIO(picture("plain", "small"))) as image:
        tiny = image.reduce(3)
    with pytest.raises(UserError, match=r"too small|No letters"):
        shown(png(np.asarray(tiny)))


def test_a_file_that_is_cut_or_none_is_told_to_be() -> None:
    for manner in ("clean", "photo"):
        data = picture("plain", manner)
        for length in (0, 1, 12, 60, len(data) // 2):
            with pytest.raises(UserError, match=r"cannot be read|No letters"):
                shown(data[:length])
    for data in (b"%PDF-1.7", b"GIF89a", b"<svg/>", b"RIFF\0\0\0\0WEBP"):
        with pytest.raises(UserError, match="cannot be read: it is damaged"):
            shown(data)


def test_a_small_file_of_many_pixels_is_refused_before_it_is_decoded() -> None:
    side = int(MAX_PIXELS**0.5) + 1000
    for width in (side, 100_000):
        header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
        chunk = b"IHDR" + header
        data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
        data += struct.pack(">I", zlib.crc32(chunk))
        data += b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
        with pytest.raises(UserError, match="pixels"):
            shown(data)


def test_letters_on_nothing_are_read_whatever_their_colour() -> None:
    with Image.open(io.BytesIO(picture("heavy", "clean"))) as image:
        ink = 255 - np.asarray(image.convert("L"))
    for colour in (0, 255):
        pixels = np.full((*ink.shape, 4), colour)
        pixels[..., 3] = ink
        assert "black" in [seen.word for seen in in_words(shown(png(pixels)).places)]


def test_no_word_of_the_report_was_taught() -> None:
    assert not {word.lower() for word in TAUGHT} & {word.lower() for word in ASKED}
