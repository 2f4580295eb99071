"""The job's bookkeeping: every statement that writes runs, leases, vectors and failures."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from uuid import UUID

import psycopg
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection, address_of, connect_again, end
from indexer.embed.protocol import Vector
from indexer.errors import FontError
from indexer.job.heartbeat import LEASE
from indexer.job.pending import Claim, Selection, pending
from indexer.spaces import NEXT_COLUMN, SERVING_COLUMN, STAMP, Space, padded
from indexer.traits import Traits

MAX_ATTEMPTS = 5
FIRST_RETRY = timedelta(minutes=15)  # doubles with each attempt
# What the database, or a trigger of your app's, raises on the values of a single font.
REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)

# Claims are taken one transaction at a time, so two workers never take the same font. The lock is
# on a number: no row of the product's table is locked, and the transaction pooler lets it pass.
CLAIM_LOCK = "select pg_advisory_xact_lock(hashtext('font_index.leases'))"
LEASE_FONTS = """
    insert into font_index.leases (font_id, space_id, run_id, expires_at)
    select font_id, %(space_id)s, %(run_id)s, now() + %(lease)s
    from unnest(%(font_ids)s::uuid[]) as font_id
    on conflict (space_id, font_id) do update
      set run_id = excluded.run_id, expires_at = excluded.expires_at
"""
RELEASE = "delete from font_index.leases where run_id = %s"
END_LEASES = "delete from font_index.leases where run_id = %s and font_id = any(%s)"
# No run holds nothing for longer than a moment: an unfinished one without a lease has died.
END_DEAD_RUNS = """
    with dead as (
      update font_index.runs r set finished_at = now(), outcome = 'interrupted'
      where r.finished_at is null and r.started_at < now() - %(lease)s
        and not exists (select from font_index.leases where run_id = r.id and expires_at > now())
      returning id)
    delete from font_index.leases using dead where run_id = dead.id
"""
START_RUN = """
    insert into font_index.runs (space_id, host, process_id, versions) values (%s, %s, %s, %s)
    returning id
"""
FINISH_RUN = """
    update font_index.runs set finished_at = now(), outcome = %s, counts = %s, timings = %s
    where id = %s
"""
SPACE_STATE = "select state from font_index.spaces where id = %s for share"
# Waiting for a row of the app's with others locked could be one half of a deadlock, which ends a
# transaction, maybe the app's: a row that is locked is waited for alone, in a transaction of its own.
LOCK_FREE = "select id from public.fonts where id = any(%s) for no key update skip locked"
NOT_FREE = "select id from public.fonts where id = any(%s) and id <> all(%s)"
# Not those deleted meanwhile, nor those whose text vector the product has written or replaced.
WRITABLE = sql.SQL("""
    select f.id from public.fonts f
    left join font_index.embeddings e on e.space_id = %(space_id)s and e.font_id = f.id
    where f.id = any(%(ids)s)
      and (%(ours)s or f.{column} is null or e.vector_md5 = md5(f.{column}::text))
    for no key update of f
""")
# what is known of a deleted font is the sweep's matter: it may come back
DISOWN = """
    delete from font_index.embeddings x where space_id = %s and font_id = any(%s)
      and exists (select from public.fonts where id = x.font_id)
"""
# One update a font: each version of a row costs an insertion into every index, HNSW's among them.
SERVE = sql.SQL(
    "update public.fonts set {column} = %s, traits = coalesce(%s, traits) where id = %s"
)
# A copy that a switch has made of a vector is made anew.
UNSTAGE = sql.SQL("""
    update public.fonts set {next} = null
    where id = any(%(ids)s) and {next} is not null
      and exists (select from font_index.switches where space_id = %(space_id)s)
""")
SET_TRAITS = "update public.fonts set traits = %s where id = %s and traits is distinct from %s"
RECORD = """
    insert into font_index.embeddings
      (font_id, space_id, input_hash, file_sha256, run_id, embedding, indexed_at)
    values (%s, %s, %s, %s, %s, %s, now())
    on conflict (space_id, font_id) do update set
      input_hash = excluded.input_hash, file_sha256 = excluded.file_sha256,
      run_id = excluded.run_id, embedding = excluded.embedding, indexed_at = now()
"""
SAW_FILE = """
    insert into font_index.files (url, sha256, size, origin) values (%s, %s, %s, %s)
    on conflict (url) do update set
      sha256 = excluded.sha256, size = excluded.size, origin = excluded.origin, checked_at = now()
