"""Text vectors that your app wrote: ours go alongside them only where both are of one model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from psycopg import sql
from psycopg.rows import class_row

from indexer.database.connect import Connection
from indexer.embed.protocol import Document, Embedder
from indexer.errors import FontError, UserError
from indexer.job.embedding import cosine, embed_each, text_of
from indexer.job.pending import TAGS
from indexer.spaces import Space

SAMPLE = 8
# Reasoned, not measured: one model gives one text nearly the same vector, two models unrelated ones.
MIN_COSINE = 0.9

# In the order of a hash, so that the sample is spread over the table and the same each time.
FOREIGN = sql.SQL(f"""
    select coalesce(f.name, '') as name, f.category, {TAGS} as tags, f.description,
           f.embedding::text as vector
    from public.fonts f
    where f.embedding is not null and not exists (
      select from font_index.embeddings e where e.font_id = f.id and e.space_id = %s)
    order by md5(f.id::text) limit %s
""")  # noqa: S608 - a constant, composed of constants


@dataclass(frozen=True, kw_only=True)
class _Font:
    name: str
    category: str | None
    tags: list[str]
    description: str | None
    vector: str


def require_same_model(connection: Connection, space: Space, embedder: Embedder) -> None:
    """Embed a few of the fonts that have a vector of your app's, and compare.

    Raises UserError where the median cosine is below MIN_COSINE; EmbedderUnavailable.
    """
    with connection.cursor(row_factory=class_row(_Font)) as cursor:
        fonts = cursor.execute(FOREIGN, [space.id, SAMPLE]).fetchall()
    if not fonts or space.text_schema is None:
        return
    documents, vectors = [], []
    for font in fonts:
        with suppress(FontError):  # what no model reads tells nothing
            documents.append(Document(text=text_of(space, font)))
            vectors.append(font.vector)
    found = []
    for vector, answer in zip(vectors, embed_each(embedder, documents), strict=True):
        if not isinstance(answer, FontError):
            found.append(cosine(vector, answer))
    if found and np.median(found) < MIN_COSINE:
        raise UserError(
            f"The text vectors in fonts.embedding were not made by {space.model.name} from the same "
            f"texts: {len(found)} of them, embedded again, have a median cosine of "
            f"{np.median(found):.2f}, and {MIN_COSINE} is needed for the two to mix. Name your app's "
            "model by TEXT_EMBEDDING_MODEL; or, if you know that they mix, pass --trust-text-space."
        )
