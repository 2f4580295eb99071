"""Migrations: from nothing, beside a product that is there, printed, refused, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from psycopg import conninfo

from indexer.cli import main
from indexer.database import schema
from indexer.database.connect import Database, address_of, connect_again
from indexer.errors import UserError
from tests.fix_cli import runner
from tests.fix_product import fingerprint, leave_invalid, objects, one, product

ROOT = Path(__file__).parent.parent


def test_the_revisions_are_one_line_to_one_head() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert scripts.get_heads() == [schema.revisions()[-1]]
    assert [script.revision for script in scripts.walk_revisions()] == schema.revisions()[::-1]


def test_alembics_own_command_works_in_the_checkout(empty_database: Database) -> None:
    done = alembic(empty_database, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    with empty_database.open():
        pass


def test_an_empty_database_gets_the_product_schema_and_ours(empty_database: Database) -> None:
    schema.upgrade(empty_database.conninfo)
    with empty_database.open() as connection:
        assert one(connection, "select count(*) from public.fonts") == 0
        assert one(connection, "select count(*) from pg_proc where proname = 'match_fonts_hybrid'")
        kind = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid='fonts'::regclass and attname='embedding_vl'"
        assert one(connection, kind) == "halfvec(4096)"


def test_upgrading_again_changes_nothing(database: Database) -> None:
    schema.upgrade(database.conninfo)
    with database.open():
        pass


def test_a_product_that_is_there_is_adopted_untouched(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("create extension vector")
        product(connection)
        before = fingerprint(connection)
        schema.upgrade(empty_database.conninfo)
        assert fingerprint(connection) == before
        assert one(connection, "select name from match_fonts(null, 0, 1)") == "the product's own"
        # nor does it get row-level security that it did not have
        assert (
            one(
                connection,
                "select relrowsecurity from pg_class where oid = 'public.fonts'::regclass",
            )
            is False
        )


def test_pgvector_may_stand_in_the_schema_extensions(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute(
            "create schema extensions; create extension vector with schema extensions"
        )
        product(connection, "extensions.vector")
        schema.upgrade(empty_database.conninfo)
    with empty_database.open() as connection:
        # a search path without the extension: the function finds its operators by itself
        connection.execute("set search_path = pg_catalog")
        found = connection.execute(
            "select name from public.match_fonts_hybrid(array_fill(1, array[4096])::extensions.vector, null, -1, 3)"
        ).fetchall()
        assert len(found) == 3


def test_a_new_database_with_a_schema_extensions_keeps_pgvector_there(
    empty_database: Database,
) -> None:
    with empty_database.connect() as connection:
        connection.execute("create schema extensions")
        schema.upgrade(empty_database.conninfo)
        where = "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'"
        assert one(connection, where) == "extensions"


def test_another_table_named_fonts_is_refused_and_left_alone(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("create table public.fonts (id int, title text)")
        with pytest.raises(Exception, match="not the table that this project indexes"):
            schema.upgrade(empty_database.conninfo)
        assert schema.current(connection) is None
        assert one(connection, "select to_regclass('public.searches')") is None


def test_the_api_roles_may_read_and_call_and_nothing_else(
    empty_database: Database, api_roles: tuple[str, ...]
) -> None:
    schema.upgrade(empty_database.conninfo)
    with empty_database.connect() as connection:
        for role in api_roles:
            connection.execute(f"set role {role}")
            assert one(connection, "select count(*) from public.fonts") == 0
            query = "select count(*) from match_fonts_hybrid(array_fill(1, array[4096])::vector, null, -1, 3)"
            assert one(connection, query) == 0
            for denied in ("insert into public.fonts (name) values ('x')", "table font_index.runs"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(denied)
            connection.execute("reset role")


def test_commands_refuse_a_database_that_is_not_set_up(empty_database: Database) -> None:
    with pytest.raises(UserError, match="Run: indexer migrate"):
        empty_database.open()


def test_commands_refuse_a_database_that_is_behind(empty_database: Database) -> None:
    schema.upgrade(empty_database.conninfo, "0001")
    with pytest.raises(
        UserError, match=f"at revision 0001; revision {schema.revisions()[-1]} is needed"
    ):
        empty_database.open()


def test_commands_refuse_a_database_of_a_later_version(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("update font_index.alembic_version set version_num = '9999'")
    with pytest.raises(UserError, match="Upgrade fontsight; do not migrate down"):
        database.open()


@pytest.mark.parametrize("revision", ["base", *schema.revisions()[:-1]])
def test_down_and_up_again_keeps_the_product_and_makes_the_same(
    empty_database: Database, database: Database, revision: str
) -> None:
    schema.upgrade(empty_database.conninfo)
    with empty_database.connect() as connection, database.connect() as fresh:
        connection.execute(
            "insert into public.fonts (name, description) select 'Font ' || n, 'round' from generate_series(1, 20) n"
        )
        before = fingerprint(connection)
        schema.downgrade(empty_database.conninfo, revision)
        assert fingerprint(connection) == before
        assert schema.current(connection) == (None if revision == "base" else revision)
        schema.upgrade(empty_database.conninfo)
        assert fingerprint(connection) == before
        assert one(connection, "select count(*) from fonts where fts @@ 'round'::tsquery") == 20
        assert objects(connection) == objects(fresh)


def test_going_back_refuses_to_drop_vectors_before_it_drops_anything(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "insert into public.fonts (name, embedding_vl) values ('F', array_fill(1, array[4096])::halfvec)"
        )
        before = objects(connection)
        with pytest.raises(UserError, match="would drop 1 vectors"):
            schema.downgrade(database.conninfo, "base")
        assert one(connection, "select count(embedding_vl) from public.fonts") == 1
        assert objects(connection) == before  # search goes on
        schema.downgrade(database.conninfo, "base", drop_vectors=True)
        assert one(connection, "select name from public.fonts") == "F"


def test_uninstalling_leaves_the_product_as_it_was(
    empty_database: Database, tmp_path: Path
) -> None:
    run = runner(tmp_path, DATABASE_URL=empty_database.conninfo)
    with empty_database.connect() as connection:
        connection.execute(schema.read_sql("0001_product.sql"))
        before = objects(connection)
        run("migrate")
        connection.execute(
            "insert into public.fonts (name, embedding_vl) values ('F', array_fill(1, array[4096])::halfvec)"
        )
        shown = run("uninstall")
        assert "would remove the columns of public.fonts: embedding_vl, traits" in shown.stdout
        assert "1 appearance vectors" in shown.stdout
        assert "would drop 1 vectors" in run("migrate", "--down-to", "0001", expect=1).stderr
        assert "It can go back to: 0001" in run("migrate", "--down-to", "9", expect=2).stderr
        assert schema.current(connection) == schema.revisions()[-1]
        assert "from revision" in run("migrate", "--down-to", "0004").stdout
        assert schema.current(connection) == "0004"
        run("uninstall", "--yes")
        assert objects(connection) == before
        assert one(connection, "select name from public.fonts") == "F"
    assert "nothing to remove" in run("uninstall").stdout


def test_a_password_never_reaches_an_error() -> None:
    with pytest.raises(UserError) as unreachable:
        Database.from_url("postgresql://someone:hush-hush@127.0.0.1:9/db").open()
    with pytest.raises(UserError) as malformed:
        Database.from_url("postgresql://someone:hush-hush@host:port:/x?y")
    with pytest.raises(UserError, match="percent-encoded") as ambiguous:
        Database.from_url("postgresql://someone:hush@hush-hush@host/db")
    with pytest.raises(UserError, match="percent-encoded") as slashed:
        Database.from_url("postgresql://someone:12/hush-hush@host/db")
    with pytest.raises(UserError, match="percent-encoded") as without_host:
        Database.from_url("postgresql://someone:1:hush-hush?host=h")
    for error in (unreachable, malformed, ambiguous, slashed, without_host):
        assert "hush-hush" not in repr(error.value)
        assert error.value.__cause__ is None
    assert "hush-hush" not in repr(Database.from_url("postgresql://someone:hush-hush@h/db"))


@pytest.mark.parametrize("parameter", ["pgbouncer=true", "schema=public&connection_limit=1"])
def test_an_address_as_supabase_prints_it_for_prisma_is_understood(parameter: str) -> None:
    url = f"postgresql://me:se?cret@h:6543/db?{parameter}&sslmode=require"
    assert conninfo.conninfo_to_dict(Database.from_url(url).conninfo) == {
        "host": "h", "port": "6543", "user": "me", "password": "se?cret", "dbname": "db",
        "sslmode": "require",
    }  # fmt: skip


def test_a_connection_that_a_nat_forgot_is_noticed_unless_its_address_says_otherwise(
    database: Database,
) -> None:
    def kept_alive(connection: psycopg.Connection[Any]) -> tuple[str | None, ...]:
        given = connection.info.get_parameters()
        return given.get("keepalives_idle"), given.get("tcp_user_timeout")

    with database.connect() as connection, connect_again(address_of(connection)) as again:
        assert kept_alive(connection) == kept_alive(again) == ("30", "60000")
    address = Database.from_url(
        conninfo.make_conninfo(database.conninfo, keepalives_idle=7, tcp_user_timeout=9000)
    )
    with address.connect() as connection, connect_again(address_of(connection)) as again:
        assert kept_alive(connection) == kept_alive(again) == ("7", "9000")


def test_the_product_may_truncate_its_table(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("truncate public.fonts")


def test_an_old_pgvector_is_refused_before_anything_is_made(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("create extension vector")
        # no server has it any more, so its number is all that is old
        connection.execute("update pg_extension set extversion = '0.7.4' where extname = 'vector'")
        with pytest.raises(
            psycopg.errors.RaiseException, match=r"pgvector 0\.7\.4 is too old"
        ) as old:
            schema.upgrade(empty_database.conninfo)
        assert "alter extension vector update" in (old.value.diag.message_hint or "")
        assert one(connection, "select to_regclass('public.fonts')") is None


def test_pgvector_in_a_schema_where_search_does_not_look_is_refused(
    empty_database: Database,
) -> None:
    with empty_database.connect() as connection:
        connection.execute("create schema elsewhere; create extension vector schema elsewhere")
    with pytest.raises(psycopg.errors.RaiseException, match="stands in the schema elsewhere"):
        schema.upgrade(empty_database.conninfo)


def test_migrate_says_what_the_owner_should_know(
    empty_database: Database, api_roles: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database.conninfo)
    with empty_database.connect() as connection:
        connection.execute("create extension vector")
        product(connection)
        assert "row-level" not in CliRunner().invoke(main, ["migrate"]).stderr
        connection.execute("grant update on public.fonts to anon")
        connection.execute("update pg_extension set extversion = '0.8.1' where extname = 'vector'")
        connection.execute("drop index fonts_fts_gin")
        leave_invalid(connection, "fonts_fts_gin")
        said = CliRunner().invoke(main, ["migrate"]).stderr
        assert "public.fonts may be written by everybody" in said
        assert "pgvector 0.8.1 is installed; 0.8.4" in said
        assert "reindex index concurrently public.fonts_fts_gin" in said
        connection.execute("alter table public.fonts enable row level security")
        assert "row-level" not in CliRunner().invoke(main, ["migrate"]).stderr


def alembic(database: Database, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.conninfo},
        capture_output=True,
        text=True,
        check=False,
    )
