"""The axes on which fonts and queries are compared: measured traits as positions from -1 to 1.

Each axis has a fixed centre and scale, set from the spread of real families (Traits' units), and
saturates: an extreme font is at an end of its axes, not far outside of the others. A measurement
that says nothing for a kind of font (the serifs of a script, the aperture of pixel letters) gives
no position.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, tanh

from indexer.traits import Traits

# axis: its ends, for people. What is measured.
AXES: dict[str, tuple[str, str]] = {
    "x_height": ("small x-height", "large x-height"),
    "ascenders": ("short ascenders", "tall ascenders"),
    "descenders": ("short descenders", "long descenders"),
    "width": ("condensed", "wide"),
    "contrast": ("monoline", "high contrast"),
    "stress": ("vertical axis", "diagonal axis"),
    "weight": ("thin", "black"),
    "slant": ("upright", "slanted"),
    "backslant": ("not backslanted", "backslanted"),
    "monospaced": ("proportional", "monospaced"),
    "serif": ("sans serif", "serif"),
    "slab": ("hairline serifs", "slab serifs"),
    "rounded": ("square terminals", "rounded terminals"),
    "squared": ("round curves", "squared curves"),
    "geometric": ("no circles", "circular shapes"),
    "aperture": ("closed apertures", "open apertures"),
    "spacing": ("tight spacing", "loose spacing"),
    "single_storey_a": ("two-storey a", "single-storey a"),
    "two_storey_g": ("single-storey g", "two-storey g"),
    "connected": ("unconnected", "connected"),
    "handwritten": ("constructed", "handwritten"),
    "caps": ("upper and lower case", "capitals only"),
    "small_caps": ("level capitals", "small capitals"),
    "pixel": ("smooth", "pixel letters"),
    "blackletter": ("not broken", "blackletter"),
    "angular": ("curved", "angular"),
    "irregular": ("regular", "irregular"),
    "rough": ("clean outlines", "rough outlines"),
    "dotted": ("whole strokes", "strokes of dots"),
    "outlined": ("solid", "outlined"),
    "distinct": ("0O and 1lI alike", "0O and 1lI distinct"),
    "flourish": ("plain capitals", "swashes"),
    "oldstyle_figures": ("lining figures", "old-style figures"),
    "symbols": ("letters", "symbols"),
}
# What only words tell, and what a query that means it should find in a font's text.
CONCEPTS: dict[str, str] = {
    "display": "made for display",
    "text": "made for text",
    "vintage": "of another time",
    "futuristic": "of a time to come",
    "technical": "of machines",
    "elegant": "elegant",
    "playful": "playful",
    "children": "for children",
    "western": "of the American West",
    "horror": "dark",
    "festive": "of feasts",
    "deco": "Art Deco",
    "nouveau": "Art Nouveau",
}

REGULAR = 0.12  # stem over cap height
ROUGH = 0.045  # roughness from which strokes have no terminals, contrast or apertures
SERIF = 0.035  # outreach over cap height, in the gap between rough ends and feet


def positions(traits: Traits) -> dict[str, float]:
    """Position from -1 to 1 on each axis of which the traits tell something."""
    if traits.is_text is False:
        return {"symbols": 1.0}
    kind = _Kind.of(traits)
    found = {
        **_proportions(traits, kind),
        **_strokes(traits, kind),
        **_forms(traits, kind),
        **_manner(traits, kind),
        "symbols": -1.0 if traits.is_text else None,
    }
    return {axis: position for axis, position in found.items() if position is not None}


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What decides which of the other measurements mean something."""

    rough: bool
    serif: float | None  # outreach of feet over cap height: black stems make any foot look short
    caseless: bool
    pixel: float | None
    cursive: float | None

    @property
    def plain(self) -> bool:
        """Constructed letters with smooth outlines, on which details can be measured."""
        return not (self.rough or _yes(self.pixel) or _yes(self.cursive))

    @classmethod
    def of(cls, t: Traits) -> _Kind:
        rough = t.roughness is not None and t.roughness >= ROUGH
        serif = None if t.serifs is None or t.weight is None else t.serifs * t.weight
        if serif is not None and t.serif_weight is None:
            serif = min(serif, 0.02)  # ends that flare or stray are no feet
        return cls(
            rough=rough,
            serif=serif,
            caseless=t.unicase is not None and t.unicase >= 0.45,
            pixel=_pixel(t),
            cursive=_cursive(t, rough, serif is not None and serif >= SERIF),
        )


