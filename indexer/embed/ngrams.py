"""Text into vectors without a model: words and character n-grams, hashed into a fixed dimension.

Matches spelling, not meaning. After Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning" (ICML 2009), whose signed hashing keeps inner products unbiased, and Bojanowski et al.,
"Enriching Word Vectors with Subword Information" (TACL 2017), whose n-grams of 3 to 5 characters
with word boundaries let inflected, compound and misspelt words meet.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from indexer.embed.protocol import Document, Embedder, Model, Vector, normalised
from indexer.errors import FontError, UserError
from indexer.text import parts

DIMENSION = 1024  # no more than the prefix that search indexes, so that the index loses nothing
LENGTHS = (3, 4, 5)
# A word of seven letters has 18 n-grams: at these weights the word itself is a quarter of what it
# adds to the square of the length, and its pair with the next word a tenth.
WORD, PAIR, NGRAM = 1.0, 0.6, 0.4
WORDS = re.compile(r"[^\W_]+")
COMMON = """
    a about all also an and any are as at be been but by can could do does for from had has have i
    if in into is it its just looking me my need of on or our please s should so some something such
    t than that the their them then there these they this to too very want was we were what when
    which who will with would you your font fonts typeface typefaces
"""
STOP_WORDS = frozenset(COMMON.split())

Hashes = NDArray[np.uint64]


class HashedNgrams(Embedder):
    """Embedder of texts and queries by their spelling."""

    @property
    def model(self) -> Model:
        return Model(name="hashed-ngrams", revision="1", dimension=DIMENSION)

    @property
    def batch_size(self) -> int:
        return 512

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of the texts alone; FontError where a document has no word in it."""
        return [_embed(document.text or "") for document in documents]

    def embed_query(self, text: str) -> Vector:
        vector = _embed(text)
        if isinstance(vector, FontError):
            raise UserError(f"Nothing to search for in {text[:80]!r}: give a word or a name.")
        return vector


def words(text: str) -> list[str]:
    """The words that count, in the form in which they are compared.

    Labels of the text's layout and common words are left out.
    """
    values = (unicodedata.normalize("NFKC", value).casefold() for _, value in parts(text))
    return [word for value in values for word in WORDS.findall(value) if word not in STOP_WORDS]


def _embed(text: str) -> Vector | FontError:
    found = words(text)
    if not found:
        return FontError("embed", "Its text holds no word to embed.")
    vector = np.zeros(DIMENSION)
    _add(vector, np.array([_hash(f"word {word}") for word in found], np.uint64), WORD)
    pairs = [_hash(f"pair {first} {second}") for first, second in pairwise(found)]
    _add(vector, np.array(pairs, np.uint64), PAIR)
    _add(vector, np.concatenate([_ngrams(word) for word in found]), NGRAM)
    if not vector.any():  # two features that cancel out: possible, if hardly
        return FontError("embed", "Its text holds no word to embed.")
    return normalised(vector)


def _add(vector: NDArray[np.float64], hashes: Hashes, weight: float) -> None:
    """Add each feature at a weight that grows with the logarithm of its count.

    The place comes from the low bits and the sign from the highest, which are independent.
    """
    features, counts = np.unique(hashes, return_counts=True)
    places = (features % np.uint64(DIMENSION)).astype(np.intp)
    signs = np.where(features >> np.uint64(63), 1.0, -1.0)
    amounts = weight * signs * (1 + np.log(counts))
    vector += np.bincount(places, weights=amounts, minlength=DIMENSION)


@lru_cache(maxsize=1 << 16)
def _hash(feature: str) -> int:
    """Of 64 bits and the same on every machine, unlike hash()."""
    return int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")


@lru_cache(maxsize=1 << 16)
def _ngrams(word: str) -> Hashes:
    bounded = f"<{word}>"
    return np.array([_hash(f"gram {gram}") for gram in _slices(bounded)], np.uint64)


def _slices(bounded: str) -> Iterable[str]:
    return (
        bounded[start : start + length]
        for length in LENGTHS
        for start in range(len(bounded) - length + 1)
    )