"""
FORGIVE = "delete from font_index.failures where space_id = %s and font_id = any(%s)"
# A failure on other inputs than the last one is a first failure. Without the lease it is another
# run's to count.
FAIL = """
    insert into font_index.failures as x
      (font_id, space_id, input_hash, file_sha256, stage, error, attempts, next_try_at)
    select f.id, %(space_id)s, %(input_hash)s, files.sha256, %(stage)s, %(error)s, 1,
           now() + %(retry)s
    from public.fonts f
    join font_index.leases l on l.font_id = f.id and l.space_id = %(space_id)s
    left join font_index.files on files.url = %(url)s
    where f.id = %(font_id)s and l.run_id = %(run_id)s
    on conflict (space_id, font_id) do update set
      (attempts, next_try_at) = (
        select n, case when n < %(max_attempts)s then now() + %(retry)s * 2 ^ (n - 1) end
        from (select case when x.input_hash = excluded.input_hash
                            and x.file_sha256 is not distinct from excluded.file_sha256
                          then x.attempts + 1 else 1 end as n) counted),
      input_hash = excluded.input_hash, file_sha256 = excluded.file_sha256,
      stage = excluded.stage, error = excluded.error, last_at = now()
"""


# Tried as often as a font that has never failed.
MAKE_DUE = """
    update font_index.failures x set next_try_at = now(), attempts = 0
    from public.fonts f
    where f.id = x.font_id
      and (%(stage)s::text is null or x.stage = %(stage)s)
      and (%(reason)s::text is null or strpos(lower(x.error), lower(%(reason)s)) > 0)
      and (%(fonts)s::text[] is null or f.name = any(%(fonts)s) or f.id::text = any(%(fonts)s))
"""


@dataclass(frozen=True, kw_only=True)
class SeenFile:
    """What stood behind a font's URL."""

    url: str
    sha256: str
    size: int
    origin: str