def _pixel(t: Traits) -> float | None:
    if t.rectilinear is None or t.stepped is None:
        return None
    return tanh(1.5 * min((t.rectilinear - 0.75) / 0.06, (t.stepped - 0.17) / 0.03))


def _cursive(t: Traits, rough: bool, serif: bool) -> float | None:
    """Written in one go: letters that join, or lean and flourish. Rough letters touch by chance."""
    if t.joined is None:
        return None
    signs = [-0.95]
    if not rough:
        signs.append(tanh((t.joined - 0.45) / 0.2))
    if not serif and t.slant is not None and t.flourish is not None:
        signs.append(tanh(0.3 + min((t.slant - 9) / 5, (t.flourish - 0.14) / 0.08)))
    return max(signs)


def _yes(position: float | None) -> bool:
    return position is not None and position > 0


def _at(value: float | None, centre: float, scale: float) -> float | None:
    return None if value is None else tanh((value - centre) / scale)


def _ratio(value: float | None, centre: float, scale: float) -> float | None:
    """For magnitudes that eyes compare by their ratios, as thicknesses are."""
    return None if not value or value < 0 else tanh(log(value / centre) / scale)


def _proportions(t: Traits, kind: _Kind) -> dict[str, float | None]:
    width = t.width
    if width and t.x_height:
        # Over the x-height alone, a small one makes any font wide; over the cap height, narrow.
        width *= (t.x_height / 0.72) ** 0.5
    if width and _yes(_monospaced(t)):
        width /= 1.15  # i and l take a whole place
    cased = t.x_height if not kind.caseless else None
    return {
        "x_height": _at(cased, 0.7, 0.08),
        "ascenders": _at(_over(t.ascender, cased), 1.45, 0.25),
        "descenders": _at(_over(t.descender, cased), 0.42, 0.12),
        # letters that join have no width of their own: a script is not called condensed
        "width": None if _yes(kind.cursive) else _ratio(width, 1.0, 0.25),
        "slant": None if t.slant is None else tanh((abs(t.slant) - 4) / 3),
        "backslant": None if t.slant is None else tanh((-t.slant - 4) / 3),
        "monospaced": _monospaced(t),
        "spacing": None if _yes(_monospaced(t)) or not kind.plain else _at(t.spacing, 0.75, 0.3),
    }


