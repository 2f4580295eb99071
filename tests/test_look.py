"""Looks: what was up to date and was not written since is not compared again, and nothing is missed for it."""

from __future__ import annotations

import random

import psycopg
import pytest

from eval.bench.bookkeeping import record_all
from indexer.database.connect import Connection, Database
from indexer.embed.ngrams import HashedNgrams
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.facts import fill_facts
from indexer.job.look import Look
from indexer.job.pending import Selection, outstanding, pending
from indexer.job.verify import Verified, verify
from indexer.job.watch import Changes
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space, vl_space
from indexer.text import DESCRIBED

ROWS = 6
SPACE = vl_space(HashedNgrams(), SheetSpec(), DESCRIBED)  # of which every input counts
FONTS = """
    insert into fonts (name, category, tags, description, source, files, embedding_vl)
    select 'Font ' || n, 'serif', '{latin}', 'Quiet.', 'made',
           jsonb_build_object('400', 'https://fonts.example/' || n, '700', 'https://fonts.example/bold'),
           array_fill(1, array[4096])::halfvec
    from generate_series(1, %s) n
"""
FILES = """
    insert into font_index.files (url, sha256, size, origin)
    select 'https://fonts.example/' || n, md5(n::text), 1, 'made' from generate_series(1, %s) n
"""
# Another table, of the same fonts under other names, that could take the place of the first.
STAGING = """
    create table public.staging as select * from public.fonts;
    update public.staging set name = name || ' Neue'
"""
CHANGES = {
    "name": "update fonts set name = 'Renamed' where name = 'Font 3'",
    "category": "update fonts set category = 'sans-serif' where name = 'Font 3'",
    "tags": "update fonts set tags = '{latin,greek}' where name = 'Font 3'",
    "description": "update fonts set description = 'Loud.' where name = 'Font 3'",
    "files": """update fonts set files = '{"400": "https://fonts.example/4"}' where name = 'Font 3'""",
    "the file's bytes": "update font_index.files set sha256 = 'new' where url like '%/3'",
    # the same bytes stand behind another address already: no hash that is not known appears
    "another's bytes": "update font_index.files set sha256 = md5('4') where url like '%/3'",
    "what is known of a file": "delete from font_index.files where url like '%/3'",
    "the vector": "update fonts set embedding_vl = null where name = 'Font 3'",
    "the bookkeeping": "update font_index.embeddings set input_hash = '' where font_id in (select id from fonts where name = 'Font 3')",
    "no bookkeeping": "delete from font_index.embeddings",
    "a new font": "insert into fonts (name) values ('New')",
    "the table": "alter table fonts rename to kept; alter table staging rename to fonts",
    "a column": "alter table fonts drop column description cascade; alter table fonts add description text default 'Loud.'",
}


@pytest.fixture
def indexed(connection: Connection) -> Space:
    """A space in which all fonts are up to date, and were looked at."""
    connection.execute(FONTS, [ROWS])
    connection.execute(FILES, [ROWS])
    connection.execute(STAGING)
    record_all(connection, SPACE)
    assert outstanding(connection, SPACE) == []
    return SPACE


@pytest.mark.parametrize("touched", [False, True])
def test_a_change_of_anything_that_a_vector_hangs_on_is_found(
    connection: Connection, indexed: Space, touched: bool
) -> None:
    if touched:  # as every night: looked at again, and the same
        connection.execute("update font_index.files set checked_at = now()")
    for what, change in CHANGES.items():
        with connection.transaction(force_rollback=True):
            connection.execute(change)
            found = outstanding(connection, indexed, keep=False)
            assert found == pending(connection, indexed) != [], what
        assert outstanding(connection, indexed) == []


def test_what_was_not_written_since_a_look_is_not_compared(
    connection: Connection, indexed: Space
) -> None:
    connection.execute("update fonts set name = 'Renamed' where name = 'Font 3'")
    ignore(connection, indexed)
    assert outstanding(connection, indexed) == []
    # that all is compared, whatever a look says, is promised by these
    assert [font.name for font in pending(connection, indexed)] == ["Renamed"]
    named = Selection(only=("Renamed",))
    assert [font.name for font in outstanding(connection, indexed, named)] == ["Renamed"]


def test_a_look_by_another_query_counts_for_nothing(connection: Connection, indexed: Space) -> None:
    with connection.transaction(force_rollback=True):
        Look.begin(connection, indexed.id, "select 1").keep(connection, [], new=True)
        assert Look.begin(connection, indexed.id, "select 1").since is not None
        assert Look.begin(connection, indexed.id, "select 2").since is None
        assert Look.begin(connection, "another space", "select 1").since is None


def test_verify_finds_what_looks_have_overlooked_and_lets_every_font_be_compared(
    connection: Connection, indexed: Space
) -> None:
    connection.execute("update fonts set name = 'Renamed' where name = 'Font 3'")
    assert "takes them for up to date" not in told(verify(connection))
    ignore(connection, indexed)
    assert "1 vectors are out of date, and the job takes them for up to date" in told(
        verify(connection)
    )
    assert "compares every font" in told(verify(connection, repair=True))
    assert [font.name for font in outstanding(connection, indexed)] == ["Renamed"]


