"""A font as the embedder of a space sees it, and a batch of them embedded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from indexer.embed.halving import halved
from indexer.embed.protocol import Document, Embedder, Vector
from indexer.errors import EmbedderUnavailable, FontError
from indexer.fontfile import reason
from indexer.job.ahead import Outcome
from indexer.machine import of_the_machine, stopped
from indexer.spaces import Space, padded
from indexer.text import schema_of
from indexer.traits import Traits


class Described(Protocol):
    """What a font's text is made of."""

    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def description(self) -> str | None: ...


def text_of(space: Space, font: Described, traits: Traits | None = None) -> str | None:
    """The text that a space embeds of a font, None where it embeds none. Raises FontError."""
    if not space.text_schema:
        return None
    return schema_of(space.text_schema).compose(
        name=font.name, category=font.category, tags=font.tags, description=font.description,
        traits=traits,
    )  # fmt: skip


def document_of(space: Space, outcome: Outcome) -> Document:
    """Raises FontError."""
    prepared = outcome.prepared
    traits = prepared.traits if prepared else None
    return Document(
        text=text_of(space, outcome.claim, traits),
        sheet=prepared.sheet if prepared else None,
        traits=traits,
    )


def embed_each(embedder: Embedder, documents: Sequence[Document]) -> list[Vector | FontError]:
    """Embed a batch; where it fails as a whole, only the documents that are to blame are lost."""
    if not documents:
        return []

    def attempt(part: Sequence[Document]) -> list[Vector | FontError] | Exception:
        try:
            return embedder.embed_documents(part)
        except EmbedderUnavailable:
            raise
        except Exception as error:  # a model raises anything on a document it dislikes
            if isinstance(error, OSError) and of_the_machine(error):
                raise stopped(error) from error
            return error

    answer = attempt(documents)
    if isinstance(answer, Exception):
        return halved(documents, answer, attempt, _refused)
    return answer


def _refused(error: Exception) -> Vector | FontError:
    return FontError("embed", f"The embedder refused it: {reason(error)}.")


def cosine(stored: str, vector: Vector) -> float:
    """Of a vector as the database prints it, and one that an embedder made: padded, 0 for zeros."""
    one, other = np.array(json.loads(stored)), padded(vector)
    norms = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / norms if norms else 0.0
