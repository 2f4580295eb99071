"""Fonts whose hints FreeType refuses to run to their end, drawn without them."""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from fontTools.ttLib import TTFont

from indexer.fontfile import FontFile, describe

TOO_LONG = "execution context too long"  # what FreeType says of a program that may have no end
PROGRAMS = ("fpgm", "prep", "cvt ", "cvar")

Drawn = TypeVar("Drawn")


def drawn(font: FontFile, draw: Callable[[FontFile], Drawn]) -> Drawn:
    """What `draw` makes of the font; of one whose hints run too long, what it makes without them.

    Kumar One is such a font: browsers and unhinted drawing show it whole. Any other error is passed on.
    """
    try:
        return draw(font)
    except OSError as error:
        if TOO_LONG not in str(error):
            raise
    return draw(without_hints(font))


def without_hints(font: FontFile) -> FontFile:
    """The same outlines, without the programs that move their points; a font of one face.

    Raises FontError (stage "open").
    """
    out = io.BytesIO()
    try:
        with TTFont(
            io.BytesIO(font.data), fontNumber=font.face_index, lazy=True, recalcBBoxes=False,
            recalcTimestamp=False,
        ) as file:  # fmt: skip
            for table in PROGRAMS:
                if table in file:
                    del file[table]
            if "glyf" in file:
                glyphs = file["glyf"]
                for name in file.getGlyphOrder():
                    glyphs[name].removeHinting()
            file.flavor = None
            file.save(out)
    except Exception as error:  # fontTools raises whatever its parsers run into
        raise describe(error, "open") from error
    return replace(font, data=out.getvalue(), face_index=0, tables=font.tables.difference(PROGRAMS))
