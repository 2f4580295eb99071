"""What lines of letters measure, whatever the letters: strokes, gaps, directions, corners, rows.

One vector of numbers. None of them needs to know which letter stands where, so that each can be had
of any word; which of them tell which trait is learned (see told.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from indexer.embed.measured.pictures.lines import ABOVE, X_HEIGHT, Line
from indexer.embed.measured.pictures.paper import CUT, Coverage
from indexer.traits.raster import find_parts

ROWS = 28  # bins of the profile of rows
LENGTHS = np.geomspace(1.5, 4 * X_HEIGHT, 15)  # pixels, edges of the bins of runs
DIRECTIONS = 24  # bins of the full turn
BENDS = 7  # bins of how much an outline turns, to each side
ARMS = (5, 11)  # pixels along the outline
SQUARES = (3, 5, 7, 9, 13, 17, 23)  # pixels, of the squares that strokes and gaps hold
EDGE = 0.08  # least slope that is an outline

Values = NDArray[np.float64]


def measures(lines: Sequence[Line]) -> Values:
    """The measures of the lines together, of shape (MEASURES,): their means, by their ink."""
    weights = np.array([float(line.ink.sum()) for line in lines]) + 1e-9
    values = np.stack([_of_line(line.ink) for line in lines])
    longest = np.log(sum(line.ink.shape[1] for line in lines) / X_HEIGHT)
    seen = np.log(float(np.average([line.seen_height for line in lines], weights=weights)))
    return np.append(np.average(values, axis=0, weights=weights), [longest, seen])


def _of_line(ink: Coverage) -> Values:
    dark = ink >= CUT
    first = round(ABOVE * X_HEIGHT)
    band = dark[first : first + X_HEIGHT]
    return np.concatenate(
        [
            _rows(ink),
            *(_runs(picture) for picture in (band, ~band, dark.T, ~band.T)),
            _outline(ink),
            _squares(dark),
            _parts(dark, first),
        ]
    )


def _rows(ink: Coverage) -> Values:
    profile = ink.sum(axis=1, dtype=np.float64)
    edges = np.linspace(0, profile.size, ROWS + 1).round().astype(int)
    binned = np.add.reduceat(profile, edges[:-1])
    return np.append(np.sqrt(binned / max(binned.sum(), 1e-9)), np.log(ink.mean() + 1e-3))


def _runs(picture: NDArray[np.bool_]) -> Values:
    """Shares of runs along the rows by their length, and the logarithms of three quantiles."""
    padded = np.zeros((picture.shape[0], picture.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = picture
    steps = np.diff(padded, axis=1)
    begins, ends = np.nonzero(steps == 1)[1], np.nonzero(steps == -1)[1]
    length = (ends - begins).astype(np.float64)
    inner = length[(begins > 0) & (ends < picture.shape[1])]
    length = inner if inner.size >= 8 else length
    if not length.size:
        return np.zeros(len(LENGTHS) + 4)
    counts = np.bincount(np.searchsorted(LENGTHS, length), minlength=len(LENGTHS) + 1)
    logs = np.log(length)
    return np.concatenate([np.sqrt(counts / length.size), np.quantile(logs, (0.2, 0.5, 0.8))])


def _outline(ink: Coverage) -> Values:
    """Directions of the outline, and how it bends between points some pixels apart along it."""
    image = Image.fromarray((255 * ink).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.0))
    field = np.asarray(image, dtype=np.float32) / 255
    down = np.zeros_like(field)
    across = np.zeros_like(field)
    down[1:-1] = field[2:] - field[:-2]
    across[:, 1:-1] = field[:, 2:] - field[:, :-2]
    slope = np.hypot(down, across)
    dark = field >= CUT
    inside = dark[1:-1, 1:-1] & ~(
        dark[:-2, 1:-1] & dark[2:, 1:-1] & dark[1:-1, :-2] & dark[1:-1, 2:]
    )
    edge = np.zeros_like(dark)
    edge[1:-1, 1:-1] = inside & (slope[1:-1, 1:-1] > EDGE)
    y, x = np.nonzero(edge)
    if y.size < 12:
        return np.zeros(DIRECTIONS + len(ARMS) * (DIRECTIONS // 2) * BENDS + 4)
    angle = np.arctan2(down[y, x], across[y, x])
    # a diagonal outline has fewer pixels for its length
    length = 1 / np.maximum(abs(np.cos(angle)), abs(np.sin(angle)))
    found = [_shares(_turn(angle, DIRECTIONS), length, DIRECTIONS)]
    index = np.full(edge.shape, -1, dtype=np.int64)
    index[y, x] = np.arange(y.size)
    moments: list[float] = []
    for arm in ARMS:
        tangent = angle + np.pi / 2
        here, there = _neighbours(index, y, x, tangent, arm)
        turn = np.angle(np.exp(1j * (angle[there] - angle[here])))
        bend = np.clip(((turn + np.pi) / (2 * np.pi) * BENDS).astype(int), 0, BENDS - 1)
        joint = _turn(angle[here], DIRECTIONS // 2) * BENDS + bend
        found.append(_shares(joint, length[here], DIRECTIONS // 2 * BENDS))
        moments += [float(np.mean(np.abs(turn))), here.size / y.size] if here.size else [0.0, 0.0]
    return np.concatenate([*found, moments])


def _turn(angle: Values, bins: int) -> NDArray[np.int64]:
    """Bins centred on the axes, so that no stem falls between two."""
    return np.round(angle / (2 * np.pi) * bins).astype(np.int64) % bins


def _shares(bins: NDArray[np.int64], weight: Values, count: int) -> Values:
    found = np.bincount(bins, weights=weight, minlength=count)
    return np.sqrt(found / max(float(found.sum()), 1e-9))


def _neighbours(
    index: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    tangent: Values,
    arm: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of points of the outline: the one, and the nearest to where its tangent leads."""
    here = np.arange(y.size)
    place_y = y + np.round(arm * np.sin(tangent)).astype(np.int64)
    place_x = x + np.round(arm * np.cos(tangent)).astype(np.int64)
    found = np.full(y.size, -1, dtype=np.int64)
    reach = arm // 2 + 1
    offsets = sorted(
        ((dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)),
        key=lambda offset: offset[0] ** 2 + offset[1] ** 2,
    )
    for dy, dx in offsets:
        open_ = np.flatnonzero(found < 0)
        if not open_.size:
            break
        ys = np.clip(place_y[open_] + dy, 0, index.shape[0] - 1)
        xs = np.clip(place_x[open_] + dx, 0, index.shape[1] - 1)
        found[open_] = index[ys, xs]
    known = (found >= 0) & (found != here)
    return here[known], found[known]


