"""Glyphs as bitmaps: drawn at one cap height, made upright, cut into runs and connected parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import tan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from indexer.fontfile import FontFile

CAP_PIXELS = 280  # a stem is then 15 to 80 pixels: half a pixel is 1 % of it
MAX_PIXELS = 1_500_000  # a glyph over some 11 squares of cap height is a mistake or an attack
PROBE_PIXELS = 200
MAX_SIZE = 8000  # pixels per em, for letters that are tiny in their em
INK = 128

Bitmap = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Glyph:
    """The ink of a glyph, cropped to it. Pixels; y grows upward from the baseline."""

    grey: NDArray[np.uint8]  # coverage, top row first
    left: int  # x of the first column
    top: int  # y of the upper edge of the first row
    advance: float

    @cached_property
    def ink(self) -> Bitmap:
        return self.grey >= INK

    @cached_property
    def parts(self) -> Parts:
        return find_parts(self.ink)

    @cached_property
    def square(self) -> Floats:
        """The glyph stretched to a square of 24 pixels, 0 to 1."""
        image = Image.fromarray(self.ink.astype(np.uint8) * np.uint8(255)).resize(
            (24, 24), Image.Resampling.BOX
        )
        return np.asarray(image, dtype=np.float64) / 255

    @property
    def height(self) -> int:
        return int(self.grey.shape[0])

    @property
    def width(self) -> int:
        return int(self.grey.shape[1])

    @property
    def bottom(self) -> int:
        return self.top - self.height

    def rows(self, low: float, high: float) -> Bitmap:
        """The rows between two heights above the baseline; none where there is no ink."""
        first, last = self.top - round(high), self.top - round(low)
        return self.ink[max(first, 0) : max(last, 0)]

    def upright(self, degrees: float) -> Glyph:
        """The glyph sheared by its slant, so that its stems stand upright."""
        shear = tan(np.radians(degrees))
        # By how much the top and the bottom row move; PIL maps output to input.
        shifts = (shear * self.top, shear * self.bottom)
        margin_left, margin_right = max(*shifts, 0.0), max(-min(shifts), 0.0)
        width = self.width + int(np.ceil(margin_left + margin_right)) + 2
        left = self.left - int(np.ceil(margin_left)) - 1
        offset = (left - self.left) + shear * self.top
        image = Image.fromarray(self.grey).transform(
            (width, self.height),
            Image.Transform.AFFINE,
            (1, -shear, offset, 0, 1, 0),
            Image.Resampling.BILINEAR,
        )
        return crop(np.asarray(image), left, self.top, self.advance) or self

    def solid(self) -> Glyph:
        """The letter inside an outlined one: its outlines filled, its counters left open."""
        depth = self.parts.depth
        ink = self.parts.pixels((depth >= 1) & (depth <= 3))[1:-1, 1:-1]
        return replace(self, grey=ink.astype(np.uint8) * np.uint8(255))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Connected parts of a bitmap with a margin of one pixel, ink and paper alike.

    Part 0 is the paper around the glyph. One entry a part in each array but those of the runs.
    """

    area: Integers  # pixels
    depth: Integers  # 0 paper around, 1 ink, 2 its counters, 3 ink inside them ...
    shape: tuple[int, ...]  # of the bitmap with the margin
    start: Integers  # of each run of equal pixels, counted through all rows
    length: Integers  # of each run
    part: Integers  # to which each run belongs
    first_column: Integers  # of the first run of each part, with the margin

    def pixels(self, chosen: Bitmap) -> Bitmap:
        """The pixels of the chosen parts, with the margin. chosen: one entry a part."""
        return np.repeat(chosen[self.part], self.length).reshape(self.shape)

    @cached_property
    def box(self) -> Integers:
        """First row, last row, first column, last column of each part, with the margin."""
        row, column = np.divmod(self.start, self.shape[1])
        box = np.tile([[self.shape[0]], [-1], [self.shape[1]], [-1]], self.area.size)
        np.minimum.at(box[0], self.part, row)
        np.maximum.at(box[1], self.part, row)
        np.minimum.at(box[2], self.part, column)
        np.maximum.at(box[3], self.part, column + self.length - 1)
        return box.T

    def ink_count(self, least: float = 0.005) -> int:
        """Pieces of ink, without specks below this share of all ink."""
        inked = self.area[self.depth % 2 == 1]
        return int((inked >= least * inked.sum()).sum())

    def counters(self, least: float = 0.01) -> list[int]:
        """Paper enclosed by the outermost ink, largest first, without specks.

        least: share of the box of all ink.
        """
        frame = self.shape[0] * self.shape[1]
        found = np.flatnonzero((self.depth == 2) & (self.area >= least * frame)).tolist()
        return sorted(found, key=lambda part: (-int(self.area[part]), part))


