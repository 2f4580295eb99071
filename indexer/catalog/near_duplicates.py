"""Families that are one design under several names.

Noto Sans has some 150 families, one for each script, and Alegreya one with small capitals: who finds the
design finds them all, and one answer fills ten places. The rule goes by names, not by outlines: it can be read
and checked, and which fonts count as one does not depend on what is being measured.

A family's stem is its name without the words at its end that say a script, a size or a version. Families of
one stem are a group. Words for what a query may ask for are no such words: mono, slab, stencil, condensed and
wide families stay apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TypeVar

Id = TypeVar("Id")

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


def representatives(names: Mapping[Id, str]) -> dict[Id, Id]:
    """Each font's id to the id that stands for its group: that of the shortest name, then the first."""
    groups: defaultdict[str, list[Id]] = defaultdict(list)
    for font, name in names.items():
        groups[stem(name)].append(font)
    chosen: dict[Id, Id] = {}
    for group in groups.values():
        first = min(group, key=lambda font: (len(names[font]), names[font]))
        chosen |= dict.fromkeys(group, first)
    return chosen


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
