"""One line of anyone's text set in a font: what the font has of it, as black ink on transparent paper.

The baseline and the height are given, so that lines of several fonts stand alike. The picture is as
wide as its ink, so that they also start alike, whatever the fonts' side bearings are.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from PIL import Image

from indexer.errors import FontError
from indexer.fontfile import FontFile, describe, unpacked
from indexer.sheet.colour import flatten_colour
from indexer.sheet.glyphs import LAYERS, Brush, Ink, Technique, has_flat_layers, technique_of
from indexer.sheet.samples import (
    CAPITALS,
    JOINERS,
    LATIN_LETTERS,
    SMALL,
    Direction,
    Segment,
    latin_segments,
    script_segments,
    symbol_segments,
)
from indexer.unhinted import drawn

LINE_VERSION = 1  # of how lines are drawn; part of what a cached picture depends on

ASCENT = 1.15  # em above the baseline
HEIGHT = 1.6  # em in all
SAMPLE_LENGTH = 28  # characters of a font's own script
GAP = 0.3  # em between two words of a font that has no space
LEAST_SIZE = 1 / 3  # of the size asked for; a font that reaches further out of its em is cut off
MAX_ROUNDS = 3  # of drawing again, smaller
MAX_BRUSHES = 4  # sizes that are kept ready

Told = Literal["text", "partial", "sample"]


@dataclass(frozen=True, kw_only=True)
class Text:
    """What is drawn, and how much that is of what was asked for."""

    text: str
    told: Told
    direction: Direction
    language: str = "en"


@dataclass(frozen=True, kw_only=True)
class SetLine:
    png: bytes  # mode LA
    told: Told


class Typesetter:
    """A font that was opened once and sets many lines. Not for several threads at once."""

    def __init__(self, font: FontFile) -> None:
        self.font = font
        self._present = {chr(code) for code in font.cmap if not 0xD800 <= code < 0xE000}
        self._technique = technique_of(font)
        self._flat_layers = has_flat_layers(font)
        self._brushes: dict[int, Brush] = {}

    def line(self, text: str, *, size: int, scale: float, width: int) -> SetLine:
        """A PNG of the text, or of a sample of the font's own script where it has none of the text.

        size: CSS px per em, of which `scale` device pixels each make up the picture; its height is
        HEIGHT em and its baseline ASCENT em from the top, rounded. width: what does not fit so many
        CSS px is cut off.

        Raises FontError (stage "render") if nothing can be drawn.
        """
        em = size * scale
        box = (round(width * scale), round(HEIGHT * em), round(ASCENT * em))
        try:
            found = drawn(self.font, lambda font: self._first(font, text, max(1, round(em)), box))
        except FontError:
            raise
        except (OSError, ValueError, OverflowError, Image.DecompressionBombError) as error:
            raise describe(error, "render") from error
        finally:
            for brush in self._brushes.values():
                brush.drawn.clear()
        if found is None:
            raise FontError("render", "The font draws nothing of the text, nor of its own script.")
        return found

    def _first(
        self, font: FontFile, text: str, pixels: int, box: tuple[int, int, int]
    ) -> SetLine | None:
        """Of the texts that may be drawn, the first that leaves ink."""
        if font is not self.font:  # without its hints, from now on
            self.font = font
            self._brushes.clear()
        lines = (self._drawn(wanted, pixels, box) for wanted in self._texts(text))
        return next(filter(None, lines), None)

    def _texts(self, text: str) -> Iterator[Text]:
        """What to draw, best first; the next one serves where one turns out blank."""
        own = available(text, self._present)
        if own:
            yield own
        if sum(c in self._present for c in CAPITALS + SMALL) >= LATIN_LETTERS:
            yield from _sample(latin_segments(self._present))
        yield from _sample(script_segments(self._present))
        yield from _sample(symbol_segments(self._present))

    def _drawn(self, wanted: Text, pixels: int, box: tuple[int, int, int]) -> SetLine | None:
        for font, technique in self._ways(wanted.text):
            inks, cut = self._fitted(font, technique, wanted, pixels, box)
            if inks:
                told = "partial" if cut and wanted.told == "text" else wanted.told
                return SetLine(png=_png(inks, box), told=told)
        return None

    def _ways(self, text: str) -> Iterator[tuple[FontFile, Technique]]:
        """Colour layers, where they have all of the text; else as the font's tables say."""
        if self._flat_layers and (flat := self._flattened(text)):
            yield flat, LAYERS
        yield self.font, self._technique
        if not self._flat_layers and "COLR" in self.font.tables and (flat := self._flattened(text)):
            yield flat, LAYERS

    @cached_property
    def unpacked(self) -> FontFile:
        """For what reads tables of the font again and again."""
        return unpacked(self.font)

    def _flattened(self, text: str) -> FontFile | None:
        try:
            flat = flatten_colour(self.unpacked, text)
        except FontError:
            return None
        return flat if flat.has("".join(c for c in text if not _is_blank(c))) else None

    def _fitted(
        self,
        font: FontFile,
        technique: Technique,
        wanted: Text,
        pixels: int,
        box: tuple[int, int, int],
    ) -> tuple[list[tuple[float, Ink]], bool]:
        """Pieces with their places on the line, at the largest size up to this that fits the height.

        And whether the end of the text was cut off.
        """
        width, height, baseline = box
        least = max(1, round(pixels * LEAST_SIZE))
        inks: list[tuple[float, Ink]] = []
        for _ in range(MAX_ROUNDS):
            brush = self._brush(font, technique, pixels)
            shown = _cut(brush, wanted, width)
            inks, drawable = _placed(brush, shown)
            if not inks:
                return [], False
            above = max(*(-ink.top for _, ink in inks), 1)
            below = max(*(ink.bottom for _, ink in inks), 1)
            fit = min(1.0, baseline / above, (height - baseline) / below)
            if drawable and (fit == 1.0 or pixels == least):
                break
            pixels = max(least, min(pixels - 1, math.floor(pixels * fit)))
        if any(ink.mask is None for _, ink in inks):
            raise FontError("render", "The font's glyphs are too large to be drawn on a line.")
        return inks, shown.text != wanted.text

    def _brush(self, font: FontFile, technique: Technique, pixels: int) -> Brush:
        if font is not self.font:
            return Brush(font, technique, pixels)
        brush = self._brushes.pop(pixels, None) or Brush(font, technique, pixels)
        self._brushes[pixels] = brush  # the last one used is the last one to go
        while len(self._brushes) > MAX_BRUSHES:
            del self._brushes[next(iter(self._brushes))]
        return brush


