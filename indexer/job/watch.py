"""The job that stays: what is new or has changed is embedded within seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
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
MINUTE = 60.0  # seconds: retries fall due and leases expire without a row being written
NIGHTLY = 24 * 3600.0  # seconds between two looks at the files

# The same as before where no transaction has written anything since: then no table need be read.
SNAPSHOT = "select pg_current_snapshot()::text"
# Whether any row was written since: each version of a row carries the transaction that made it. One pass over
# the table without its vectors, no index, no trigger; the statistics' counters may come ten seconds late.
WRITTEN = "select count(*), sum(xmin::text::bigint) from public.fonts"
# What time alone brings, or another try.
DUE = """
    select exists (select from font_index.failures where next_try_at <= now())
           or exists (select from font_index.leases)
           or not exists (select from font_index.looks where subject = 'facts' and unsettled = '{}')
"""


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
    complete = False

    def due() -> bool:
        """Whether there is work that neither a row nor the bookkeeping tells of."""
        return not complete or time.monotonic() - looked_at_files >= NIGHTLY

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
                for _ in _changes(session, due, say):
                    if time.monotonic() - looked_at_files >= NIGHTLY:
                        _look_at_files(session.connection, files, max_age, options, say)
                        looked_at_files = time.monotonic()
                    fill_families(session.connection, settings, files, options, say)
                    complete = yield from _filled(
                        session, settings, embedders, preparer, options, say
                    )
                    if _serving(session.connection) != serving:
                        break


class Changes:
    """Whether there may be work: at first, when rows were written, and when something is due.

    due: asked once a minute, tells of work that neither rows nor the bookkeeping show.
    """

    def __init__(self, due: Callable[[], bool], *, minute: float = MINUTE) -> None:
        self._due = due
        self._minute = minute
        self._rows: object = None
        self._snapshot: object = None
        self._acted_on: object = None  # the snapshot
        self._asked = -minute

    def found(self, connection: Connection) -> bool:
        """To be asked before the work begins: what is written meanwhile counts for the next time."""
        begin = time.monotonic()
        before = self._rows
        snapshot = connection.execute(SNAPSHOT).fetchone()
        if snapshot != self._snapshot:
            self._rows = connection.execute(WRITTEN).fetchone()
            self._snapshot = snapshot
        found = self._rows != before
        if not found and begin - self._asked >= self._minute:
            self._asked = begin
            # anything at all may have been written to the bookkeeping
            found = snapshot != self._acted_on or self._due() or _due(connection)
        if found:
            self._asked, self._acted_on = begin, snapshot
        return found


def _due(connection: Connection) -> bool:
    return connection.execute(DUE).fetchone() == (True,)


def _changes(
    session: Session, due: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[None]:
    """Yields at once, then whenever there may be work."""
    changes = Changes(due)
    while True:
        begin = time.monotonic()
        try:
            found = changes.found(session.connection)
        except psycopg.OperationalError:
            if not session.lost:
                raise
            say("The database ended the connection. Trying again for a minute.")
            session.reconnect()
            changes = Changes(due)  # another server may have taken its place
            continue
        took = time.monotonic() - begin
        if found:
            yield
        time.sleep(max(POLL, SHARE * took))


def _filled(
    session: Session,
    settings: Settings,
    embedders: list[tuple[Space, Embedder]],
    preparer: Preparer,
    options: BackfillOptions,
    say: Callable[[str], None],
) -> Generator[tuple[Space, Progress], None, bool]:
    """Returns whether no leg was held up."""
    complete = True
    for space, embedder in embedders:
        try:
            progress = fill(session, settings, space, embedder, preparer, options, say=say)
        except (EmbedderUnavailable, TooManyFailed) as error:
            say(f"{space.leg} leg: {error}")
            complete = False
            continue
        if progress.done:
            yield space, progress
    return complete


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
