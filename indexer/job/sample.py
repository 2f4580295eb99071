"""A sample of fonts embedded again, and compared with the vectors that serve."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from indexer.database.connect import Connection
from indexer.embed.protocol import Document, Embedder
from indexer.errors import FontError
from indexer.job.ahead import Outcome, Preparer
from indexer.job.embedding import cosine, document_of, embed_each
from indexer.job.pending import Claim, Selection, pending
from indexer.spaces import SERVING_COLUMN, Space

MIN_COSINE = 0.99  # halfvec and another batch size cost less than .0001

CHOOSE = sql.SQL("""
    select e.font_id, f.{column}::text from font_index.embeddings e
    join public.fonts f on f.id = e.font_id
    where e.space_id = %s and f.{column} is not null order by random() limit %s
""")
# only inside a transaction that is rolled back: so they are listed with the inputs of their vectors
AS_NEW = "delete from font_index.embeddings where space_id = %s and font_id = any(%s)"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Cosines of serving vectors with new ones, by font; None where it could not be embedded again."""

    space: Space
    cosines: dict[str, float | None]

    @property
    def different(self) -> list[str]:
        return [
            name for name, cosine in self.cosines.items() if cosine is None or cosine < MIN_COSINE
        ]


def compare(
    connection: Connection, space: Space, embedder: Embedder, preparer: Preparer, count: int
) -> Compared:
    """Embed so many fonts of the serving space again, chosen at random. Nothing is written."""
    with connection.transaction(force_rollback=True):
        column = SERVING_COLUMN[space.leg]
        rows = connection.execute(CHOOSE.format(column=column), [space.id, count]).fetchall()
        served: dict[UUID, str] = dict(rows)
        connection.execute(AS_NEW, [space.id, list(served)])
        claims = pending(connection, space, Selection(overwrite=True), list(served))
    embedder.start(len(claims))
    cosines: dict[str, float | None] = {claim.name: None for claim in claims}
    ready: list[tuple[Claim, Document]] = []
    for outcome in _prepared(space, claims, preparer):
        with suppress(FontError):
            if outcome.error is None:
                ready.append((outcome.claim, document_of(space, outcome)))
    for start in range(0, len(ready), embedder.batch_size):
        batch = ready[start : start + embedder.batch_size]
        vectors = embed_each(embedder, [document for _, document in batch])
        for (claim, _), vector in zip(batch, vectors, strict=True):
            if not isinstance(vector, FontError):
                cosines[claim.name] = cosine(served[claim.font_id], vector)
    return Compared(space=space, cosines=cosines)


def _prepared(space: Space, claims: list[Claim], preparer: Preparer) -> list[Outcome]:
    if space.sheet_spec is None:
        return [Outcome(claim=claim) for claim in claims]
    return list(preparer.outcomes(claims, ahead=len(claims)))
