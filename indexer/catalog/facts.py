"""What a whole family has: characters, styles, and the design that near-duplicates share.

Vectors and traits are of the one file that is drawn; these are of all files. Their version stands
for itself: it is part of no space's identity, so a new one embeds nothing.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from fontTools.ttLib import TTFont

from indexer.catalog.near_duplicates import stem
from indexer.fontfile import character_map

# Raise it where rows would come out otherwise; for another pinned listing (fontsource.METADATA) too.
FACTS_VERSION = "1"
MAX_CODE = 0x10FFFF
MAX_RANGES = 20_000  # of one family; the largest of Google's has 7,645
MAX_AXES = 64
MIN_WEIGHT, MAX_WEIGHT = 1, 1000
MAX_WIDTH = 1000  # percent
WIDTHS = (50, 62.5, 75, 87.5, 100, 112.5, 125, 150, 200)  # percent, of usWidthClass 1 to 9
SLANTED_AXES = frozenset({"ital", "slnt"})
ONE_RANGE = re.compile(r"U\+([0-9A-F]{0,6})(\?{0,6})(?:-([0-9A-F]{1,6}))?", re.IGNORECASE)
IN_LITERAL = re.compile(r"\[(\d+),(\d+)\)")

# Half-open, sorted, none touching the next: as Postgres writes an int4multirange.
Ranges = tuple[tuple[int, int], ...]
Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Styles:
    """None is unknown; in the database the key is then missing."""

    weights: tuple[int, ...] | None  # of static styles, sorted
    italic: bool | None  # or slanted
    axes: tuple[str, ...] | None  # tags, sorted
    weight: Span | None  # of static styles and of the axis
    width: Span | None  # percent of the normal width

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Self:
        weight, width = json.get("weight"), json.get("width")
        return cls(
            weights=_tuple(json.get("weights")),
            italic=json.get("italic"),
            axes=_tuple(json.get("axes")),
            weight=(weight[0], weight[1]) if weight else None,
            width=(width[0], width[1]) if width else None,
        )

    def to_json(self) -> dict[str, Any]:
        fields = {
            "weights": self.weights,
            "italic": self.italic,
            "axes": self.axes,
            "weight": self.weight,
            "width": self.width,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of a family, or of one of its faces."""

    coverage: Ranges | None  # code points that it has glyphs for; None is unknown
    styles: Styles | None
    design: str  # the same for near-duplicates

    @classmethod
    def of_name(
        cls, name: str, *, coverage: Ranges | None = None, styles: Styles | None = None
    ) -> Self:
        """Facts with the design that the family's name tells."""
        return cls(coverage=coverage, styles=styles, design=stem(name) or name)

    @classmethod
    def from_font(cls, font: TTFont, name: str) -> Self:
        """Of one opened face of the family of that name. Raises what fontTools raises."""
        coverage = ranges_of(character_map(font))
        usable = coverage if len(coverage) <= MAX_RANGES else None
        return cls.of_name(name, coverage=usable, styles=_styles_of(font))

    @classmethod
    def from_row(cls, coverage: str | None, styles: Mapping[str, Any] | None, design: str) -> Self:
        """From columns of public.fonts: coverage::text, styles, design."""
        found = None if coverage is None else IN_LITERAL.findall(coverage)
        return cls(
            coverage=None if found is None else tuple((int(a), int(b)) for a, b in found),
            styles=None if styles is None else Styles.from_json(styles),
            design=design,
        )

    def to_row(self) -> dict[str, str | None]:
        """Values for the columns of the same names, to be cast to their types."""
        coverage = styles = None
        if self.coverage is not None:
            coverage = "{%s}" % ",".join(f"[{first},{end})" for first, end in self.coverage)  # noqa: UP031
        if self.styles is not None:
            styles = json.dumps(self.styles.to_json())
        return {"coverage": coverage, "styles": styles, "design": self.design}

    @property
    def complete(self) -> bool:
        """Whether no other source could add to it."""
        known = self.styles is not None and self.styles.axes is not None
        return known and self.coverage is not None


def union(name: str, faces: Iterable[Facts]) -> Facts:
    """What the family of that name has, by what is known of its faces."""
    faces = list(faces)
    coverages = [face.coverage for face in faces if face.coverage is not None]
    coverage = merged(chain.from_iterable(coverages)) if coverages else None
    styles = [face.styles for face in faces if face.styles]
    return Facts.of_name(
        name,
        coverage=coverage if coverage is None or len(coverage) <= MAX_RANGES else None,
        styles=_union(styles) if styles else None,
    )


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges in any order, overlapping or not, in the one form that Postgres has for them."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((first, end))
    return tuple(found)


