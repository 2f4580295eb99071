"""A run lives as long as its heartbeat: its fonts are its own meanwhile, and free soon after."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from indexer import spaces
from indexer.choose import VLOptions
from indexer.database.connect import Connection, Database
from indexer.embed.ngrams import HashedNgrams
from indexer.errors import FontError
from indexer.fetch.files import FontFiles
from indexer.job.backfill import BackfillOptions, backfill
from indexer.job.heartbeat import LEASE, RENEW, Heartbeat, abandoned
from indexer.job.pending import EVERYTHING, pending
from indexer.job.progress import Progress
from indexer.job.run import BATCH, index
from indexer.job.store import JobRun, tidy
from indexer.settings import Settings
from indexer.spaces import Space
from tests.fix_database import end_connections
from tests.fix_fonts import AddFonts
from tests.fix_waiting import until

BEAT = timedelta(seconds=0.05)


@pytest.fixture
def space(connection: Connection) -> Space:
    space = spaces.text_space(HashedNgrams())
    spaces.register(connection, space)
    return space


@pytest.fixture
def claimed(connection: Connection, add_fonts: AddFonts, space: Space) -> JobRun:
    """A run that holds two fonts, for another second or so."""
    add_fonts(connection, 2)
    run = JobRun.start(connection, space, {})
    run.claim(pending(connection, space), EVERYTHING)
    expire_in(connection, timedelta(seconds=1.5))
    return run


def expire_in(connection: Connection, left: timedelta) -> None:
    connection.execute("update font_index.leases set expires_at = now() + %s", [left])


def shortest(connection: Connection) -> timedelta:
    [left] = connection.execute(
        "select min(expires_at - now()) from font_index.leases"
    ).fetchone() or (timedelta(0),)
    assert isinstance(left, timedelta)
    return left


@contextmanager
def beating(connection: Connection, run: JobRun, **options: timedelta) -> Iterator[Heartbeat]:
    with Heartbeat(connection, run.id, beat=BEAT, **options) as heartbeat:
        yield heartbeat


def test_a_slow_batch_keeps_its_leases(connection: Connection, claimed: JobRun) -> None:
    with beating(connection, claimed):
        until(lambda: shortest(connection) > LEASE - timedelta(seconds=5))


def test_leases_are_kept_through_a_transaction_pooler(
    pooled: Database, connection: Connection, claimed: JobRun, space: Space
) -> None:
    with pooled.open() as own, Heartbeat(own, claimed.id, beat=BEAT):
        until(lambda: shortest(connection) > LEASE - timedelta(seconds=5))
        assert {font.reason for font in pending(own, space)} == {"leased"}


def test_a_hung_run_loses_its_leases(connection: Connection, claimed: JobRun) -> None:
    with beating(connection, claimed, max_silence=timedelta(0)) as heartbeat:
        time.sleep(10 * BEAT.total_seconds())
        assert shortest(connection) < timedelta(seconds=2)
    with beating(connection, claimed, max_silence=timedelta(minutes=1)) as heartbeat:
        heartbeat.progressed()
        until(lambda: shortest(connection) > timedelta(seconds=5))


def test_a_heartbeat_outlives_its_connection(
    database: Database, connection: Connection, claimed: JobRun
) -> None:
    with beating(connection, claimed), database.connect() as admin:
        until(lambda: shortest(admin) > timedelta(seconds=5))
        assert end_connections(admin, connection) == 1
        expire_in(admin, timedelta(seconds=1.5))
        until(lambda: shortest(admin) > timedelta(seconds=5))


def test_a_heartbeat_waits_for_no_row_that_is_being_saved(
    database: Database, connection: Connection, claimed: JobRun
) -> None:
    with database.connect() as other, connection.transaction():
        connection.execute(
            "delete from font_index.leases where font_id in (select min(font_id::text)::uuid from font_index.leases)"
        )
        other.execute("set statement_timeout = '5s'")
        assert other.execute(RENEW, {"lease": LEASE, "run_id": claimed.id}).rowcount == 1


def test_fonts_of_a_living_run_are_left_to_it(
    database: Database, connection: Connection, claimed: JobRun, space: Space
) -> None:
    """Wherever it runs: a container may have our own host name and process id."""
    assert connection.execute("select host, process_id from font_index.runs").fetchall() == [
        (socket.gethostname(), os.getpid())
    ]
    with beating(connection, claimed), database.open() as own:
        report = index(own, space, HashedNgrams(), None)
    assert (report.embedded, report.held) == (0, {"leased": 2})


def test_fonts_of_a_dead_run_are_embedded_within_the_same_run(
    database: Database, connection: Connection, claimed: JobRun, space: Space, add_fonts: AddFonts
) -> None:
    with database.open() as own:
        report = index(own, space, HashedNgrams(), None)
    assert (report.embedded, report.held) == (2, {})
    assert connection.execute("select count(*) from font_index.leases").fetchone() == (0,)


def test_leases_are_watched_until_renewed_given_back_or_expired(
    database: Database, connection: Connection, claimed: JobRun, space: Space
) -> None:
    fonts: Sequence[UUID] = [font.font_id for font in pending(connection, space)]
    assert not abandoned(connection, space, [])
    with beating(connection, claimed), database.open() as own:
        assert not abandoned(own, space, fonts)
    expire_in(connection, timedelta(seconds=1))
    assert abandoned(connection, space, fonts)
    assert abandoned(connection, space, fonts), "expired before it was looked at"


def test_a_dead_run_is_recorded_as_interrupted_and_a_young_one_is_not(
    connection: Connection, claimed: JobRun, space: Space
) -> None:
    connection.execute("update font_index.runs set started_at = now() - interval '1 hour'")
    young = JobRun.start(connection, space, {})
    tidy(connection)
    outcomes = "select id, outcome from font_index.runs order by id"
    assert connection.execute(outcomes).fetchall() == [
        (claimed.id, "running"),
        (young.id, "running"),
    ]
    expire_in(connection, timedelta(0))
    tidy(connection)
    assert connection.execute(outcomes).fetchall() == [
        (claimed.id, "interrupted"),
        (young.id, "running"),
    ]


def test_a_failure_is_counted_by_the_run_that_holds_the_font(
    database: Database, connection: Connection, claimed: JobRun, space: Space
) -> None:
    expire_in(connection, timedelta(0))
    with database.open() as own:
        other = JobRun.start(own, space, {})
        first, second = other.claim(pending(own, space), EVERYTHING)
        claimed.fail(first, FontError("embed", "Too slow."), None)
        other.fail(second, FontError("embed", "Too slow."), None)
    failed = connection.execute("select font_id from font_index.failures").fetchall()
    assert failed == [(second.font_id,)]


def test_a_job_goes_on_when_the_server_ends_its_connections(
    database: Database,
    connection: Connection,
    add_fonts: AddFonts,
    files: FontFiles,
    tmp_path: Path,
) -> None:
    add_fonts(connection, BATCH + 2)
    said: list[str] = []
    ended = 0

    def end_once(progress: Progress) -> None:
        nonlocal ended
        if progress.embedded and not ended:
            with database.connect() as admin:
                ended = end_connections(admin)

    settings = Settings(FONTSIGHT_CACHE_DIR=tmp_path / "cache")
    options = BackfillOptions(
        vl=VLOptions(embedder="measured-traits"), text_embedder="hashed-ngrams", processes=1
    )
    with database.open() as own:
        done = dict(
            (space.leg, progress)
            for space, progress in backfill(
                own, settings, files, options,
                say=said.append, progress_bar=lambda leg: nullcontext(end_once),
            )
        )  # fmt: skip
    # the job's and the heartbeat's, apart from the test's own; five are what the docs allow it
    assert 2 <= ended <= 5
    assert "The database ended the connection. Trying again for a minute." in said
    assert {leg: progress.embedded for leg, progress in done.items()} == dict.fromkeys(
        ("text", "vl"), BATCH + 2
    )
