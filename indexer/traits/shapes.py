"""What kind of shapes letters are: directions and roughness of outlines, storeys, likeness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import radians, sin
from statistics import fmean

import numpy as np
from PIL import Image, ImageFilter

from indexer.traits.raster import INK, Bitmap, Floats, Glyph, Integers, runs

BLUR = 1.2  # pixels at half size: the steps between pixels vanish, corners do not
WINDOW = 5  # pixels at half size, to each side: as far as edges are compared in direction
MARGIN = 12  # pixels: no window reaches out of the picture
AXIS = sin(radians(8.0))  # within 8 degrees an outline runs along an axis
DIAGONAL = sin(radians(14.0))  # beyond 14 degrees from the axes it is diagonal
PIXEL_AXES, PIXEL_STEPS = 0.75, 0.16  # squared type has the axes but not the corners
PACKED = 256.0  # more than a window has edge pixels: two counts fit into one sum
SHARP = 0.3  # disorder from which a window holds a corner: 90 degrees give .5 and more
BOWLED = frozenset("abcdeghmnopqsu")  # letters without diagonals in ordinary type
SMOOTH = "".join(sorted(BOWLED)) + "CDEGHLOST"


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Shares of the outlines of several letters, by length; see Traits."""

    rectilinear: float
    angularity: float | None
    stepped: float
    roughness: float

    @property
    def on_grid(self) -> bool:
        """Whether letters are made of pixels."""
        return self.rectilinear >= PIXEL_AXES and self.stepped >= PIXEL_STEPS


@dataclass(frozen=True, kw_only=True)
class _Edges:
    """Of each edge pixel of a glyph."""

    length: Floats
    along: Bitmap  # runs along an axis
    diagonal: Bitmap  # lies in a sharp corner that has a diagonal side
    stepped: Bitmap  # lies in a sharp corner of two axes
    disorder: Floats


def outline(glyphs: Mapping[str, Glyph]) -> Outline | None:
    """Directions of the outlines, from the slope of the blurred bitmaps along their edges."""
    found = {c: edges for c, glyph in glyphs.items() if (edges := _edges(glyph)) is not None}
    if not found:
        return None
    round_letters = [edges for c, edges in found.items() if c in BOWLED or not c.isascii()]
    return Outline(
        rectilinear=_share([(edges.length, edges.along) for edges in found.values()]),
        angularity=_share([(edges.length, edges.diagonal) for edges in round_letters])
        if round_letters
        else None,
        stepped=_share([(edges.length, edges.stepped) for edges in found.values()]),
        # The median: corners are few, and only rough outlines turn all the time.
        roughness=float(np.median(np.concatenate([edges.disorder for edges in found.values()]))),
    )


def _share(parts: list[tuple[Floats, Bitmap]]) -> float:
    length = np.concatenate([part[0] for part in parts])
    chosen = np.concatenate([part[1] for part in parts])
    return float((length * chosen).sum() / length.sum())


def _edges(glyph: Glyph) -> _Edges | None:
    frame = (-MARGIN, -MARGIN, glyph.width + MARGIN, glyph.height + MARGIN)
    image = Image.fromarray(glyph.grey).crop(frame).reduce(2)
    field = np.asarray(image.filter(ImageFilter.GaussianBlur(BLUR)))
    ink = field >= INK
    edge = ink[1:-1, 1:-1] & ~(ink[:-2, 1:-1] & ink[2:, 1:-1] & ink[1:-1, :-2] & ink[1:-1, 2:])
    rows, columns = (index + 1 for index in np.nonzero(edge))
    if rows.size < 16:
        return None
    down = field[rows + 1, columns].astype(np.float64) - field[rows - 1, columns]
    across = field[rows, columns + 1].astype(np.float64) - field[rows, columns - 1]
    slope = np.hypot(down, across)
    across, slope = np.where(slope == 0, 1, across), np.where(slope == 0, 1, slope)
    cosine, sine = across / slope, down / slope
    steep, flat = np.maximum(abs(cosine), abs(sine)), np.minimum(abs(cosine), abs(sine))
    # Directions are doubled, so that both edges of a hairline agree.
    diagonal = PACKED * (flat > DIAGONAL)
    marks = np.stack([cosine**2 - sine**2, 2 * cosine * sine, 1 + diagonal])
    x, y, packed = _around(marks, ink.shape, rows, columns)
    diagonals, count = np.divmod(packed, PACKED)
    disorder = 1 - np.hypot(x, y) / count
    return _Edges(
        length=1 / steep,  # a diagonal has fewer pixels for its length
        along=flat < AXIS,
        diagonal=(disorder > SHARP) & (diagonals > 0.4 * count),
        stepped=(disorder > SHARP) & (diagonals < 0.25 * count),
        disorder=disorder,
    )


def _around(marks: Floats, shape: tuple[int, ...], rows: Integers, columns: Integers) -> Floats:
    """Sums of the marks of the edge pixels in the window around each of them.

    One kind of mark after the other, and across only where there are edges: 0.24 ms a letter,
    against 1.0 for a summed-area table of all, most of which was the cost of fresh memory.
    """
    sums = np.empty_like(marks)
    table = np.zeros(shape, dtype=np.float32)
    corner = (rows - WINDOW) * shape[1] + columns - WINDOW
    for index, mark in enumerate(marks):
        table[rows, columns] = mark
        down = _sum_of_11(table).ravel()
        sums[index] = sum(down[corner + right] for right in range(2 * WINDOW + 1))
    return sums