class Drawer:
    """Draws the letters of one font at the size at which its capitals are CAP_PIXELS high."""

    def __init__(self, font: FontFile, reference: str) -> None:
        """reference: letters of the font, the first with ink of which sets the size."""
        self._font = font
        self.probe, height = self._probe(reference)  # some 140 pixels of cap height
        self.size = max(1, min(MAX_SIZE, round(self.probe.size * CAP_PIXELS / height)))
        self._face = font.at(self.size)

    def _probe(self, reference: str) -> tuple[ImageFont.FreeTypeFont, float]:
        """A first face, and how high the letter of reference is in it."""
        for pixels in (PROBE_PIXELS, MAX_SIZE):  # each face decompresses the font anew: few of them
            face = self._font.at(pixels)
            boxes = (face.getbbox(letter, anchor="ls") for letter in reference)
            height = next((box[3] - box[1] for box in boxes if box[3] > box[1]), 0.0)
            if height >= PROBE_PIXELS / 20:
                break
        return face, max(height, 1.0)

    def draw(self, text: str) -> Glyph | None:
        """The text in one bitmap; None where the font lacks it or it has no ink or no bounds."""
        return draw(self._face, text) if self._font.has(text) else None


def draw(face: ImageFont.FreeTypeFont, text: str) -> Glyph | None:
    """The text in one bitmap; None where it has no ink, or more pixels than a letter can need."""
    x0, y0, x1, y1 = (round(edge) for edge in face.getbbox(text, anchor="ls"))
    if x1 <= x0 or y1 <= y0 or (x1 - x0) * (y1 - y0) > MAX_PIXELS:
        return None
    image = Image.new("L", (x1 - x0, y1 - y0))
    ImageDraw.Draw(image).text((-x0, -y0), text, fill=255, font=face, anchor="ls")
    return crop(np.asarray(image), x0, -y0, face.getlength(text))


def crop(grey: NDArray[Any], left: int, top: int, advance: float) -> Glyph | None:
    """The glyph without empty margins; None without ink."""
    rows = np.flatnonzero(grey.max(axis=1) >= INK)
    if rows.size == 0:
        return None
    columns = np.flatnonzero(grey.max(axis=0) >= INK)
    return Glyph(
        grey=grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        left=left + int(columns[0]),
        top=top - int(rows[0]),
        advance=advance,
    )


