"""Glyph sheets: what is on them, what never is, and what a hostile font gets."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables import otTables
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.errors import FontError, UserError
from indexer.fontfile import FontFile, open_font
from indexer.sheet.render import SheetSpec, render_sheet
from indexer.sheet.samples import (
    CAPITALS,
    DIGITS,
    PANGRAM,
    PUNCTUATION,
    SCRIPTS,
    SMALL,
    latin_segments,
    script_segments,
    symbol_segments,
)

CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZ"  # they spell no word of the pangram: only lists are drawn
ASCII = CAPITALS + SMALL + DIGITS + ".,:;!?"
HOSTILE = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def box(left: int, bottom: int, right: int, top: int) -> Any:
    pen = TTGlyphPen(None)
    pen.moveTo((left, bottom))
    for corner in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


EMPTY = TTGlyphPen(None).glyph()
LETTER = box(80, 0, 520, 700)
TOFU = box(-50, -900, 3000, 3000)  # a .notdef that would show at once


def build(
    glyphs: dict[str, Any],
    *,
    advances: dict[str, int] | None = None,
    em: int = 1000,
    extra: Callable[[FontBuilder], None] | None = None,
) -> bytes:
    """A TrueType font that maps each character to its glyph."""
    names = {c: f"g{ord(c):x}" for c in glyphs}
    drawn = {".notdef": TOFU, **{names[c]: glyph for c, glyph in glyphs.items()}}
    builder = FontBuilder(em, isTTF=True)
    builder.setupGlyphOrder(list(drawn))
    builder.setupCharacterMap({ord(c): name for c, name in names.items()})
    builder.setupGlyf(drawn)
    widths = {names[c]: width for c, width in (advances or {}).items()}
    builder.setupHorizontalMetrics(
        {name: (widths.get(name, 600), getattr(g, "xMin", 0)) for name, g in drawn.items()}
    )
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupPost()
    if extra:
        extra(builder)
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()


def letters(characters: Iterable[str], glyph: Any = LETTER) -> dict[str, Any]:
    return dict.fromkeys(characters, glyph) | {" ": EMPTY}


def sheet(data: bytes, spec: SheetSpec | None = None) -> np.ndarray:
    """Darkness of every pixel, 255 for black."""
    with Image.open(io.BytesIO(render_sheet(open_font(data), spec or SheetSpec()))) as image:
        assert image.format == "PNG"
        assert image.mode == "L"
        return 255 - np.asarray(image)


def blobs(darkness: np.ndarray) -> int:
    """Separate pieces of ink, for letters that are each one upright rectangle."""
    rows = (darkness > 0).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], rows.astype(int), [0]])))
    count = 0
    for top, bottom in edges.reshape(-1, 2):
        columns = (darkness[top:bottom] > 0).any(axis=0)
        count += int((np.diff(np.concatenate([[0], columns.astype(int)])) == 1).sum())
    return count


def assert_sound(darkness: np.ndarray, spec: SheetSpec | None = None) -> None:
    spec = spec or SheetSpec()
    assert darkness.shape == (spec.height, spec.width)
    assert darkness.max() >= 64
    inside = darkness[spec.margin : -spec.margin, spec.margin : -spec.margin]
    assert inside.sum() == darkness.sum()


def test_default_sheet_costs_512_tokens() -> None:
    assert SheetSpec().tokens == 512
    assert SheetSpec().identity == "sheet/1 1024x512 margin 16"


@pytest.mark.parametrize(
    "change", [{"width": 1000}, {"height": 0}, {"margin": 400}, {"version": 2}]
)
def test_spec_refuses_what_cannot_be_drawn(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        SheetSpec(**change)


def test_identity_names_every_field() -> None:
    changed = [SheetSpec(width=512), SheetSpec(height=1024), SheetSpec(margin=8)]
    assert len({spec.identity for spec in [SheetSpec(), *changed]}) == 4


def test_no_ink_touches_the_border() -> None:
    assert_sound(sheet(build(letters(ASCII))))


@pytest.mark.parametrize("size", [(512, 512), (256, 1024), (128, 128)])
def test_sheet_has_the_size_of_its_spec(size: tuple[int, int]) -> None:
    spec = SheetSpec(width=size[0], height=size[1])
    assert_sound(sheet(build(letters(ASCII)), spec), spec)


def test_every_character_of_the_lists_is_drawn_apart() -> None:
    assert blobs(sheet(build(letters(CONSONANTS + DIGITS)))) == 31


def test_overhanging_glyphs_do_not_overlap() -> None:
    swash = box(-500, -100, 1100, 800)  # reaches far into both neighbours
    darkness = sheet(build(letters(CONSONANTS, swash)))
    assert_sound(darkness)
    assert blobs(darkness) == 21


def first_shape(darkness: np.ndarray) -> float:
    """Width over height of the first glyph."""
    rows = np.flatnonzero((darkness > 100).any(axis=1))
    height = int(np.argmax(np.diff(rows) > 1)) + 1
    columns = (darkness[rows[0] : rows[0] + height] > 100).any(axis=0)
    return int(np.argmin(columns[np.argmax(columns) :])) / height


@pytest.mark.parametrize("width", [100, 300, 900, 1800])
def test_proportions_stay_true(width: int) -> None:
    darkness = sheet(build(letters(CONSONANTS, box(0, 0, width, 900))))
    assert first_shape(darkness) == pytest.approx(width / 900, rel=0.1)


def test_missing_glyphs_leave_no_boxes() -> None:
    few = sheet(build(letters("ABC")))
    assert blobs(few) == 3


def test_pangram_keeps_whole_words_only() -> None:
    words = latin_segments(set("Thequickbrown"))[-1].pieces
    assert words == ("The", "quick", "brown")


def test_capitals_only_font_spells_the_pangram_in_capitals() -> None:
    assert latin_segments(set(CAPITALS))[-1].pieces[0] == "THE"


def test_single_glyph_font_gets_a_sheet() -> None:
    assert blobs(sheet(build({"Q": LETTER}))) == 1


@pytest.mark.parametrize(
    ("glyph", "advance"),
    [
        (box(0, -200, 100, 9000), 200),  # ten times as tall as the em
        (box(0, 0, 9000, 100), 9000),  # very wide
        (LETTER, 65535),
        (LETTER, 0),
        (box(-2000, 0, -1500, 700), 600),  # ink far left of its origin
        (box(0, 30000, 500, 30700), 600),  # ink far above the baseline
        (box(0, 0, 4, 7), 6),  # specks in a huge em
    ],
)
def test_extreme_metrics_are_drawn_whole(glyph: Any, advance: int) -> None:
    data = build(letters(CONSONANTS, glyph), advances=dict.fromkeys(CONSONANTS, advance))
    darkness = sheet(data)
    assert_sound(darkness)
    assert blobs(darkness) == 21


def test_one_monstrous_glyph_does_not_shrink_the_rest() -> None:
    plain = letters(CAPITALS)
    monstrous = plain | {"M": box(0, -16000, 16000, 16000)}
    heights = []
    for glyphs in (plain, monstrous):
        rows = (sheet(build(glyphs)) > 0).any(axis=1)
        heights.append(int(rows.sum()))
    assert heights[1] > heights[0] * 0.7


@pytest.mark.parametrize("em", [16, 16384])
def test_any_em_gives_a_sheet(em: int) -> None:
    scale = em / 1000
    glyph = box(0, 0, max(1, int(500 * scale)), max(1, int(700 * scale)))
    advances = dict.fromkeys(ASCII, max(2, int(600 * scale)))
    assert_sound(sheet(build(letters(ASCII, glyph), em=em, advances=advances)))


def test_blank_font_is_an_error() -> None:
    with pytest.raises(FontError, match="blank") as caught:
        sheet(build(letters(ASCII, EMPTY)))
    assert caught.value.stage == "render"


def test_icon_font_with_blank_letters_shows_its_icons() -> None:
    icons = [chr(0xE000 + i) for i in range(12)]
    assert blobs(sheet(build(letters(ASCII, EMPTY) | letters(icons)))) == 12


def test_symbol_encoded_font_draws_its_glyphs() -> None:
    def as_symbol(builder: FontBuilder) -> None:
        tables = builder.font["cmap"].tables
        del tables[1:]
        tables[0].platformID, tables[0].platEncID, tables[0].format = 3, 0, 4

    glyphs = {chr(0xF021 + i): LETTER for i in range(9)}
    assert blobs(sheet(build(glyphs, extra=as_symbol))) == 9


def test_pictures_come_before_a_few_letters() -> None:
    icons = [chr(0xE000 + i) for i in range(12)]
    assert script_segments(set("AB") | set(icons)) == []


def test_symbols_are_spread_over_the_font() -> None:
    (segment,) = symbol_segments(chr(0xE000 + i) for i in range(960))
    assert len(segment.pieces) == 96
    assert ord(segment.pieces[-1]) - ord(segment.pieces[0]) == 950


@pytest.mark.parametrize("code", sorted(set(SCRIPTS) - {"Hans", "Hant", "Jpan"}))
def test_script_is_recognised_and_spells_its_whole_sample(code: str) -> None:
    script = SCRIPTS[code]
    segments = script_segments(set(script.text + script.letters))
    assert segments[-1].kind != "characters"
    assert segments[-1].language == script.language
    assert segments[-1].direction == script.direction
    written = "".join(segments[-1].pieces).replace(" ", "")
    assert written == script.text.replace(" ", "").replace("\u200b", "")


@pytest.mark.parametrize("name", ["Hans", "Hant", "Jpan"])
def test_east_asian_font_gets_the_language_that_it_covers(name: str) -> None:
    script = SCRIPTS[name]
    assert script_segments(set(script.text + script.letters))[-1].language == script.language


def test_right_to_left_starts_at_the_right() -> None:
    alphabet = SCRIPTS["Hebr"].letters
    wide, narrow = box(0, 0, 900, 700), box(0, 0, 100, 700)
    glyphs = {c: wide if c == "א" else narrow for c in alphabet}
    darkness = sheet(build(glyphs, advances=dict.fromkeys(alphabet, 150) | {"א": 950}))
    first = (darkness > 100).any(axis=1).argmax()
    columns = np.flatnonzero(darkness[first + 5] > 100)
    run_at_right = np.flatnonzero(np.diff(columns[::-1]) != -1)[0] + 1
    run_at_left = np.flatnonzero(np.diff(columns) != 1)[0] + 1
    assert run_at_right > 4 * run_at_left


def test_variable_font_is_drawn_at_weight_400() -> None:
    def with_weight(builder: FontBuilder) -> None:
        builder.setupNameTable({"familyName": "V", "styleName": "Regular"})
        builder.setupFvar([("wght", 100, 100, 900, "Weight")], [])
        deltas = [(0, 0), (0, 0), (400, 0), (400, 0)] + [(0, 0)] * 4
        from fontTools.ttLib.tables.TupleVariation import TupleVariation

        builder.setupGvar(
            {f"g{ord(c):x}": [TupleVariation({"wght": (0, 1, 1)}, list(deltas))] for c in CAPITALS}
        )

    thin = box(0, 0, 100, 700)
    darkness = sheet(build(letters(CONSONANTS, thin), extra=with_weight))
    # 300 of the 800 units above the default of 100 widen the stem by 3/8 of 400
    assert first_shape(darkness) == pytest.approx(250 / 700, rel=0.1)


def with_layers(version: int) -> Callable[[FontBuilder], None]:
    def add(builder: FontBuilder) -> None:
        names = [n for n in builder.font.getGlyphOrder() if n.startswith("g1f6")]
        builder.setupCPAL([[(1.0, 0.9, 0.0, 1.0), (0.2, 0.0, 0.4, 1.0)]])
        if version == 0:
            builder.setupCOLR({n: [("g41", 0), ("g42", 1)] for n in names}, version=0)
            return
        shift = {"Format": otTables.PaintFormat.PaintTranslate, "dx": 300, "dy": 0}
        solid = {"Format": otTables.PaintFormat.PaintSolid, "PaletteIndex": 1, "Alpha": 1.0}
        shape = {"Format": otTables.PaintFormat.PaintGlyph, "Glyph": "g42", "Paint": solid}
        builder.setupCOLR({n: shift | {"Paint": shape} for n in names}, version=1)

    return add


@pytest.mark.parametrize("version", [0, 1])
def test_colour_layers_over_blank_outlines_are_drawn(version: int) -> None:
    emoji = {chr(0x1F600 + i): EMPTY for i in range(9)}
    glyphs = emoji | {"A": box(0, 0, 700, 700), "B": box(200, 200, 500, 500)}
    darkness = sheet(build(glyphs, extra=with_layers(version)))
    assert_sound(darkness)
    assert blobs(darkness) == 9


def test_pale_colours_are_darkened_to_be_read() -> None:
    def pale(builder: FontBuilder) -> None:
        builder.setupCPAL([[(1.0, 1.0, 1.0, 1.0)]])
        builder.setupCOLR({f"g{0x1F600 + i:x}": [("g41", 0)] for i in range(9)}, version=0)

    emoji = {chr(0x1F600 + i): EMPTY for i in range(9)}
    assert sheet(build(emoji | {"A": LETTER}, extra=pale)).max() >= 160


def test_same_bytes_in_another_process(tmp_path: Any) -> None:
    data = build(letters(ASCII))
    path = tmp_path / "font.ttf"
    path.write_bytes(data)
    script = (
        "import sys, hashlib, pathlib\n"
        "from indexer.fontfile import open_font\n"
        "from indexer.sheet.render import render_sheet\n"
        "png = render_sheet(open_font(pathlib.Path(sys.argv[1]).read_bytes()))\n"
        "print(hashlib.sha256(png).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {hashlib.sha256(render_sheet(open_font(data))).hexdigest()}


def test_name_of_the_font_does_not_matter() -> None:
    def named(family: str) -> Callable[[FontBuilder], None]:
        return lambda b: b.setupNameTable({"familyName": family, "styleName": "Regular"})

    one, two = (build(letters(ASCII), extra=named(name)) for name in ("Alpha", "Omega"))
    assert render_sheet(open_font(one)) == render_sheet(open_font(two))


def test_cyclic_composites_end() -> None:
    font = TTFont(io.BytesIO(build(letters(ASCII))))
    for name, part in (("g41", "g42"), ("g42", "g41")):
        pen = TTGlyphPen(font.getGlyphSet())
        pen.addComponent(part, (1, 0, 0, 1, 0, 0))
        glyph = pen.glyph()
        glyph.xMin = glyph.yMin = glyph.xMax = glyph.yMax = 0
        font["glyf"].glyphs[name] = glyph
    font.recalcBBoxes = False
    out = io.BytesIO()
    font.save(out)
    outcome(out.getvalue())


def test_65535_glyphs_are_no_trouble() -> None:
    def fill_up(builder: FontBuilder) -> None:
        font = builder.font
        for number in range(65535 - len(font.getGlyphOrder())):
            name = f"x{number}"
            font["glyf"].glyphs[name] = EMPTY
            font["hmtx"].metrics[name] = (0, 0)
        order = [*font.getGlyphOrder(), *(n for n in font["glyf"].glyphs if n.startswith("x"))]
        font.setGlyphOrder(order)
        font["glyf"].glyphOrder = order
        font["post"].formatType = 3.0

    data = build(letters(ASCII), extra=fill_up)
    assert open_font(data).glyph_count == 65535
    assert_sound(sheet(data))


@pytest.mark.parametrize("data", [b"", b"OTTO", b"<html></html>", b"\0\1\0\0" + bytes(60)])
def test_what_is_no_font_is_refused_on_opening(data: bytes) -> None:
    with pytest.raises(FontError) as caught:
        open_font(data)
    assert caught.value.stage == "open"


def outcome(data: bytes) -> None:
    """A sound sheet or a FontError that says why: nothing else may happen."""
    try:
        darkness = sheet(data)
    except FontError as error:
        assert error.stage in ("open", "render")
        assert error.message.endswith(".")
        assert len(error.message) < 300
        return
    assert_sound(darkness)


SOUND = build(letters(ASCII))


@HOSTILE
@given(st.integers(0, len(SOUND) - 1))
def test_truncated_font_is_drawn_or_refused(length: int) -> None:
    outcome(SOUND[:length])


@HOSTILE
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=40))
def test_corrupted_font_is_drawn_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for position, value in changes:
        data[position] = value
    outcome(bytes(data))


@HOSTILE
@given(st.binary(max_size=400), st.sampled_from([b"\0\1\0\0", b"OTTO", b"wOFF", b"wOF2", b"ttcf"]))
def test_noise_behind_a_signature_is_refused(noise: bytes, magic: bytes) -> None:
    with pytest.raises(FontError) as refused:
        sheet(magic + noise)
    assert refused.value.stage in ("open", "render")


coordinate = st.integers(-16000, 16000)


@HOSTILE
@given(
    st.lists(
        st.tuples(coordinate, coordinate, coordinate, coordinate, st.integers(0, 65535)),
        min_size=1,
        max_size=52,
    ),
    st.sampled_from([16, 1000, 2048, 16384]),
)
@example([(6397, 0, 6401, 225, 489)], 2048)  # a hairline of a fortieth of a pixel
def test_glyphs_of_any_shape_are_drawn_or_refused(
    shapes: list[tuple[int, int, int, int, int]], em: int
) -> None:
    characters = (CAPITALS + SMALL)[: len(shapes)]
    pairs = list(zip(characters, shapes, strict=True))
    glyphs = {c: box(*shape[:4]) for c, shape in pairs}
    outcome(build(glyphs, em=em, advances={c: shape[4] for c, shape in pairs}))


def test_pangram_and_lists_hold_what_was_asked() -> None:
    assert set(SMALL) <= set(PANGRAM.lower())
    assert len(set(CAPITALS + SMALL + DIGITS + PUNCTUATION)) == 62 + len(PUNCTUATION)


def test_font_without_data_is_a_render_error() -> None:
    good = open_font(SOUND)
    broken = FontFile(
        data=b"OTTO" + bytes(20),
        face_index=0,
        cmap=good.cmap,
        units_per_em=1000,
        glyph_count=3,
        tables=frozenset(),
        location={},
    )
    with pytest.raises(FontError) as caught:
        render_sheet(broken)
    assert caught.value.stage == "render"


def test_machine_that_cannot_shape_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.fontfile.features.check", lambda feature: feature != "raqm")
    with pytest.raises(UserError, match="FriBiDi"):
        render_sheet(open_font(SOUND))
