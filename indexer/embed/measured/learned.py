"""What people mean by words, learned from the fonts that they tag with them: words.json.

Made by `python -m eval words train`. It moves queries alone, and only those that hold its very words: applied
to other words it harmed. So it is no part of a space's identity; its hash is told with every answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

from indexer.embed.measured.axes import AXES
from indexer.embed.measured.lexicon import Meaning, Place, of_queries, packaged
from indexer.embed.measured.reading import read, unread

FILE = "words.json"
# Families from which a word is half what people showed and half what the lexicon says
# (cross-validated: .1 of nDCG@10 lies between 10 and 100).
HALF_KNOWN = 40


@dataclass(frozen=True, kw_only=True)
class LearnedWord:
    families: int  # that were tagged with it
    towards: Mapping[str, tuple[float, float]]  # by axis (middle, end); of length 1 in all

    @property
    def share(self) -> float:
        """Of the word's meaning, from 0 to 1; the lexicon has the rest."""
        return self.families / (self.families + HALF_KNOWN)


Signature = tuple[tuple[str, Place], ...]
Learned = Mapping[Signature, LearnedWord]


def signature(entry: Meaning) -> Signature:
    """What phrases of one entry share ("handwritten", "written by hand"), and no others."""
    return tuple(sorted(entry.items(), key=itemgetter(0)))


def parse(text: str) -> Learned:
    """Raises ValueError for what is no such file."""
    words: dict[Signature, LearnedWord] = {}
    for word, known in json.loads(text)["words"].items():
        if unknown := known["towards"].keys() - AXES.keys():
            raise ValueError(f"{word!r} has unknown axes: {', '.join(sorted(unknown))}.")
        entry = entry_of(word)
        if entry is None:
            raise ValueError(f"{word!r} is no phrase of the lexicon that can be learned.")
        words[signature(entry)] = LearnedWord(
            families=known["families"],
            towards={axis: (middle, end) for axis, (middle, end) in known["towards"].items()},
        )
    return words


def entry_of(word: str) -> Meaning | None:
    """The entry that a word stands for by itself; None where it names one measurement, or several things.

    Whether "condensed" letters are narrow is measured, and not for tags to say.
    """
    lexicon = of_queries()
    readings = read(word, lexicon)
    if len(readings) != 1 or unread(word, lexicon) or len(readings[0].entry) < 2:
        return None
    return readings[0].entry


@cache
def standard() -> Learned:
    """Those of this package."""
    return parse(packaged(FILE))
