"""Traits of parametric fonts equal their parameters; bad fonts end in FontError, nothing else."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables import ttProgram
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.fonts.parametric import ParametricFont
from indexer.errors import FontError
from indexer.fontfile import open_font
from indexer.traits import Traits
from indexer.traits.measure import measure
from indexer.traits.raster import Glyph, find_parts, pieces_of_ink
from indexer.traits.shapes import outlined

BASE = ParametricFont()


@cache
def traits_of(font: ParametricFont) -> Traits:
    return measure(open_font(font.build()))


def value(name: str, **parameters: Any) -> float:
    found = getattr(traits_of(replace(BASE, **parameters)), name)
    assert found is not None
    return float(found)


# A pixel at 280 of cap height is .004 of it; hinting and edges cost up to two.
@pytest.mark.parametrize(
    ("name", "values", "tolerance"),
    [
        ("x_height", (0.5, 0.65, 0.8), 0.006),
        ("weight", (0.04, 0.09, 0.13, 0.2), 0.005),
        ("contrast", (0.0, 0.2, 0.5, 0.75, 0.9), 0.035),
        ("o_proportion", (0.6, 0.9, 1.0, 1.3), 0.01),
        ("slant", (-8.0, 0.0, 6.0, 12.0, 25.0), 0.3),
        ("squareness", (0.786, 0.85, 0.92), 0.015),
        ("spacing", (0.3, 0.6, 1.0), 0.03),
    ],
)
def test_a_trait_equals_its_parameter(
    name: str, values: tuple[float, ...], tolerance: float
) -> None:
    measured = [value(name, **{name: truth}) for truth in values]
    assert measured == pytest.approx(values, abs=tolerance)
    assert measured == sorted(measured)


@pytest.mark.parametrize("serifs", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("serif_weight", [0.2, 0.5, 0.8])
def test_serifs_equal_their_parameters(serifs: float, serif_weight: float) -> None:
    font = replace(BASE, serifs=serifs, serif_weight=serif_weight, weight=0.11, contrast=0.2)
    traits = traits_of(font)
    assert traits.serifs == pytest.approx(serifs, abs=0.05)
    # Crossbars at the foot of some letters are thin strokes: the median feels them a little.
    assert traits.serif_weight == pytest.approx(serif_weight, abs=0.08)
    assert traits.terminal_roundness is None


def test_without_serifs_there_is_no_serif_weight() -> None:
    traits = traits_of(BASE)
    assert traits.serifs == 0.0
    assert traits.serif_weight is None


@pytest.mark.parametrize("o_proportion", [0.6, 0.9, 1.3])
def test_width_is_the_mean_advance_over_the_x_height(o_proportion: float) -> None:
    font = replace(BASE, o_proportion=o_proportion)
    assert traits_of(font).width == pytest.approx(font.mean_width(), rel=0.01)


def test_ascender_and_descender_are_measured_from_the_baseline() -> None:
    assert traits_of(BASE).ascender == pytest.approx(1.0, abs=0.006)
    assert traits_of(BASE).descender == pytest.approx(0.3, abs=0.006)


def test_equal_advances_are_monospaced() -> None:
    assert value("advance_spread", monospaced=True) == 0.0
    assert value("advance_spread") > 0.15


def test_storeys_are_counted() -> None:
    for storeys in (1, 2):
        assert traits_of(replace(BASE, a_storeys=storeys)).a_storeys == storeys
        assert traits_of(replace(BASE, g_storeys=storeys)).g_storeys == storeys
        slanted = traits_of(replace(BASE, a_storeys=storeys, slant=12.0))
        assert slanted.a_storeys == storeys


def test_round_ends_are_told_from_square_ends() -> None:
    assert value("terminal_roundness", rounded=True) > 0.9
    assert value("terminal_roundness") < 0.05


def test_joined_letters_touch() -> None:
    assert value("joined", joined=True) == 1.0
    assert value("joined") == 0.0


def test_small_letters_that_are_capitals_are_unicase_and_have_no_storeys() -> None:
    traits = traits_of(replace(BASE, unicase=True))
    assert traits.unicase == 1.0
    assert (traits.a_storeys, traits.g_storeys, traits.aperture) == (None, None, None)
    assert value("unicase") < 0.35


def test_black_letters_do_not_look_unicase() -> None:
    assert value("unicase", weight=0.24, o_proportion=1.2) < 0.4


def test_oldstyle_figures_stand_at_several_heights() -> None:
    assert value("oldstyle_figures", oldstyle_figures=True) > 0.15
    assert value("oldstyle_figures") < 0.02


def test_heavier_letters_have_more_ink_and_smaller_openings() -> None:
    weights = (0.05, 0.1, 0.15, 0.2)
    ink = [value("ink", weight=weight) for weight in weights]
    aperture = [value("aperture", weight=weight) for weight in weights]
    assert ink == sorted(ink)
    assert aperture == sorted(aperture, reverse=True)


def test_an_equal_0_and_o_are_not_distinct() -> None:
    assert value("distinct") < 0.05


def test_smooth_letters_are_neither_rough_nor_irregular_nor_hollow() -> None:
    traits = traits_of(BASE)
    assert traits.roughness is not None
    assert traits.roughness < 0.02
    assert traits.irregularity == pytest.approx(0.0, abs=0.005)
    assert traits.hollow == 0.0
    assert traits.is_text is True


def test_squarer_letters_run_along_the_axes() -> None:
    assert value("rectilinear", squareness=0.95) > value("rectilinear") + 0.15


@pytest.mark.parametrize("units_per_em", [512, 2048, 16384])
def test_traits_do_not_depend_on_units_per_em(units_per_em: int) -> None:
    font = replace(BASE, contrast=0.5)
    assert_close(traits_of(replace(font, units_per_em=units_per_em)), traits_of(font))


def test_traits_survive_woff2() -> None:
    assert measure(open_font(BASE.build(flavor="woff2"))) == traits_of(BASE)


def test_a_variable_font_measures_like_its_regular_instance() -> None:
    assert measure(open_font(make_variable(BASE.build()))) == traits_of(BASE)


def test_equal_parameters_give_equal_bytes() -> None:
    assert BASE.build() == ParametricFont().build()


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ("o", {"o_proportion", "squareness"}),
        ("c", {"aperture"}),
        ("n", {"spacing"}),
        ("a", {"a_storeys"}),
        ("g", {"g_storeys"}),
        ("0", {"distinct", "oldstyle_figures"}),
        ("pq", {"descender"}),
        ("xzvwu", {"x_height", "width", "ink", "irregularity"}),
    ],
)
def test_a_trait_is_none_where_its_letters_are_missing(missing: str, names: set[str]) -> None:
    everything = [chr(code) for code in range(32, 127) if chr(code) not in missing]
    traits = measure(open_font(BASE.build(characters="".join(everything))))
    for name in names:
        assert getattr(traits, name) is None, name
    assert traits.weight == traits_of(BASE).weight


def test_capitals_alone_are_measured_without_small_letters() -> None:
    traits = measure(open_font(BASE.build(characters="ABCDEFGHIJKLMNOPQRSTUVWXYZ")))
    assert traits.x_height is None
    assert traits.unicase is None
    assert traits.weight == pytest.approx(0.13, abs=0.005)


def test_a_font_without_letters_is_no_text() -> None:
    assert measure(open_font(BASE.build(characters=".,:;!?"))) == Traits(is_text=False)


def test_a_font_without_ink_is_no_text() -> None:
    assert measure(open_font(make_font({c: [] for c in map(chr, range(65, 123))}))).is_text is False


def test_equal_blocks_are_no_text() -> None:
    block = [[(0, 0), (0, 500), (600, 500), (600, 0)]]
    traits = measure(open_font(make_font({c: block for c in map(chr, range(65, 123))})))
    assert traits.is_text is False
    assert traits.weight is None


def test_bars_are_no_text() -> None:
    glyphs = {}
    for code in range(65, 123):
        edges = [60 * bit for bit in range(10) if code >> bit & 1 or bit in (0, 9)]
        glyphs[chr(code)] = [[(x, 0), (x, 700), (x + 40, 700), (x + 40, 0)] for x in edges]
    assert measure(open_font(make_font(glyphs))).is_text is False


def test_letters_of_another_script_are_measured_on_their_own() -> None:
    data = BASE.build(characters="ABCDEFGHKLMNOPRSTUVWXYZ")
    traits = measure(
        open_font(remap(data, {ord(c): ord(c) + 0x0531 - 65 for c in map(chr, range(65, 91))}))
    )
    assert traits.is_text is True
    assert traits.rectilinear is not None
    assert traits.x_height is None


def test_an_outlined_letter_is_hollow_and_a_loop_is_not() -> None:
    n = ["#########", "#.......#", "#.#####.#", *["#.#...#.#"] * 6, "###...###"]
    loop = ["..####..", "..#..#..", "..####..", "..#.....", "###.....", "#....###"]
    assert outlined(picture(n, scale=12))
    assert not outlined(picture(loop, scale=12))


def test_parts_nest_and_ink_touches_at_corners() -> None:
    parts = find_parts(picture(["#####", "#...#", "#.#.#", "#...#", "#####"]).ink)
    assert parts.depth.tolist() == [0, 1, 2, 3]
    assert parts.area.tolist()[1:] == [16, 8, 1]
    assert find_parts(picture(["#.", ".#"]).ink).depth.tolist() == [0, 1]


def test_pieces_of_ink_are_counted_for_each_of_several_glyphs() -> None:
    drawings = [["#.#"], ["#####", "#...#", "#.#.#", "#...#", "#####"], ["##"], ["#", ".", "#"]]
    assert pieces_of_ink([picture(drawing) for drawing in drawings]) == [2, 2, 1, 2]


def test_a_glyph_that_fills_the_sky_is_left_out() -> None:
    vast = [[(0, 0), (0, 30000), (30000, 30000), (30000, 0)]]
    data = make_font({c: vast if c == "o" else letter(c) for c in map(chr, range(65, 123))})
    traits = measure(open_font(data))
    assert traits.o_proportion is None


@pytest.mark.parametrize("units_per_em", [16, 16384])
def test_extreme_ems_end_in_traits(units_per_em: int) -> None:
    glyphs = {c: letter(c) for c in map(chr, range(65, 123))}
    assert isinstance(attempt(make_font(glyphs, units_per_em=units_per_em)), Traits | FontError)


def test_cyclic_composites_end_in_a_font_error_or_traits() -> None:
    font = TTFont(io.BytesIO(BASE.build()))
    glyf = font["glyf"]
    for one, other in (("u0061", "u006F"), ("u006F", "u0061"), ("u0048", "u0048")):
        glyf.glyphs[one] = composite(other, 0)
    out = io.BytesIO()
    font.recalcBBoxes = False
    font.save(out)
    assert isinstance(attempt(out.getvalue()), Traits | FontError)


def test_composites_that_double_at_each_level_do_not_hang() -> None:
    glyphs = {c: letter(c) for c in map(chr, range(65, 123))}
    assert isinstance(attempt(make_font(glyphs, doubling=40)), Traits | FontError)


def test_a_program_that_never_ends_does_not_hang() -> None:
    font = TTFont(io.BytesIO(BASE.build()))
    program = ttProgram.Program()
    program.fromBytecode(bytes([0xB8, 0xFF, 0xFD, 0x1C]))  # PUSHW -3, JMPR: jumps to itself
    for name in ("u006F", "u0048"):
        font["glyf"][name].program = program
    out = io.BytesIO()
    font.save(out)
    assert isinstance(attempt(out.getvalue()), Traits | FontError)


def test_65535_glyphs_are_measured() -> None:
    empty = {f"g{index}": [] for index in range(65535 - 59)}
    glyphs = {c: letter(c) for c in map(chr, range(65, 123))}
    traits = attempt(make_font(glyphs, unmapped=list(empty)))
    assert isinstance(traits, Traits)


WHOLE_FONT = BASE.build()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(0, len(WHOLE_FONT)))
def test_truncated_fonts_end_in_a_font_error_or_traits(cut: int) -> None:
    assert isinstance(attempt(WHOLE_FONT[:cut]), Traits | FontError)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WHOLE_FONT) - 1), st.integers(0, 255)), min_size=1, max_size=40
    )
)
def test_corrupted_fonts_end_in_a_font_error_or_traits(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE_FONT)
    for position, byte in changes:
        data[position] = byte
    assert isinstance(attempt(bytes(data)), Traits | FontError)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=400), magic=st.sampled_from([b"", b"wOF2", b"OTTO", b"\0\1\0\0"]))
def test_bytes_that_are_no_font_end_in_a_font_error(data: bytes, magic: bytes) -> None:
    assert isinstance(attempt(magic + data), FontError)


def test_traits_round_trip_through_json() -> None:
    traits = traits_of(BASE)
    assert Traits.from_json(traits.to_json()) == traits


def attempt(data: bytes) -> Traits | FontError:
    """What measuring ends in; fails when it takes longer than any font may."""
    begin = time.monotonic()
    try:
        result: Traits | FontError = measure(open_font(data))
    except FontError as error:
        result = error
        assert error.stage in ("open", "measure")
    assert time.monotonic() - begin < 10
    return result


def assert_close(one: Traits, other: Traits) -> None:
    for name, expected in vars(other).items():
        found = getattr(one, name)
        if isinstance(expected, float):
            assert found == pytest.approx(expected, abs=1.0 if name == "stress" else 0.03), name
        else:
            assert found == expected, name


def picture(rows: list[str], scale: int = 1) -> Glyph:
    ink = np.array([[255 * (dot == "#") for dot in row] for row in rows], dtype=np.uint8)
    ink = ink.repeat(scale, axis=0).repeat(scale, axis=1)
    return Glyph(grey=ink, left=0, top=ink.shape[0], advance=float(ink.shape[1]))


def letter(character: str) -> list[list[tuple[int, int]]]:
    """A stem and a bar at a height that depends on the letter: enough to be told apart."""
    y = 20 * (ord(character) % 29)
    return [
        [(50, 0), (50, 700), (130, 700), (130, 0)],
        [(50, y), (50, y + 80), (450, y + 80), (450, y)],
    ]


def make_font(
    glyphs: dict[str, list[list[tuple[int, int]]]], *, units_per_em: int = 1000,
    unmapped: list[str] | None = None, doubling: int = 0,
) -> bytes:  # fmt: skip
    """A font of polygons; o may be composites that double the level below this many times."""
    names = {c: f"u{ord(c):04X}" for c in glyphs}
    outlines = {".notdef": TTGlyphPen(None).glyph()}
    for c, contours in glyphs.items():
        pen = TTGlyphPen(None)
        for contour in contours:
            pen.moveTo(contour[0])
            for point in contour[1:]:
                pen.lineTo(point)
            pen.closePath()
        outlines[names[c]] = pen.glyph()
    below = names["l"] if doubling else ""
    for level in range(doubling):
        both = composite(below, 0, 1)
        below = names["o"] if level == doubling - 1 else f"level{level}"
        outlines[below] = both
    for name in unmapped or []:
        outlines[name] = outlines[".notdef"]
    builder = FontBuilder(units_per_em, isTTF=True)
    if doubling:  # their bounds cannot be computed in the time there is
        builder.font.recalcBBoxes = False
        builder.updateHead(xMin=0, yMin=0, xMax=600, yMax=700)
        for glyph in outlines.values():
            glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax = 0, 0, 600, 700
    builder.setupGlyphOrder(list(outlines))
    builder.setupCharacterMap({ord(c): name for c, name in names.items()})
    builder.setupGlyf(outlines, calcGlyphBounds=not doubling)
    builder.setupHorizontalMetrics({name: (600, 0) for name in outlines})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupPost(keepGlyphNames=False)
    out = io.BytesIO()
    builder.font.save(out)
    return out.getvalue()


def composite(name: str, *shifts: int) -> Any:
    """A glyph of several copies of another, without a look at that one."""
    pen = TTGlyphPen({name: None}, handleOverflowingTransforms=False)
    for shift in shifts:
        pen.addComponent(name, (1, 0, 0, 1, shift, shift))
    glyph = pen.glyph()
    glyph.xMin = glyph.yMin = glyph.xMax = glyph.yMax = 0
    return glyph


def remap(data: bytes, codes: dict[int, int]) -> bytes:
    font = TTFont(io.BytesIO(data))
    for table in font["cmap"].tables:
        table.cmap = {codes.get(code, code): name for code, name in table.cmap.items()}
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def make_variable(data: bytes) -> bytes:
    """The font with a weight axis whose default is its regular instance."""
    from fontTools.ttLib import newTable
    from fontTools.ttLib.tables._f_v_a_r import Axis
    from fontTools.ttLib.tables.TupleVariation import TupleVariation

    font = TTFont(io.BytesIO(data))
    axis = Axis()
    axis.axisTag, axis.axisNameID = "wght", 256
    axis.minValue, axis.defaultValue, axis.maxValue = 400, 400, 900
    font["name"].setName("Weight", 256, 3, 1, 0x409)
    font["fvar"] = newTable("fvar")
    font["fvar"].axes, font["fvar"].instances = [axis], []
    font["gvar"] = newTable("gvar")
    font["gvar"].version, font["gvar"].reserved = 1, 0
    font["gvar"].variations = {
        name: [
            TupleVariation(
                {"wght": (0, 1, 1)}, [(40, 0)] * (len(font["glyf"][name].coordinates) + 4)
            )
        ]
        for name in ("u006F", "u0048")
    }
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