def test_a_look_that_was_restored_from_a_dump_counts_for_nothing(
    connection: Connection, indexed: Space
) -> None:
    connection.execute("update fonts set name = 'Renamed' where name = 'Font 3'")
    ignore(connection, indexed)
    with connection.transaction():
        connection.execute("create temporary table dump as select * from font_index.looks")
        connection.execute("truncate font_index.looks")
        connection.execute("insert into font_index.looks select * from dump")
    assert [font.name for font in outstanding(connection, indexed)] == ["Renamed"]


def test_what_a_look_found_and_nobody_mended_is_found_by_the_next_ones(
    connection: Connection, indexed: Space
) -> None:
    connection.execute("update fonts set description = 'Loud.' where name in ('Font 3', 'Font 5')")
    for _ in range(3):
        assert {font.name for font in outstanding(connection, indexed)} == {"Font 3", "Font 5"}
    record_all(connection, indexed)
    assert outstanding(connection, indexed) == []
    assert outstanding(connection, indexed) == []


def test_a_change_that_is_committed_after_a_look_is_found_by_the_next_one(
    connection: Connection, database: Database, indexed: Space
) -> None:
    with database.connect() as other:
        with other.transaction():
            other.execute("update fonts set name = 'Renamed' where name = 'Font 3'")
            # the look that begins now has a higher transaction's number than the change
            connection.execute("update fonts set name = 'Known' where name = 'Font 5'")
            assert [font.name for font in outstanding(connection, indexed)] == ["Known"]
        assert {f.name for f in outstanding(connection, indexed)} == {"Renamed", "Known"}


def test_whatever_is_written_in_whatever_order_a_look_finds_what_a_full_comparison_does(
    connection: Connection, database: Database, indexed: Space
) -> None:
    dice = random.Random(12)
    kinds = [change for what, change in CHANGES.items() if what not in ("the table", "a column")]
    with database.connect(autocommit=False) as other:
        for _ in range(30):
            change = dice.choice(kinds).replace("3'", f"{dice.randint(1, ROWS)}'")
            change = change.replace("Renamed", f"Font {dice.random()}").replace(
                "New", f"New {dice.random()}"
            )
            writer = dice.choice([connection, other])
            writer.execute("set lock_timeout = '1ms'")
            try:
                writer.execute(change)
            except psycopg.Error:  # a lock of the other, or a row that it has made
                writer.rollback()
            if dice.random() < 0.3:
                dice.choice([other.commit, other.rollback])()
            if dice.random() < 0.2:
                other.commit()
                record_all(connection, indexed)
            if dice.random() < 0.8:
                assert outstanding(connection, indexed) == pending(connection, indexed)


def test_watch_finds_rows_that_were_written_and_nothing_else(
    connection: Connection, indexed: Space
) -> None:
    changes = Changes(lambda: False)
    assert changes.found(connection)
    connection.execute("update font_index.files set checked_at = now()")
    assert not changes.found(connection)
    connection.execute(CHANGES["description"])
    assert changes.found(connection)
    assert not changes.found(connection)


@pytest.mark.parametrize(
    "due",
    [
        "update font_index.failures set next_try_at = now()",
        "insert into font_index.leases (font_id, space_id, run_id, expires_at) "
        "select gen_random_uuid(), space_id, id, now() from font_index.runs limit 1",
        "update font_index.looks set unsettled = array[gen_random_uuid()] where subject = 'facts'",
    ],
)
def test_watch_goes_on_without_a_row_written_when_something_is_due(
    connection: Connection, indexed: Space, files: FontFiles, due: str
) -> None:
    connection.execute(
        "insert into font_index.failures (font_id, space_id, input_hash, stage, error, attempts, next_try_at) "
        "values (gen_random_uuid(), %s, '', 'fetch', 'It is gone.', 1, now() + interval '1 day')",
        [indexed.id],
    )
    for _ in range(2):
        fill_facts(connection, files, no_preparer, say=pytest.fail)
    changes = Changes(lambda: False, minute=0)
    assert changes.found(connection)
    # in a moment in which nobody else writes in this server
    assert not all(changes.found(connection) for _ in range(100))
    connection.execute(due)
    assert all(changes.found(connection) for _ in range(3))
    work = Changes(lambda: True, minute=0)
    assert all(work.found(connection) for _ in range(3))


def told(found: Verified) -> str:
    return "\n".join([*found.findings, *found.repaired])


def ignore(connection: Connection, space: Space) -> None:
    """Let the last look say that all fonts are up to date, whatever they are."""
    assert outstanding(connection, space) != []
    connection.execute(
        "update font_index.looks set unsettled = '{}', written_by = pg_current_xact_id() where subject = %s",
        [space.id],
    )


def no_preparer() -> Preparer:
    raise AssertionError("no file is to be opened")
