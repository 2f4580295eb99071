"""A switch beside a second session at the same switch, a running job, and apps that write the next columns."""

from __future__ import annotations

import threading

import pytest

from indexer import spaces
from indexer.activate import activate, under_way
from indexer.database.connect import Connection, Database
from indexer.errors import UserError
from indexer.job.pending import outstanding, pending
from indexer.job.verify import verify
from tests.fix_spaces import FONTS, Pair, asked, make_pair, signs
from tests.fix_waiting import until

WAITS = "select exists (select from pg_locks where relation = 'fonts'::regclass and not granted)"


@pytest.fixture
def pair(connection: Connection) -> Pair:
    return make_pair(connection, "vl")


def test_what_one_session_has_exchanged_a_second_one_does_not_exchange_back(
    database: Database, connection: Connection, pair: Pair
) -> None:
    def overtaken(sentence: str) -> None:
        if sentence.startswith("Building"):
            activate(connection, pair.other.id)

    with database.open() as slow, pytest.raises(UserError, match="Another session goes on"):
        activate(slow, pair.other.id, say=overtaken)
    assert spaces.active(connection, "vl") == pair.other
    assert signs(asked(connection, "vl", FONTS)) == {-1}
    assert under_way(connection) is None
    assert verify(connection).findings == []


def test_vectors_on_their_way_aside_are_not_embedded_again(
    connection: Connection, pair: Pair
) -> None:
    """By a job that still fills the space which served, as one that was begun before the switch does."""
    seen = []

    def look(sentence: str) -> None:
        if sentence.startswith("Search uses"):
            connection.execute("update fonts set embedding_vl_next = null where name = 'Font 5'")
            for find in (pending, outstanding):
                seen.append([(font.name, font.reason) for font in find(connection, pair.one)])

    activate(connection, pair.other.id, say=look)
    assert seen == [[("Font 5", "lost")]] * 2


def test_what_an_app_has_written_to_the_next_columns_never_serves(
    connection: Connection, pair: Pair
) -> None:
    """As one does that saves whole rows which it read during an earlier switch."""
    connection.execute(
        "update fonts set embedding_vl_next = embedding_vl, embedding_joint_next = embedding_joint"
    )
    activate(connection, pair.other.id)
    assert signs(asked(connection, "vl", FONTS)) == {-1}
    assert verify(connection).findings == []


def test_with_triggers_disabled_nothing_begins_to_serve_that_search_would_not_find(
    connection: Connection, pair: Pair
) -> None:
    def disable(sentence: str) -> None:
        if sentence.startswith("Copying"):
            connection.execute("alter table fonts disable trigger user")

    with pytest.raises(UserError, match="are disabled, or undo"):
        activate(connection, pair.other.id, say=disable)
    assert spaces.active(connection, "vl") == pair.one
    assert signs(asked(connection, "vl", FONTS)) == {1}
    connection.execute("alter table fonts enable trigger user")
    activate(connection, pair.other.id)
    assert signs(asked(connection, "vl", FONTS)) == {-1}
    assert verify(connection).findings == []


def test_a_vacuum_is_waited_for_and_writers_do_not_wait_behind(
    database: Database, connection: Connection, pair: Pair
) -> None:
    """By its lock: what vacuum does itself, giving way after a second, needs a table of many rows."""
    said: list[str] = []
    with database.open() as vacuum, database.open() as waiting, database.open() as writer:
        vacuum.autocommit = False
        vacuum.execute("lock table fonts in share update exclusive mode")
        switch = threading.Thread(
            target=activate, args=[waiting, pair.other.id], kwargs={"say": said.append}
        )
        switch.start()
        until(lambda: connection.execute(WAITS).fetchone() == (True,))
        writer.execute("set statement_timeout = '1s'")
        writer.execute("update fonts set description = 'Written meanwhile' where name = 'Font 5'")
        vacuum.rollback()
        switch.join()
    assert spaces.active(connection, "vl") == pair.other
    assert not [sentence for sentence in said if "holds a lock" in sentence]
