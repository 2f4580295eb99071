"""Font bytes made safe to use: checked, one face, variable fonts at their regular instance."""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import brotli
from fontTools.ttLib import TTFont
from PIL import ImageFont, features

from indexer.errors import FontError, Stage, UserError

MAX_BYTES = 64 * 1024 * 1024  # the largest CJK families are about 30 MB
MAGIC = {
    b"\x00\x01\x00\x00": "TrueType",
    b"true": "TrueType",
    b"OTTO": "OpenType CFF",
    b"ttcf": "collection",
    b"wOFF": "WOFF",
    b"wOF2": "WOFF2",
}

NO_RAQM = (  # Pillow's wheel brings raqm and HarfBuzz, and loads FriBiDi from the system
    "Pillow cannot shape text here: install the system library FriBiDi "
    "(Debian, Ubuntu: apt install libfribidi0; macOS: brew install fribidi)."
)

TABLE = re.compile(r"[A-Za-z][A-Za-z0-9/ ]{3}")
NO_MEMORY = "unable to allocate memory"  # what brotli says, and FreeType of a bitmap
DAMAGED = "one of its tables is damaged"
IN_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((struct.error, EOFError), "one of its tables ends too early"),
    ((zlib.error, brotli.error), "its compressed data is damaged"),
    ((AssertionError,), "one of its tables contradicts itself"),
    ((LookupError,), "one of its tables points to what is not there"),
    ((RecursionError,), "its parts refer to each other without end"),
    ((UnicodeError,), "it holds a text that cannot be decoded"),
    ((ValueError, ArithmeticError), "it holds a number that cannot be right"),
    ((TypeError, AttributeError, NotImplementedError, NameError), DAMAGED),
)


@dataclass(frozen=True, kw_only=True)
class FontFile:
    """One face of a font file, opened and checked."""

    data: bytes
    face_index: int
    cmap: Mapping[int, str]  # code point to glyph name; .notdef never appears
    units_per_em: int
    glyph_count: int
    tables: frozenset[str]
    location: Mapping[str, float]  # axis tag to the regular instance's value, in the order of fvar

    def has(self, text: str) -> bool:
        return all(ord(character) in self.cmap for character in text)

    def at(self, pixels: int) -> ImageFont.FreeTypeFont:
        """The face at a size in pixels per em, shaped with raqm, at the regular instance.

        Raises UserError where Pillow cannot shape, because it would silently draw other sheets.
        """
        if not features.check("raqm"):
            raise UserError(NO_RAQM)
        font = ImageFont.truetype(
            io.BytesIO(self.data),
            pixels,
            index=self.face_index,
            layout_engine=ImageFont.Layout.RAQM,
        )
        if self.location:
            font.set_variation_by_axes(list(self.location.values()))
        return font


def regular_value(tag: str, low: float, default: float, high: float) -> float:
    """The regular instance on an axis: weight 400, width 100, upright; else the default."""
    wanted = {"wght": 400.0, "wdth": 100.0, "slnt": 0.0, "ital": 0.0}.get(tag, default)
    return min(max(wanted, low), high)


def open_font(data: bytes, *, face_index: int = 0) -> FontFile:
    """Open a .ttf, .otf, .ttc, .woff or .woff2 given as bytes.

    Raises FontError (stage "open") for anything that is not a usable font: wrong magic, truncated,
    no character map, no glyphs.
    """
    if len(data) > MAX_BYTES:
        raise FontError("open", f"The file has {len(data):,} bytes; the limit is {MAX_BYTES:,}.")
    if data[:4] not in MAGIC:
        raise FontError(
            "open", "The file is not a font: it starts with none of the known signatures."
        )
    try:
        with TTFont(io.BytesIO(data), fontNumber=face_index, lazy=True) as font:
            glyph_count = font["maxp"].numGlyphs
            head: Any = font["head"]  # its fields are not declared
            units_per_em = head.unitsPerEm
            check_whole(font, data[:12], len(data))
            cmap = character_map(font)
            tables = frozenset(font.keys())
            location = {
                axis.axisTag: regular_value(
                    axis.axisTag, axis.minValue, axis.defaultValue, axis.maxValue
                )
                for axis in (font["fvar"].axes if "fvar" in font else [])
            }
    except Exception as error:  # fontTools raises whatever its parsers run into
        raise describe(error, "open") from error
    if glyph_count == 0 or not cmap:
        raise FontError("open", "The font maps no character to a glyph.")
    if not 16 <= units_per_em <= 16384:
        raise FontError("open", f"The font has {units_per_em} units per em; 16 to 16384 are valid.")
    return FontFile(
        data=data,
        face_index=face_index,
        cmap=cmap,
        units_per_em=units_per_em,
        glyph_count=glyph_count,
        tables=tables,
        location=location,
    )