def find_parts(ink: Bitmap) -> Parts:
    """Connected parts of ink (8 neighbours) and of paper (4 neighbours), and how they nest.

    Runs of equal pixels in a row are the nodes, so that NumPy does the work: 0.25 ms for a
    letter of 280 pixels, against 3 ms for union-find in Python.
    """
    shape = (ink.shape[0] + 2, ink.shape[1] + 2)
    padded = np.zeros(shape, dtype=np.bool_)
    padded[1:-1, 1:-1] = ink
    begins = np.ones(shape, dtype=np.bool_)
    np.not_equal(padded[:, 1:], padded[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    length = np.diff(start, append=padded.size)
    upper, lower = _touching(start, length, padded.ravel()[start], shape[1])
    root = _join(start.size, upper, lower)
    is_root = root == np.arange(start.size)
    roots, part = np.flatnonzero(is_root), (np.cumsum(is_root) - 1)[root]
    around = part[roots - 1].tolist()  # left of the first run of a part lies what surrounds it
    depth = [0]
    for outer in around[1:]:
        depth.append(depth[outer] + 1)
    return Parts(
        area=np.bincount(part, weights=length).astype(np.int64),
        depth=np.array(depth),
        shape=shape,
        start=start,
        length=length,
        part=part,
        first_column=start[roots] % shape[1],
    )


def pieces_of_ink(glyphs: list[Glyph], least: float = 0.005) -> list[int]:
    """Parts.ink_count() of each, found in one picture of all, which is much faster."""
    lefts = np.cumsum([0] + [glyph.width + 1 for glyph in glyphs])
    height = max(glyph.height for glyph in glyphs)
    if height * int(lefts[-1]) > MAX_PIXELS:  # one is very high, another very wide
        return [glyph.parts.ink_count(least) for glyph in glyphs]
    picture = np.zeros((height, lefts[-1]), dtype=np.bool_)
    for glyph, left in zip(glyphs, lefts, strict=False):
        picture[: glyph.height, left : left + glyph.width] = glyph.ink
    parts = find_parts(picture)
    inked = np.flatnonzero(parts.depth % 2 == 1)
    area, column = parts.area[inked], parts.first_column[inked]
    owner = np.searchsorted(lefts, column - 1, side="right") - 1
    whole = np.bincount(owner, weights=area, minlength=len(glyphs))
    counted = owner[area >= least * whole[owner]]
    return [int(count) for count in np.bincount(counted, minlength=len(glyphs))]


def _touching(
    start: Integers, length: Integers, value: Bitmap, width: int
) -> tuple[Integers, Integers]:
    """Pairs of runs of the same colour that touch from one row to the next."""
    # Ink also touches at corners; the margin keeps it inside its row.
    reach = value.astype(np.int64)
    first = np.searchsorted(start, start + width - reach, side="right") - 1
    last = np.searchsorted(start, start + width + length - 1 + reach, side="right") - 1
    below = start + width < start[-1] + length[-1]
    counts = np.where(below, last - first + 1, 0)
    upper = np.repeat(np.arange(start.size), counts)
    offset = np.arange(upper.size) - np.repeat(np.cumsum(counts) - counts, counts)
    lower = first[upper] + offset
    same = value[upper] == value[lower]
    return upper[same], lower[same]


def _join(count: int, upper: Integers, lower: Integers) -> Integers:
    """The least node connected with each node."""
    label = np.arange(count)
    while True:
        least = np.minimum(label[upper], label[lower])
        before = label.copy()
        np.minimum.at(label, before[upper], least)
        np.minimum.at(label, before[lower], least)
        while not np.array_equal(label, jumped := label[label]):
            label = jumped
        if np.array_equal(label, before):
            return label


def first_runs(band: Bitmap) -> Integers:
    """Begin and end (exclusive) of the leftmost run of ink in each row that has ink."""
    band = band[band.any(axis=1)]
    return runs_through(band, band.argmax(axis=1))


def runs_through(band: Bitmap, column: Integers | int) -> Integers:
    """Begin and end (exclusive) of the run of ink around this column, which is inked in each row.

    column: one for each row, or one for all.
    """
    width = band.shape[1]
    offset = np.arange(width) - np.reshape(column, (-1, 1))
    before, after = ~band & (offset < 0), ~band & (offset > 0)
    begin = np.where(before.any(axis=1), width - before[:, ::-1].argmax(axis=1), 0)
    end = np.where(after.any(axis=1), after.argmax(axis=1), width)
    return np.stack([begin, end], axis=1)


def runs(row: Bitmap) -> list[tuple[int, int]]:
    """All runs of ink in a row or column: begin and end (exclusive)."""
    padded = np.zeros(row.size + 2, dtype=np.bool_)
    padded[1:-1] = row
    ends = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(ends[::2], ends[1::2], strict=True))
