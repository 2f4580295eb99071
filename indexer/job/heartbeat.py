"""Leases: a run that lives renews its own, from a thread and a connection that no slow font holds up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import psycopg

from indexer.database.connect import Connection, address_of, connect_again
from indexer.spaces import Space

LEASE = timedelta(seconds=30)  # a dead run's fonts are free after it
BEAT = timedelta(seconds=5)
MAX_SILENCE = timedelta(minutes=30)  # a run that got nothing done for so long is hung

# Rows that the run is just saving are locked, and no longer needed: waiting for them could deadlock.
RENEW = """
    update font_index.leases l set expires_at = now() + %(lease)s
    from (select space_id, font_id from font_index.leases where run_id = %(run_id)s
          for update skip locked) mine
    where l.space_id = mine.space_id and l.font_id = mine.font_id
"""
HELD = """
    select font_id, expires_at from font_index.leases
    where space_id = %s and font_id = any(%s) and expires_at > now()
"""


class Heartbeat:
    """Renews a run's leases while the run makes progress. To be entered; leaving it ends it."""

    def __init__(
        self,
        connection: Connection,
        run_id: int,
        *,
        beat: timedelta = BEAT,
        max_silence: timedelta = MAX_SILENCE,
    ) -> None:
        self._address = address_of(connection)
        self._run_id = run_id
        self._beat, self._max_silence = beat.total_seconds(), max_silence.total_seconds()
        self._progress = time.monotonic()
        self._ended = threading.Event()
        # a daemon: a server that hangs does not keep the process
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def progressed(self) -> None:
        """A font was prepared, embedded or saved."""
        self._progress = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(self._beat)

    def _run(self) -> None:
        connection: Connection | None = None
        while not self._ended.wait(self._beat):
            if time.monotonic() - self._progress > self._max_silence:
                continue
            try:
                connection = connection or connect_again(self._address)
                connection.execute(RENEW, {"lease": LEASE, "run_id": self._run_id})
            except psycopg.Error:  # tried again with the next beat, over another connection
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()


def abandoned(connection: Connection, space: Space, fonts: Sequence[UUID]) -> bool:
    """Watch the leases of these fonts, and say whether any was given back or has expired.

    Returns as soon as each was renewed, which tells that its run lives; after LEASE at the latest.
    """
    before = _held(connection, space, fonts)
    if len(before) < len(fonts):
        return True
    unchanged = set(before)
    until = time.monotonic() + LEASE.total_seconds()
    while unchanged and time.monotonic() < until:
        time.sleep(0.5)
        now = _held(connection, space, unchanged)
        if len(now) < len(unchanged):
            return True
        unchanged = {font for font in unchanged if now[font] == before[font]}
    return False


def _held(connection: Connection, space: Space, fonts: Iterable[UUID]) -> dict[UUID, datetime]:
    return dict(connection.execute(HELD, [space.id, list(fonts)]).fetchall())
