"""Fonts made by code, so that measurements and rankings have exact truths.

Plain but genuine letters: stems, superelliptic bowls with thick and thin parts, slab feet. Contours
overlap, counters run the other way round, and the same parameters give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from math import radians, tan
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from eval.fonts.letterforms import CAPITALS, FIGURES, SMALL
from eval.fonts.sketch import CAP, DESCENDER, Parameters, Point, Sketch

EM = 1000.0  # in drawing units
MADE = 3_786_912_000  # seconds since 1904: 2024-01-01, for equal bytes from equal parameters
LOWER = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class ParametricFont(Parameters):
    """A font file made from its parameters."""

    def build(self, *, flavor: str | None = None, characters: str | None = None) -> bytes:
        """The font as TrueType, or as "woff" or "woff2".

        characters: those to include; all of A-Z a-z 0-9 and basic punctuation by default.
        """
        drawn = draw_all(self)
        if characters is not None:
            drawn = {c: glyph for c, glyph in drawn.items() if c in characters}
        scale = self.units_per_em / EM
        names = {c: f"u{ord(c):04X}" for c in drawn}
        order = [".notdef", *names.values()]
        outlines = {".notdef": _outline([], scale, 0.0)}
        metrics = {".notdef": (round(500 * scale), 0)}
        for c, glyph in drawn.items():
            outlines[names[c]] = _outline(glyph.contours, scale, self.slant)
            metrics[names[c]] = (round(glyph.advance * scale), 0)
        builder: Any = FontBuilder(self.units_per_em, isTTF=True)  # type: ignore[no-untyped-call]
        builder.setupGlyphOrder(order)
        builder.setupCharacterMap({ord(c): name for c, name in names.items()})
        builder.setupGlyf(outlines)
        for name, (advance, _) in metrics.items():
            metrics[name] = (advance, getattr(outlines[name], "xMin", 0))
        builder.setupHorizontalMetrics(metrics)
        up, down = round(1.1 * CAP * scale), -round(0.4 * CAP * scale)
        builder.setupHorizontalHeader(ascent=up, descent=down)
        builder.setupNameTable({"familyName": "Parametric", "styleName": "Regular"})
        builder.setupOS2(sTypoAscender=up, sTypoDescender=down, usWinAscent=up, usWinDescent=-down)
        builder.setupPost()
        builder.font["head"].created = builder.font["head"].modified = MADE
        builder.font.recalcTimestamp = False
        builder.font.flavor = flavor
        out = io.BytesIO()
        builder.font.save(out)
        return out.getvalue()

    def mean_width(self) -> float:
        """The trait `width` that follows from the parameters: mean advance of a-z over x-height."""
        drawn = draw_all(self)
        height = CAP if self.unicase else self.x_height * CAP
        return sum(drawn[c].advance for c in LOWER) / len(LOWER) / height


def _outline(contours: list[list[Point]], scale: float, slant: float) -> object:
    pen = TTGlyphPen(None)
    shear = tan(radians(slant))
    for contour in contours:
        points = [(round((x + y * shear) * scale), round(y * scale)) for x, y in contour]
        pen.moveTo(points[0])
        for point in points[1:]:
            pen.lineTo(point)
        pen.closePath()
    return pen.glyph()


def draw_all(font: ParametricFont) -> dict[str, Sketch]:
    """All glyphs of the font, upright and in drawing units."""
    x = font.x_height * CAP
    small, capital = font.o_proportion * x, font.o_proportion * CAP * 0.85
    if small - 2 * font.weight * CAP < 0.02 * CAP:
        raise ValueError("The stems leave no counter: lower the weight or widen the letters.")
    drawn = {c: _letter(font, draw, capital, CAP) for c, draw in CAPITALS.items()}
    for c, draw in SMALL.items():
        drawn[c] = drawn[c.upper()] if font.unicase else _letter(font, draw, small, x)
    for c, draw in FIGURES.items():
        height = x if font.oldstyle_figures and c in "012" else CAP
        drawn[c] = _letter(font, draw, 0.75 * capital, height)
        if font.oldstyle_figures and c in "34579":
            for contour in drawn[c].contours:
                contour[:] = [(px, py - DESCENDER * CAP) for px, py in contour]
    drawn |= _punctuation(font)
    if font.monospaced:
        _make_monospaced(drawn)
    if font.joined:
        for c in LOWER:
            drawn[c].bar(-2.0, 0, drawn[c].advance + 2.0, drawn[c].thin)
    return drawn


def _letter(
    font: ParametricFont, draw: Callable[[Sketch, float, float], None], w: float, h: float
) -> Sketch:
    sketch = Sketch(font=font)
    draw(sketch, w, h)
    bearing = font.spacing * (font.o_proportion * font.x_height - 2 * font.weight) * CAP / 2
    _place(sketch, bearing, reach=font.serifs * sketch.stem)
    return sketch


def _place(sketch: Sketch, bearing: float, reach: float) -> None:
    """Set the glyph between its bearings, which serifs may enter."""
    xs = [x for contour in sketch.contours for x, _ in contour]
    left = min(xs) + (reach if min(xs) < 0 else 0)
    right = max(xs) - (reach if min(xs) < 0 else 0)
    for contour in sketch.contours:
        contour[:] = [(x - left + bearing, y) for x, y in contour]
    sketch.advance = round(right - left + 2 * bearing)


def _make_monospaced(drawn: dict[str, Sketch]) -> None:
    advance = drawn["m"].advance
    for sketch in {id(sketch): sketch for sketch in drawn.values()}.values():
        shift = (advance - sketch.advance) / 2
        for contour in sketch.contours:
            contour[:] = [(x + shift, y) for x, y in contour]
        sketch.advance = advance


def _punctuation(font: ParametricFont) -> dict[str, Sketch]:
    stem, thin = font.weight * CAP, font.weight * CAP * (1 - font.contrast)
    x = font.x_height * CAP
    boxes: dict[str, list[tuple[float, float, float, float]]] = {
        ".": [(0, 0, stem, stem)],
        ",": [(0, -stem, stem, stem)],
        ":": [(0, 0, stem, stem), (0, x - stem, stem, x)],
        ";": [(0, -stem, stem, stem), (0, x - stem, stem, x)],
        "!": [(0, 0, stem, stem), (0, 2 * stem, stem, CAP)],
        "-": [(0, 0.4 * x, 0.4 * x, 0.4 * x + thin)],
        "'": [(0, 0.7 * CAP, stem, CAP)],
        '"': [(0, 0.7 * CAP, stem, CAP), (2 * stem, 0.7 * CAP, 3 * stem, CAP)],
    }
    drawn = {" ": Sketch(font=font, advance=round(0.35 * CAP))}
    for c, parts in boxes.items():
        drawn[c] = Sketch(font=font)
        for part in parts:
            drawn[c].bar(*part)
        _place(drawn[c], 0.5 * stem, 0.0)
    question = drawn["?"] = Sketch(font=font)
    question.bar(0.25 * x, 0, 0.25 * x + stem, stem)
    question.bar(0.25 * x, 1.6 * stem, 0.25 * x + stem, 0.55 * CAP)
    question.arc(0, 0.45 * CAP, 0.7 * x, CAP, -90, 160)
    _place(question, 0.5 * stem, 0.0)
    return drawn
