"""What the job asks of an embedder, and the identity by which its vectors are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.traits import Traits

Vector = NDArray[np.float32]

READ_IMAGES = "Qwen3-VL-Embedding does: fill a space with it (indexer backfill --vl-embedder 8b)."


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything about an embedder that its vectors depend on."""

    name: str  # as people know it: "Qwen/Qwen3-VL-Embedding-8B", "measured-traits"
    revision: str  # commit, date or content hash that pins the computation
    dimension: int
    document_instruction: str = ""
    query_instruction: str = ""
    pooled_token: int | None = None  # id of the last input token, for models that pool it


@dataclass(frozen=True, kw_only=True)
class Document:
    """One font as an embedder sees it. An embedder takes what it understands and ignores the rest."""

    text: str | None = None
    sheet: bytes | None = None  # PNG
    traits: Traits | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """What somebody searches for: words, a picture of letters, or both."""

    text: str | None = None
    image: bytes | None = None  # a file of any format that Pillow reads
    instruction: str | None = None  # None: the model's query_instruction

    @property
    def empty(self) -> bool:
        return self.image is None and not (self.text and self.text.strip())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a picture shows on one axis."""

    axis: str
    word: str  # "high contrast"
    position: float  # from -1 to 1, as of a font
    confidence: float  # from 0 to 1


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """What an embedder that knows a vocabulary makes of a query."""

    phrases: Sequence[tuple[str, Mapping[str, float]]]  # in the query's order; weight by axis
    # each word that says nothing, and known ones near it
    unknown: Sequence[tuple[str, Sequence[str]]]
    seen: Sequence[Seen] = ()  # in the picture, the surest first


class Embedder(Protocol):
    """Maps documents and queries into one space, where the cosine says how well they fit.

    A class that inherits from it gets what most embedders have: one call at a time, nothing to open
    or to close.
    """

    @property
    def model(self) -> Model: ...

    @property
    def batch_size(self) -> int:
        """How many documents a call should carry."""
        ...

    @property
    def parallel(self) -> int:
        """How many calls of embed_documents may run at once, each in a thread."""
        return 1

    @property
    def vocabulary(self) -> str | None:
        """A hash of what its queries are read by, where that is apart from how fonts are embedded."""
        return None

    @property
    def device(self) -> str:
        """Where it computes, for people."""
        return "cpu"

    @property
    def reads_images(self) -> bool:
        """Whether a query may hold a picture."""
        return False

    @property
    def given_up(self) -> str | None:
        """Why it will not answer any more, in a sentence; None while it may."""
        return None

    def start(self, expected: int) -> None:
        """Get ready for so many documents; without it, the first call does. May raise UserError."""
        return None

    def close(self) -> None:
        """Give back what it holds: connections, processes, memory of cards."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """One float32 vector of shape (dimension,) and length 1 per document, in their order.

        A document that cannot be embedded yields a FontError in its place. Raises
        EmbedderUnavailable when the embedder as a whole does not answer.
        """
        ...

    def embed_query(self, text: str) -> Vector:
        """A float32 vector of shape (dimension,) and length 1.

        Raises UserError where the text holds nothing that the embedder understands.
        """
        ...

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        """As embed_query, of several at once; a UserError in the place of one that it would raise for.

        Raises EmbedderUnavailable. An embedder that takes no instructions ignores them.
        """
        return [self._one_of_text(query) for query in queries]

    def _one_of_text(self, query: Query) -> Vector | UserError:
        if query.image is not None:
            return UserError(f"{self.model.name} reads no pictures. {READ_IMAGES}")
        try:
            return self.embed_query(query.text or "")
        except EmbedderUnavailable:
            raise
        except UserError as error:
            return error

    def explain(self, text: str, image: bytes | None = None) -> Understanding | None:
        """What is understood of a query; None from an embedder that reads all of it."""
        return None


def only(results: Sequence[Vector | UserError]) -> Vector:
    """The vector of a single query; raises what stands in its place."""
    (result,) = results
    if isinstance(result, UserError):
        raise result
    return result


def normalised(vector: NDArray[np.floating]) -> Vector:
    """The float32 vector of length 1 in the same direction; ValueError for zeros and NaN."""
    wide = vector.astype(np.float64)
    largest = float(np.max(np.abs(wide), initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        raise ValueError("a vector of zeros, or one with NaN, has no direction")
    wide /= largest  # or squares of very small and very large numbers vanish or overflow
    return (wide / np.linalg.norm(wide)).astype(np.float32)
