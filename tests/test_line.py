"""A line of text set in a font: where its ink is, what is skipped, and what a hostile font gets."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.errors import FontError
from indexer.fontfile import open_font, unpacked
from indexer.sheet.line import SAMPLE_LENGTH, Typesetter, available, direction_of
from indexer.sheet.samples import CAPITALS, SCRIPTS, SMALL
from indexer.sheet.subset import woff2_subset
from tests.test_sheet import EMPTY, HOSTILE, blobs, box, build, letters, with_layers

LATIN = letters(CAPITALS + SMALL)


def line(
    data: bytes, text: str, *, size: int = 48, scale: float = 1, width: int = 2000
) -> tuple[np.ndarray, str]:
    """The alpha of every pixel, and what was told."""
    made = Typesetter(open_font(data)).line(text, size=size, scale=scale, width=width)
    with Image.open(io.BytesIO(made.png)) as image:
        assert image.mode == "LA"
        grey, alpha = (np.asarray(image.getchannel(channel)) for channel in "LA")
        assert not grey.any(), "the ink is black"
    assert alpha.max() >= 64
    return alpha, made.told


@pytest.mark.parametrize(("size", "scale"), [(12, 1), (24, 1), (96, 1.5), (160, 3)])
def test_the_height_and_the_baseline_are_those_of_the_size(size: int, scale: float) -> None:
    alpha, told = line(build(LATIN), "Ham", size=size, scale=scale)
    assert told == "text"
    assert alpha.shape[0] == round(1.6 * size * scale)
    rows = np.flatnonzero((alpha > 127).any(axis=1))
    assert rows[-1] + 1 == pytest.approx(round(1.15 * size * scale), abs=1)
    assert len(rows) == pytest.approx(0.7 * size * scale, abs=1.5)


def test_the_picture_begins_and_ends_with_its_ink() -> None:
    wide_bearings = build(dict.fromkeys("ab", box(300, 0, 500, 700)), advances={"a": 900, "b": 900})
    alpha, _ = line(wide_bearings, "ab", size=100)
    assert alpha[:, 0].any() and alpha[:, -1].any()
    assert alpha.shape[1] == pytest.approx(110, abs=2)


def test_what_the_font_lacks_is_skipped_and_told() -> None:
    alpha, told = line(build(LATIN), "aЯbΩc")
    assert (blobs(alpha), told) == (3, "partial")
    assert line(build(LATIN), "abc")[1] == "text"


def test_an_accent_goes_with_its_letter() -> None:
    told = available("Xa\u0301", {"X", "\u0301"})
    assert told is not None and (told.text, told.told) == ("X", "partial")
    # the shaper puts together what the font has in parts
    told = available("\u00e1", {"a", "\u0301"})
    assert told is not None and (told.text, told.told) == ("\u00e1", "text")


def test_a_text_of_which_the_font_has_no_letter_becomes_a_sample_of_its_script() -> None:
    hebrew = SCRIPTS["Hebr"]
    data = build(letters(set(hebrew.text + hebrew.letters + "!") - {" "}))
    alpha, told = line(data, "Hello!")
    assert told == "sample"
    words, shown = hebrew.text.split(), 0
    while len(" ".join(words[: shown + 1])) <= SAMPLE_LENGTH:
        shown += 1
    assert blobs(alpha) == sum(map(len, words[:shown]))
    assert line(data, "שלום!")[1] == "text"


def test_a_font_of_pictures_shows_some_of_them() -> None:
    pictures = {chr(0x2600 + number): box(0, 0, 700, 700) for number in range(40)}
    alpha, told = line(build(pictures, advances=dict.fromkeys(pictures, 900)), "Hello", width=4000)
    assert told == "sample"
    # no glyph for a space, and still apart
    assert 5 <= blobs(alpha) <= SAMPLE_LENGTH


def test_a_font_whose_letters_are_blank_shows_what_is_not() -> None:
    icons = {chr(0xE000 + number): box(0, 0, 700, 700) for number in range(5)}
    alpha, told = line(build({**dict.fromkeys(CAPITALS + SMALL, EMPTY), **icons}), "Hello")
    assert told == "sample" and alpha.any()


def test_right_to_left_text_begins_at_the_right() -> None:
    wide, narrow = box(0, 0, 900, 700), box(0, 0, 100, 700)
    data = build({"א": wide, "ב": narrow, "ג": narrow}, advances={"א": 1000, "ב": 200, "ג": 200})
    alpha, _ = line(data, "אבג", size=100)
    middle = alpha[100] > 127
    assert middle[-85:].all() and not middle[:40].all()
    assert direction_of("123 שלום abc") == "rtl"
    assert direction_of("abc שלום") == direction_of("123") == "ltr"


def test_ink_that_reaches_beyond_the_line_is_drawn_smaller_and_whole() -> None:
    tall = box(0, -900, 600, 1800)
    alpha, _ = line(build({"a": tall}), "aaa", size=100)
    rows = np.flatnonzero((alpha > 127).any(axis=1))
    assert alpha.shape[0] == 160
    assert (rows[-1] - rows[0] + 1) / 160 == pytest.approx(1350 / 1600, abs=0.08)
    assert not alpha[-1].any() or not alpha[0].any()


def test_what_does_not_fit_the_width_is_cut_off_and_told() -> None:
    alpha, told = line(build(LATIN), "H" * 200, size=100, width=500)
    assert told == "partial"
    assert 350 < alpha.shape[1] <= 500


@pytest.mark.parametrize("version", [0, 1])
def test_colour_layers_become_greys(version: int) -> None:
    emoji = {chr(0x1F600 + number): EMPTY for number in range(9)}
    glyphs = emoji | {"A": box(0, 0, 500, 700), "B": box(200, 200, 400, 500)}
    data = build(glyphs, extra=with_layers(version))
    alpha, told = line(data, "\U0001f600\U0001f601", size=100)
    assert (blobs(alpha), told) == (2, "text")
    # of a text that the layers do not have, the outlines serve
    assert line(data, "A\U0001f600")[1] in ("text", "partial")


def test_one_typesetter_sets_many_lines_alike() -> None:
    setter = Typesetter(open_font(build(LATIN)))
    first = setter.line("Ham", size=48, scale=1, width=2000)
    for size in (12, 24, 36, 60, 96, 160):
        setter.line("burg", size=size, scale=1, width=2000)
    assert setter.line("Ham", size=48, scale=1, width=2000) == first


def test_blank_fonts_and_monsters_are_errors() -> None:
    with pytest.raises(FontError, match="draws nothing"):
        line(build(dict.fromkeys(CAPITALS, EMPTY)), "HAM")
    with pytest.raises(FontError) as refused:
        line(build(letters("H", box(0, -16000, 16000, 16000)), em=16), "H", size=160, scale=3)
    assert refused.value.stage == "render"


@HOSTILE
@given(
    st.text(max_size=200),
    st.lists(st.tuples(*[st.integers(-16000, 16000)] * 4), min_size=1, max_size=3),
    st.sampled_from([16, 1000, 16384]),
)
def test_any_text_in_glyphs_of_any_shape_is_drawn_or_refused(
    text: str, shapes: list[tuple[int, int, int, int]], em: int
) -> None:
    glyphs = {c: box(*shapes[ord(c) % len(shapes)]) for c in "Hamאب"}
    try:
        alpha, told = line(build(glyphs, em=em), text + "Ham", size=24)
    except FontError:
        return
    assert told in ("text", "partial", "sample")
    assert alpha.shape[0] == round(1.6 * 24) and 1 <= alpha.shape[1] <= 2000


def test_a_subset_has_the_texts_glyphs_the_shaping_and_the_license() -> None:
    def named(builder: Any) -> None:
        builder.setupNameTable(
            {"familyName": "Ham", "styleName": "Regular", "licenseDescription": "OFL",
             "sampleText": "Quartz"}
        )  # fmt: skip

    data = woff2_subset(open_font(build(LATIN, extra=named)), "Hamburg Я")
    assert data[:4] == b"wOF2"
    with TTFont(io.BytesIO(data)) as font:
        assert set(font.getBestCmap()) == set(map(ord, "Hamburg "))
        names = {record.nameID: str(record) for record in font["name"].names}
    assert names[13] == "OFL" and 19 not in names
    with pytest.raises(FontError, match="none of the text"):
        woff2_subset(open_font(build(LATIN)), "Я")


def test_a_woff2_file_unpacks_to_the_same_font() -> None:
    plain = build(LATIN)
    with TTFont(io.BytesIO(plain)) as font:
        font.flavor = "woff2"
        out = io.BytesIO()
        font.save(out)
    packed = open_font(out.getvalue())
    assert unpacked(packed).data[:4] == b"\0\1\0\0"
    assert np.array_equal(line(unpacked(packed).data, "Ham")[0], line(plain, "Ham")[0])
    assert unpacked(open_font(plain)).data is plain
