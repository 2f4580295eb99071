"""Queries that measured outlines decide: the fonts at an end of a trait, or of two at once.

What a font is measured at is ranked among the fonts of the corpus, so grades are quantiles: of a query on
one trait, the outer tenth has grade 1 and the outer twentieth grade 2; of one on two traits, grade 1 is the
outer third in both, grade 2 the outer fifth in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from uuid import UUID

from eval.datasets.building import Built, as_fonts, assemble, halved
from eval.datasets.dataset import AboutDataset, Query
from indexer.catalog.family import Family
from indexer.job.ahead import Preparer
from indexer.job.pending import Claim
from indexer.traits import TRAITS_VERSION, Traits

MIN_RELEVANT = 3  # relevant fonts of a query
ONE, TWO = (0.1, 0.05), (1 / 3, 1 / 5)  # shares of the fonts that have grade 1 and more, and 2
# Of which fonts a trait says something, in Traits' units. As in traits/wording.py today, but not from
# there: to improve the words must not move the truths.
CASELESS, JOINED, IRREGULAR, SWASHES = 0.45, 0.6, 0.035, 0.15
BOLD, MONOSPACED, OUTLINED, ROUGH, FOOT = 0.18, 0.02, 0.5, 0.04, 0.05

# How far a font goes in some direction; None where that says nothing of it, and it is unjudged.
Measure = Callable[[Traits], float | None]


def _trait(name: str, where: Callable[[Traits], bool] = lambda _: True) -> Measure:
    def get(traits: Traits) -> float | None:
        value: float | None = getattr(traits, name)
        return value if value is not None and where(traits) else None

    return get


def _low(measure: Measure) -> Measure:
    """The other end."""

    def get(traits: Traits) -> float | None:
        value = measure(traits)
        return None if value is None else -value

    return get


def _constructed(t: Traits) -> bool:
    """Letters in two cases, level and apart: what proportions are compared of.

    A script's small x-height would make it "condensed".
    """
    return (
        _below(t.unicase, CASELESS)
        and _below(t.joined, JOINED)
        and _below(t.irregularity, IRREGULAR)
        and _unswashed(t)
    )


def _unswashed(t: Traits) -> bool:
    """Swashes are neither irregular nor rough, and look like both to a measurement."""
    return _below(t.flourish, SWASHES)


def _spaced(t: Traits) -> bool:
    """Spacing is measured against the counter of n, which heavy letters hardly have."""
    return _constructed(t) and _below(t.weight, BOLD) and not _below(t.advance_spread, MONOSPACED)


def _solid(t: Traits) -> bool:
    """The stroke of an outlined letter is no stem."""
    return _below(t.hollow, OUTLINED)


def _clean(t: Traits) -> bool:
    return _solid(t) and _below(t.roughness, ROUGH)


def _footed(t: Traits) -> bool:
    """The thickness of serifs is that of a foot, which outreaches the stem."""
    return bool(t.serifs and t.weight and t.serifs * t.weight >= FOOT)


def _below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def _wide(t: Traits) -> float | None:
    """Over the x-height alone, a small one would make any font wide; over the cap height, narrow."""
    return t.width * t.x_height**0.5 if t.width and t.x_height and _constructed(t) else None


_large_x = _trait("x_height", _constructed)
_contrasted = _trait("contrast", _clean)
_heavy = _trait("weight", _solid)
_open = _trait("aperture", _constructed)
_loose = _trait("spacing", _spaced)
_slab = _trait("serif_weight", _footed)

# Neighbours are halved between improving and reporting: both ends of a trait stand together.
QUESTIONS: tuple[tuple[str, tuple[Measure, ...]], ...] = (
    ("very large x-height", (_large_x,)),
    ("very small x-height", (_low(_large_x),)),
    ("very high contrast between thick and thin strokes", (_contrasted,)),
    ("monoline strokes, all of one thickness", (_low(_contrasted),)),
    ("very heavy, black letters", (_heavy,)),
    ("very thin strokes", (_low(_heavy),)),
    ("very condensed letters", (_low(_wide),)),
    ("very wide letters", (_wide,)),
    ("wide open apertures", (_open,)),
    ("closed apertures", (_low(_open),)),
    ("loose letter spacing", (_loose,)),
    ("tight letter spacing", (_low(_loose),)),
    ("hairline serifs", (_low(_slab),)),
    ("thick slab serifs", (_slab,)),
    ("squared curves", (_trait("squareness", _constructed),)),
    ("rounded ends of strokes", (_trait("terminal_roundness", _clean),)),
    ("long descenders", (_trait("descender", _constructed),)),
    ("strongly slanted", (_trait("slant"),)),
    ("zero and O, one and l easy to tell apart", (_trait("distinct", _constructed),)),
    ("old-style figures", (_trait("oldstyle_figures", _constructed),)),
    ("irregular letters that leave the baseline", (_trait("irregularity", _unswashed),)),
    ("rough outlines", (_trait("roughness", _unswashed),)),
    ("capitals with swashes", (_trait("flourish"),)),
    ("high contrast condensed", (_contrasted, _low(_wide))),
    ("high contrast and wide", (_contrasted, _wide)),
    ("heavy condensed letters", (_heavy, _low(_wide))),
    ("heavy wide letters", (_heavy, _wide)),
    ("thin and condensed", (_low(_heavy), _low(_wide))),
    ("thin and wide", (_low(_heavy), _wide)),
    ("large x-height and open apertures", (_large_x, _open)),
    ("small x-height and high contrast", (_low(_large_x), _contrasted)),
    ("condensed with a large x-height", (_low(_wide), _large_x)),
    ("condensed with a small x-height", (_low(_wide), _low(_large_x))),
    ("heavy letters with high contrast", (_heavy, _contrasted)),
    ("thin monoline strokes", (_low(_heavy), _low(_contrasted))),
    ("heavy and tightly spaced", (_heavy, _low(_loose))),
    ("thin and loosely spaced", (_low(_heavy), _loose)),
    ("slanted with high contrast", (_trait("slant"), _contrasted)),
)

DESCRIPTION = """\
Real fonts, and queries that their measured outlines decide (indexer/traits). Each measure is ranked among
the fonts of this corpus: of a query on one trait, grade 1 is the outer tenth and grade 2 the outer
twentieth; of a query on two, grade 1 is the outer third in both and grade 2 the outer fifth in both. A font
of which a trait says nothing (the x-height of capitals, the width of a script) is unjudged.

