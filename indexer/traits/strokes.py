"""Stems, feet and bowls: what the strokes of upright letters measure."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, pi
from statistics import median

import numpy as np

from indexer.traits.alphabet import Alphabet
from indexer.traits.raster import Bitmap, Floats, Glyph, first_runs, runs, runs_through

# Letters whose leftmost stem stands free on the baseline. Capitals come first: feet of small italic
# letters are strokes, not serifs, and monospaced sans serifs have feet on i, l and r only.
STEMS = "HIFTPYNhmnrifl"
RINGS = "oObpdqeDQ"  # the first that has a counter is measured
MIN_FOOT = 0.08  # outreach over stem; below it rough or flared edges are no serifs
MIN_CONTRAST = 0.2  # below it the axis of o is chance


@dataclass(frozen=True, kw_only=True)
class Stem:
    thickness: float
    outreach: float  # mean of both sides, pixels
    foot: float | None  # thickness of the foot, None where there is none
    roundness: float | None  # None where there is a foot


def stems(alphabet: Alphabet) -> list[Stem]:
    """The leftmost stems of letters that stand on the baseline."""
    scale = alphabet.x or alphabet.cap
    if scale is None:
        return []
    found = (_stem(glyph, alphabet.baseline, scale) for glyph in alphabet.uprights(STEMS).values())
    return [stem for stem in found if stem is not None]


def _stem(glyph: Glyph, baseline: float, scale: float) -> Stem | None:
    # Between a quarter and two fifths of the x-height there is no foot, no arch and no crossbar.
    middle = first_runs(glyph.rows(baseline + 0.25 * scale, baseline + 0.4 * scale)[::3])
    if len(middle) < 3:
        return None
    left, right = (round(median(edges.tolist())) for edges in middle.T)
    thickness = right - left
    if not 2 <= thickness <= 0.55 * scale:  # more is a shade or a block; Black Ops One .41
        return None
    if float(np.std(middle[:, 1] - middle[:, 0])) > 0.25 * thickness:
        return None  # not a stem: the leg of a swash, a row of bars
    low = glyph.rows(min(glyph.bottom, baseline), baseline + 0.14 * scale)
    centre = (left + right) // 2
    held = runs_through(low[low[:, centre]], centre)
    if len(held) == 0 or glyph.bottom > baseline + 0.1 * scale:
        return None
    reach_left = max(left - int(held[:, 0].min()), 0)
    reach_right = max(int(held[:, 1].max()) - right, 0)
    gap = _free_to_the_right(glyph, right, baseline, scale)
    if reach_right > 0.8 * gap:  # runs into the next stem: a slab, or a connecting stroke
        reach_right = reach_left
    outreach = (reach_left + reach_right) / 2
    if outreach < MIN_FOOT * thickness:
        ending = glyph.rows(
            min(glyph.bottom, baseline), baseline + max(0.14 * scale, 0.6 * thickness)
        )
        roundness = _roundness(ending[:, left:right])
        return Stem(thickness=thickness, outreach=outreach, foot=None, roundness=roundness)
    foot = [_thickness_at(low, x) for x in (left - reach_left / 2, right + reach_right / 2)]
    return Stem(thickness=thickness, outreach=outreach, foot=max(foot), roundness=None)


def _free_to_the_right(glyph: Glyph, right: int, baseline: float, scale: float) -> float:
    for row in glyph.rows(baseline + 0.3 * scale, baseline + 0.31 * scale + 1):
        following = [begin for begin, _ in runs(row) if begin > right]
        if following:
            return following[0] - right
    return float("inf")


def _thickness_at(band: Bitmap, x: float) -> float:
    column = round(x)
    if not 0 <= column < band.shape[1]:
        return 0.0
    return max((end - begin for begin, end in runs(band[:, column])), default=0)


def _roundness(end: Bitmap) -> float | None:
    """0 where a stroke ends square, 1 where it ends in a half circle; 0 where it is cut aslant."""
    rows = end.any(axis=1)
    width = end.shape[1]
    radius = width // 2
    end = end[: int(np.flatnonzero(rows)[-1]) + 1] if rows.any() else end
    if radius < 4 or end.shape[0] < radius:
        return None
    tip = end[-radius:]
    missing = [1 - float(half.mean()) for half in (tip[:, :radius], tip[:, width - radius :])]
    return min(min(missing) / (1 - pi / 4), 1.0)


@dataclass(frozen=True, kw_only=True)
class Ring:
    contrast: float
    stress: float | None


def ring(alphabet: Alphabet) -> Ring | None:
    """Thick and thin of the first round letter that encloses a counter."""
    for character in RINGS:
        glyph = alphabet.upright(character)
        if glyph is None:
            continue
        thickness = _around(glyph)
        if thickness is None:
            continue
        window = [np.roll(thickness, shift) for shift in (-1, 0, 1)]
        smooth = np.median(window, axis=0)  # corners of the counter are no thick and thin
        thin, thick = np.percentile(smooth, (2, 98))
        contrast = float(1 - thin / thick)
        angles = (np.arange(thickness.size) + 0.5) * 2 * pi / thickness.size
        wave = complex((thickness * np.exp(2j * angles)).sum())
        lean = degrees(atan2(wave.imag, wave.real) / 2)  # of the thick parts from the horizontal
        telling = contrast >= MIN_CONTRAST and character in "oO"
        return Ring(contrast=contrast, stress=lean if telling else None)
    return None


def _around(glyph: Glyph, sectors: int = 48) -> Floats | None:
    """Thickness of the stroke around the main counter, by direction from its centre.

    The distance from each edge pixel of the counter to the nearest edge outside: rays from the
    centre would cross the strokes of a narrow o aslant and call it thick there.
    """
    counters = glyph.parts.counters(0.03)
    if not counters or len(counters) > 2:
        return None
    parts = np.arange(glyph.parts.area.size)
    paper = glyph.parts.pixels(parts == counters[0])
    inner = _edge(glyph.ink, paper)
    outer = _edge(glyph.ink, glyph.parts.pixels(parts == 0))
    if len(inner) < 24 or len(outer) < 24:
        return None
    inner, outer = inner[:: max(1, len(inner) // 300)], outer[:: max(1, len(outer) // 600)]
    gaps = np.concatenate([_nearest(some, outer) for some in np.array_split(inner, 24)]) + 1.0
    rows, columns = np.nonzero(paper)
    angle = np.arctan2(rows.mean() - 1 - inner[:, 0], inner[:, 1] - columns.mean() + 1)
    sector = np.minimum(((angle + 2 * pi) % (2 * pi) / (2 * pi) * sectors).astype(int), sectors - 1)
    count = np.bincount(sector, minlength=sectors)
    mean = np.bincount(sector, weights=gaps, minlength=sectors) / np.maximum(count, 1)
    known = np.flatnonzero(count)
    filled: Floats = np.interp(np.arange(sectors), known, mean[known], period=sectors)
    return filled


def _nearest(points: Floats, others: Floats) -> Floats:
    """Distance from each point to the nearest of the others. For few points at a time: memory."""
    down = points[:, :1] - others[:, 0]
    across = points[:, 1:] - others[:, 1]
    nearest: Floats = np.sqrt((down * down + across * across).min(axis=1))
    return nearest


def _edge(ink: Bitmap, paper: Bitmap) -> Floats:
    """Ink pixels beside this paper; paper has a margin of one pixel, ink has none."""
    beside = paper[:-2, 1:-1] | paper[2:, 1:-1] | paper[1:-1, :-2] | paper[1:-1, 2:]
    return np.argwhere(ink & beside).astype(np.float32)


def squareness(o: Glyph) -> float | None:
    """Area of o without its counter over that of its box; None where it is not of one piece."""
    if o.parts.ink_count(0.02) > 2:
        return None  # dots or hatching
    from_left = o.ink.argmax(axis=1)
    from_right = o.ink[:, ::-1].argmax(axis=1)
    widths = (o.width - from_left - from_right)[o.ink.any(axis=1)]
    return float(widths.sum()) / (o.width * o.height)


def aperture(c: Glyph) -> float | None:
    """The narrowest opening at the right of c, in pixels; None where it does not open there."""
    middle = c.height // 2
    gaps = []
    for column in range(round(0.7 * c.width), c.width):
        ink = runs(c.ink[:, column])
        above = [end for _, end in ink if end <= middle + 0.15 * c.height]
        below = [begin for begin, _ in ink if begin > middle - 0.1 * c.height]
        if above and below and below[0] > above[-1]:
            gaps.append(below[0] - above[-1])
    return float(min(gaps)) if gaps else None


def rhythm(n: Glyph, baseline: float, height: float) -> float | None:
    """The gap between two n side by side over the counter of n."""
    ratios = []
    for row in n.rows(baseline + 0.3 * height, baseline + 0.45 * height)[::3]:
        ink = runs(row)
        if len(ink) == 2:
            counter = ink[1][0] - ink[0][1]
            ratios.append((n.advance - (ink[1][1] - ink[0][0])) / counter)
    return median(ratios) if len(ratios) >= 3 else None
