"""A letter in the making: the parameters of a font, and strokes drawn by them.

Stems, superelliptic bowls, level and slanting bars, in drawing units, upright.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, gamma, pi, radians, sin

CAP = 700.0  # drawing units
DESCENDER = 0.3  # of cap height
STEPS = 96  # points of a full turn
Point = tuple[float, float]


def exponent_of(squareness: float) -> float:
    """The exponent of the superellipse that fills this share of its box."""
    low, high = 1.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        area = gamma(1 + 1 / middle) ** 2 / gamma(1 + 2 / middle)
        low, high = (middle, high) if area < squareness else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The truths about a font: each carries the name and the unit of the trait that it sets."""

    x_height: float = 0.7
    contrast: float = 0.2
    weight: float = 0.13  # stem over cap height
    o_proportion: float = 0.9  # width of o over its height; widths of the other letters follow
    slant: float = 0.0
    serifs: float = 0.0  # outreach of a foot on each side over the stem
    serif_weight: float = 0.5
    squareness: float = pi / 4  # .785 is an ellipse; up to .97
    spacing: float = 0.6  # gap between n and n over the counter of n
    a_storeys: int = 2
    g_storeys: int = 1
    monospaced: bool = False
    rounded: bool = False  # stems end in half circles; not together with serifs
    joined: bool = False  # a stroke along the baseline connects small letters
    unicase: bool = False  # small letters are capitals
    oldstyle_figures: bool = False
    units_per_em: int = 1000


@dataclass(kw_only=True)
class Sketch:
    """A glyph in the making: contours in drawing units, clockwise where they are ink."""

    font: Parameters
    advance: float = 0.0
    contours: list[list[Point]] = field(default_factory=list)

    @property
    def stem(self) -> float:
        return self.font.weight * CAP

    @property
    def thin(self) -> float:
        return self.stem * (1 - self.font.contrast)

    def bar(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.contours.append([(x0, y0), (x0, y1), (x1, y1), (x1, y0)])

    def stroke(self, x0: float, y0: float, x1: float, y1: float, thickness: float) -> None:
        """A slanting stroke between two heights; x is its left edge, thickness level."""
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        self.contours.append([(x0, y0), (x1, y1), (x1 + thickness, y1), (x0 + thickness, y0)])

    def post(self, x: float, y0: float, y1: float, *, foot: bool = True, head: bool = True) -> None:
        """An upright stem, with its feet; x is its left edge."""
        stem, font = self.stem, self.font
        if font.rounded:
            radius = stem / 2
            turn = [pi * step / 24 for step in range(25)]
            top = [(x + radius - radius * cos(t), y1 - radius + radius * sin(t)) for t in turn]
            bottom = [(x + radius + radius * cos(t), y0 + radius - radius * sin(t)) for t in turn]
            self.contours.append(top + bottom)
            return
        self.bar(x, y0, x + stem, y1)
        reach, thick = font.serifs * stem, font.serif_weight * stem
        if reach > 0 and foot:
            self.bar(x - reach, y0, x + stem + reach, y0 + thick)
        if reach > 0 and head:
            self.bar(x - reach, y1 - thick, x + stem, y1)

    def _curve(
        self, box: tuple[float, float, float, float], start: float, end: float
    ) -> list[Point]:
        """Counter-clockwise along the superellipse in a box, angles in degrees."""
        x0, y0, x1, y1 = box
        power = 2 / exponent_of(self.font.squareness)
        count = max(2, round(abs(end - start) / 360 * STEPS))
        points = []
        for step in range(count + 1):
            angle = radians(start + (end - start) * step / count)
            c, s = cos(angle), sin(angle)
            u = abs(c) ** power * (1 if c >= 0 else -1)
            v = abs(s) ** power * (1 if s >= 0 else -1)
            points.append(((x0 + x1) / 2 + u * (x1 - x0) / 2, (y0 + y1) / 2 + v * (y1 - y0) / 2))
        return points

    def arc(
        self, x0: float, y0: float, x1: float, y1: float, start: float = 0, end: float = 360
    ) -> None:
        """A bowl in a box, or the part of it between two angles: thick at the sides, thin above."""
        inner = (x0 + self.stem, y0 + self.thin, x1 - self.stem, y1 - self.thin)
        outside, inside = self._curve((x0, y0, x1, y1), start, end), self._curve(inner, start, end)
        if end - start >= 360:
            self.contours += [outside[:0:-1], inside[1:]]
        else:
            self.contours.append(outside[::-1] + inside)