def _over(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _monospaced(t: Traits) -> float | None:
    return None if t.advance_spread is None else tanh((0.045 - t.advance_spread) / 0.02)


def _strokes(t: Traits, kind: _Kind) -> dict[str, float | None]:
    weight = _ratio(t.weight, REGULAR, 0.7)
    if weight is None and t.x_height is not None:  # in other scripts, ink is of another measure
        weight = _at(t.ink, 0.365, 0.15)
    if t.hollow is not None and t.hollow >= 0.5:
        weight = None  # the stroke of an outline is no stem
    smooth = not (kind.rough or _yes(kind.pixel))
    modulated = t.contrast is not None and t.contrast >= 0.2 and not _yes(kind.cursive)
    stress = t.stress if modulated and smooth and abs(t.stress or 0) < 45 else None
    foot = None
    if kind.serif is not None and kind.serif >= SERIF and t.serif_weight and t.weight:
        foot = max(t.serif_weight / 0.66, t.serif_weight * t.weight / 0.095)
    letters = kind.plain or _yes(_at(kind.serif, SERIF, 0.015))
    return {
        "weight": weight,
        "contrast": _at(t.contrast, 0.36, 0.22) if smooth else None,
        "stress": _at(stress, 5.0, 5.0),
        "serif": _at(kind.serif, SERIF, 0.015) if letters and _broken(t, kind) < 0 else None,
        "slab": _at(foot, 0.8, 0.3),
        "rounded": _at(t.terminal_roundness, 0.4, 0.22) if smooth else None,
    }


def _forms(t: Traits, kind: _Kind) -> dict[str, float | None]:
    plain = kind.plain
    return {
        "squared": _at(t.squareness, 0.86, 0.04) if plain else None,
        "geometric": _geometric(t) if plain else None,
        "aperture": _at(t.aperture, 0.42, 0.17) if plain else None,
        "single_storey_a": _storeys(t.a_storeys, plus=1) if plain else None,
        "two_storey_g": _storeys(t.g_storeys, plus=2) if plain else None,
        "caps": _at(t.unicase, 0.45, 0.1),
        "small_caps": _at(t.x_height, 0.94, -0.04) if kind.caseless else None,
        # in handwriting they differ by chance, and nobody who needs to tell them apart wants it
        "distinct": _at(t.distinct, 0.32, 0.22) if plain else None,
        "oldstyle_figures": _at(t.oldstyle_figures, 0.075, 0.035),
    }


def _storeys(count: int | None, plus: int) -> float | None:
    return None if count is None else (0.9 if count == plus else -0.9)


def _geometric(t: Traits) -> float | None:
    """Letters built on the circle: an o that is one, in strokes of one thickness."""
    if t.o_proportion is None or t.squareness is None or t.contrast is None:
        return None
    off = max(abs(t.o_proportion - 1) / 0.12, abs(t.squareness - 0.79) / 0.03, t.contrast / 0.25)
    if t.irregularity is not None:
        off = max(off, t.irregularity / 0.03)
    return tanh(1.5 * (1 - off))


def _manner(t: Traits, kind: _Kind) -> dict[str, float | None]:
    rough = _at(t.roughness, 0.035, 0.012)
    return {
        "connected": -0.9 if kind.rough else _at(t.joined, 0.45, 0.2),
        "handwritten": _handwritten(t, kind),
        "pixel": kind.pixel,
        "blackletter": None if t.angularity is None else _broken(t, kind),
        "angular": _at(t.angularity, 0.13, 0.06),
        "irregular": _at(t.irregularity, 0.024, 0.012),
        "rough": rough,
        "dotted": _at(t.roughness, 0.5, 0.15),
        "outlined": _at(t.hollow, 0.5, 0.2),
        "flourish": _at(t.flourish, 0.13, 0.07),
    }


def _broken(t: Traits, kind: _Kind) -> float:
    """Blackletter: diagonal corners where text faces are round, by a broad nib, in both cases."""
    if t.angularity is None or t.contrast is None:
        return -0.95
    others = kind.rough or kind.caseless or _yes(kind.cursive)
    feet = kind.serif is not None and kind.serif >= 0.05
    scrawl = t.irregularity is not None and t.irregularity >= 0.045
    if others or feet or scrawl or t.contrast < 0.38:
        return -0.95
    return tanh((t.angularity - 0.135) / 0.05)


def _handwritten(t: Traits, kind: _Kind) -> float | None:
    if t.rectilinear is None:
        return None
    signs = [-0.95, *([] if kind.cursive is None else [kind.cursive])]
    feet = kind.serif is not None and kind.serif >= SERIF
    if not (kind.rough or feet or _broken(t, kind) > 0 or _yes(kind.pixel)):
        signs.append(tanh((0.37 - t.rectilinear) / 0.06))
        if t.irregularity is not None:
            signs.append(tanh((t.irregularity - 0.026) / 0.01))
    return max(signs)
