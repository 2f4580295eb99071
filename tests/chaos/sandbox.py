"""A Postgres that may be stopped, fonts for it, and commands that may be killed: all in one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil
import psycopg
from psycopg import conninfo, sql
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer.database import local
from indexer.database.connect import Connection, Database
from tests.fix_database import hasty
from tests.test_schema_sql import postgres

SECONDS = 90.0  # what is to happen happens within them, also on a busy machine
LETTERS = "HOamburgefonstivxyz"  # enough for sheet and traits, and quick to draw
OFFLINE = ("--text-embedder", "hashed-ngrams", "--vl-embedder", "measured-traits")


@dataclass(kw_only=True)
class Command:
    """A command line of `indexer`, in a session of its own; what it prints is in a file."""

    process: subprocess.Popen[bytes]
    output: Path
    begun: float = field(default_factory=time.monotonic)
    may_end_with: set[int] = field(default_factory=lambda: {0})
    semaphores: set[Path] = field(default_factory=set)  # named ones that it had open before a kill

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    @property
    def did_all(self) -> bool:
        return self.process.poll() == 0

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def signal(self, number: signal.Signals, *, group: bool = False, code: int) -> bool:
        """End it, or all its processes; False where it had ended before. It may end with `code`."""
        if not self.lives:
            return False
        self.may_end_with |= {code, -number}
        (os.killpg if group else os.kill)(self.pid, number)
        self.wait()
        return True

    def wait(self) -> None:
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # and faulthandler prints where it hangs
            self.process.wait()
            raise AssertionError(f"it does not end:\n{self.said()}") from None

    def sleep(self, seconds: float) -> None:
        """While it is at work."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def close(self) -> None:
        if self.lives:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def check(self) -> None:
        """That it ended as it may, with a sentence."""
        code, said = self.process.returncode, self.said()
        assert code in self.may_end_with, f"exit code {code}:\n{said}"
        stopped = "KeyboardInterrupt" in said and -signal.SIGINT in self.may_end_with
        assert "Traceback" not in said or stopped, said

    def look_at_semaphores(self) -> None:
        """Those that are left cannot be told from others' once their process is gone."""
        for process in (self.pid, *(child.pid for child in self.children())):
            with suppress(OSError):
                for line in Path(f"/proc/{process}/maps").read_text().splitlines():
                    if "/dev/shm/sem." in line and not line.endswith("(deleted)"):
                        self.semaphores.add(Path(line.split(maxsplit=5)[5]))


def start(arguments: Sequence[str], output: Path, environment: Mapping[str, str]) -> Command:
    """A command line of `indexer`, as a person starts it."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "indexer", *arguments],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return Command(process=process, output=output)


def add_fonts(connection: Connection, folder: Path, numbers: Iterable[int]) -> None:
    """Rows `Font 000`, … and their files, which differ in x-height."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        path = folder / f"{number}.ttf"
        path.write_bytes(ParametricFont(x_height=0.5 + number % 40 / 100).build(characters=LETTERS))
        connection.execute(
            "insert into public.fonts (name, category, tags, files) values (%s, 'serif', '{latin}', %s)",
            [f"Font {number:03}", Jsonb({"400": path.as_uri()})],
        )


class Server:
    """A Postgres of our own in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "postgres"
        self.conninfo = hasty(local.start(folder))
        self._numbers = count(1)

    def close(self) -> None:
        local.stop(self._folder)  # which knows of no process but the first
        with suppress(subprocess.CalledProcessError):  # there is none
            self.crash()

    def crash(self) -> None:
        """Stopped at once, as by a power failure; what clients did is recovered at the next start."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        sockets = conninfo.conninfo_to_dict(self.conninfo)["host"]
        self._control("-o", f"-h '' -k {sockets}", "-l", str(self._data / "log"), "start")

    def _control(self, *arguments: str) -> None:
        root = os.geteuid() == 0
        subprocess.run(
            [postgres("pg_ctl"), "-w", "-D", str(self._data), *arguments],
            user="pgserver" if root else None, cwd=self._data if not root else "/", check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @contextmanager
    def database(self, template: str = "template1", name: str | None = None) -> Iterator[Database]:
        """A copy of another one, dropped at the end."""
        with on_copy(self.conninfo, template, name or f"chaos_{next(self._numbers)}") as database:
            yield database


@contextmanager
def on_copy(server: str, template: str, name: str) -> Iterator[Database]:
    """A database made as a copy of another one on a server, and dropped at the end."""
    new = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            # not by the log: a sequence that is copied so repeats itself after a crash
            sql.SQL("create database {} template {} strategy file_copy").format(
                new, sql.Identifier(template)
            )
        )
    try:
        yield Database(conninfo=conninfo.make_conninfo(server, dbname=name), label=name)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("drop database {} with (force)").format(new))
