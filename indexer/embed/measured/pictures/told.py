"""What a picture tells of the traits of its font: from measures to places on the axes, by a learned table.

The table (table.npz) is linear, and made by `python -m eval pictures train` from words set in families
of the development half. Of each axis it gives what is to be expected of a font's own vector: the middle,
the end, and unknown. The length of the first two is the confidence: it is short where such pictures
come from fonts at different places. Of the sentences about confidence .6, .7, .8 and .9 on families
that the table had not seen, 74, 83, 90 and 93 % were right.

A search weighs what is expected by how far the table errs on the axes, all together: who is .1 off in
weight is far off, in the shape of the a hardly. That finds the family among the first ten in 71 % of the
cases, by the expected place alone in 58 %.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import atan2, pi
from typing import Self

import numpy as np

from indexer.embed.measured.axes import AXES
from indexer.embed.measured.pictures.lines import lines
from indexer.embed.measured.pictures.measures import Values, measures
from indexer.embed.measured.pictures.paper import NO_LETTERS, coverage
from indexer.embed.protocol import Seen
from indexer.errors import UserError

LIMIT = 4.0  # standard deviations, at which a measure is held
FLOOR = 0.02  # added to the variance of each number: nothing is known better
USUAL = 0.85  # how much of what is usual is taken off, as no sign of one font rather than another
SURE = 0.6  # confidence from which an axis is told in words
CLEAR = 0.4  # of a position from -1 to 1: nearer to the middle there is little to tell
MOST = 0.95  # confidence that is told at most: where nothing was doubted, one in 15 was wrong
MAX_SEEN = 8  # axes told in words, the surest first
# Of these both ends say something; of the others ("smooth", "not broken") only the second.
TWO_ENDS = frozenset(
    {"x_height", "width", "contrast", "weight", "slant", "serif", "slab", "rounded", "spacing"}
)
KEPT = 4  # pictures whose reading is kept, for the explanation that follows the search


@dataclass(frozen=True, kw_only=True)
class Table:
    """How measures become places. Axes are in the order of AXES, three numbers each."""

    mean: Values  # (measures,)
    scale: Values  # (measures,)
    usual: Values  # (axes * 3,)
    weights: Values  # (measures, axes * 3)
    errors: Values  # (axes * 3, axes * 3), their covariance on families that it has not seen
    strangeness: Values  # (), see strange(); beyond it one picture of letters in a hundred lies

    def places(self, measured: Values) -> Values:
        """Of shape (..., axes * 3)."""
        found: Values = self.standard(measured) @ self.weights + self.usual
        return found

    def query(self, places: Values) -> Values:
        """What finds the font by its vector's places, of the shape of `places`."""
        sharpness = np.linalg.inv(self.errors + FLOOR * np.eye(len(self.errors)))
        found: Values = (places - USUAL * self.usual) @ sharpness
        return found

    def strange(self, measured: Values) -> Values:
        """How far the measures are from those of letters, of shape (...)."""
        found: Values = np.sqrt((self.standard(measured) ** 2).mean(axis=-1))
        return found

    def standard(self, measured: Values) -> Values:
        """The measures in standard deviations, held at LIMIT."""
        found: Values = np.clip((measured - self.mean) / self.scale, -LIMIT, LIMIT)
        return found

    def to_bytes(self) -> bytes:
        out = io.BytesIO()
        np.savez_compressed(
            out, **{name: value.astype(np.float16) for name, value in vars(self).items()}
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            return cls(**{name: found[name].astype(np.float64) for name in cls.__annotations__})


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a picture tells of one axis."""

    middle: float
    end: float

    @property
    def position(self) -> float:
        """From -1 to 1, as of a font."""
        return max(-1.0, min(1.0, 2 / pi * atan2(self.end, max(self.middle, 0.0))))

    @property
    def confidence(self) -> float:
        """From 0, anything may be, to MOST."""
        return min(MOST, float(np.hypot(max(self.middle, 0.0), self.end)))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a picture shows."""

    places: Mapping[str, Told]  # by axis
    query: Values  # (axes * 3,), middle, end and unknown of each


@cache
def packaged() -> Table:
    """The table of this package."""
    return Table.from_bytes(_file())


def digest() -> str:
    """Of the table, in hex."""
    return hashlib.sha256(_file()).hexdigest()[:12]


def _file() -> bytes:
    return files("indexer.embed.measured.pictures").joinpath("table.npz").read_bytes()


@lru_cache(maxsize=KEPT)
def shown(picture: bytes) -> Shown:
    """What a picture shows. Raises UserError where it cannot be read, or holds no letters."""
    table = packaged()
    measured = measures(lines(coverage(picture)))
    if table.strange(measured) > table.strangeness:
        raise UserError(NO_LETTERS)
    places = table.places(measured)
    told = {
        axis: Told(middle=float(middle), end=float(end))
        for axis, (middle, end, _) in zip(AXES, places.reshape(-1, 3), strict=True)
    }
    return Shown(places=told, query=table.query(places))


def in_words(places: Mapping[str, Told]) -> list[Seen]:
    """What stands out, the surest first."""
    found = [
        Seen(
            axis=axis, word=AXES[axis][int(place.position > 0)],
            position=round(place.position, 2), confidence=round(place.confidence, 2),
        )
        for axis, place in places.items()
        if place.confidence >= SURE
        and (abs(place.position) if axis in TWO_ENDS else place.position) >= CLEAR
    ]  # fmt: skip
    return sorted(found, key=lambda seen: (-seen.confidence, seen.axis))[:MAX_SEEN]
