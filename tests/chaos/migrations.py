"""Migrations killed at random moments, with reader and writers at the table: the next one does the rest."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from indexer.database import schema
from indexer.database.connect import Database
from tests.chaos.sandbox import Command, on_copy, start
from tests.fix_product import COLUMNS, FINGERPRINT, objects, one, product
from tests.fix_waiting import until
from tests.test_migrations_live import ALL_VALID, MANY, MATCH_FONTS, UNFILLED, indexes, running

ROWS = MANY.replace("500", "150")
READ = "select name from match_fonts((select embedding from fonts where name = 'Face 7'), -1, 20)"
WRITE = "update public.fonts set description = description || '.' where name = 'Face 9'"
WRITTEN = (
    "select length(description) - length(rtrim(description, '.')) from fonts where name = 'Face 9'"
)
UNTOUCHED = FINGERPRINT.format(columns=COLUMNS.replace(" description,", ""))
INVALID = "select count(*) from pg_index where not indisvalid"
END_CONNECTION = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and application_name = 'fontsight migrate'
"""

Say = Callable[[str], None]


def _connection_ended(database: Database, command: Command) -> bool:
    command.may_end_with.add(1)
    with database.connect() as connection:
        until(lambda: not command.lives or bool(one(connection, END_CONNECTION)))
    command.wait()
    return command.process.returncode != 0


def _reach(database: Database, command: Command, revision: str) -> None:
    with database.connect() as connection:
        until(lambda: not command.lives or (schema.current(connection) or "") >= revision)


KINDS: dict[str, Callable[[Database, Command], bool]] = {
    "SIGKILL": lambda _, command: command.signal(signal.SIGKILL, code=1),
    "SIGTERM": lambda _, command: command.signal(signal.SIGTERM, code=1),
    "SIGINT": lambda _, command: command.signal(signal.SIGINT, code=1),
    "connection ended": _connection_ended,
}


def _migrate(database: Database, folder: Path) -> Command:
    return start(["migrate"], folder / "migrate.log", {"DATABASE_URL": database.conninfo})


def kill_migrations(server: str, folder: Path, kills: int, seed: int, say: Say) -> None:
    """Kill so many, each on its own copy of a product's database.

    server: the conninfo of a superuser. Raises AssertionError where one does not end as it would
    have undisturbed.
    """
    lot, done = random.Random(seed), 0
    with on_copy(server, "template1", f"product_{seed}") as before:
        with before.connect() as connection:
            connection.execute("create extension vector")
            product(connection)
            connection.execute(MATCH_FONTS)
            connection.execute(ROWS)
            rows = one(connection, UNTOUCHED)
        with on_copy(server, before.label, f"undisturbed_{seed}") as database:
            command = _migrate(database, folder)
            command.wait()
            command.check()
            with database.open() as connection:
                expected = objects(connection)
        while done < kills:
            with on_copy(server, before.label, f"killed_{seed}") as database:
                with ExitStack() as stack:
                    reader = stack.enter_context(running(database, READ))
                    writer = stack.enter_context(running(database, WRITE))
                    command = _migrate(database, folder)
                    stack.callback(command.close)
                    kind = lot.choice(list(KINDS))
                    _reach(database, command, lot.choice(["", *schema.revisions()[:-1]]))
                    command.sleep(lot.uniform(0, 0.1))
                    if KINDS[kind](database, command):
                        done += 1
                        with database.connect() as connection:
                            say(f"{kind} at revision {schema.current(connection)}")
                    command.check()
                    schema.upgrade(database.conninfo)
                with database.open() as connection:  # which insists on the head
                    assert indexes(connection) == ALL_VALID
                    assert one(connection, INVALID) == one(connection, UNFILLED) == 0
                    assert objects(connection) ^ expected == set()
                    assert one(connection, UNTOUCHED) == rows
                    calls, _ = writer.result()
                    assert one(connection, WRITTEN) == calls
                    assert reader.result()[0] > 0
