"""Migrations beside a product that goes on: locks, open transactions, other migrators, interruptions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from indexer.database import schema
from indexer.database.connect import Connection, Database
from indexer.errors import UserError
from tests.fix_product import fingerprint, leave_invalid, one, product
from tests.fix_waiting import until

ROOT = Path(__file__).parent.parent
LOCK_TIMEOUT = 2.0  # of schema.GUARDS
MATCH_FONTS = """
    create or replace function public.match_fonts(
      query_embedding vector(4096), match_threshold float, match_count int)
    returns table (name text, similarity float) language sql stable as $$
      select f.name, 1 - (f.embedding <=> query_embedding) from public.fonts f
       where 1 - (f.embedding <=> query_embedding) > match_threshold
       order by f.embedding <=> query_embedding limit match_count $$;
"""
# `where n > 0` makes the inner query another one for every row
MANY = """
    insert into public.fonts (name, description, embedding)
    select 'Face ' || n, 'a friendly face',
           array(select random() - 0.5 from generate_series(1, 4096) where n > 0)::real[]::vector
      from generate_series(1, 500) n
"""
VALID = """
    select i.indexrelid::regclass::text, i.indisvalid and am.amname in ('hnsw', 'gin') from pg_index i
    join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
    where c.relname = any(%s)