def _sum_of_11(table: Floats) -> Floats:
    """Of each row and the ten below it: 8 + 2 + 1."""
    two = table[:-1] + table[1:]
    four = two[:-2] + two[2:]
    eight: Floats = four[:-4] + four[4:]
    return eight[:-3] + two[8:-1] + table[10:]


def likeness(one: Glyph, other: Glyph) -> float:
    """Ink that two glyphs share over the ink of either, both stretched to one square: 1 if equal.

    0 is what inks of these amounts share by chance: black letters share much.
    """
    dark, light = float(one.square.mean()), float(other.square.mean())
    chance = dark * light / (dark + light - dark * light)
    shared = _shared(one.square, other.square)
    return max((shared - chance) / (1 - chance), 0.0) if chance < 0.98 else 1.0


def _shared(a: Floats, b: Floats) -> float:
    return float(np.minimum(a, b).sum() / max(np.maximum(a, b).sum(), 1.0))


def overlap(one: Glyph, other: Glyph) -> float:
    """Ink shared over ink of either, on one baseline and centred, at the size they are drawn."""
    width = max(one.width, other.width)
    top, bottom = max(one.top, other.top), min(one.bottom, other.bottom)
    placed = []
    for glyph in (one, other):
        canvas = np.zeros((top - bottom, width), dtype=np.bool_)
        left = (width - glyph.width) // 2
        first = top - glyph.top
        canvas[first : first + glyph.height, left : left + glyph.width] = glyph.ink
        placed.append(canvas)
    return float((placed[0] & placed[1]).sum() / (placed[0] | placed[1]).sum())


def distance(one: Glyph, other: Glyph) -> float:
    """0 for equal shapes to 1; a counter or dot more counts as half of the way (a slashed 0)."""
    shapes = [
        (glyph.parts.ink_count(0.01), len(glyph.parts.counters(0.004))) for glyph in (one, other)
    ]
    apart = 1 - overlap(one, other)
    return max(apart, 0.5) if shapes[0] != shapes[1] else apart


def storeys_of_a(a: Glyph) -> int | None:
    """Horizontal strokes above one another through the counter: two or three."""
    counters = a.parts.counters(0.02)
    if len(counters) != 1:
        return None
    _, _, first, last = a.parts.box[counters[0]] - 1
    crossed = [len(runs(a.ink[:, column])) for column in range(first, last + 1, 4)]
    middle = crossed[len(crossed) // 4 : len(crossed) - len(crossed) // 4] or crossed
    strokes = int(np.median(middle))
    return {2: 1, 3: 2}.get(strokes)


def storeys_of_g(g: Glyph, baseline: float) -> int | None:
    """Two where the bowl stands alone above the loop, one where a stem goes down at its right."""
    bowls = [
        part for part in g.parts.counters(0.015) if g.top - g.parts.box[part][:2].mean() > baseline
    ]
    if not bowls:
        return None
    _, bottom, left, right = (int(edge) - 1 for edge in g.parts.box[bowls[0]])
    foot = g.top - round(baseline) + (round(baseline) - g.bottom) // 3
    below = g.ink[bottom + 1 : max(foot, bottom + 2)]
    ends = g.width - below[:, ::-1].argmax(axis=1)[below.any(axis=1)]
    if ends.size == 0:
        return None
    return 2 if ends.min() < right - 0.1 * (right - left) else 1


def outlined(glyph: Glyph) -> bool:
    """Whether a letter without counters is an outline: the paper inside spans nearly all of it.

    The loops of scripts enclose paper too, but not from end to end.
    """
    ink = int(np.count_nonzero(glyph.ink))
    if 3 * min(_between(glyph.ink), _between(glyph.ink.T)) < ink:
        return False  # less than the paper asked for below: spares most letters the search
    parts = glyph.parts
    inside = [part for part in np.flatnonzero(parts.depth == 2) if parts.area[part] > 20]
    if not inside:
        return False
    boxes = parts.box[inside]
    height = boxes[:, 1].max() - boxes[:, 0].min() + 1
    width = boxes[:, 3].max() - boxes[:, 2].min() + 1
    paper = int(parts.area[inside].sum())
    return bool(
        height >= 0.75 * glyph.height
        and width >= 0.6 * glyph.width
        and paper >= 0.25 * (paper + ink)
    )


def _between(ink: Bitmap) -> int:
    """Pixels of paper between the first and the last ink of a row: all enclosed paper, and more."""
    ends = ink.argmax(axis=1) + ink[:, ::-1].argmax(axis=1)
    return int((ink.shape[1] - ends)[ink.any(axis=1)].sum()) - int(np.count_nonzero(ink))


def is_barcode(glyph: Glyph) -> bool:
    """Whether most of the glyph is one pattern of upright bars."""
    ink = glyph.ink
    middle = ink[int(0.4 * glyph.height)]
    return len(runs(middle)) >= 3 and float((ink == middle).all(axis=1).mean()) > 0.6


def sameness(glyphs: list[Glyph]) -> float:
    """How alike neighbouring letters of the alphabet are: near 1 in fonts of blocks."""
    return fmean(_shared(one.square, other.square) for one, other in pairwise(glyphs))