The labels are exact where the measurement is right, and say nothing about mood. The embedder that
works offline measures the same outlines with the same code: for it this is a test of the lexicon, of
whether the words are understood, and not of sight. For a vision model it is a test of sight.
The text that states measurements ("Appearance") holds answers too: leave it out to test sight."""


def measure_families(
    families: Iterable[Family], preparer: Preparer
) -> tuple[dict[str, Traits], dict[str, str]]:
    """By name, the traits of the families; and why others have none.

    The sheets are made as well, and kept with the traits for the run that follows.
    """
    claims = [_claim(family, number) for number, family in enumerate(families)]
    traits, failed = {}, {}
    with preparer:
        found = list(preparer.outcomes(claims, ahead=2 * preparer.processes))
    for outcome in sorted(found, key=lambda outcome: outcome.claim.font_id):
        if outcome.prepared:
            traits[outcome.claim.name] = outcome.prepared.traits
        elif outcome.error:
            failed[outcome.claim.name] = outcome.error.message
    return traits, failed


def build_measured(
    families: Sequence[Family],
    traits: Mapping[str, Traits],
    *,
    made_by: str,
    collapsed: bool = False,
) -> Built:
    """The dataset of the families that were measured. made_by: as in About."""
    letters = {name: measured for name, measured in traits.items() if measured.is_text}
    queries, judgments = [], {}
    for text, measures in QUESTIONS:
        kind = "one trait" if len(measures) == 1 else "two traits"
        queries.append(Query(id=text, text=text, query_class=kind))
        judgments[text] = grades(measures, letters)
    about = AboutDataset(
        name="measured",
        version="1",
        description=DESCRIPTION,
        license="Apache-2.0",
        made_by=f"{made_by}; traits/{TRAITS_VERSION}",
    )
    fonts = [font for font in as_fonts(families) if font.name in traits]
    return assemble(
        about, fonts, halved(queries), judgments, least=MIN_RELEVANT, collapsed=collapsed
    )


def grades(measures: Sequence[Measure], traits: Mapping[str, Traits]) -> dict[str, int]:
    """By font, 0 to 2, as the module says; fonts without one of the measures are left out."""
    places = [_places(measure, traits) for measure in measures]
    graded = {name: 0 for name in traits if all(name in place for place in places)}
    for grade, share in enumerate(ONE if len(measures) == 1 else TWO, 1):
        outer = [_outer(place, share) for place in places]
        graded |= {name: grade for name in graded if all(name in fonts for fonts in outer)}
    return graded


def _places(measure: Measure, traits: Mapping[str, Traits]) -> dict[str, float]:
    found = {name: measure(measured) for name, measured in traits.items()}
    return {name: value for name, value in found.items() if value is not None}


def _outer(places: Mapping[str, float], share: float) -> set[str]:
    """The fonts of this share that are furthest out, and those beside which they are not further.

    Only what lies beyond the median counts: where most fonts are upright, none of them is slanted.
    """
    if not places:
        return set()
    ordered = sorted(places.values(), reverse=True)
    limit, middle = ordered[max(0, round(share * len(ordered)) - 1)], median(ordered)
    return {name for name, place in places.items() if place >= limit and place > middle}


def _claim(family: Family, number: int) -> Claim:
    """What a Preparer asks of a font: its file alone counts here."""
    return Claim(
        font_id=UUID(int=number),
        name=family.name,
        category=None,
        tags=(),
        description=None,
        url=family.regular_file,
        file_sha256=None,
        input_hash=b"",
        reason="new",
    )