"""
ALL_VALID = dict.fromkeys(schema.INDEXES, True)
SNAPSHOT = "set transaction isolation level repeatable read; select from public.fonts"
UNFILLED = "select count(*) from public.fonts where fts is null"


@pytest.fixture
def adopted(empty_database: Database) -> Database:
    """A product's database before the first migration."""
    with empty_database.connect() as connection:
        connection.execute("create extension vector")
        product(connection)
    return empty_database


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same guards, sooner at an end."""
    monkeypatch.setattr(schema, "GUARDS", ("set lock_timeout = '200ms';", schema.GUARDS[1]))
    monkeypatch.setattr(schema, "PAUSES", (0.2, 0.2, 0.2))


def test_a_running_product_notices_nothing(adopted: Database) -> None:
    query = (
        "select name from match_fonts((select embedding from fonts where name = 'Face 7'), -1, 20)"
    )
    write = "update public.fonts set description = description || '.' where name = 'Face ' || ceil(random() * 500)"
    with adopted.connect() as connection:
        connection.execute(MATCH_FONTS)
        connection.execute(MANY)
    with (
        running(adopted, query) as first,
        running(adopted, query) as second,
        running(adopted, write) as writer,
    ):
        schema.upgrade(adopted.conninfo)
    for calls, slowest in (first.result(), second.result()):
        assert calls > 20
        assert slowest < 1
    calls, slowest = writer.result()
    assert calls > 20
    assert slowest < LOCK_TIMEOUT + 1
    with adopted.open() as connection:
        assert indexes(connection) == ALL_VALID
        assert one(connection, UNFILLED) == 0


@contextmanager
def running(database: Database, statement: str) -> Iterator[Future[tuple[int, float]]]:
    """Run a statement all the while: how often it was run, and the longest that it took."""
    begun, stopped = threading.Event(), threading.Event()

    def run() -> tuple[int, float]:
        calls, slowest = 0, 0.0
        with database.connect() as connection:
            while not stopped.is_set():
                begin = time.monotonic()
                connection.execute(statement)
                slowest = max(slowest, time.monotonic() - begin)
                calls += 1
                begun.set()
        return calls, slowest

    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(run)
        assert begun.wait(30), future.result()
        try:
            yield future
        finally:
            stopped.set()


@contextmanager
def held(database: Database, statement: str, seconds: float | None = None) -> Iterator[Connection]:
    """A transaction that ran a statement and stays open, for so many seconds or all the while."""
    with database.connect(autocommit=False) as connection:
        connection.execute(statement)
        timer = threading.Timer(seconds or 0, connection.rollback)
        if seconds:
            timer.start()
        yield connection
        if seconds:
            timer.join()


def test_a_lock_that_is_let_go_is_got_by_trying_again(adopted: Database, impatient: None) -> None:
    said: list[str] = []
    with held(adopted, "select 'hush-hush' from public.fonts", 0.6):
        schema.upgrade(adopted.conninfo, notice=said.append)
    assert re.match(
        r"Locked by fontsight \(pid \d+, open for .*\)\. Trying again in 0\.2 s\.", said[0]
    )
    with adopted.open() as connection:
        assert indexes(connection) == ALL_VALID


def test_a_lock_that_is_never_let_go_is_named_and_nothing_is_lost(
    adopted: Database, impatient: None
) -> None:
    with adopted.connect() as connection:
        before = fingerprint(connection)
        with held(adopted, "select 'hush-hush' from public.fonts") as holder:
            with pytest.raises(UserError, match="run again: indexer migrate") as refused:
                schema.upgrade(adopted.conninfo)
            assert f"by fontsight (pid {holder.info.backend_pid}, open for" in str(refused.value)
            assert "hush-hush" not in repr(refused.value)
            assert schema.current(connection) == "0001"
        schema.upgrade(adopted.conninfo)
        assert fingerprint(connection) == before


def test_steps_are_counted_once_though_one_is_tried_again(
    adopted: Database, impatient: None
) -> None:
    """`upgrade +2`, of which the first takes no lock on fonts and the second has to wait for one."""
    with held(adopted, "select from public.fonts", 0.6):
        schema.upgrade(adopted.conninfo, "+2")
    with adopted.connect() as connection:
        assert schema.current(connection) == "0002"


def test_a_concurrent_build_outwaits_an_open_transaction(
    adopted: Database, impatient: None
) -> None:
    schema.upgrade(adopted.conninfo, "0003")
    said: list[str] = []
    begin = time.monotonic()
    with held(adopted, SNAPSHOT, 1.0):
        schema.upgrade(adopted.conninfo, "0004", notice=said.append)
    assert time.monotonic() - begin > 0.9
    assert [line for line in said if "Trying again" in line] == []
    with adopted.connect() as connection:
        assert indexes(connection) == ALL_VALID


def test_no_timeout_cuts_the_filling_of_many_rows(
    adopted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(adopted.conninfo, "0003")
    monkeypatch.setattr(schema, "GUARDS", (schema.GUARDS[0], "set statement_timeout = '500ms';"))
    with adopted.connect() as connection:
        connection.execute(
            "create function public.slow() returns trigger language plpgsql as"
            " $$ begin perform pg_sleep(0.05); return new; end $$;"
            "create trigger slow before update on public.fonts for each row execute function slow()"
        )
        schema.upgrade(adopted.conninfo, "0004")
        assert one(connection, UNFILLED) == 0


def test_rows_are_filled_in_batches_and_an_interruption_loses_none(adopted: Database) -> None:
    schema.upgrade(adopted.conninfo, "0002")
    with adopted.connect() as connection:
        connection.execute(
            "insert into public.fonts (name) select 'Face ' || n from generate_series(1, 1600) n;"
            "create function public.no() returns trigger language plpgsql as $$"
            " begin if new.name = 'Face 1500' then raise 'no'; end if; return new; end $$;"
            "create trigger no before update on public.fonts for each row execute function public.no()"
        )
        with pytest.raises(psycopg.errors.RaiseException):
            schema.upgrade(adopted.conninfo)
        assert schema.current(connection) == "0003"
        assert 100 <= int(str(one(connection, UNFILLED))) <= 700
        connection.execute("drop trigger no on public.fonts")
        schema.upgrade(adopted.conninfo)
        assert one(connection, UNFILLED) == 0
        assert int(str(one(connection, "select count(distinct xmin::text) from public.fonts"))) >= 4


@pytest.mark.slow
def test_a_row_that_stays_locked_keeps_no_other_from_being_filled(
    adopted: Database, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PAUSES", (0.1,))
    schema.upgrade(adopted.conninfo, "0003")
    with adopted.connect() as connection:
        with held(adopted, "select from public.fonts where name = 'Font 3' for update"):
            with pytest.raises(UserError, match="by fontsight"):
                schema.upgrade(adopted.conninfo)
            assert one(connection, UNFILLED) == 1
        schema.upgrade(adopted.conninfo)
        assert one(connection, UNFILLED) == 0


def test_filling_wakes_no_trigger_of_the_product(adopted: Database) -> None:
    with adopted.connect() as connection:
        connection.execute(
            "create function public.embed() returns trigger language plpgsql as"
            " $$ begin raise 'embedded anew, which costs money'; end $$;"
            "create trigger embed after update of name, category, tags, description on public.fonts"
            " for each row execute function public.embed()"
        )
    schema.upgrade(adopted.conninfo)


def test_the_words_of_a_row_follow_it_and_cannot_be_put_out_of_step(connection: Connection) -> None:
    connection.execute("insert into fonts (name, tags) values ('Chonk', '{hairy}')")
    connection.execute("update fonts set description = 'A wobbly face'")
    connection.execute("update fonts set fts = 'nonsense'::tsvector")
    assert (
        one(connection, "select fts::text from fonts")
        == "'chonk':1A 'face':5C 'hairi':2B 'wobbl':4C"
    )


@pytest.mark.parametrize("component", ["1e38", "1e-45", "70000", "0"])
def test_no_row_of_the_product_is_refused_for_our_columns(
    connection: Connection, component: str
) -> None:
    connection.execute(
        "insert into fonts (name, description, tags, embedding) select 'x', words, array[words],"
        " array_fill(%s::real, array[4096])::vector from"
        " (select string_agg('word' || n, ' ') as words from generate_series(1, 200000) n) w",
        [component],
    )
    assert one(connection, "select fts @@ 'word7'::tsquery from fonts") is True
    length = one(connection, "select l2_norm(embedding_joint)::numeric(3, 2)::text from fonts")
    assert length == "1.41"


def indexes(connection: Connection) -> dict[str, bool]:
    """Those of ours that are there, and whether each is what it should be."""
    return dict(connection.execute(VALID, [list(schema.INDEXES)]).fetchall())


def test_indexes_that_an_interrupted_build_has_left_are_built_anew(adopted: Database) -> None:
    schema.upgrade(adopted.conninfo, "0003")
    with adopted.connect() as connection:
        for name in schema.INDEXES:
            leave_invalid(connection, name)
        assert indexes(connection) == dict.fromkeys(schema.INDEXES, False)
        schema.upgrade(adopted.conninfo)
        assert indexes(connection) == ALL_VALID


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("pg_cancel_backend", psycopg.errors.QueryCanceled),
        ("pg_terminate_backend", psycopg.errors.AdminShutdown),
    ],
)
def test_a_build_that_is_ended_is_done_again_and_the_finished_one_kept(
    adopted: Database, end: str, error: type[psycopg.Error]
) -> None:
    schema.upgrade(adopted.conninfo, "0003")
    with adopted.connect() as connection, ThreadPoolExecutor(1) as threads:
        with held(adopted, SNAPSHOT):
            upgrade = threads.submit(schema.upgrade, adopted.conninfo)
            building = (
                f"select {end}(pid) from pg_stat_activity"
                " where query ~ '^(--.*\n)*create index concurrently' and state = 'active'"
                " and datname = current_database() and wait_event_type = 'Lock'"
            )
            until(lambda: one(connection, building) is not None)
            with pytest.raises(error):
                upgrade.result()
            assert indexes(connection) == {schema.INDEXES[0]: False}
        connection.execute("create index fonts_fts_gin on public.fonts using gin (fts)")
        kept = one(connection, "select 'fonts_fts_gin'::regclass::oid")
        schema.upgrade(adopted.conninfo)
        assert indexes(connection) == ALL_VALID
        assert one(connection, "select 'fonts_fts_gin'::regclass::oid") == kept


@pytest.mark.slow
def test_two_migrators_at_once_take_turns(adopted: Database) -> None:
    # not threads: Alembic keeps what it is at in the process
    command = [sys.executable, "-m", "indexer", "migrate"]
    environment = {**os.environ, "DATABASE_URL": adopted.conninfo}
    there = "select count(*) from pg_stat_activity where application_name = 'fontsight migrate'"
    with held(adopted, "select from public.fonts") as holder, adopted.connect() as connection:
        both = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
            for _ in "ab"
        ]
        until(lambda: one(connection, there) == 2)
        time.sleep(1)
        holder.rollback()
        said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "Another migration is running, by fontsight migrate (pid" in "".join(said)
    with adopted.open() as connection:
        assert indexes(connection) == ALL_VALID


def test_a_migration_that_does_not_end_is_named(adopted: Database, impatient: None) -> None:
    with adopted.connect() as other:
        other.execute("select pg_advisory_lock(4096001)")
        with pytest.raises(UserError, match="Another migration is running on this database, by"):
            schema.upgrade(adopted.conninfo)
        assert schema.current(other) is None
