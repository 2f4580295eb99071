"""Migrations: from nothing, beside a product that is there, printed, refused, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from indexer import schema
from indexer.database import Connection, Database
from indexer.errors import UserError

ROOT = Path(__file__).parent.parent
PRODUCT = """
    create table public.fonts (
      id uuid primary key default gen_random_uuid(), name text not null unique, category text,
      description text, license text default 'OFL', embedding {vector}(4096),
      created_at timestamptz not null default now(), tags text[] default '{{}}',
      source text default 'Google Fonts', files jsonb default '{{}}');
    create table public.searches (
      id uuid primary key default gen_random_uuid(), query_text text not null unique,
      embedding {vector}(4096), response_json jsonb not null,
      created_at timestamptz not null default now());
    create function public.match_fonts(query_embedding {vector}(4096), match_threshold float, match_count int)
      returns table (name text, similarity float) language sql stable
      as $$ select 'the product''s own'::text, 1.0::float $$;
    insert into public.fonts (name, embedding, files)
      select 'Font ' || n, array_fill(n::real, array[4096])::{vector}, '{{"400": "https://fonts.example/a.ttf"}}'
      from generate_series(1, 20) n;
"""
FINGERPRINT = (
    "select md5(string_agg(f::text, '|' order by name)) from (select {columns} from public.fonts) f"
)
COLUMNS = "id, name, category, description, license, embedding, created_at, tags, source, files"


def product(connection: Connection, vector: str = "vector") -> None:
    connection.execute(PRODUCT.format(vector=vector))  # type: ignore[arg-type]


def fingerprint(connection: Connection) -> object:
    return connection.execute(FINGERPRINT.format(columns=COLUMNS)).fetchone()  # type: ignore[call-overload]


def one(connection: Connection, statement: str) -> object:
    row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


def test_the_revisions_are_one_line_to_one_head() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert scripts.get_heads() == [schema.revisions()[-1]]
    assert [script.revision for script in scripts.walk_revisions()] == schema.revisions()[::-1]


def test_alembics_own_command_works_in_the_checkout(empty_database: Database) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": empty_database.conninfo},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with empty_database.open():
        pass


def test_an_empty_database_gets_the_product_schema_and_ours(empty_database: Database) -> None:
    schema.upgrade(empty_database.conninfo)
    with empty_database.open() as connection:
        assert one(connection, "select count(*) from public.fonts") == 0
        assert one(
            connection,
            "select to_regprocedure('match_fonts_hybrid(vector,halfvec,float,int,float)')::text",
        )
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
            connection.execute(f"set role {role}")  # type: ignore[call-overload]
            assert one(connection, "select count(*) from public.fonts") == 0
            query = "select count(*) from match_fonts_hybrid(array_fill(1, array[4096])::vector, null, -1, 3)"
            assert one(connection, query) == 0
            for denied in ("insert into public.fonts (name) values ('x')", "table font_index.runs"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(denied)  # type: ignore[call-overload]
            connection.execute("reset role")


def test_the_printed_sql_does_the_same_as_the_upgrade(
    database: Database, empty_database: Database
) -> None:
    with empty_database.connect() as connection:
        connection.execute(schema.upgrade_sql())  # type: ignore[arg-type]
    with empty_database.open() as printed, database.open() as migrated:
        assert objects(printed) == objects(migrated)


def test_the_printed_sql_can_start_at_a_revision() -> None:
    text = schema.upgrade_sql("0002")
    assert "match_fonts_hybrid" in text
    assert "create table" not in text.lower()


def test_commands_refuse_a_database_that_is_not_set_up(empty_database: Database) -> None:
    with pytest.raises(UserError, match="Run: indexer migrate"):
        empty_database.open()


def test_commands_refuse_a_database_that_is_behind(empty_database: Database) -> None:
    schema.upgrade(empty_database.conninfo, "0001")
    with pytest.raises(UserError, match="at revision 0001; revision 0003 is needed"):
        empty_database.open()


def test_commands_refuse_a_database_of_a_later_version(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("update font_index.alembic_version set version_num = '9999'")
    with pytest.raises(UserError, match="Upgrade fontsight; do not migrate down"):
        database.open()


def test_down_and_up_again_keeps_the_product(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("insert into public.fonts (name) values ('Kept')")
        schema.downgrade(database.conninfo, "base")
        assert one(connection, "select name from public.fonts") == "Kept"
        schema.upgrade(database.conninfo)
        assert one(connection, "select name from public.fonts") == "Kept"


def test_going_back_refuses_to_drop_vectors(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "insert into public.fonts (name, embedding_vl) values ('F', array_fill(1, array[4096])::halfvec)"
        )
        with pytest.raises(UserError, match="would drop 1 vectors"):
            schema.downgrade(database.conninfo, "0001")
        assert one(connection, "select count(embedding_vl) from public.fonts") == 1


def test_a_password_never_reaches_an_error() -> None:
    with pytest.raises(UserError) as unreachable:
        Database.from_url("postgresql://someone:hush-hush@127.0.0.1:9/db").open()
    with pytest.raises(UserError) as malformed:
        Database.from_url("postgresql://someone:hush-hush@host:port:/x?y")
    with pytest.raises(UserError, match="percent-encoded") as ambiguous:
        Database.from_url("postgresql://someone:hush@hush-hush@host/db")
    with pytest.raises(UserError, match="percent-encoded") as slashed:
        Database.from_url("postgresql://someone:12/hush-hush@host/db")
    for error in (unreachable, malformed, ambiguous, slashed):
        assert "hush-hush" not in repr(error.value)
        assert error.value.__cause__ is None
    assert "hush-hush" not in repr(Database.from_url("postgresql://someone:hush-hush@h/db"))


def objects(connection: Connection) -> set[tuple[object, ...]]:
    """Every relation, column and function that a migration can make."""
    columns = connection.execute(
        "select c.relnamespace::regnamespace::text, c.relname, c.relkind::text, a.attname,"
        " format_type(a.atttypid, a.atttypmod), a.attnotnull, c.relrowsecurity"
        " from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace in ('public'::regnamespace, 'font_index'::regnamespace)"
    ).fetchall()
    functions = connection.execute(
        "select proname, prosrc, pg_get_function_identity_arguments(oid), proacl::text from pg_proc"
        " where pronamespace = 'public'::regnamespace and proname like 'match%'"
    ).fetchall()
    return {*columns, *functions}


def test_the_product_may_truncate_its_table(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("truncate public.fonts")


def test_the_printed_sql_does_not_wait_long_for_a_lock() -> None:
    assert schema.upgrade_sql().lstrip().startswith("set lock_timeout")
