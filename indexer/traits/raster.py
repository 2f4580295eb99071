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
Floats = NDArray[np.float64]
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
        parts = self.parts
        filled = (parts.depth == 1) | (parts.depth == 2) | (parts.depth == 3)
        ink = filled[parts.labels][1:-1, 1:-1]
        return replace(self, grey=ink.astype(np.uint8) * np.uint8(255))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Connected parts of a bitmap with a margin of one pixel, ink and paper alike.

    Part 0 is the paper around the glyph. One entry a part in each array.
    """

    labels: Integers  # part of each pixel, with the margin
    area: Integers  # pixels
    box: Integers  # first row, last row, first column, last column
    depth: Integers  # 0 paper around, 1 ink, 2 its counters, 3 ink inside them ...

    def ink_count(self, least: float = 0.005) -> int:
        """Pieces of ink, without specks below this share of all ink."""
        inked = self.area[self.depth % 2 == 1]
        return int((inked >= least * inked.sum()).sum())

    def counters(self, least: float = 0.01) -> list[int]:
        """Paper enclosed by the outermost ink, largest first, without specks.

        least: share of the box of all ink.
        """
        frame = self.labels.size
        found = [int(part) for part in np.flatnonzero(self.depth == 2)]
        found = [part for part in found if self.area[part] >= least * frame]
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
    inked = grey >= INK
    rows = np.flatnonzero(inked.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(inked.any(axis=0))
    return Glyph(
        grey=grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        left=left + int(columns[0]),
        top=top - int(rows[0]),
        advance=advance,
    )


def find_parts(ink: Bitmap) -> Parts:
    """Connected parts of ink (8 neighbours) and of paper (4 neighbours), and how they nest.

    Runs of equal pixels in a row are the nodes, so that NumPy does the work: 0.5 ms for a letter
    of 360 pixels, against 3 ms for union-find in Python.
    """
    padded = np.pad(ink, 1)
    width = padded.shape[1]
    begins = np.ones(padded.shape, dtype=np.bool_)
    begins[:, 1:] = padded[:, 1:] != padded[:, :-1]
    start = np.flatnonzero(begins)  # of each run, counted through all rows
    length = np.diff(start, append=padded.size)
    value = padded.ravel()[start]
    upper, lower = _touching(start, length, value, width)
    root = _join(start.size, upper, lower)

    roots, part = np.unique(root, return_inverse=True)
    count = roots.size
    row, column = start // width, start % width
    box = np.empty((4, count), dtype=np.int64)
    box[0], box[2] = padded.shape[0], width
    box[1] = box[3] = -1
    np.minimum.at(box[0], part, row)
    np.maximum.at(box[1], part, row)
    np.minimum.at(box[2], part, column)
    np.maximum.at(box[3], part, column + length - 1)
    depth = np.zeros(count, dtype=np.int64)
    for index in range(1, count):  # left of the first run of a part lies what surrounds it
        depth[index] = depth[part[roots[index] - 1]] + 1
    return Parts(
        labels=np.repeat(part, length).reshape(padded.shape),
        area=np.bincount(part, weights=length, minlength=count).astype(np.int64),
        box=box.T,
        depth=depth,
    )


def _touching(
    start: Integers, length: Integers, value: Bitmap, width: int
) -> tuple[Integers, Integers]:
    """Pairs of runs of the same colour that touch from one row to the next."""
    reach = value.astype(
        np.int64
    )  # ink also touches at corners; the margin keeps it inside its row
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


def first_run(row: Bitmap) -> tuple[int, int] | None:
    """Where the leftmost run of ink begins and ends (exclusive)."""
    found = runs(row)
    return found[0] if found else None


def runs(row: Bitmap) -> list[tuple[int, int]]:
    """All runs of ink in a row or column: begin and end (exclusive)."""
    padded = np.zeros(row.size + 2, dtype=np.bool_)
    padded[1:-1] = row
    ends = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(ends[::2], ends[1::2], strict=True))
