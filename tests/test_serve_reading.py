"""The service reads as the app's visitors do: what they cannot see it cannot show, and it writes nothing."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import psycopg
import pytest
from psycopg import errors, sql

pytest.importorskip("psycopg_pool", reason="needs the extra serve")

from indexer.database.connect import Connection, Database
from indexer.errors import UserError
from indexer.serve import reading
from indexer.serve.reading import DatabaseUnavailable, Reader, ReaderBusy
from indexer.settings import Settings
from tests.fix_visitors import HIDDEN, grant, hide
from tests.fix_waiting import until

NAMES = "select name from public.fonts order by name"


def add(connection: Connection, count: int = 3) -> None:
    for number in range(count):
        connection.execute("insert into public.fonts (name) values (%s)", [f"Font {number:02}"])


def opened(database: Database, role: str | None = None) -> tuple[Reader, list[str]]:
    said: list[str] = []
    settings = Settings.model_validate({"FONTSIGHT_SERVE_ROLE": role})
    return Reader.from_settings(settings, database, said.append), said


def names(reader: Reader) -> list[str]:
    with reader.visitor() as connection:
        return [name for (name,) in connection.execute(NAMES)]


def reads(reader: Reader) -> bool:
    try:
        return names(reader) == []
    except DatabaseUnavailable:
        return False


def test_a_visitor_reads_as_anon_and_sees_nothing_that_a_policy_hides(visited: Database) -> None:
    with visited.connect() as admin:
        add(admin)
        hide(admin)
    reader, said = opened(visited)
    with reader, reader.visitor() as connection:
        assert connection.execute("select current_user").fetchone() == ("anon",)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("select from font_index.spaces")
    with opened(visited)[0] as reader:
        assert names(reader) == ["Font 00", "Font 02"]
    assert HIDDEN == "Font 01" and said == []


def test_nothing_can_be_written_and_no_role_stays_behind(
    visited: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_CONNECTIONS", 1)
    with visited.connect() as admin:
        admin.execute("grant all on public.fonts to anon")
    with opened(visited)[0] as reader:
        for open_one in (reader.visitor, reader.owner):
            with open_one() as connection, pytest.raises(errors.ReadOnlySqlTransaction):
                connection.execute("insert into public.fonts (name) values ('new')")
        with reader.visitor() as connection:
            backend = connection.info.backend_pid
            connection.execute("set search_path = nowhere; set role anon")
        with reader.owner() as connection:
            assert connection.info.backend_pid == backend
            row = connection.execute(
                "select current_user <> 'anon', current_setting('search_path')"
            ).fetchone()
            assert row is not None and row[0] and row[1] != "nowhere"
            assert connection.execute("select count(*) from font_index.spaces").fetchone() == (0,)


def test_a_failed_statement_leaves_the_connection_as_good_as_new(visited: Database) -> None:
    with opened(visited)[0] as reader:
        with reader.visitor() as connection, pytest.raises(errors.UndefinedTable):
            connection.execute("select from public.nothing")
        assert names(reader) == []
        with pytest.raises(ReaderBusy, match="more than 3 seconds"), reader.visitor() as connection:
            connection.execute("set local statement_timeout = '50ms'; select pg_sleep(5)")
        assert names(reader) == []


def test_without_a_role_for_visitors_it_reads_as_itself_and_says_so(database: Database) -> None:
    with database.connect() as admin:
        add(admin)
    reader, said = opened(database)
    assert reader.role is None and "no role anon" in said[0]
    with reader:
        assert len(names(reader)) == 3
        # a policy that comes later would not bind the owner of the table
        with database.connect() as admin:
            hide(admin)
        with pytest.raises(UserError, match="FONTSIGHT_SERVE_ROLE"):
            names(reader)
    with pytest.raises(UserError, match="row security"):
        opened(database)


def test_policies_that_show_only_some_fonts_are_not_passed_by(database: Database) -> None:
    with database.connect() as admin:
        admin.execute('drop policy "Fonts are readable by everyone" on public.fonts')
        with pytest.raises(UserError, match="row security"):
            opened(database)
        admin.execute("alter table public.fonts disable row level security")
    assert opened(database)[0].role is None


def test_a_role_that_cannot_be_read_as_is_refused_with_the_remedy(
    visited: Database, server: str
) -> None:
    with pytest.raises(UserError, match=r"no role 'nobody'.*FONTSIGHT_SERVE_ROLE"):
        opened(visited, "nobody")
    with pytest.raises(UserError, match=r"authenticated.*select on public.fonts, usage on the sch"):
        opened(visited, "authenticated")
    with visited.connect() as admin:
        grant(admin, "authenticated")
        assert opened(visited, "authenticated")[0].role == "authenticated"
        name = admin.info.dbname
        admin.execute(
            "create role plain login password 'plain'; grant select on font_index.alembic_version to plain"
        )
        admin.execute("grant usage on schema font_index to plain")
    try:
        plain = psycopg.conninfo.make_conninfo(server, dbname=name, user="plain", password="plain")
        with pytest.raises(UserError, match='grant "anon" to "plain"'):
            opened(Database(conninfo=plain, label=name))
    finally:
        with visited.connect() as admin:
            admin.execute("drop owned by plain; drop role plain")


def test_a_connection_that_died_in_the_pool_is_replaced(visited: Database) -> None:
    with opened(visited)[0] as reader:
        with ExitStack() as stack:
            pids = [stack.enter_context(reader.visitor()).info.backend_pid for _ in range(4)]
        with visited.connect() as admin:
            for pid in pids:
                admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
        assert names(reader) == []
        with pytest.raises(DatabaseUnavailable), reader.visitor() as connection:
            pid = connection.info.backend_pid
            with visited.connect() as admin:
                admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
            connection.execute(NAMES)
        assert names(reader) == []


def test_after_however_many_requests_in_vain_a_database_that_is_back_is_read(
    server: str, visited: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_WAIT_SECONDS", 0.01)
    with opened(visited)[0] as reader, psycopg.connect(server, autocommit=True) as admin:
        until(lambda: reads(reader))
        with visited.connect() as connection:
            name = connection.info.dbname
        database = sql.Identifier(name)
        admin.execute(sql.SQL("alter database {} allow_connections false").format(database))
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
            [name],
        )
        assert not any(reads(reader) for _ in range(80))
        time.sleep(0.1)  # until no attempt to connect is under way any more
        admin.execute(sql.SQL("alter database {} allow_connections true").format(database))
        until(lambda: reads(reader))


def test_more_readers_than_connections_wait_and_are_told(
    visited: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_WAIT_SECONDS", 0.3)
    with opened(visited)[0] as reader, ExitStack() as stack:
        for _ in range(reading.MAX_CONNECTIONS):
            stack.enter_context(reader.visitor())
        with pytest.raises(ReaderBusy, match="busy"):
            names(reader)
        first = threading.Timer(0.1, stack.close)
        first.start()
        first.join()
        assert names(reader) == []
