"""A job and a service that stay, on a table that changes all the time: neither may grow, nor a row wait."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID

import httpx
import psutil

from indexer import spaces
from indexer.database import schema
from indexer.database.connect import Connection
from indexer.job.pending import pending
from indexer.spaces import SERVING_COLUMN
from tests.chaos.sandbox import OFFLINE, Command, Server, add_fonts, start
from tests.fix_bounded import MIB
from tests.fix_servers import free_port
from tests.fix_waiting import until

MAX_STALE = 10.0  # seconds from a row's last change to its vectors
MAX_CONNECTIONS = 15  # five for the job and ten for the service
MAX_GROWTH = (
    1.1,
    16 * MIB,
)  # of the memory, from its first part to its last: so many times, and so much more
WARM_UP = 0.2  # of the time, in which caches fill
FEWEST, MOST = 40, 80  # fonts
PAUSE = 0.25  # seconds between two changes
QUERIES = ("bold serif", "high contrast", "Font 007", "wide sans", "light")
CONNECTIONS = """
    select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
      and backend_type = 'client backend'
"""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Sample:
    second: float
    job: int  # bytes, of all its processes
    service: int
    connections: int
    stale: float  # seconds that the row has waited that waits longest
    query: float  # seconds that the last query took


class Churn:
    """Rows inserted, changed and deleted at random, and when each was last written."""

    def __init__(self, connection: Connection, folder: Path, seed: int) -> None:
        self._connection, self._folder, self._lot = connection, folder, random.Random(seed)
        self._number = 0
        self.changes = 0
        self.written: dict[UUID, float] = {}

    def insert(self) -> None:
        add_fonts(self._connection, self._folder, [self._number])
        row = self._connection.execute(
            "select id from public.fonts where name = %s", [f"Font {self._number:03}"]
        ).fetchone()
        assert row is not None
        self._number += 1
        self.written[row[0]] = time.monotonic()

    def change(self) -> None:
        """One row, in one of three ways."""
        self.changes += 1
        count, font = len(self.written), self._lot.choice(list(self.written))
        if self._lot.random() < 0.5:
            self._connection.execute(
                "update public.fonts set tags = %s where id = %s", [[f"tag {self.changes}"], font]
            )
            self.written[font] = time.monotonic()
        elif count < FEWEST or (count < MOST and self._lot.random() < 0.5):
            self.insert()
        else:
            del self.written[font]
            self._connection.execute("delete from public.fonts where id = %s", [font])

    def stale(self) -> float:
        """Seconds since the oldest change whose vectors are not there."""
        now, oldest = time.monotonic(), 0.0
        for leg in SERVING_COLUMN:
            space = spaces.active(self._connection, leg)
            assert space is not None
            for font in pending(self._connection, space):
                oldest = max(oldest, now - self.written[font.font_id])
        return oldest


def soak(folder: Path, seconds: float, seed: int, say: Say) -> list[str]:
    """Changes and queries for so long; what is wrong in the end, in sentences."""
    folder.mkdir()
    server = Server(folder / "server")
    try:
        with server.database() as database:
            schema.upgrade(database.conninfo)
            port = free_port()
            environment = {
                "DATABASE_URL": database.conninfo,
                "FONTSIGHT_CACHE_DIR": str(folder / "cache"),
                "FONTSIGHT_FONT_DIRS": str(folder / "fonts"),
            }
            with database.open() as connection:
                churn = Churn(connection, folder / "fonts", seed)
                for _ in range(FEWEST):
                    churn.insert()
                job = start(["watch", *OFFLINE], folder / "watch.log", environment)
                service = start(["serve", "--port", str(port)], folder / "serve.log", environment)
                try:
                    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
                        until(lambda: _is_up(connection, http, churn))
                        samples = _watch(connection, http, churn, job, service, seconds, say)
                    for command in (job, service):
                        assert command.signal(signal.SIGTERM, code=0), command.said()
                        command.check()
                finally:
                    job.close()
                    service.close()
    finally:
        server.close()
    return _wrong(samples)


def _is_up(connection: Connection, http: httpx.Client, churn: Churn) -> bool:
    with suppress(httpx.TransportError):
        serving = all(spaces.active(connection, leg) for leg in SERVING_COLUMN)
        return serving and not churn.stale() and http.get("/health").status_code == 200
    return False


def _watch(
    connection: Connection,
    http: httpx.Client,
    churn: Churn,
    job: Command,
    service: Command,
    seconds: float,
    say: Say,
) -> list[Sample]:
    samples: list[Sample] = []
    begin, told = time.monotonic(), 0.0
    while (now := time.monotonic() - begin) < seconds:
        churn.change()
        asked = time.monotonic()
        answer = http.post("/search", json={"query": QUERIES[churn.changes % len(QUERIES)]})
        assert answer.status_code == 200, answer.text
        took = time.monotonic() - asked
        row = connection.execute(CONNECTIONS).fetchone()
        samples.append(
            Sample(
                second=now, job=_memory(job), service=_memory(service),
                connections=int(row[0]) if row else 0, stale=churn.stale(), query=took,
            )
        )  # fmt: skip
        if now - told >= seconds / 20:
            since = [sample for sample in samples if sample.second >= told]
            told = now
            say(f"{now / 60:5.1f} min, {churn.changes} changes: {_described(since)}")
        time.sleep(PAUSE)
    return samples


def _memory(command: Command) -> int:
    total = 0
    for pid in (command.pid, *(child.pid for child in command.children())):
        with suppress(psutil.NoSuchProcess):
            total += psutil.Process(pid).memory_info().rss
    return total


def _described(samples: list[Sample]) -> str:
    return (
        f"watch {median(s.job for s in samples) / MIB:.0f} MiB, "
        f"serve {median(s.service for s in samples) / MIB:.0f} MiB, "
        f"{max(s.connections for s in samples)} connections, "
        f"oldest stale row {max(s.stale for s in samples):.1f} s, "
        f"slowest query {1000 * max(s.query for s in samples):.0f} ms"
    )


def _wrong(samples: list[Sample]) -> list[str]:
    warm = samples[int(WARM_UP * len(samples)) :]
    part = len(warm) // 4
    first, last = warm[:part], warm[-part:]
    wrong = []
    for name in ("job", "service"):
        before, after = (median(getattr(s, name) for s in some) for some in (first, last))
        if after > before * MAX_GROWTH[0] + MAX_GROWTH[1]:
            wrong.append(f"The {name} grew from {before / MIB:.0f} to {after / MIB:.0f} MiB.")
    most = max(s.connections for s in samples)
    if most > MAX_CONNECTIONS:
        wrong.append(f"There were {most} connections; {MAX_CONNECTIONS} are the limit.")
    stale = max(s.stale for s in samples)
    if stale > MAX_STALE:
        wrong.append(f"A row waited {stale:.0f} s for its vectors.")
    return wrong