def _squares(dark: NDArray[np.bool_]) -> Values:
    """Share of the ink that squares of each size fit into, and of the gaps that they do not."""
    ink = max(float(dark.sum()), 1.0)
    margin = max(SQUARES)
    gaps = ~np.pad(dark, margin)
    opened, closed = [], []
    for side in SQUARES:
        opened.append(float(_held(dark, side).sum()) / ink)
        closed.append(np.log(max(float((~_held(gaps, side)).sum()), 1.0) / ink))
    return np.array(opened + closed)


def _held(picture: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """What squares of this side cover that fit into the picture (Pillow's filters take 50 times as long)."""
    fits = _within(_within(picture, side, side), side, side, axis=1)
    back = np.pad(fits, side - 1)
    return _within(_within(back, side, 1), side, 1, axis=1)


def _within(picture: NDArray[np.bool_], side: int, least: int, axis: int = 0) -> NDArray[np.bool_]:
    """Whether so many of each `side` neighbours along the axis are set; side - 1 places fewer."""
    sums = np.cumsum(picture, axis=axis, dtype=np.int32)
    zero = np.zeros_like(np.take(sums, [0], axis=axis))
    sums = np.concatenate([zero, sums], axis=axis)
    upper = np.moveaxis(sums, axis, 0)[side:]
    lower = np.moveaxis(sums, axis, 0)[:-side]
    return np.moveaxis(upper - lower >= least, 0, axis)


def _parts(dark: NDArray[np.bool_], first: int) -> Values:
    """Pieces of ink and enclosed paper: how many for the length, how wide, high and full."""
    parts = find_parts(dark)
    box = parts.box
    height = (box[:, 1] - box[:, 0] + 1) / X_HEIGHT
    width = (box[:, 3] - box[:, 2] + 1) / X_HEIGHT
    length = dark.shape[1] / X_HEIGHT
    least = 0.004 * X_HEIGHT**2
    values: list[float] = []
    for depth in (1, 2):
        some = (parts.depth == depth) & (parts.area > least)
        values.append(np.log1p(some.sum() / length))
        if not some.any():
            values += [0.0] * 8
            continue
        shape = np.log(np.stack([width[some], height[some], width[some] / height[some]]))
        full = parts.area[some] / (width[some] * height[some] * X_HEIGHT**2)
        values += [*np.median(shape, axis=1), *np.std(shape, axis=1)[:2], float(np.median(full))]
        top = (box[some, 0] - 1 - first) / X_HEIGHT
        bottom = (box[some, 1] - 1 - first) / X_HEIGHT
        values += [float(np.std(top)), float(np.std(bottom))]
    outer = parts.area[(parts.depth == 1)]
    specks = float((outer <= least).sum()) / length
    deep = float(parts.area[parts.depth >= 3].sum()) / max(float(dark.sum()), 1.0)
    filled = float(parts.area[parts.depth == 2].sum()) / max(float(dark.sum()), 1.0)
    return np.array([*values, np.log1p(specks), deep, np.log(filled + 0.01)])