def ranges_of(codes: Iterable[int]) -> Ranges:
    return merged((code, code + 1) for code in codes if 0 <= code <= MAX_CODE)


@functools.lru_cache(maxsize=4096)  # Google's 1,908 families share 744 of them
def parse_unicode_range(text: str) -> Ranges:
    """The code points of CSS's unicode-range: "U+0000-00FF, U+131, U+4??". Raises ValueError."""
    found = []
    for part in text.split(","):
        match = ONE_RANGE.fullmatch(part.strip())
        digits, any_digits, last = match.groups() if match else ("", "", None)
        if not 1 <= len(digits + any_digits) <= 6 or (any_digits and last):
            raise ValueError(f"{part.strip()[:40]!r} is no unicode range")
        first = int(digits + "0" * len(any_digits), 16)
        end = int(last or digits + "F" * len(any_digits), 16) + 1
        if not first < end <= MAX_CODE + 1:
            raise ValueError(f"{part.strip()[:40]!r} is no unicode range")
        found.append((first, end))
    return merged(found)


def weight_class(number: int) -> int | None:
    """The weight that an OS/2 table states, in CSS's numbers; None where it states none."""
    if 1 <= number <= 9:  # the scale of the 1990s
        return number * 100
    return number if 10 <= number <= MAX_WEIGHT else None


def is_slanted(font: TTFont) -> bool:
    """Whether any of a face's tables calls it italic or oblique."""
    head: Any = font["head"]  # fontTools' tables get their fields when they are read
    os2: Any = font.get("OS/2")
    post: Any = font.get("post")
    return bool(
        head.macStyle & 0b10
        or (os2 and os2.fsSelection & (1 << 0 | 1 << 9))
        or (post and post.italicAngle)
    )


def span_of(ends: Iterable[float | None], largest: float) -> Span | None:
    """From the least to the largest of the numbers that can be right."""
    known = [end for end in ends if end is not None and 0 < end <= largest]
    return (_short(min(known)), _short(max(known))) if known else None


def _styles_of(font: TTFont) -> Styles:
    axes = _axes(font)
    os2: Any = font.get("OS/2")
    weight = weight_class(os2.usWeightClass) if os2 else None
    width = WIDTHS[os2.usWidthClass - 1] if os2 and 1 <= os2.usWidthClass <= 9 else None
    static = weight is not None and "wght" not in axes
    return Styles(
        weights=(weight,) if static and weight else (),
        italic=is_slanted(font) or any(_moves(axes, tag) for tag in SLANTED_AXES),
        axes=tuple(sorted(axes)),
        weight=span_of(axes.get("wght", (weight,)), MAX_WEIGHT),
        width=span_of(axes.get("wdth", (width,)), MAX_WIDTH),
    )


def _axes(font: TTFont) -> dict[str, Span]:
    if "fvar" not in font:
        return {}
    table: Any = font["fvar"]
    return {
        axis.axisTag: (axis.minValue, axis.maxValue)
        for axis in table.axes[:MAX_AXES]
        if axis.axisTag.isascii() and axis.axisTag.isprintable()  # it becomes JSON in Postgres
    }


def _moves(axes: Mapping[str, Span], tag: str) -> bool:
    low, high = axes.get(tag, (0, 0))
    return low < high


def _union(styles: list[Styles]) -> Styles:
    known = [one.italic for one in styles if one.italic is not None]
    weights = [one.weights for one in styles if one.weights is not None]
    axes = [one.axes for one in styles if one.axes is not None]
    weight = chain.from_iterable(one.weight for one in styles if one.weight)
    width = chain.from_iterable(one.width for one in styles if one.width)
    return Styles(
        weights=tuple(sorted(set(chain.from_iterable(weights)))) if weights else None,
        italic=any(known) if known else None,
        axes=tuple(sorted(set(chain.from_iterable(axes)))) if axes else None,
        weight=span_of(weight, MAX_WEIGHT),
        width=span_of(width, MAX_WIDTH),
    )


def _tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _short(number: float) -> float:
    """400, not 400.0: how it is written decides whether two JSON texts are the same."""
    return int(number) if number == int(number) else round(number, 2)
