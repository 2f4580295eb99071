"""Lines of letters in a picture: made level, cut apart, and drawn at one x-height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from indexer.embed.measured.pictures.paper import CUT, NO_LETTERS, Coverage
from indexer.errors import UserError

X_HEIGHT = 40  # pixels to which each line is brought
ABOVE, BELOW = 1.25, 0.85  # of the band of small letters, in x-heights: ascenders and descenders
MAX_LINES = 4
MAX_LENGTH = 40  # x-heights of a line that are measured
MAX_TURN = 12.0  # degrees
LEAST_HEIGHT = 7  # pixels of the band; below, strokes are guesses
POINTS = 30_000  # of ink, that are turned to find the angle
TOO_SMALL = "The letters in the picture are too small: send one in which small letters are 8 pixels high or more."


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of letters whose band, from baseline to x-height, is X_HEIGHT pixels high."""

    ink: Coverage  # 0 to 1; (ABOVE + 1 + BELOW) * X_HEIGHT rows
    seen_height: float  # of the band in the picture, pixels


def lines(ink: Coverage) -> list[Line]:
    """The largest lines, in no order. Raises UserError where there are none, or they are too small."""
    level = _levelled(_cropped(ink))
    profile = (level * (level >= CUT / 2)).sum(axis=1)
    bands = _bands(profile, level.shape[1])
    found = [line for top, bottom in bands if (line := _line(level, top, bottom)) is not None]
    if not found:
        raise UserError(NO_LETTERS)
    highest = max(line.seen_height for line in found)
    if highest < LEAST_HEIGHT:
        raise UserError(TOO_SMALL)
    # smaller ones are captions, specks, or of another font
    kept = [line for line in found if line.seen_height > 0.6 * highest]
    return sorted(kept, key=lambda line: -float(line.ink.sum()))[:MAX_LINES]


def _cropped(ink: Coverage) -> Coverage:
    dark = ink >= CUT
    rows, columns = np.flatnonzero(dark.sum(axis=1) > 1), np.flatnonzero(dark.sum(axis=0) > 1)
    if rows.size < 6 or columns.size < 6:
        raise UserError(NO_LETTERS)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _levelled(ink: Coverage) -> Coverage:
    """Turned so that the rows of letters stand out most."""
    rows, columns = np.nonzero(ink >= CUT)
    step = max(1, rows.size // POINTS)
    y, x = rows[::step].astype(np.float64), columns[::step].astype(np.float64)
    x -= x.mean()
    bins = max(24, min(400, int(np.ptp(y))))
    size = max(float(np.ptp(y)) / bins, 1e-9)

    def clearness(degrees: float) -> float:
        place = y - x * np.tan(np.radians(degrees))
        counts = np.bincount(((place - place.min()) / size).astype(np.int64)).astype(np.float64)
        return float((np.diff(counts, prepend=0.0, append=0.0) ** 2).sum())

    best = 0.0
    for reach, step_degrees in ((MAX_TURN, 1.0), (0.75, 0.25)):
        angles = np.arange(best - reach, best + reach + 0.01, step_degrees)
        best = float(angles[int(np.argmax([clearness(angle) for angle in angles]))])
    if abs(best) < 0.3 or clearness(best) < 1.15 * clearness(0.0):
        return ink
    image = Image.fromarray((255 * ink).astype(np.uint8))
    turned = image.rotate(best, Image.Resampling.BICUBIC, expand=True, fillcolor=0)
    return _cropped(np.asarray(turned, dtype=np.float32) / 255)


def _bands(profile: Coverage, width: int) -> list[tuple[int, int]]:
    """Rows of each line, first and last (exclusive): runs of rows with ink, parted by paper."""
    inked = profile > max(0.7, 0.004 * width)
    edges = np.flatnonzero(np.diff(inked.astype(np.int8), prepend=0, append=0)).tolist()
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    if not runs:
        return []
    highest = max(bottom - top for top, bottom in runs)
    if highest < LEAST_HEIGHT:  # letters of lines or of dots, as of old screens: one line of text
        return [(runs[0][0], runs[-1][1])]
    joined: list[tuple[int, int]] = []
    for top, bottom in runs:  # dots and accents belong to the line that they stand close to
        if joined:
            above = joined[-1]
            small = min(bottom - top, above[1] - above[0]) < 0.3 * highest
            if small and top - above[1] < 0.25 * highest:
                joined[-1] = (above[0], bottom)
                continue
        joined.append((top, bottom))
    return [(top, bottom) for top, bottom in joined if bottom - top >= 0.3 * highest]


def _line(level: Coverage, top: int, bottom: int) -> Line | None:
    part = level[top:bottom]
    columns = np.flatnonzero((part >= CUT).any(axis=0))
    if columns.size < 4 or bottom - top < 5:
        return None
    first, last = _band(part.sum(axis=1))
    height = last - first
    scale = X_HEIGHT / height
    left, right = int(columns[0]), int(columns[-1]) + 1
    right = min(right, left + round(MAX_LENGTH * height))
    rows = round((ABOVE + 1 + BELOW) * X_HEIGHT)
    box = (left, top + first - ABOVE * height, right, top + last + BELOW * height)
    image = Image.fromarray((255 * level).astype(np.uint8))
    y0, y1 = max(0, int(box[1])), min(level.shape[0], int(np.ceil(box[3])))
    image = image.crop((left, y0, right, y1))
    # neighbouring lines would stand in the margins
    pixels = np.asarray(image).copy()
    pixels[: max(0, top - y0)] = 0
    pixels[max(0, bottom - y0) :] = 0
    size = (max(8, round((right - left) * scale)), max(1, round((y1 - y0) * scale)))
    drawn = np.asarray(
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), dtype=np.float32
    )
    canvas = np.zeros((rows, size[0]), dtype=np.float32)
    offset = round((y0 - box[1]) * scale)
    shown = drawn[: rows - offset] if offset >= 0 else drawn[-offset : rows - offset]
    canvas[max(offset, 0) : max(offset, 0) + shown.shape[0]] = shown / 255
    return Line(ink=canvas, seen_height=float(height))


def _band(profile: Coverage) -> tuple[int, int]:
    """Where small letters begin and end: the rows between which there is most ink for their number."""
    count = profile.size
    total = np.concatenate([[0.0], np.cumsum(profile, dtype=np.float64)])
    smooth = np.convolve(profile, np.ones(3) / 3, mode="same")
    fall = np.maximum(smooth - np.append(smooth[1:], 0.0), 0.0)
    rise = np.maximum(smooth - np.insert(smooth[:-1], 0, 0.0), 0.0)
    least = max(3, round(0.28 * count))
    first, last = np.meshgrid(np.arange(count), np.arange(1, count + 1), indexing="ij")
    length = last - first
    inside = (total[last] - total[first]) / total[-1]
    edge = (rise[first] + fall[last - 1]) / max(float(smooth.max()), 1e-9)
    score = np.where(length >= least, inside - 0.62 * length / count + 0.5 * edge, -np.inf)
    best = int(np.argmax(score))
    return int(first.flat[best]), int(last.flat[best])
