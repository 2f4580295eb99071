"""Which of a font's measurements answer which words of a query, for embedders that measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.embed.measured.axes import AXES, positions
from indexer.embed.protocol import Understanding
from indexer.traits import Traits

MIDDLE = " (middle)"
PICTURE = "the picture"  # in the place of a phrase
CLEAR = 0.25  # of a position from -1 to 1: nearer to the middle than this it is neither end
LITTLE = 0.3  # weights below this are side meanings of a phrase ("elegant" is a little light)


@dataclass(frozen=True, kw_only=True)
class Reason:
    phrase: str  # of the query, or PICTURE
    trait: str  # the axis on which it was found
    # the font's measurement, or its position on the axis where that is made of several
    value: float
    word: str  # what the font is on that axis: "high contrast"


def reasons(understanding: Understanding | None, traits: Mapping[str, Any] | None) -> list[Reason]:
    """In the order of the query, each axis once; a word whose opposite the font is gives no reason."""
    if understanding is None or not traits:
        return []
    found: dict[str, Reason] = {}
    measured = Traits.from_json(dict(traits))
    places = positions(measured)
    picture = [(PICTURE, {seen.axis: seen.position}) for seen in understanding.seen]
    for phrase, weights in [*understanding.phrases, *picture]:
        for key, weight in weights.items():
            axis = key.removesuffix(MIDDLE)
            place = places.get(axis)
            if place is None or abs(weight) < LITTLE or axis in found:
                continue
            wanted = 0.0 if key.endswith(MIDDLE) else weight
            if _agree(wanted, place):
                value = getattr(measured, axis, None)
                value = place if value is None else float(value)
                found[axis] = Reason(
                    phrase=phrase, trait=axis, value=round(value, 3), word=_word(axis, place)
                )
    return list(found.values())


def _agree(wanted: float, place: float) -> bool:
    return abs(place) < CLEAR if wanted == 0.0 else place * wanted > 0 and abs(place) >= CLEAR


def _word(axis: str, place: float) -> str:
    if abs(place) < CLEAR:
        return f"neither {AXES[axis][0]} nor {AXES[axis][1]}"
    return AXES[axis][int(place > 0)]
