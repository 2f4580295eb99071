"""A batch written: vectors, measurements and bookkeeping of its fonts, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from indexer.embed.halving import halved
from indexer.embed.protocol import Document, Vector
from indexer.errors import FontError
from indexer.job.ahead import Outcome
from indexer.job.embedding import document_of
from indexer.job.store import REFUSED, Indexed, JobRun, refusal
from indexer.spaces import Space


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Fonts of one transaction: those that could be prepared, their documents, and the others."""

    ready: list[Outcome]
    documents: list[Document]
    failed: list[tuple[Outcome, FontError]]

    @classmethod
    def of(cls, space: Space, fonts: Sequence[Outcome]) -> Batch:
        batch = cls(ready=[], documents=[], failed=[])
        for font in fonts:
            try:
                if font.error:
                    raise font.error
                document = document_of(space, font)
            except FontError as error:
                batch.failed.append((font, error))
            else:
                batch.ready.append(font)
                batch.documents.append(document)
        return batch


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What the database holds of a batch."""

    embedded: int
    failed: list[tuple[Outcome, FontError]]


def save(
    run: JobRun, batch: Batch, vectors: Sequence[Vector | FontError], *, overwrite: bool
) -> Saved:
    """One transaction for all, unless the database refuses it: then all but those to blame.

    `vectors`: of the batch's documents. Raises psycopg.Error where no font is to blame.
    """
    failed = list(batch.failed)
    done = []
    for outcome, vector in zip(batch.ready, vectors, strict=True):
        if isinstance(vector, FontError):
            failed.append((outcome, vector))
            continue
        traits = outcome.prepared.traits if outcome.prepared else None
        done.append(Indexed(claim=outcome.claim, vector=vector, traits=traits, file=outcome.file))
    embedded = 0

    def attempt(part: Sequence[Indexed]) -> list[FontError | None] | psycopg.Error:
        nonlocal embedded
        try:
            embedded += run.save(part, overwrite=overwrite)
        except REFUSED as error:
            return error
        return [None] * len(part)

    answer = attempt(done)
    if isinstance(answer, psycopg.Error):
        answer = halved(done, answer, attempt, _unsaved)
    outcomes = {outcome.claim.font_id: outcome for outcome in batch.ready}
    failed += [
        (outcomes[item.claim.font_id], error)
        for item, error in zip(done, answer, strict=True)
        if error
    ]
    for outcome, error in failed:
        run.fail(outcome.claim, error, outcome.file)
    return Saved(embedded=embedded, failed=failed)


def _unsaved(error: psycopg.Error) -> FontError | None:
    return FontError("embed", f"The database refused its vector or measurements: {refusal(error)}.")
