"""The alpha sweep as a small SVG: where points lie is computed here, templates/sweep.svg.j2 draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.scores.results import Estimate

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 50  # room around the axes
ALPHA_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
STEPS = (0.02, 0.05, 0.1, 0.2)  # between ticks of the metric
MAX_TICKS = 6

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Axes:
    """From alpha and a metric to pixels."""

    low: float
    high: float
    step: float

    def x(self, alpha: float) -> float:
        return round(LEFT + alpha * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def point(self, alpha: float, value: float) -> Point:
        return self.x(alpha), self.y(value)

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [self.low + number * self.step for number in range(count + 1)]


@dataclass(frozen=True, kw_only=True)
class Mark:
    alpha: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A metric by alpha, with what it is to be seen against."""

    label: str  # what is plotted, in words, for those who do not see it
    metric: str
    means: Mapping[float, Estimate]
    validated: Mark  # C, at the alpha that cross-validation chose for most queries
    in_sample: Mark  # at the best alpha in hindsight
    leg: float | None  # mean of the best single leg

    @property
    def axes(self) -> Axes:
        """From 0 to 1 at most, in round steps around all that is shown."""
        values = [end for mean in self.means.values() for end in _band(mean)]
        values += [self.validated.value, *([self.leg] if self.leg is not None else [])]
        step = next(
            (step for step in STEPS if (max(values) - min(values)) / step <= MAX_TICKS - 1),
            STEPS[-1],
        )
        low = max(0.0, math.floor(min(values) / step + 1e-9) * step)
        high = min(1.0, math.ceil(max(values) / step - 1e-9) * step)
        if high <= low:  # all of them one round number
            step = STEPS[-1]
            low = max(0.0, high - step)
            high = low + step
        return Axes(low=low, high=high, step=step)

    @property
    def line(self) -> list[Point]:
        return [self.axes.point(alpha, mean.mean) for alpha, mean in self.means.items()]

    @property
    def band(self) -> list[Point]:
        """The outline of the intervals: along the upper ends, and back along the lower ones."""
        upper = [self.axes.point(alpha, _band(mean)[1]) for alpha, mean in self.means.items()]
        lower = [self.axes.point(alpha, _band(mean)[0]) for alpha, mean in self.means.items()]
        return upper + lower[::-1]


def points(path: Sequence[Point]) -> str:
    """As SVG's polyline and polygon want them."""
    return " ".join(f"{x:g},{y:g}" for x, y in path)


def _band(mean: Estimate) -> tuple[float, float]:
    if mean.low is None or mean.high is None:
        return mean.mean, mean.mean
    # an interval of a skewed mean may lie beside it
    return min(mean.low, mean.mean), max(mean.high, mean.mean)
