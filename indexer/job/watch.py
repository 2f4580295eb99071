"""The job that stays: what is new or has changed is embedded within seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta

import psycopg

from indexer import spaces
from indexer.database.connect import Connection, Session
from indexer.embed.protocol import Embedder
from indexer.errors import EmbedderUnavailable
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.backfill import BackfillOptions, fill, fill_families, legs, register
from indexer.job.progress import Progress, TooManyFailed
from indexer.job.revalidate import revalidate
from indexer.job.sweep import sweep
from indexer.settings import Settings
from indexer.spaces import SERVING_COLUMN, Space

POLL = 1.0  # seconds between two looks, or
SHARE = 20  # so many times what a look takes, if that is longer
AT_LEAST_EVERY = 60.0  # seconds: retries fall due and leases expire without a row being written
NIGHTLY = 24 * 3600.0  # seconds between two looks at the files

# Whether any row was written since: each version of a row carries the transaction that made it. One pass over
# the table without its vectors, no index, no trigger; the statistics' counters may come ten seconds late.
WRITTEN = "select count(*), sum(xmin::text::bigint) from public.fonts"


def watch(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    *,
    max_age: timedelta,
    say: Callable[[str], None],
) -> Iterator[tuple[Space, Progress]]:
    """Bring both legs up to date, again whenever rows are written, and yield what came of each time.

    Never ends by itself: close it, or interrupt it. Embedders stay loaded; where another space
    begins to serve, its embedder takes their place. Files that were last looked at longer ago than
    `max_age` are looked at again every 24 hours. What fails is told and tried again; raises what
    the database raises where it is gone for more than a minute, and UserError as `backfill` does.
    """
    looked_at_files = -NIGHTLY
    with closing(Session(connection)) as session:
        while True:
            with ExitStack() as stack:
                preparer = stack.enter_context(
                    Preparer.from_settings(settings, files, processes=options.processes)
                )
                embedders = [
                    (space, stack.enter_context(embedder))
                    for space, embedder in legs(session.connection, settings, options, say)
                ]
                for space, _ in embedders:
                    register(session.connection, space, say)
                serving = _serving(session.connection)
                for _ in _changes(session, say):
                    if time.monotonic() - looked_at_files >= NIGHTLY:
                        _look_at_files(session.connection, files, max_age, options, say)
                        looked_at_files = time.monotonic()
                    fill_families(session.connection, settings, files, options, say)
                    yield from _filled(session, settings, embedders, preparer, options, say)
                    if _serving(session.connection) != serving:
                        break


def _changes(session: Session, say: Callable[[str], None]) -> Iterator[None]:
    """Yields at once, then whenever rows were written, and at least once a minute."""
    seen: object = None
    acted = -AT_LEAST_EVERY
    while True:
        begin = time.monotonic()
        try:
            now = session.connection.execute(WRITTEN).fetchone()
        except psycopg.OperationalError:
            if not session.lost:
                raise
            say("The database ended the connection. Trying again for a minute.")
            session.reconnect()
            continue
        took = time.monotonic() - begin
        if now != seen or begin - acted >= AT_LEAST_EVERY:
            seen, acted = now, begin
            yield
        time.sleep(max(POLL, SHARE * took))


def _filled(
    session: Session,
    settings: Settings,
    embedders: list[tuple[Space, Embedder]],
    preparer: Preparer,
    options: BackfillOptions,
    say: Callable[[str], None],
) -> Iterator[tuple[Space, Progress]]:
    for space, embedder in embedders:
        try:
            progress = fill(session, settings, space, embedder, preparer, options, say=say)
        except (EmbedderUnavailable, TooManyFailed) as error:
            say(f"{space.leg} leg: {error}")
            continue
        if progress.done:
            yield space, progress


def _look_at_files(
    connection: Connection,
    files: FontFiles,
    max_age: timedelta,
    options: BackfillOptions,
    say: Callable[[str], None],
) -> None:
    if kept := sweep(connection, prune=options.prune):
        say(kept)
    found = revalidate(connection, files, max_age)
    say(f"files: {found.checked} looked at, {found.changed} changed")
    for message in found.unreachable:
        say(f"kept as it was: {message}")


def _serving(connection: Connection) -> list[Space | None]:
    return [spaces.active(connection, leg) for leg in SERVING_COLUMN]
