"""A font as the embedder of a space sees it, and a batch of them embedded."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.embed.halving import halved
from indexer.embed.protocol import Document, Embedder, Vector
from indexer.errors import EmbedderUnavailable, FontError
from indexer.fontfile import reason
from indexer.job.ahead import Outcome
from indexer.machine import of_the_machine, stopped
from indexer.spaces import Space
from indexer.text import schema_of


def document_of(space: Space, outcome: Outcome) -> Document:
    font, prepared = outcome.claim, outcome.prepared
    traits = prepared.traits if prepared else None
    text = None
    if space.text_schema:
        text = schema_of(space.text_schema).compose(
            name=font.name,
            category=font.category,
            tags=font.tags,
            description=font.description,
            traits=traits,
        )
    return Document(text=text, sheet=prepared.sheet if prepared else None, traits=traits)


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
