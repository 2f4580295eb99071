"""Backfills at work on a database of a sandbox, and what has to be right when they are done."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from indexer.atomic import LEFTOVER_SECONDS
from indexer.database import schema
from indexer.database.connect import Database
from tests.chaos.sandbox import OFFLINE, Command, Server, add_fonts, start
from tests.chaos.snapshot import Rows, differences, snapshot
from tests.fix_cli import Indexer, runner
from tests.fix_waiting import until

BACKFILL = ("backfill", *OFFLINE, "--processes", "2")
OLD, CHANGED, NEW = 10, 5, 30  # fonts: indexed before, some of those changed since, and new ones
LOST_SHEETS = 3  # a round, so that there is something to render
LOST_VECTORS = 10  # where all is done before the last kill
LOSE = """
    with lost as (
      update fonts set embedding = null, embedding_vl = null where id in (
        select id from fonts order by md5(id::text || %(salt)s) limit %(count)s)
      returning id)
    delete from font_index.facts using lost where font_id = lost.id
"""
CONNECTIONS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'fontsight' and pid <> pg_backend_pid()
"""
# Leases are over after 30 s, and their run is called dead: here without waiting. Those of a run that
# lost its connection and could not give them back, too: its process has begun another one.
EXPIRE = """
    update font_index.leases set expires_at = now()
    where run_id in (
      select id from font_index.runs r where process_id = any(%s)
        or exists (select from font_index.runs where process_id = r.process_id and id > r.id))
"""
EXPIRE_EVERY = 0.5  # seconds
GROW_OLD = "update font_index.runs set started_at = started_at - interval '1 minute'"
NOT_ENDED = "select count(*) from font_index.runs where finished_at is null"
# killed runs do not tell; the others must not have saved more than there was
SAVED = """
    select coalesce(max(saved), 0) from (
      select sum((counts->>'embedded')::int) as saved from font_index.runs where id > %s group by space_id) x
"""


@dataclass(kw_only=True)
class Sandbox:
    """A server with a database that waits for a backfill, and the rows that come of it."""

    folder: Path
    server: Server
    template: Database
    first_run: int  # those of the template are not looked at
    expected: Rows
    life: float = 2.0  # seconds that a run takes; follows how busy the machine is

    def start(self, database: Database) -> Command:
        environment = self.environment(self.folder, database)
        number = time.monotonic_ns()
        return start(BACKFILL, self.folder / f"{number}.log", environment)

    def here(self, database: Database) -> Indexer:
        """The command in this process."""
        return runner(self.folder, **self.environment(self.folder, database))

    def lose_sheets(self, lot: random.Random) -> None:
        kept = sorted((self.folder / "cache/prepared").rglob("*.json"))
        for path in lot.sample(kept, LOST_SHEETS):
            path.unlink()

    def temporary_files(self) -> list[Path]:
        places = (
            self.folder / "cache/prepared/tmp",
            self.folder / "cache/files",
            self.folder / "tmp",
        )
        return [path for place in places for path in place.rglob("*") if path.is_file()]

    def processes(self) -> list[psutil.Process]:
        """That were started with this sandbox's environment, and live."""
        mine = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("TMPDIR") == str(self.folder / "tmp"):
                    mine.append(process)
        return [process for process in mine if process.pid != os.getpid()]

    @staticmethod
    def environment(folder: Path, database: Database) -> dict[str, str]:
        return {
            "DATABASE_URL": database.conninfo,
            "FONTSIGHT_CACHE_DIR": str(folder / "cache"),
            "FONTSIGHT_FONT_DIRS": str(folder / "fonts"),
            "TMPDIR": str(folder / "tmp"),
        }


@contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """In an empty folder."""
    (folder / "tmp").mkdir(parents=True)
    server = Server(folder / "server")
    try:
        with server.database(name="template_of_chaos") as template:
            schema.upgrade(template.conninfo)
            indexer = runner(folder, **Sandbox.environment(folder, template))
            with template.connect() as connection:
                add_fonts(connection, folder / "fonts", range(OLD))
                indexer(*BACKFILL)
                connection.execute(
                    "update fonts set tags = '{latin,greek}' where name < %s",
                    [f"Font {CHANGED:03}"],
                )
                add_fonts(connection, folder / "fonts", range(OLD, OLD + NEW))
                [first_run] = connection.execute(
                    "select max(id) from font_index.runs"
                ).fetchone() or (0,)
            with server.database(template.label) as undisturbed:
                runner(folder, **Sandbox.environment(folder, undisturbed))(*BACKFILL)
                expected = snapshot(undisturbed)
            yield Sandbox(
                folder=folder, server=server, template=template, expected=expected,
                first_run=first_run,
            )  # fmt: skip
    finally:
        server.close()


@dataclass(kw_only=True)
class Crew:
    """Commands at work on one database: one, or two at once."""

    sandbox: Sandbox
    database: Database
    count: int
    at_work: list[Command] = field(default_factory=list)
    ended: list[Command] = field(default_factory=list)
    did_all: bool = False
    lost: int = 0  # vectors, on purpose
    expired: float = 0.0

    def fill(self, lot: random.Random) -> bool:
        """Starts whom a kill has ended; where all is done, there is something to do again. Whether it did."""
        if self.did_all and not self.at_work:
            self.did_all, self.lost = False, self.lost + LOST_VECTORS
            with self.database.connect() as connection:
                connection.execute(LOSE, {"salt": lot.random(), "count": LOST_VECTORS})
        new = 0 if self.did_all else self.count - len(self.at_work)
        self.at_work += [self.sandbox.start(self.database) for _ in range(new)]
        return new > 0

    def look(self) -> None:
        """Sorts out who has ended, and lets the leases of the dead expire."""
        ended = [command for command in self.at_work if not command.lives]
        self.at_work = [command for command in self.at_work if command.lives]
        self.ended += ended
        for command in ended:
            command.check()
            if command.did_all:
                self.did_all = True
                self.sandbox.life = time.monotonic() - command.begun
        if ended or time.monotonic() - self.expired > EXPIRE_EVERY:
            self.expire()

    def expire(self) -> None:
        with self.database.connect() as connection:
            connection.execute(EXPIRE, [[command.pid for command in self.ended]])
        self.expired = time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Until that is over, or all have ended. Whether they have."""
        end = time.monotonic() + seconds
        while self.at_work and time.monotonic() < end:
            time.sleep(0.02)
            self.look()
        return not self.at_work

    def close(self) -> None:
        for command in self.at_work:
            command.close()


def check(crew: Crew) -> None:
    """One more run, which has to do the rest; then everything."""
    box, database = crew.sandbox, crew.database
    with database.connect() as connection:
        # a statement goes on for a while when its client is gone
        until(lambda: connection.execute(CONNECTIONS).fetchone() == (0,))
        crew.expire()
        connection.execute(GROW_OLD)
        long_ago = time.time() - LEFTOVER_SECONDS - 60
        for path in box.temporary_files():
            os.utime(path, (long_ago, long_ago))
        box.here(database)(*BACKFILL)
        assert connection.execute(NOT_ENDED).fetchone() == (0,)
        saved = connection.execute(SAVED, [box.first_run]).fetchone() or (0,)
        assert saved[0] <= NEW + CHANGED + crew.lost, "a font was embedded twice"
    assert "nothing is wrong" in box.here(database)("verify").stdout
    found = differences(box.expected, snapshot(database))
    assert not found, "\n".join(found)
    assert box.temporary_files() == []
    assert [path for command in crew.ended for path in command.semaphores if path.exists()] == []
    until(lambda: not box.processes())
