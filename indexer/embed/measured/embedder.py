"""Measured traits as vectors, and the words of a query in the same space, by a lexicon.

Geometry. A font's place t on an axis, from -1 to 1, becomes a point on a half circle:
(cos(t * 90 degrees), sin(t * 90 degrees)). An end of an axis, and its middle too ("regular
weight"), is then a direction that a query can point in, and every axis adds the same length to every
document. An axis that could not be measured adds that length in a dimension of its own, which no
query has. So all documents are equally long: a query on one property ranks by that property, and
fonts that are extreme in everything win nothing by it.

Words in a document's text are read by the same lexicon into a block of their own, at a lower weight;
a last dimension makes up for documents that say less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from indexer.embed.measured.asking import pointed
from indexer.embed.measured.axes import AXES, CONCEPTS, positions
from indexer.embed.measured.learned import Learned
from indexer.embed.measured.learned import standard as standard_words
from indexer.embed.measured.lexicon import Lexicon, of_queries, standard
from indexer.embed.measured.pictures.told import digest, in_words, shown
from indexer.embed.measured.reading import Reading, combine, read, unread
from indexer.embed.ngrams import STOP_WORDS
from indexer.embed.protocol import (
    Document,
    Embedder,
    Model,
    Query,
    Understanding,
    Vector,
    normalised,
)
from indexer.errors import FontError, UserError
from indexer.text import parts
from indexer.traits import TRAITS_VERSION

VERSION = 2  # of the computation here, in axes.py and in reading.py: raise it when vectors change
DIMENSION = 256  # those in use, and room for more axes
WORDS = 0.75  # of a document's and a query's words, so that a word weighs .56 of a measurement
LETTERS = 0.6  # a query about letters is not about symbols, of which nothing else is measured
MAX_SQUARED_LENGTH = 8.0  # square of the length to which a document's words are held
MAX_UNKNOWN = 50  # words that are told; NFKC makes 4,000 of a query of 1,000 characters
UNREAD = frozenset({"Name", "Appearance"})  # names mislead ("Black Ops"); the other is the traits

N = len(AXES)
MEASURED = {axis: 3 * place for place, axis in enumerate(AXES)}  # middle, end, unknown
SAID = {axis: 3 * N + 2 * place for place, axis in enumerate([*AXES, *CONCEPTS])}  # middle, end
REST = 3 * N + 2 * len(SAID)


class MeasuredTraits(Embedder):
    """Embedder of measured traits, of the words beside them, and of queries about either."""

    def __init__(self, lexicon: Lexicon | None = None, learned: Learned | None = None) -> None:
        """lexicon: one for texts and queries alike, learned: of words, in place of this package's."""
        self._lexicon = lexicon or standard()
        self._asked = lexicon or of_queries()
        self._learned = standard_words() if learned is None else learned

    @property
    def model(self) -> Model:
        made_of = f"{self._lexicon.revision} traits/{TRAITS_VERSION} measured/{VERSION}"
        revision = hashlib.sha256(made_of.encode()).hexdigest()[:12]
        return Model(name="measured-traits", revision=revision, dimension=DIMENSION)

    @property
    def vocabulary(self) -> str:
        """Of what queries are read by: the lexicon with asked.toml, learned words, the table of pictures."""
        made_of = f"{self._asked.revision} {sorted(map(str, self._learned.items()))} {digest()}"
        return hashlib.sha256(made_of.encode()).hexdigest()[:12]

    @property
    def batch_size(self) -> int:
        return 512

    @property
    def reads_images(self) -> bool:
        return True

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of the traits and of the text, where there is one; FontError without any trait."""
        return [self._embed(document) for document in documents]

    def embed_query(self, text: str) -> Vector:
        """Raises UserError where the lexicon knows none of the words, or they cancel out."""
        readings = read(text, self._asked)
        measured, said = pointed(readings, self._asked, self._learned)
        vector = np.zeros(DIMENSION)
        for axis, point in measured.items():
            if axis in AXES:
                _put(vector, MEASURED[axis], point)
        for axis, point in said.items():
            _put(vector, SAID[axis], point, WORDS)
        if not np.linalg.norm(vector) > 1e-6:
            reason = "takes back what it says" if readings else "has no word that the lexicon knows"
            raise UserError(
                f"{text[:80]!r} {reason}. Measured traits understand words for how letters look: "
                "bold, condensed, large x-height, high contrast, slab serif, handwritten, art deco."
            )
        if "symbols" not in said:
            _put(vector, MEASURED["symbols"], (0.0, -LETTERS * float(np.linalg.norm(vector))))
        return normalised(vector)

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        return [self._of_query(query) for query in queries]

    def _of_query(self, query: Query) -> Vector | UserError:
        try:
            words = self.embed_query(query.text) if query.text else None
            if query.image is None:
                return self.embed_query("") if words is None else words
            return _with_words(shown(query.image).query, words)
        except UserError as error:
            return error

    def explain(self, text: str, image: bytes | None = None) -> Understanding:
        """Weights are negative towards the minus end of an axis; "axis (middle)" is its middle.

        Each unknown word once, and the first MAX_UNKNOWN of them. Raises UserError as embed_queries
        does for the picture.
        """
        phrases = [(found.phrase, _weights(found)) for found in read(text, self._asked)]
        distinct: dict[str, str] = {}
        for word in unread(text, self._asked):
            distinct.setdefault(word.casefold(), word)
        words = [word for folded, word in distinct.items() if folded not in STOP_WORDS]
        unknown = [(word, self._asked.near(word)) for word in words[:MAX_UNKNOWN]]
        seen = in_words(shown(image).places) if image is not None else ()
        return Understanding(phrases=phrases, unknown=unknown, seen=seen)

    def _embed(self, document: Document) -> Vector | FontError:
        measured = positions(document.traits) if document.traits else {}
        if not measured:
            return FontError("embed", "Nothing of it could be measured.")
        vector = np.zeros(DIMENSION)
        for axis, start in MEASURED.items():
            if axis in measured:
                angle = measured[axis] * pi / 2
                _put(vector, start, (cos(angle), sin(angle)))
            else:
                vector[start + 2] = 1.0
        said = self._said(document.text or "")
        length = sum(middle**2 + end**2 for middle, end in said.values())
        scale = min(1.0, (MAX_SQUARED_LENGTH / length) ** 0.5) if length else 0.0
        for axis, point in said.items():
            _put(vector, SAID[axis], point, WORDS * scale)
        vector[REST] = WORDS * max(MAX_SQUARED_LENGTH - length * scale**2, 0.0) ** 0.5
        return normalised(vector)

    def _said(self, text: str) -> Mapping[str, tuple[float, float]]:
        return combine(
            reading
            for label, value in parts(text)
            if label not in UNREAD
            for reading in read(value, self._lexicon)
        )


def _put(
    vector: NDArray[np.float64], start: int, point: tuple[float, float], weight: float = 1.0
) -> None:
    vector[start] = weight * point[0]
    vector[start + 1] = weight * point[1]


def _with_words(picture: NDArray[np.float64], words: Vector | None) -> Vector:
    """The query of a picture; the more words are about an axis, the more is the picture silent on it."""
    places = picture.reshape(N, 3) / np.linalg.norm(picture)
    vector = np.zeros(DIMENSION)
    if words is not None:
        vector += words
        about = np.linalg.norm(vector[: 3 * N].reshape(N, 3), axis=1)
        places *= (1 - about / max(about.max(), 1e-9))[:, None]
    vector[: 3 * N] += places.ravel()
    return normalised(vector)


def _weights(reading: Reading) -> dict[str, float]:
    weights = {}
    for axis, (middle, end) in reading.coordinates.items():
        if abs(end) > 0.005:
            weights[axis] = round(end, 2)
        if abs(middle) > 0.005:
            weights[f"{axis} (middle)"] = round(middle, 2)
    return weights
