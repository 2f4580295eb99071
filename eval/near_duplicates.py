"""Families that are one design under several names, to be scored as one.

Noto Sans has some 150 families, one for each script, and Alegreya one with small capitals: who finds the
design finds them all, and one answer fills ten places. The rule goes by names, not by outlines: it can be read
and checked, and which fonts count as one does not depend on what is being measured.

A family's stem is its name without the words at its end that say a script, a size or a version. Families of
one stem are a group. Words for what a query may ask for are no such words: mono, slab, stencil, condensed and
wide families stay apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from eval.dataset import Dataset, Font, Judgments

# One design for many scripts or schools, whose families bear names of many kinds.
SUPERFAMILIES = (
    "Anek", "Baloo", "Edu", "Hind", "Mukta", "Noto Sans", "Noto Serif", "Playwrite", "Tiro",
)  # fmt: skip
NOT_OF_THE_DESIGN = {"mono", "math", "symbols"}  # Noto Sans Mono

SCRIPTS = {
    "arabic",
    "bangla",
    "bengali",
    "cyrillic",
    "devanagari",
    "georgian",
    "greek",
    "gujarati",
    "gurmukhi",
    "hebrew",
    "hk",
    "jp",
    "kannada",
    "khmer",
    "kr",
    "lao",
    "latin",
    "looped",
    "malayalam",
    "odia",
    "oriya",
    "sc",
    "sinhala",
    "tamil",
    "tc",
    "telugu",
    "thai",
}  # fmt: skip - SC is Simplified Chinese, and small capitals
SIZES = {"caption", "display", "flex", "text"}
VERSIONS = {"next", "pro", "tight", "two"}  # and numbers: "Exo 2", "Jersey 10"


def representatives(fonts: Iterable[Font]) -> dict[str, str]:
    """Font id to the id that stands for its group: that of the shortest name, then the first."""
    groups: defaultdict[str, list[Font]] = defaultdict(list)
    for font in fonts:
        groups[stem(font.name)].append(font)
    chosen: dict[str, str] = {}
    for group in groups.values():
        first = min(group, key=lambda font: (len(font.name), font.name))
        chosen |= {font.id: first.id for font in group}
    return chosen


def collapse(dataset: Dataset) -> Dataset:
    """The dataset with one font of each group, which is judged for all of them."""
    standing = representatives(dataset.fonts)
    return replace(
        dataset,
        fonts=tuple(font for font in dataset.fonts if standing[font.id] == font.id),
        judgments=collapse_judgments(dataset.judgments, standing),
    )


def collapse_judgments(judgments: Judgments, standing: Mapping[str, str]) -> Judgments:
    """Judgments of representatives: the highest grade of a group, since any of it answers the query."""
    collapsed: dict[str, dict[str, int]] = {}
    for query, grades in judgments.items():
        best = collapsed.setdefault(query, {})
        for font, grade in grades.items():
            best[standing[font]] = max(grade, best.get(standing[font], 0))
    return collapsed


def collapse_ranking(ranking: Sequence[str], standing: Mapping[str, str]) -> list[str]:
    """The representatives in the order of the best rank in each group.

    It is shorter than the ranking: ask for more fonts than the metrics look at.
    """
    return list(dict.fromkeys(standing[font] for font in ranking))


def stem(name: str) -> str:
    """What a family's name has in common with those of its group, in lower case."""
    words = name.casefold().split()
    for superfamily in SUPERFAMILIES:
        first = superfamily.casefold().split()
        if words[: len(first)] == first and not NOT_OF_THE_DESIGN & set(words):
            return " ".join(first)
    while len(words) > 1 and _is_variant(words[-1]):
        words.pop()
    return " ".join(words)


def _is_variant(word: str) -> bool:
    return word in SCRIPTS | SIZES | VERSIONS or word.isdecimal()
