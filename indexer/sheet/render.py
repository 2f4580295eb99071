"""Glyph sheet: font bytes and a frozen spec in, PNG out.

A sheet is rows of pieces: single characters for the alphabet, words for the running text. Every
piece is drawn on its own and placed by its real ink, so that letters that overhang, empty
advances and odd vertical metrics can neither clip nor overlap. One size serves the whole sheet:
the largest at which all of it fits.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

from indexer.errors import FontError
from indexer.fontfile import FontFile, describe
from indexer.sheet.colour import flatten_colour
from indexer.sheet.glyphs import LAYERS, Brush, Ink, Technique, has_flat_layers, technique_of
from indexer.sheet.layout import Draft, Line, largest_factor, measured, placed_in, without_outliers
from indexer.sheet.samples import (
    CAPITALS,
    DIGITS,
    LATIN_LETTERS,
    PUNCTUATION,
    SMALL,
    Segment,
    latin_segments,
    script_segments,
    symbol_segments,
)
from indexer.unhinted import drawn

TOKEN = 32  # px of a side of the square that a vision-language model reads as one token
FIRST_SIZE = 64  # px per em of the first measurement
COARSE_SIZE = 1024  # px per em of the second look at a font that seems blank
MAX_SIZE = 8192  # px per em; glyphs tiny in a huge em need it
MAX_ROUNDS = 8  # of measuring; two do for an ordinary font
MIN_DARKNESS = 64  # of 255: a darkest pixel below it means strokes that nobody sees
GOOD_FIT = 1.03  # a sheet that could grow by less is final


@dataclass(frozen=True, kw_only=True)
class SheetSpec:
    """Everything of a sheet that is chosen. A change of how sheets are drawn is a new version."""

    version: int = 1
    width: int = 1024  # px
    height: int = 512  # px
    margin: int = 16  # px of white on every side

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"Sheet version {self.version} is unknown; this program draws 1.")
        for side in (self.width, self.height):
            if side % TOKEN or not 4 * TOKEN <= side <= 128 * TOKEN:
                raise ValueError(f"A side of {side} px is not a multiple of {TOKEN} in 128..4096.")
        if not 1 <= self.margin <= min(self.width, self.height) // 4:
            raise ValueError(f"A margin of {self.margin} px leaves no room.")

    @property
    def identity(self) -> str:
        """All that pixels depend on beside font and Pillow: "sheet/1 1024x512 margin 16"."""
        return f"sheet/{self.version} {self.width}x{self.height} margin {self.margin}"

    @property
    def tokens(self) -> int:
        return (self.width // TOKEN) * (self.height // TOKEN)


def render_sheet(font: FontFile, spec: SheetSpec = SheetSpec()) -> bytes:  # frozen
    """A PNG (8-bit grey, black on white, exactly spec.width x spec.height) of the font's sample.

    Latin where the font has it, else its own script, else its pictures. The same bytes for the
    same font, spec and Pillow. Raises FontError (stage "render") if nothing can be drawn.
    """
    try:
        return _png(drawn(font, lambda font: _draw(font, spec)), spec)
    except FontError:
        raise
    except (OSError, ValueError, OverflowError, MemoryError, Image.DecompressionBombError) as error:
        raise describe(error, "render") from error


def _draw(font: FontFile, spec: SheetSpec) -> list[tuple[int, int, Ink]]:
    box = (spec.width - 2 * spec.margin, spec.height - 2 * spec.margin)
    placed = None
    # Flattening loses the shaping tables: Latin and pictures do without, other scripts do not
    simple = _latin_letters(present := _present(font)) or not script_segments(present)
    if simple and has_flat_layers(font):
        placed = _laid_out(flatten_colour(font, _characters(present)), LAYERS, box)
    placed = placed or _laid_out(font, technique_of(font), box)
    if placed is None and "COLR" in font.tables:
        placed = _laid_out(flatten_colour(font, _characters(present)), LAYERS, box)
    if placed is None and "SVG " in font.tables:
        raise FontError("render", "The font's glyphs exist only as SVG, which cannot be drawn.")
    if placed is None:
        raise FontError("render", "Every glyph of the font's sample is blank or out of bounds.")
    return placed


def _laid_out(
    font: FontFile, technique: Technique, box: tuple[int, int]
) -> list[tuple[int, int, Ink]] | None:
    """The pieces with their origins in the box; None if all are blank."""
    for size in (FIRST_SIZE, COARSE_SIZE):
        brush = Brush(font, technique, size)
        for segments in _samples(font, brush):
            draft = without_outliers(_draft(brush, segments))
            if draft.lines:
                return _fit(font, technique, draft, size, box)
    return None


def _present(font: FontFile) -> set[str]:
    return {chr(code) for code in font.cmap if not 0xD800 <= code < 0xE000}


def _latin_letters(present: set[str]) -> bool:
    return sum(c in present for c in CAPITALS + SMALL) >= LATIN_LETTERS


def _characters(present: set[str]) -> set[str]:
    """All characters that some sheet of the font may show."""
    segments = [*latin_segments(present), *script_segments(present), *symbol_segments(present)]
    return {c for segment in segments for piece in segment.pieces for c in piece} | {" "}


def _samples(font: FontFile, brush: Brush) -> Iterator[list[Segment]]:
    """The samples to try, best first; the next one serves where one turns out blank."""
    present = _present(font)
    basic = [c for c in CAPITALS + SMALL + DIGITS + PUNCTUATION if c in present]
    blank = {c for c in basic if brush.draw(c) is None}  # icon fonts keep blank letters
    present -= blank
    if _latin_letters(present):
        yield latin_segments(present)
    yield script_segments(present)
    yield symbol_segments(present)


def _draft(brush: Brush, segments: Sequence[Segment]) -> Draft:
    lines = []
    for segment in segments:
        inks = (brush.draw(p, segment.direction, segment.language) for p in segment.pieces)
        drawn = tuple(ink for ink in inks if ink is not None)
        if drawn:
            lines.append(Line(segment=segment, inks=drawn))
    return measured(lines, brush.space())


def _fit(
    font: FontFile, technique: Technique, draft: Draft, size: int, box: tuple[int, int]
) -> list[tuple[int, int, Ink]]:
    """The pieces at the largest size that fits, each with its origin in the box."""
    segments = [line.segment for line in draft.lines]
    best: Draft | None = None
    for _ in range(MAX_ROUNDS):
        factor = largest_factor(draft, box)
        drawable = all(ink.mask is not None for line in draft.lines for ink in line.inks)
        if factor >= 1 and drawable:
            best = draft
            if factor < GOOD_FIT:
                break
        elif best is not None:
            break
        target = min(int(size * factor), MAX_SIZE)
        target = min(target, size - 1) if factor < 1 or not drawable else target
        if target < 1 or target == size:
            break
        size = target
        draft = _draft(Brush(font, technique, size), segments)
        if not draft.lines:
            break
    if best is None:
        raise FontError("render", "The font's glyphs are too large to fit a sheet at any size.")
    return placed_in(best, box)


def _png(placed: Sequence[tuple[int, int, Ink]], spec: SheetSpec) -> bytes:
    darkness = Image.new("L", (spec.width, spec.height), 0)
    for x, y, ink in placed:
        if ink.mask is None:
            continue  # _fit lets none pass
        corner = (
            min(max(x + int(ink.left), 0) + spec.margin, spec.width - spec.margin - ink.mask.width),
            min(
                max(y + int(ink.top), 0) + spec.margin, spec.height - spec.margin - ink.mask.height
            ),
        )
        area = (*corner, corner[0] + ink.mask.width, corner[1] + ink.mask.height)
        darkness.paste(ImageChops.lighter(darkness.crop(area), ink.mask), area)
    if not darkness.point(lambda value: value >= MIN_DARKNESS).getbbox():
        raise FontError("render", "The font's strokes are too thin to be seen on a sheet.")
    out = io.BytesIO()
    ImageChops.invert(darkness).save(out, "PNG", compress_level=4)
    return out.getvalue()
