"""What the job asks of an embedder, and the identity by which its vectors are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.errors import FontError
from indexer.traits import Traits

Vector = NDArray[np.float32]


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

    def start(self, expected: int) -> None:
        """Get ready for so many documents; without it, the first call does. May raise UserError."""
        return None

    def close(self) -> None:
        """Give back what it holds: connections, processes, memory of cards."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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


def normalised(vector: NDArray[np.floating]) -> Vector:
    """The float32 vector of length 1 in the same direction; ValueError for zeros and NaN."""
    wide = vector.astype(np.float64)
    largest = float(np.max(np.abs(wide), initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        raise ValueError("a vector of zeros, or one with NaN, has no direction")
    wide /= largest  # or squares of very small and very large numbers vanish or overflow
    return (wide / np.linalg.norm(wide)).astype(np.float32)
