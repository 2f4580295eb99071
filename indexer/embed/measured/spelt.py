"""Words that are spelt alike, as difflib finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

NEAR = 0.75  # of difflib's ratio: two letters of eight may differ


class Vocabulary:
    """Difflib takes 1.6 ms for a word and 1,570 known ones; letters counted at once leave it a few."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        self._known = frozenset(self._words)
        self._column = {letter: at for at, letter in enumerate(sorted({*"".join(self._words)}))}
        self._letters = np.stack([self._counted(word) for word in self._words])
        self._lengths = np.array([len(word) for word in self._words])

    def __contains__(self, word: str) -> bool:
        return word in self._known

    def near(self, word: str, count: int) -> list[str]:
        """Up to `count` words that are spelt like this one, the nearest first."""
        shared = np.minimum(self._letters, self._counted(word)).sum(axis=1)
        # in whichever order the letters stand; the ratio is this at most
        possible = np.flatnonzero(2.0 * shared / (self._lengths + len(word)) >= NEAR)
        return get_close_matches(word, [self._words[at] for at in possible], count, NEAR)

    def _counted(self, word: str) -> NDArray[np.uint16]:
        """How often each letter of the vocabulary stands in the word, (letters,)."""
        row = np.zeros(len(self._column), dtype=np.uint16)
        for letter, times in Counter(word).items():
            if (at := self._column.get(letter)) is not None:
                row[at] = times
        return row