def unpacked(font: FontFile) -> FontFile:
    """The same font uncompressed: fontTools takes seconds to open a table of a large WOFF2 file.

    Raises FontError (stage "open").
    """
    if font.data[:4] not in (b"wOFF", b"wOF2"):
        return font
    out = io.BytesIO()
    try:
        with TTFont(io.BytesIO(font.data), lazy=True, recalcBBoxes=False) as file:
            file.flavor = None
            file.recalcTimestamp = False
            file.save(out, reorderTables=None)
    except Exception as error:  # fontTools raises whatever its parsers run into
        raise describe(error, "open") from error
    if out.tell() > MAX_BYTES:
        raise FontError("open", f"The font has {out.tell():,} bytes; the limit is {MAX_BYTES:,}.")
    return replace(font, data=out.getvalue())


def face_count(data: bytes) -> int:
    """How many faces a file holds: more than one only in a collection (.ttc, .otc)."""
    return int.from_bytes(data[8:12], "big") if data[:4] == b"ttcf" else 1


def describe(error: Exception, stage: Stage) -> FontError:
    """A FontError, one sentence in words, for whatever a font library raised on hostile bytes."""
    if isinstance(error, FontError):
        return error
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        return FontError(stage, "The font needs more memory than is allowed.")
    verb = "read" if stage == "open" else "used"
    return FontError(stage, f"The font cannot be {verb}: {_in_words(error)}.")


def check_whole(font: TTFont, head: bytes, size: int) -> None:
    """Raises FontError for a font that was cut short, of which FreeType would draw what is left.

    head: the first 12 bytes of the file; size: how many it has.
    """
    if head[:4] in (b"wOFF", b"wOF2"):
        needed = int.from_bytes(head[8:12], "big")
    else:
        entries: Any = font.reader.tables if font.reader else {}
        needed = max((entry.offset + entry.length for entry in entries.values()), default=0)
    if needed > size:
        raise FontError(
            "open", f"The font cannot be read: it is cut short, {size:,} of {needed:,} bytes."
        )


def character_map(font: TTFont) -> dict[int, str]:
    """Code points to the names of real glyphs."""
    table = font["cmap"]
    cmap = table.getBestCmap()
    if cmap is None:  # symbol fonts: FreeType and HarfBuzz answer for U+F000.. and for U+0000..
        symbol = table.getcmap(3, 0) or table.getcmap(1, 0)
        cmap = symbol.cmap if symbol else {}
    first = font.getGlyphOrder()[0]
    return {code: name for code, name in cmap.items() if name not in (".notdef", first)}


def _in_words(error: Exception) -> str:
    """What libraries say for people is passed on; what Python says about their code is put in words."""
    if isinstance(error, KeyError) and error.args and TABLE.fullmatch(str(error.args[0])):
        return f"its table {str(error.args[0]).strip()} is missing"
    for kinds, words in IN_WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, OSError) and error.strerror:  # its text holds a path
        return error.strerror
    text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
    if " " not in text:
        return DAMAGED
    return (text[:100] + "…" if len(text) > 100 else text).rstrip(".")


def reason(error: Exception) -> str:
    """What a library says of an error: one line, at most 200 characters, no path of this machine."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(said.split()) or type(error).__name__
    return (text[:200] + "…" if len(text) > 200 else text).rstrip(".")
