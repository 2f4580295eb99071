"""Measure a font: its letters as bitmaps in, Traits out.

On bitmaps because FreeType has already resolved what makes outlines hard: overlapping contours,
components, CFF and TrueType curves, instances of variable fonts.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from math import cos, radians
from statistics import fmean, median, pstdev
from typing import Any

import numpy as np

from indexer.errors import FontError
from indexer.fontfile import FontFile, describe
from indexer.traits import Traits, shapes, strokes
from indexer.traits.alphabet import DIGITS, LOWER, UPPER, Alphabet
from indexer.traits.raster import Drawer, Glyph
from indexer.unhinted import drawn

PAIRS = ("an", "er", "on", "es", "no", "ma", "un", "ce")
DIFFERENT = "abdeghmnqrt"  # letters whose two cases differ in shape wherever there are two cases
COUNTERLESS = "CEFHKLMNSTUVWXZ"  # what paper they enclose makes them outlines
LEVEL = "acemnorsuvwxz"
ALIKE = (("0", "O"), ("1", "l"), ("1", "I"), ("l", "I"))
OWN_LETTERS = 16  # of a font without Latin letters
NOT_LETTERS = 0.72  # sameness of neighbouring letters; text fonts stay below .6
CASELESS = (
    0.45  # likeness of both cases from which small letters are capitals: text stays below .35
)


def measure(font: FontFile) -> Traits:
    """Measure the font at its regular instance; None for what it lacks the glyphs for.

    A font without ink has no traits but is_text = False. Raises FontError (stage "measure") where
    a glyph cannot be drawn.
    """
    try:
        traits = drawn(font, _measure)
    except FontError:
        raise
    except Exception as error:  # FreeType's errors reach Python as OSError, ValueError and others
        raise describe(error, "measure") from error
    return replace(traits, **_rounded(traits))


def _rounded(traits: Traits) -> dict[str, Any]:
    return {
        name: round(value, 4) for name, value in vars(traits).items() if isinstance(value, float)
    }


def _measure(font: FontFile) -> Traits:
    latin = [c for c in LOWER + UPPER if ord(c) in font.cmap]
    if len(latin) < 20:
        return _other_script(font)
    alphabet = Alphabet(font)
    lower, upper = alphabet.has_case
    if not (lower or upper):
        return _other_script(font)
    letters = LOWER if lower else UPPER
    drawn = list(alphabet.all(letters).values())
    advances = [glyph.advance for glyph in drawn]
    common: dict[str, Any] = {"advance_spread": _spread(advances)}
    if not _is_text(drawn):
        return Traits(is_text=False, **common)
    alphabet.hollow = (hollow := _share_outlined(alphabet)) > 0.5
    unicase = _unicase(alphabet) if lower and upper else None
    outline = shapes.outline(alphabet.uprights(shapes.SMOOTH))
    return Traits(
        is_text=True,
        hollow=hollow,
        unicase=unicase,
        **common,
        **_proportions(alphabet, lower, upper),
        **_stroke_traits(alphabet, outline),
        **_letter_shapes(alphabet, lower and (unicase is None or unicase < CASELESS)),
        **(vars(outline) if outline else {}),
        **_setting(alphabet, lower, upper),
    )


def _proportions(alphabet: Alphabet, lower: bool, upper: bool) -> dict[str, Any]:
    cap, x = alphabet.cap, alphabet.x
    values: dict[str, Any] = {"slant": alphabet.slant}
    if cap and x:
        values["x_height"] = x / cap
    if cap and lower:
        values["ascender"] = _over(alphabet.ascender, cap)
        values["descender"] = _over(alphabet.descender, cap)
    if lower and x:
        values["width"] = fmean(g.advance for g in alphabet.all(LOWER).values()) / x
        values["ink"] = _ink(alphabet, x)
        values["irregularity"] = _irregularity(alphabet, x)
    if o := alphabet.upright("o"):
        values["o_proportion"] = o.width / o.height
        values["squareness"] = strokes.squareness(o)
    if cap and upper:
        values["flourish"] = _flourish(alphabet, cap)
    return values


def _stroke_traits(alphabet: Alphabet, outline: shapes.Outline | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    pixels = outline is not None and outline.on_grid
    # An outline or a shade is no stroke, and pixels that touch at corners are no thin ones.
    if not (alphabet.hollow or pixels) and (ring := strokes.ring(alphabet)):
        values |= {"contrast": ring.contrast, "stress": ring.stress}
    stems = strokes.stems(alphabet)
    cap = alphabet.cap
    if len(stems) < 4 or not cap:
        return values
    upright = cos(radians(alphabet.slant or 0))  # a leaning stem is thinner than its row is long
    values["weight"] = median(stem.thickness for stem in stems) * upright / cap
    values["serifs"] = median(stem.outreach / stem.thickness for stem in stems)
    feet = [stem.foot / stem.thickness for stem in stems if stem.foot is not None]
    if len(feet) > len(stems) / 2:
        values["serif_weight"] = median(feet)
    ends = [stem.roundness for stem in stems if stem.roundness is not None]
    if len(ends) > len(stems) / 2:
        values["terminal_roundness"] = median(ends)
    return values


def _letter_shapes(alphabet: Alphabet, cased: bool) -> dict[str, Any]:
    """Traits of the forms of small letters; nothing where those are capitals."""
    values: dict[str, Any] = {"distinct": _distinct(alphabet)}
    x = alphabet.x
    if not (cased and x):
        return values
    if c := alphabet.upright("c"):
        values["aperture"] = _over(strokes.aperture(c), x)
    if n := alphabet.upright("n"):
        values["spacing"] = strokes.rhythm(n, alphabet.baseline, x)
    if a := alphabet.upright("a"):
        values["a_storeys"] = shapes.storeys_of_a(a)
    if g := alphabet.upright("g"):
        values["g_storeys"] = shapes.storeys_of_g(g, alphabet.baseline)
    return values


def _setting(alphabet: Alphabet, lower: bool, upper: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if lower:
        values["joined"] = alphabet.joined(PAIRS)
    digits = list(alphabet.all(DIGITS).values())
    if len(digits) == len(DIGITS) and alphabet.cap:
        tops, bottoms = [g.top for g in digits], [g.bottom for g in digits]
        values["oldstyle_figures"] = (pstdev(tops) + pstdev(bottoms)) / alphabet.cap
    return values


def _other_script(font: FontFile) -> Traits:
    """What does not need Latin letters, on the letters that the font has."""
    kinds = {code: unicodedata.category(chr(code)) for code in font.cmap if code < 0x110000}
    letters = [code for code, kind in sorted(kinds.items()) if kind in ("Lo", "Ll", "Lu", "Lt")]
    if len(letters) < 5:
        return Traits(is_text=False)
    sample = "".join(map(chr, letters[:: max(1, len(letters) // OWN_LETTERS)][:OWN_LETTERS]))
    drawer = Drawer(font, sample)
    drawn = {c: glyph for c in sample if (glyph := drawer.draw(c))}
    glyphs = list(drawn.values())
    if len(glyphs) < 5:
        return Traits(is_text=False)
    outline = shapes.outline(drawn)
    return Traits(
        is_text=True,
        advance_spread=_spread([glyph.advance for glyph in glyphs]),
        ink=fmean(float(glyph.ink.sum()) / (glyph.width * glyph.height) for glyph in glyphs),
        **(vars(outline) if outline else {}),
    )


def _is_text(letters: list[Glyph]) -> bool:
    if sum(map(shapes.is_barcode, letters)) > len(letters) / 2:
        return False
    return shapes.sameness(letters) < NOT_LETTERS


def _share_outlined(alphabet: Alphabet) -> float:
    glyphs = alphabet.all(COUNTERLESS).values() or alphabet.all(COUNTERLESS.lower()).values()
    return fmean(map(shapes.outlined, glyphs)) if glyphs else 0.0


def _unicase(alphabet: Alphabet) -> float | None:
    pairs = [(alphabet.get(c), alphabet.get(c.upper())) for c in DIFFERENT]
    alike = [shapes.likeness(one, other) for one, other in pairs if one and other]
    return fmean(alike) if len(alike) >= 8 else None


def _distinct(alphabet: Alphabet) -> float | None:
    pairs = [(alphabet.upright(a), alphabet.upright(b)) for a, b in ALIKE]
    apart = [shapes.distance(one, other) for one, other in pairs if one and other]
    return min(apart) if len(apart) == len(ALIKE) else None


def _ink(alphabet: Alphabet, x: float) -> float:
    low = alphabet.baseline
    glyphs = alphabet.all(LOWER).values()
    inked = sum(int(np.count_nonzero(glyph.rows(low, low + x))) for glyph in glyphs)
    return inked / (x * sum(max(glyph.advance, 1.0) for glyph in glyphs))


def _irregularity(alphabet: Alphabet, x: float) -> float:
    """Mean stray of the tops and bottoms of x-high letters, over the x-height.

    One stray counts at most .15: a swash on one letter does not make a font irregular.
    """
    glyphs = list(alphabet.all(LEVEL).values())
    strays = []
    for edges in ([g.top for g in glyphs], [g.bottom for g in glyphs]):
        level = median(edges)
        strays += [min(abs(edge - level) / x, 0.15) for edge in edges]
    return fmean(strays)


def _flourish(alphabet: Alphabet, cap: float) -> float:
    """How far capitals reach out of their own space: sideways and below, over the cap height."""
    reach = []
    for character, glyph in alphabet.all(UPPER).items():
        if character not in "JQ":
            sideways = max(-glyph.left, 0) + max(glyph.left + glyph.width - glyph.advance, 0)
            reach.append((sideways + max(alphabet.baseline - glyph.bottom, 0)) / cap)
    return fmean(reach) if reach else 0.0


def _spread(advances: list[float]) -> float | None:
    average = fmean(advances) if advances else 0.0
    return pstdev(advances) / average if average > 0 else None


def _over(part: float | None, whole: float) -> float | None:
    return None if part is None else part / whole
