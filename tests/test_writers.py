"""Batches are saved beside the embedding, over several connections, and nothing embedded is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import psycopg
import pytest

from indexer import spaces
from indexer.database.connect import Connection, Database
from indexer.embed.protocol import Document, Embedder, Model, Vector, normalised
from indexer.errors import EmbedderUnavailable, FontError
from indexer.job import writers
from indexer.job.progress import Progress
from indexer.job.run import index
from indexer.spaces import Space
from tests.test_watch import MAX_CONNECTIONS

CONNECTIONS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'fontsight' and pid <> pg_backend_pid()
"""
# a writer waits in it: what it saves is locked by the app
END_WAITING = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""
FONTS = 40


class Quick(Embedder):
    """One call, one font or more; stops after so many calls."""

    def __init__(self, *, batch_size: int = 4, calls: int = FONTS) -> None:
        self._batch_size, self._calls = batch_size, calls

    @property
    def model(self) -> Model:
        return Model(name="quick", revision="1", dimension=8)

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        self._calls -= 1
        if self._calls < 0:
            raise EmbedderUnavailable("The service does not answer.")
        return [normalised(np.ones(8, dtype=np.float32)) for _ in documents]

    def embed_query(self, text: str) -> Vector:
        return normalised(np.ones(8, dtype=np.float32))


@pytest.fixture
def space(connection: Connection) -> Space:
    connection.execute(
        "insert into fonts (name, category) select 'Font ' || n, 'serif' from generate_series(1, %s) n",
        [FONTS],
    )
    space = spaces.text_space(Quick())
    spaces.register(connection, space)
    return space


def one(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def saved(connection: Connection) -> int:
    return one(connection, "select count(embedding) from fonts")


def until_some_wait(connection: Connection, count: int) -> None:
    until = time.monotonic() + 20
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    while one(connection, waiting) < count:
        assert time.monotonic() < until, f"{count} writers never waited"
        time.sleep(0.02)


def test_batches_are_saved_side_by_side_within_the_connections_of_a_job(
    database: Database, connection: Connection, space: Space
) -> None:
    """Nothing is saved until three writers wait, each in a transaction of its own."""
    with database.connect(autocommit=False) as app, database.open() as own:
        app.execute("lock table fonts in share mode")
        shown, used = 0, []

        def look(progress: Progress) -> None:
            nonlocal shown
            shown += 1
            if shown == 1 + writers.WRITERS:  # once before the first batch
                until_some_wait(connection, writers.WRITERS)
                used.append(one(connection, CONNECTIONS) - 1)  # without the app's
                app.rollback()

        progress = index(own, space, Quick(), None, show=look)
    assert progress.embedded == saved(connection) == FONTS
    assert 1 + writers.WRITERS <= used[0] <= MAX_CONNECTIONS  # the heartbeat's comes later
    assert 1 + writers.WRITERS + 1 <= MAX_CONNECTIONS


def test_what_is_embedded_is_saved_when_the_embedder_fails(
    connection: Connection, space: Space
) -> None:
    with pytest.raises(EmbedderUnavailable):
        index(connection, space, Quick(calls=7), None)
    assert saved(connection) == 28
    assert one(connection, "select count(*) from font_index.leases") == 0
    counts = one(connection, "select (counts ->> 'embedded')::int from font_index.runs")
    assert counts == 28


def test_what_the_database_refuses_for_no_fonts_fault_ends_the_run(
    database: Database, connection: Connection, space: Space
) -> None:
    def rename(progress: Progress) -> None:
        if not progress.embedded:
            connection.execute("alter table if exists font_index.failures rename to gone")

    with database.open() as own, pytest.raises(psycopg.errors.UndefinedTable):
        index(own, space, Quick(), None, show=rename)
    assert one(connection, "select count(*) from font_index.runs where outcome = 'failed'") == 1


def test_a_writer_that_loses_its_connection_is_told_from_other_errors(
    database: Database, connection: Connection, space: Space
) -> None:
    """By it the job knows to go on over new connections."""
    with database.connect(autocommit=False) as app, database.open() as own:
        app.execute("select from fonts for update")
        shown: list[int] = []

        def end_it(progress: Progress) -> None:
            shown.append(progress.done)
            if len(shown) == 2:  # its only batch is under way
                until_some_wait(connection, 1)
                connection.execute(END_WAITING)

        with pytest.raises(writers.WriterLost):
            index(own, space, Quick(batch_size=FONTS), None, show=end_it)


def test_a_run_that_ends_does_not_wait_long_for_a_busy_database(
    database: Database, connection: Connection, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "GRACE", 0.1)
    with database.connect(autocommit=False) as app, database.open() as own:
        app.execute("select from fonts for update")
        begin = time.monotonic()
        with pytest.raises(EmbedderUnavailable):
            index(own, space, Quick(calls=2), None)
        assert time.monotonic() - begin < 30
        app.rollback()
    assert saved(connection) == 0
    assert one(connection, "select count(*) from font_index.leases") == 0


def test_while_a_row_of_the_apps_is_waited_for_no_other_row_is_locked(
    database: Database, connection: Connection, space: Space
) -> None:
    """Or both could wait for each other, and the app's transaction be the one that is ended."""
    with database.connect(autocommit=False) as app, database.open() as own:
        app.execute("update fonts set license = 'theirs' where name = 'Font 40'")
        shown: list[int] = []

        def write(progress: Progress) -> None:
            shown.append(progress.done)
            if len(shown) == 2:  # its only batch is under way
                until_some_wait(connection, 1)
                app.execute("set local lock_timeout = '10s'")
                app.execute("update fonts set license = 'theirs'")
                app.commit()

        embedder = Quick(batch_size=FONTS)
        progress = index(own, space, embedder, None, show=write)
    assert (progress.embedded, progress.failed) == (FONTS, 0)
    assert saved(connection) == one(connection, "select count(license) from fonts") == FONTS