@dataclass(frozen=True, kw_only=True)
class Indexed:
    claim: Claim
    vector: Vector
    traits: Traits | None
    file: SeenFile | None


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """A run under way: what it claims, saves and records as failed carries its id."""

    connection: Connection
    space: Space
    id: int

    @classmethod
    def start(cls, connection: Connection, space: Space, versions: Mapping[str, str]) -> Self:
        row = connection.execute(
            START_RUN, [space.id, socket.gethostname(), os.getpid(), Jsonb(dict(versions))]
        ).fetchone()
        assert row is not None
        return cls(connection=connection, space=space, id=int(row[0]))

    def claim(self, wanted: Sequence[Claim], selection: Selection) -> list[Claim]:
        """Lease those of the wanted fonts that still need work and that nobody else holds."""
        ids = [font.font_id for font in wanted]
        with self.connection.transaction():
            self.connection.execute(CLAIM_LOCK)
            again = pending(self.connection, self.space, selection, ids)
            free = [font for font in again if font.workable]
            self.connection.execute(
                LEASE_FONTS,
                {
                    "space_id": self.space.id,
                    "run_id": self.id,
                    "lease": LEASE,
                    "font_ids": [font.font_id for font in free],
                },
            )
        return free

    def save(self, batch: Sequence[Indexed], *, overwrite: bool = False) -> int:
        """Write vectors, traits and bookkeeping of a batch in one transaction; returns how many fonts.

        Fonts whose rows are locked by others come after that, one at a time.
        A font that was deleted meanwhile is left out; so is, unless `overwrite`, one into whose
        text column the product has written since we did: that vector is the product's from then on.
        """
        space, column = self.space, SERVING_COLUMN[self.space.leg]
        ids = [item.claim.font_id for item in batch]
        locked: list[Indexed] = []
        with self.connection.transaction(), self.connection.cursor() as cursor:
            state = cursor.execute(SPACE_STATE, [space.id]).fetchone()
            serving = state is not None and state[0] == "active"
            ours = overwrite or space.leg == "vl" or not serving
            if len(ids) > 1:
                free = [font for (font,) in cursor.execute(LOCK_FREE, [ids])]
                waiting = {font for (font,) in cursor.execute(NOT_FREE, [ids, free])}
                locked = [item for item in batch if item.claim.font_id in waiting]
                ids = [font for font in ids if font not in waiting]
            writable = cursor.execute(
                WRITABLE.format(column=column), {"space_id": space.id, "ids": ids, "ours": ours}
            ).fetchall()
            kept: set[UUID] = {row[0] for row in writable}
            cursor.execute(DISOWN, [space.id, [font for font in ids if font not in kept]])
            batch = [item for item in batch if item.claim.font_id in kept]
            saw_files(self.connection, [item.file for item in batch if item.file])
            traits = [Jsonb(item.traits.to_json()) if item.traits else None for item in batch]
            measured = list(zip(batch, traits, strict=True))
            if serving:
                vector = FullVector if space.leg == "text" else HalfVector
                cursor.executemany(
                    SERVE.format(column=column),
                    [
                        (vector(padded(item.vector)), json, item.claim.font_id)
                        for item, json in measured
                    ],
                )
            else:
                cursor.execute(
                    UNSTAGE.format(next=NEXT_COLUMN[space.leg]), {"space_id": space.id, "ids": ids}
                )
                cursor.executemany(
                    SET_TRAITS,
                    [
                        (json, item.claim.font_id, json)
                        for item, json in measured
                        if json is not None
                    ],
                )
            cursor.executemany(
                RECORD,
                [
                    (
                        item.claim.font_id,
                        space.id,
                        item.claim.input_hash,
                        item.file.sha256 if item.file else None,
                        self.id,
                        None if serving else FullVector(padded(item.vector)),
                    )
                    for item in batch
                ],
            )
            if serving and space.leg == "text":
                cursor.execute(STAMP, {"space_id": space.id, "ids": list(kept)})
            cursor.execute(FORGIVE, [space.id, ids])
            cursor.execute(END_LEASES, [self.id, ids])
        return len(batch) + sum(self.save([item], overwrite=overwrite) for item in locked)

    def fail(self, font: Claim, error: FontError, file: SeenFile | None) -> None:
        """Record why a font could not be indexed, and when to try again."""
        with self.connection.transaction():
            if file:
                saw_files(self.connection, [file])
            self.connection.execute(
                FAIL,
                {
                    "font_id": font.font_id,
                    "space_id": self.space.id,
                    "run_id": self.id,
                    "input_hash": font.input_hash,
                    "url": font.url,
                    "stage": error.stage,
                    "error": "".join(c if c.isprintable() else "\ufffd" for c in error.message),
                    "retry": FIRST_RETRY,
                    "max_attempts": MAX_ATTEMPTS,
                },
            )
            self.connection.execute(END_LEASES, [self.id, [font.font_id]])

    def finish(self, outcome: str, counts: Mapping[str, int], timings: Mapping[str, float]) -> None:
        """Give back the leases and record how the run ended.

        Interrupted within a query, a connection takes no further one: then over a new connection.
        """
        try:
            _finish(self.connection, self.id, outcome, counts, timings)
        except psycopg.Error:
            address = address_of(self.connection)
            end(self.connection)
            with connect_again(address) as connection:
                _finish(connection, self.id, outcome, counts, timings)


def tidy(connection: Connection) -> None:
    """End the runs that have died."""
    connection.execute(END_DEAD_RUNS, {"lease": LEASE})


def make_due(
    connection: Connection, *, stage: str | None, reason: str | None, fonts: Sequence[str] | None
) -> int:
    """Let the failures that match all that is given be tried by the next run; returns how many."""
    wanted = {"stage": stage, "reason": reason, "fonts": list(fonts) if fonts else None}
    return connection.execute(MAKE_DUE, wanted).rowcount


def saw_files(connection: Connection, files: Sequence[SeenFile]) -> None:
    """Note what stands behind URLs now: fonts whose vector was made from other bytes get pending."""
    rows = sorted((file.url, file.sha256, file.size, file.origin) for file in files)
    with connection.cursor() as cursor:
        # in one order: two batches that share files do not wait for each other in a circle
        cursor.executemany(SAW_FILE, rows)


def refusal(error: psycopg.Error) -> str:
    """What the database said, at most 200 characters, without a full stop."""
    return (error.diag.message_primary or str(error))[:200].rstrip(".")


def _finish(
    connection: Connection,
    run_id: int,
    outcome: str,
    counts: Mapping[str, int],
    timings: Mapping[str, float],
) -> None:
    with connection.transaction():
        connection.execute(RELEASE, [run_id])
        connection.execute(FINISH_RUN, [outcome, Jsonb(dict(counts)), Jsonb(dict(timings)), run_id])
