"""Traits in words: what a typographer would say of a font, from its measurements alone."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.traits import Traits

WORDING_VERSION = 1

# Thresholds lie in gaps between real families; beside them stand the nearest on either side.
# Of middling values nothing is said: silence is no claim.
EXTRA_CONDENSED = 0.62  # Bebas Neue .56 | Oswald .69
CONDENSED = 0.85  # Abel .84 | Rajdhani .87
WIDE = 1.2  # Archivo Black 1.16 | Unbounded 1.22
WIDE_OF_CAP = 0.85  # the same over cap height: Unbounded .91 | Josefin Slab, wide by a small x, .69
EXTRA_WIDE = 1.45  # Courier Prime 1.33 | Press Start 2P 1.6

THIN = 0.045  # stem over cap height; Raleway 100 .03 | Josefin Slab .06
LIGHT = 0.085
BOLD = 0.18  # text faces at 400 end at .15, Lobster .18
BLACK = 0.25  # Permanent Marker .23 | Abril Fatface .27
PALE = 0.33  # ink below it agrees with a light stem; inline letters have thin stems but much ink
# Ink over the boxes of letters: .27 to .46 in seven scripts at 400; Latin at 100 .16, at 900 .67
THIN_INK, BLACK_INK = 0.2, 0.6

MONOLINE = 0.13  # Inter .11, Raleway .13
LOW_CONTRAST = 0.25
HIGH_CONTRAST = 0.63  # Fraunces .64, EB Garamond .68 | Lora .62
EXTREME_CONTRAST = 0.795  # Bodoni Moda .81 | Playfair .785

LARGE_X = 0.745  # x over cap height: Inter, Poppins | Lora .71
SMALL_X = 0.63  # EB Garamond .62 | Jost .66

UPRIGHT = 2.5  # degrees; real italics lean by 3 and more
SLANTED = 6.0

NO_SERIF = 0.02  # outreach of a foot over cap height: rough or flared ends are no serifs
SERIF = 0.05  # Alfa Slab One .06 | Pirata One .03
HAIRLINE = 0.31  # thickness of the foot over the stem: Playfair .28 | Fraunces .37
SLAB = 0.66  # Roboto Slab .72 | Source Serif .57
SLAB_OF_CAP = 0.095  # of black slabs, whose stems are thicker than any foot: Alfa Slab One .10

HUMANIST_AXIS = 8.0  # degrees: EB Garamond 13 | Lora 6
VERTICAL_AXIS = 3.0

SQUARED = 0.905  # Bebas Neue .91, Orbitron .96 | Oswald .89
CIRCLE = (0.765, 0.808)  # area of o over its box: .785 is an ellipse
CIRCULAR = (0.93, 1.07)  # width of o over its height
ROUNDED_ENDS = 0.55  # Fredoka .61, Quicksand .94 | Rajdhani .16
OPEN, CLOSED = 0.57, 0.22  # opening of c over x-height: Noto Sans .66, Inter .39, Archivo Black .19

MONOSPACED = 0.02  # spread of advances: rounding at most
JOINED = 0.6  # Lobster .92 | rough letters touch by chance up to .4, Rubik Glitch .75 is rough
CURSIVE_SLANT, CURSIVE_FLOURISH = 10.0, 0.15  # Caveat, Kaushan Script | italics of text faces
SWASHES = 0.25  # Great Vibes .37, Parisienne .29
CASELESS = 0.45  # likeness of the cases: Amatic SC .49, Cormorant SC .69 | Pirata One .41
ALL_CAPS = 0.8
LEVEL_CASES = 0.97  # x over cap height: both cases are equally high

OUTLINED = 0.5
PIXEL_AXES, PIXEL_STEPS = 0.75, 0.16  # Press Start 2P .91, .19 | Black Ops One .80, .13
# Corners of diagonals on round letters, of broad nibs without serifs: the middle of the gap.
ANGULAR = 0.13  # Pirata One .157 | Grenze Gotisch .099
CALLIGRAPHIC = 0.09
BROKEN_CONTRAST = 0.42  # a broad nib: Pirata One .50 | Rubik Wet Paint, also full of corners, .35
ROUGH = 0.04  # Special Elite .05 | UnifrakturMaguntia .03
BROKEN_UP = 0.5  # Codystar .85: dots
SCRAWL = 0.045  # UnifrakturMaguntia .033 | Rock Salt .056
UNEVEN = 0.02  # overshoot of drawn letters: Jost 900 .017 | Architects Daughter .023
IRREGULAR = 0.035  # Indie Flower .04, Rock Salt .06 | Parisienne .026
FREEHAND = 0.36  # outline along the axes: Indie Flower .34, Permanent Marker .20 | Comfortaa .43
OLDSTYLE = 0.12  # Raleway .17, Playfair .21 | lining figures stay below .05


def describe_traits(traits: Traits) -> str:
    """A comma-separated list of what sets the font apart, "" where nothing was measured.

    In the same order for every font: kind, width, weight, contrast, x-height, slant, shapes.
    """
    if traits.is_text is False:
        return "not letters: bars, blocks or symbols"
    parts = (_other_script, _kind, _proportions, _strokes, _posture, _shapes)
    return ", ".join(phrase for part in parts for phrase in part(traits))


def _other_script(t: Traits) -> Iterator[str]:
    if t.ink is not None and t.weight is None and t.x_height is None:
        yield "no Latin letters"
        if t.ink < THIN_INK:
            yield "thin strokes"
        elif t.ink >= BLACK_INK:
            yield "black weight"


def _at_least(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


def _below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def _rough(t: Traits) -> bool:
    return _at_least(t.roughness, ROUGH)


def _pixel(t: Traits) -> bool:
    return _at_least(t.rectilinear, PIXEL_AXES) and _at_least(t.stepped, PIXEL_STEPS)


def _connected(t: Traits) -> bool:
    return _at_least(t.joined, JOINED) and not _rough(t)


def _cursive(t: Traits) -> bool:
    leaning = _at_least(t.slant, CURSIVE_SLANT) and _at_least(t.flourish, CURSIVE_FLOURISH)
    return _connected(t) or (leaning and not _serif(t))


def _caseless(t: Traits) -> bool:
    return _at_least(t.unicase, CASELESS)


def _blackletter(t: Traits) -> bool:
    return (
        not _at_least(t.irregularity, SCRAWL)
        and _at_least(t.angularity, ANGULAR)
        and _at_least(t.contrast, BROKEN_CONTRAST)
        and not (_rough(t) or _cursive(t) or _caseless(t) or _serif(t))
    )


def _freehand(t: Traits) -> bool:
    latin = t.x_height is not None  # other scripts have fewer straight strokes
    return latin and _below(t.rectilinear, FREEHAND) and not (_rough(t) or _serif(t))


def _nib(t: Traits) -> bool:
    """Written with a broad nib, halfway to blackletter: Grenze Gotisch."""
    return _at_least(t.angularity, CALLIGRAPHIC) and _at_least(t.contrast, BROKEN_CONTRAST)


def _outreach(t: Traits) -> float | None:
    """How far feet outreach stems, over cap height: black stems make any foot look short."""
    return None if t.serifs is None or t.weight is None else t.serifs * t.weight


def _serif(t: Traits) -> bool:
    return _at_least(_outreach(t), SERIF) and t.serif_weight is not None


def _kind(t: Traits) -> Iterator[str]:
    if _pixel(t):
        yield "pixel letters"
    elif _blackletter(t):
        yield "blackletter-like angular broken strokes"
    elif _connected(t):
        yield "connected script letters"
    elif _cursive(t):
        yield "unconnected script, handwritten"
    elif _serif(t):
        yield _serif_kind(t)
    elif _freehand(t):
        yield "freehand strokes"
    elif _below(_outreach(t), NO_SERIF) and not _at_least(t.roughness, BROKEN_UP):
        yield _plain_kind(t)
    if _below(t.advance_spread, MONOSPACED) and t.advance_spread is not None:
        yield "monospaced"
    if _at_least(t.hollow, OUTLINED):
        yield "outlined letters"
    if _caseless(t):
        level = _at_least(t.x_height, LEVEL_CASES)
        if level:
            yield "all capitals" if _at_least(t.unicase, ALL_CAPS) else "unicase letters"
        else:
            yield "small capitals for lower case"


def _plain_kind(t: Traits) -> str:
    """Without serifs; written letters are no sans serif, which stand level and turn smoothly."""
    if _nib(t):
        return "broad-nib strokes without serifs"
    uneven = _at_least(t.irregularity, UNEVEN) and not _caseless(t)
    return "uneven informal letters" if uneven else "sans serif"


def _serif_kind(t: Traits) -> str:
    foot = t.serif_weight or 0.0
    if foot >= SLAB or foot * (t.weight or 0.0) >= SLAB_OF_CAP:
        return "slab serif"
    return "hairline serif" if foot < HAIRLINE else "serif"


def _proportions(t: Traits) -> Iterator[str]:
    if not _cursive(t):  # a small x-height makes scripts wide by number
        if _below(t.width, CONDENSED):
            yield "extra condensed" if _below(t.width, EXTRA_CONDENSED) else "condensed"
        elif _at_least(t.width, EXTRA_WIDE):
            yield "extra wide"
        elif _at_least(t.width, WIDE) and _really_wide(t):
            yield "wide"
    if not _caseless(t):
        if _at_least(t.x_height, LARGE_X):
            yield "large x-height"
        elif _below(t.x_height, SMALL_X):
            yield "small x-height"


def _really_wide(t: Traits) -> bool:
    of_cap = t.width is not None and t.x_height is not None and t.width * t.x_height >= WIDE_OF_CAP
    return of_cap and not _below(t.advance_spread, MONOSPACED)


def _strokes(t: Traits) -> Iterator[str]:
    if not _at_least(t.hollow, OUTLINED):
        if _at_least(t.weight, BOLD):
            yield "black weight" if _at_least(t.weight, BLACK) else "bold weight"
        elif _below(t.weight, LIGHT) and _below(t.ink, PALE):
            yield "thin strokes" if _below(t.weight, THIN) else "light weight"
    if t.contrast is not None and not _rough(t):
        yield from _contrast(t.contrast)
    if t.stress is not None and _serif(t) and _below(t.slant, UPRIGHT):
        if HUMANIST_AXIS <= t.stress < 45:
            yield "humanist axis"
        elif abs(t.stress) < VERTICAL_AXIS and _at_least(t.contrast, HIGH_CONTRAST):
            yield "vertical axis"


def _contrast(contrast: float) -> Iterator[str]:
    if contrast >= HIGH_CONTRAST:
        yield f"{'extreme' if contrast >= EXTREME_CONTRAST else 'high'} stroke contrast"
    elif contrast < LOW_CONTRAST:
        yield "monoline strokes" if contrast < MONOLINE else "low stroke contrast"


def _posture(t: Traits) -> Iterator[str]:
    if t.slant is None:
        return
    if abs(t.slant) < UPRIGHT:
        if not _connected(t):  # whose stems lean this way and that
            yield "upright"
    elif t.slant < 0:
        yield "backslanted"
    elif _serif(t) and t.a_storeys == 1:
        yield "italic"
    else:
        yield "slanted" if t.slant >= SLANTED else "slightly slanted"


def _shapes(t: Traits) -> Iterator[str]:
    plain = not (_pixel(t) or _cursive(t) or _rough(t) or _blackletter(t) or _freehand(t))
    if plain and _at_least(t.squareness, SQUARED):
        yield "squared curves"
    if plain and _geometric(t):
        yield "geometric round shapes"
    if not (_pixel(t) or _rough(t)) and _at_least(t.terminal_roundness, ROUNDED_ENDS):
        yield "rounded terminals"
    if plain and not _caseless(t):
        yield from _forms(t)
    yield from _texture(t)
    if _cursive(t) and _at_least(t.flourish, SWASHES):
        yield "flourished capitals"
    if plain and _at_least(t.oldstyle_figures, OLDSTYLE):
        yield "old-style figures"


def _forms(t: Traits) -> Iterator[str]:
    """What tells text faces of one kind apart."""
    if not _serif(t):
        if _at_least(t.aperture, OPEN):
            yield "open apertures"
        elif _below(t.aperture, CLOSED):
            yield "closed apertures"
        if t.a_storeys == 1:
            yield "single-storey a"
    if t.g_storeys == 2:
        yield "two-storey g"


def _texture(t: Traits) -> Iterator[str]:
    if _at_least(t.roughness, BROKEN_UP):
        yield "strokes broken into dots"
    elif _rough(t):
        yield "rough textured outlines"
    if _at_least(t.irregularity, IRREGULAR) and not _connected(t):
        yield "irregular hand-made letters"


def _within(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and limits[0] <= value <= limits[1]


def _geometric(t: Traits) -> bool:
    return (
        _within(t.squareness, CIRCLE)
        and _within(t.o_proportion, CIRCULAR)
        and _below(t.contrast, LOW_CONTRAST)
        and not _at_least(t.irregularity, IRREGULAR)
    )