def available(text: str, present: Collection[str]) -> Text | None:
    """What a font with these characters has of a text; None where that is none of its letters."""
    asked = " ".join(unicodedata.normalize("NFC", text).split())
    kept, skipped, base = "", False, False
    for character in asked:
        kind = unicodedata.category(character)
        if kind[0] == "C" and character not in JOINERS:
            continue  # of no shape
        if kind[0] == "M" and not base:
            continue  # an accent goes with its letter
        there = character == " " or _is_there(character, present)
        base = there if kind[0] != "M" else base
        kept += character if there else ""
        skipped |= not there
    kept = " ".join(kept.split())
    if all(map(_is_blank, kept)) or (_letters(asked) and not _letters(kept)):
        return None
    return Text(text=kept, told="partial" if skipped else "text", direction=direction_of(kept))


def direction_of(text: str) -> Direction:
    """That of the first letter, as of a paragraph."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def _is_there(character: str, present: Collection[str]) -> bool:
    if character in present or character in JOINERS or _is_selector(character):
        return True
    parts = unicodedata.normalize("NFD", character)  # the shaper puts these together
    return len(parts) > 1 and all(part in present for part in parts)


def _is_selector(character: str) -> bool:
    return 0xFE00 <= ord(character) <= 0xFE0F


def _is_blank(character: str) -> bool:
    return character == " " or character in JOINERS or _is_selector(character)


def _letters(text: str) -> bool:
    """Whether there is more than figures and punctuation."""
    return any(unicodedata.category(c)[0] == "L" or unicodedata.category(c) == "So" for c in text)


def _sample(segments: list[Segment]) -> Iterator[Text]:
    """The beginning of the running text; of the characters where there is none."""
    for segment in sorted(segments, key=lambda segment: segment.kind == "characters"):
        glue = "" if segment.kind == "unspaced" else " "
        text = ""
        for piece in segment.pieces:
            longer = f"{text}{glue}{piece}" if text else piece
            if text and len(longer) > SAMPLE_LENGTH:
                break
            text = longer
        yield Text(
            text=text.strip(),
            told="sample",
            direction=segment.direction,
            language=segment.language,
        )
        return


def _cut(brush: Brush, wanted: Text, width: int) -> Text:
    """As many of the characters as have room."""

    def fits(count: int) -> bool:
        length = brush.face.getlength(
            wanted.text[:count],
            mode=brush.mode,
            direction=wanted.direction,
            language=wanted.language,
        )
        return length * brush.scale <= width

    low, high = 1, len(wanted.text)
    if fits(high):
        return wanted
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return replace(wanted, text=wanted.text[:low].rstrip())


def _placed(brush: Brush, wanted: Text) -> tuple[list[tuple[float, Ink]], bool]:
    """The ink of the text with its origin on the line, and whether none of it is too large to draw."""
    spaced = " " in wanted.text and brush.space() is None
    pieces = wanted.text.split(" ") if spaced else [wanted.text]
    if wanted.direction == "rtl":
        pieces.reverse()
    inks: list[tuple[float, Ink]] = []
    pen = 0.0
    for piece in pieces:
        ink = brush.draw(piece, wanted.direction, wanted.language)
        if ink is not None:
            inks.append((pen, ink))
            pen += ink.advance + GAP * brush.pixels
    return inks, all(ink.mask is not None for _, ink in inks)


def _png(inks: list[tuple[float, Ink]], box: tuple[int, int, int]) -> bytes:
    most, height, baseline = box
    left = min(round(x) + ink.left for x, ink in inks)
    right = max(round(x) + ink.right for x, ink in inks)
    alpha = Image.new("L", (min(right - left, most), height), 0)
    for x, ink in inks:
        if ink.mask is not None:
            alpha.paste(255, (round(x) + ink.left - left, baseline + ink.top), ink.mask)
    if not alpha.getbbox():
        raise FontError("render", "The font's strokes are too thin to be seen.")
    out = io.BytesIO()
    Image.merge("LA", (Image.new("L", alpha.size, 0), alpha)).save(out, "PNG", compress_level=4)
    return out.getvalue()
