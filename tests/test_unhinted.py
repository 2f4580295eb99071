"""Fonts whose hints never end are drawn without them, and only those."""

from __future__ import annotations

import io
from array import array
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables.ttProgram import Program

from indexer.errors import FontError
from indexer.fontfile import open_font
from indexer.sheet.line import Typesetter
from indexer.sheet.render import render_sheet
from indexer.sheet.samples import CAPITALS, SMALL
from indexer.traits.measure import measure
from tests.test_sheet import EMPTY, box, build

ENDLESS = bytes([0xB8, 0xFF, 0xFD, 0x1C])  # PUSHW -3, JMPR: back to the beginning
NOTHING = bytes([0xB0, 0, 0x21]) * 3  # PUSHB 0, POP: FreeType ignores the hints of a font with less
INVALID = bytes([0x7B])  # no instruction


def latin() -> dict[str, Any]:
    """Anew, for a glyph that was once compiled knows its box."""
    return {c: box(80, 0, 520, 700) for c in CAPITALS + SMALL} | {" ": EMPTY}


def program(code: bytes) -> Program:
    made = Program()
    made.fromBytecode(code)
    return made


def prepared_by(code: bytes) -> Any:
    """Adds a program that runs before every glyph, and what only hinting reads."""

    def extra(builder: FontBuilder) -> None:
        builder.font["prep"], builder.font["cvt "] = newTable("prep"), newTable("cvt ")
        builder.font["prep"].program = program(NOTHING + code)
        builder.font["cvt "].values = array("h", [0])
        builder.font["maxp"].maxStackElements = 8

    return extra


def test_a_font_whose_hints_have_no_end_is_drawn_and_measured_like_one_without() -> None:
    plain, endless = (
        open_font(build(latin())),
        open_font(build(latin(), extra=prepared_by(ENDLESS))),
    )
    assert render_sheet(endless) == render_sheet(plain)
    assert measure(endless) == measure(plain)
    lines = Typesetter(endless)
    for text in ("Ham", "burg"):
        expected = Typesetter(plain).line(text, size=40, scale=1, width=400)
        assert lines.line(text, size=40, scale=1, width=400) == expected


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_so_is_a_compressed_one(flavor: str) -> None:
    packed = io.BytesIO()
    with TTFont(io.BytesIO(build(latin(), extra=prepared_by(ENDLESS)))) as font:
        font.flavor = flavor
        font.save(packed)
    assert render_sheet(open_font(packed.getvalue())) == render_sheet(open_font(build(latin())))


def test_any_other_failure_of_hints_is_the_fonts() -> None:
    with pytest.raises(FontError, match="cannot be used: "):
        render_sheet(open_font(build(latin(), extra=prepared_by(INVALID))))
