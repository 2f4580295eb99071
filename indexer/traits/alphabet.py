"""The letters of one font as bitmaps, with the lines that they stand on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from math import radians, tan
from statistics import fmean

import numpy as np
from PIL import ImageFont

from indexer.fontfile import FontFile
from indexer.traits.raster import Drawer, Floats, Glyph, draw, pieces_of_ink

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"
STEMMED = "hklbdpqimnrtuHIEFLTNDBPR"  # letters in which upright stems outweigh the diagonals
SLANTS = np.arange(-30.0, 55.0, 1.0)  # degrees that are tried; the steepest scripts lean by 50
CLEARLY = 1.3  # how much better than upright stems must line up
UPRIGHT = 1.0  # degrees: a smaller slant is drawn as it stands


class Alphabet:
    """Basic Latin letters and digits of a font, drawn on demand at one size."""

    def __init__(self, font: FontFile) -> None:
        self._font = font
        self._drawer = Drawer(font, "HEXZIxnou")
        self._drawn: dict[str, Glyph | None] = {}
        self._upright: dict[str, Glyph | None] = {}
        self.hollow = False  # set once known: letters are then measured with their outlines filled

    def get(self, character: str) -> Glyph | None:
        """The glyph as it is drawn; None where there is none or it has no ink."""
        if character not in self._drawn:
            self._drawn[character] = self._drawer.draw(character)
        return self._drawn[character]

    def all(self, characters: Iterable[str]) -> dict[str, Glyph]:
        return {c: glyph for c in characters if (glyph := self.get(c)) is not None}

    def upright(self, character: str) -> Glyph | None:
        """The glyph without the slant of the font and, in an outlined font, filled."""
        if character not in self._upright:
            glyph = self.get(character)
            if glyph is not None and self.hollow:
                glyph = glyph.solid()
            if glyph is not None and self.slant is not None and abs(self.slant) >= UPRIGHT:
                glyph = glyph.upright(self.slant)
            self._upright[character] = glyph
        return self._upright[character]

    def uprights(self, characters: Iterable[str]) -> dict[str, Glyph]:
        return {c: glyph for c in characters if (glyph := self.upright(c)) is not None}

    def joined(self, pairs: Iterable[str]) -> float | None:
        """Share of the pairs of letters that touch; see touching()."""
        return touching(self._drawer.probe, pairs)  # at half the size gaps still are pixels wide

    @cached_property
    def has_case(self) -> tuple[bool, bool]:
        """Whether the font has most of a-z, and most of A-Z."""
        return tuple(len(self.all(letters)) >= 20 for letters in (LOWER, UPPER))  # type: ignore[return-value]

    @cached_property
    def baseline(self) -> float:
        """Where letters stand: 0 in nearly all fonts, elsewhere in shaded or shifted ones."""
        found = [glyph.bottom for glyph in self.all("HIEXnmirxl").values()]
        return float(np.median(found)) if found else 0.0

    def _line(self, characters: str) -> float | None:
        tops = [glyph.top for glyph in self.all(characters).values()]
        return float(np.median(tops)) - self.baseline if tops else None

    @cached_property
    def cap(self) -> float | None:
        """Height of the flat capitals above the baseline."""
        return _positive(self._line("HIEXZ"))

    @cached_property
    def x(self) -> float | None:
        """Height of the flat small letters above the baseline."""
        return _positive(self._line("xzvwu"))

    @cached_property
    def ascender(self) -> float | None:
        return _positive(self._line("lbdhk"))

    @cached_property
    def descender(self) -> float | None:
        """Depth of p and q below the baseline."""
        bottoms = [glyph.bottom for glyph in self.all("pq").values()]
        return self.baseline - float(np.median(bottoms)) if bottoms else None

    @cached_property
    def slant(self) -> float | None:
        """Degrees by which stems lean to the right: the shear that lines their edges up best."""
        glyphs = list(self.all(STEMMED).values())
        if len(glyphs) < 5:
            return None
        sheared = _EdgeColumns(glyphs)
        coarse = SLANTS[int(np.argmax([sheared.alignment(angle) for angle in SLANTS]))]
        fine = np.arange(coarse - 1.0, coarse + 1.01, 0.25)
        best = float(fine[int(np.argmax([sheared.alignment(angle) for angle in fine]))])
        # Written letters lean this way and that: without a clear lead they count as upright.
        return best if sheared.alignment(best) > CLEARLY * sheared.alignment(0.0) else 0.0


class _EdgeColumns:
    """Vertical edges of letters, to be counted by column after a shear."""

    def __init__(self, glyphs: list[Glyph]) -> None:
        columns, heights, offset = [], [], 2000.0
        for glyph in glyphs:
            rows, found = np.nonzero(np.diff(glyph.ink[::6].astype(np.int8), axis=1))
            columns.append(found + offset)
            heights.append(glyph.top - 6.0 * rows)
            offset += glyph.width + 600.0  # further than any shear moves an edge
        self._columns: Floats = np.concatenate(columns)
        self._heights: Floats = np.concatenate(heights)

    def alignment(self, degrees: float) -> float:
        moved = self._columns - self._heights * tan(radians(degrees))
        counts = np.bincount(np.maximum(moved * 0.5, 0.0).astype(np.int64))
        pairs = counts[:-1] + counts[1:]  # an edge between two bins counts whole
        return float(pairs @ pairs)


def touching(face: ImageFont.FreeTypeFont, pairs: Iterable[str]) -> float | None:
    """Share of pairs of letters that are one piece of ink when set side by side."""
    texts = sorted({text for pair in pairs for text in (pair, *pair)})
    drawn = {text: glyph for text in texts if (glyph := draw(face, text)) is not None}
    known = [pair for pair in pairs if all(text in drawn for text in (pair, *pair))]
    if len(known) < 5:
        return None
    pieces = dict(zip(drawn, pieces_of_ink(list(drawn.values())), strict=True))
    return fmean(pieces[pair] < pieces[pair[0]] + pieces[pair[1]] for pair in known)


def _positive(height: float | None) -> float | None:
    return height if height is not None and height > 0 else None
