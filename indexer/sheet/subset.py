"""A font cut down to the characters of a text, as WOFF2: for a browser that shows only these."""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io

from fontTools.subset import Options, Subsetter, save_font
from fontTools.ttLib import TTFont

from indexer.errors import FontError
from indexer.fontfile import FontFile, describe

# Copyright, family, style, unique id, full name, version, PostScript name; license and its address: what a font's
# license asks to stay with it.
NAMES = [0, 1, 2, 3, 4, 5, 6, 13, 14]


def woff2_subset(font: FontFile, text: str) -> bytes:
    """The glyphs of the text, with the shaping that they need; a variable font keeps its axes.

    Raises FontError (stage "render") if the font has none of the text, or cannot be cut.
    """
    codes = sorted({ord(character) for character in text} & font.cmap.keys())
    if not codes:
        raise FontError("render", "The font has none of the text's characters.")
    options = Options(flavor="woff2", name_IDs=NAMES, hinting=False, desubroutinize=True)
    out = io.BytesIO()
    try:
        with TTFont(
            io.BytesIO(font.data), fontNumber=font.face_index, lazy=True, recalcTimestamp=False
        ) as file:
            subsetter = Subsetter(options)
            subsetter.populate(unicodes=codes)
            subsetter.subset(file)
            save_font(file, out, options)
    except Exception as error:  # fontTools raises whatever its parsers run into
        raise describe(error, "render") from error
    return out.getvalue()
