"""Typographic measurements of a font: bytes in, about two dozen numbers out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

TRAITS_VERSION = 1
MAX_MEASURED = 1e6  # of a ratio or degrees: beyond it nothing was measured


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What was measured; None where the font lacks the glyphs that a measurement needs.

    Lengths are ratios, so that they do not depend on the size at which a font was drawn.
    """

    x_height: float | None = None  # height of x over height of H
    ascender: float | None = None  # height of l over height of H
    descender: float | None = None  # depth of p below the baseline over height of H
    width: float | None = None  # mean advance of a-z over height of x
    o_proportion: float | None = None  # width of o over its height
    contrast: float | None = None  # 1 - thin stroke / thick stroke, on o: 0 is monoline
    stress: float | None = None  # degrees by which the axis of o leans to the left; 0 is vertical
    weight: float | None = None  # stem of H over height of H
    ink: float | None = None  # share of ink in the x-height band of a-z
    slant: float | None = None  # degrees, positive leans to the right
    advance_spread: float | None = None  # standard deviation of the advances over their mean
    serifs: float | None = None  # how far the foot of a stem outreaches it on a side, over the stem
    serif_weight: float | None = None  # thickness of that foot over the stem: 1 is slab
    terminal_roundness: float | None = None  # 0 square ends of strokes, 1 half circles
    squareness: float | None = None  # filled area of o over its box: .785 ellipse, 1 rectangle
    aperture: float | None = None  # opening of c over height of x
    spacing: float | None = None  # gap between the stems of neighbours over the counter of n
    a_storeys: int | None = None  # 1 or 2
    g_storeys: int | None = None  # 1 or 2
    joined: float | None = None  # share of neighbouring lower-case letters that touch
    unicase: float | None = None  # how alike lower case and capitals are in shape, 0 to 1
    rectilinear: float | None = None  # share of the outline that runs along the axes
    angularity: float | None = None  # share of the outline of round letters in corners of diagonals
    stepped: float | None = None  # share of the outline in right-angled corners, as of pixels
    irregularity: float | None = None  # how much letters stray from baseline and x-height
    roughness: float | None = None  # how much directions of nearby outline differ, 0 to 1, median
    hollow: float | None = None  # share of letters drawn as outlines
    distinct: float | None = None  # how far apart 0 and O, 1 and l and I are in shape, 0 to 1
    flourish: float | None = None  # how far capitals reach out of their own space over height of H
    is_text: bool | None = None  # False for barcodes, blocks and symbols: little else is measured
    oldstyle_figures: float | None = None  # spread of the heights of the digits over height of H

    def to_json(self) -> dict[str, Any]:
        """For fonts.traits: measured values only, and the version of the measurement."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {"version": TRAITS_VERSION, **values}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Traits:
        """What is none of these measurements is omitted: a row is not the job's alone to write."""
        return cls(
            **{
                field.name: values[field.name]
                for field in fields(cls)
                if _is_measured(values.get(field.name), is_flag=field.name == "is_text")
            }
        )


def _is_measured(value: object, *, is_flag: bool) -> bool:
    if is_flag or isinstance(value, bool):
        return is_flag and isinstance(value, bool)
    return isinstance(value, int | float) and abs(value) <= MAX_MEASURED
