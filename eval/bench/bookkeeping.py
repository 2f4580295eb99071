"""The bookkeeping of a job that has just embedded every font, without the embedding."""

from __future__ import annotations

from indexer import spaces
from indexer.database.connect import Connection
from indexer.job.pending import pending
from indexer.job.store import RECORD, JobRun
from indexer.spaces import Space


def record_all(connection: Connection, space: Space) -> None:
    """From now on nothing is pending for the space; its vectors are the caller's."""
    spaces.register(connection, space)
    run = JobRun.start(connection, space, {})
    rows = [
        (font.font_id, space.id, font.input_hash, font.file_sha256, run.id, None)
        for font in pending(connection, space)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(RECORD, rows)
    run.finish("finished", {}, {})
