"""The job's bookkeeping: what needs work, who does it, what came of it. Every statement of the job is here."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import numpy as np
import psutil
from pgvector import HalfVector
from pgvector import Vector as FullVector
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from indexer.database import Connection
from indexer.embed.protocol import Vector
from indexer.errors import FontError
from indexer.spaces import SERVING_COLUMN, Leg, Space
from indexer.text import schema_of
from indexer.traits import Traits

SERVING_DIMENSION = 4096
LEASE = timedelta(minutes=10)  # renewed with every batch; a dead worker's fonts are free after it
MAX_ATTEMPTS = 5
FIRST_RETRY = timedelta(minutes=15)  # doubles with each attempt

Reason = Literal["new", "changed text", "changed file", "retry", "waiting", "quarantined", "leased"]
WORKABLE: frozenset[Reason] = frozenset({"new", "changed text", "changed file", "retry"})

# Every font with the inputs of its vector. The file that stands for a family is the upright one
# whose weight is nearest to 400. The hash covers what the text schema uses, and the file's address;
# the file's bytes are compared by their own hash, which is known once they were fetched.
INPUTS = """
    select f.id as font_id, f.name, f.category, coalesce(f.tags, array[]::text[]) as tags, f.description,
           f.created_at, file.url, files.sha256 as file_sha256,
           sha256(convert_to(jsonb_build_array(
             case when %(uses_text)s then jsonb_build_array(f.name, f.category, f.tags) end,
             case when %(uses_description)s then f.description end,
             case when %(uses_sheet)s then file.url end)::text, 'UTF8')) as input_hash
    from public.fonts f
    left join lateral (
      select entry.value as url
      from jsonb_each_text(case jsonb_typeof(f.files) when 'object' then f.files end) entry
      order by entry.key ilike '%%italic%%',
               abs(coalesce(substring(entry.key from '[0-9]+')::numeric, 400) - 400), entry.key
      limit 1) file on %(uses_sheet)s
    left join font_index.files on files.url = file.url
"""
# A vector in the text column that no run of ours wrote is the product's, and stays; a space that
# does not serve has its vectors elsewhere and covers all fonts.
PENDING = sql.SQL(f"""
    with inputs as ({INPUTS})
    select i.font_id, i.name, i.category, i.tags, i.description, i.url, i.input_hash,
           case
             when l.expires_at > now() then 'leased'
             when x.font_id is not null and x.input_hash = i.input_hash
                  and x.file_sha256 is not distinct from i.file_sha256 then
               case when x.next_try_at <= now() or %(retry_failed)s then 'retry'
                    when x.next_try_at is null then 'quarantined' else 'waiting' end
             when e.font_id is null then 'new'
             when e.input_hash <> i.input_hash then 'changed text'
             else 'changed file'
           end as reason
    from inputs i
    join public.fonts f on f.id = i.font_id
    left join font_index.embeddings e on e.font_id = i.font_id and e.space_id = %(space_id)s
    left join font_index.failures x on x.font_id = i.font_id and x.space_id = %(space_id)s
    left join font_index.leases l on l.font_id = i.font_id and l.space_id = %(space_id)s
    where (e.font_id is null or e.input_hash <> i.input_hash
           or %(uses_sheet)s and e.file_sha256 is distinct from i.file_sha256)
      and (%(overwrite)s or e.font_id is not null or f.{{column}} is null
           or exists (select from font_index.spaces s
                      where s.id = %(space_id)s and s.state <> 'active'))
      and (%(ids)s::uuid[] is null or f.id = any(%(ids)s))
      and (%(only)s::text[] is null or f.name = any(%(only)s) or f.id::text = any(%(only)s))
    order by i.created_at, i.font_id
""")  # noqa: S608 - a constant, composed of constants
FILE_URLS = f"""
    with inputs as ({INPUTS})
    select font_id, url from inputs where font_id = any(%(ids)s) and url is not null
"""  # noqa: S608 - a constant, composed of constants
# Claims are taken one transaction at a time: two workers never see the same free font, and no row
# of the product's table is locked for it.
CLAIM_LOCK = "select pg_advisory_xact_lock(hashtext('font_index.leases'))"
LEASE_FONTS = """
    insert into font_index.leases (font_id, space_id, run_id, expires_at)
    select font_id, %(space_id)s, %(run_id)s, now() + %(lease)s
    from unnest(%(font_ids)s::uuid[]) as font_id
    on conflict (font_id, space_id) do update
      set run_id = excluded.run_id, expires_at = excluded.expires_at
"""
RENEW = "update font_index.leases set expires_at = now() + %s where run_id = %s"
RELEASE = "delete from font_index.leases where run_id = %s"
END_LEASES = "delete from font_index.leases where run_id = %s and font_id = any(%s)"
LEASING_RUNS = """
    select distinct r.id, r.process_id from font_index.leases l join font_index.runs r on r.id = l.run_id
    where r.host = %s
"""
START_RUN = """
    insert into font_index.runs (space_id, host, process_id, versions) values (%s, %s, %s, %s)
    returning id
"""
FINISH_RUN = """
    update font_index.runs set finished_at = now(), outcome = %s, counts = %s, timings = %s
    where id = %s
"""
# A font deleted meanwhile is skipped; key share keeps the others from vanishing inside the batch
STILL_THERE = "select id from public.fonts where id = any(%s) for key share"
SPACE_STATE = "select state from font_index.spaces where id = %s for share"
SERVE = sql.SQL("update public.fonts set {column} = %s where id = %s")
SET_TRAITS = "update public.fonts set traits = %s where id = %s and traits is distinct from %s"
RECORD = """
    insert into font_index.embeddings
      (font_id, space_id, input_hash, file_sha256, run_id, embedding, indexed_at)
    values (%s, %s, %s, %s, %s, %s, now())
    on conflict (font_id, space_id) do update set
      input_hash = excluded.input_hash, file_sha256 = excluded.file_sha256,
      run_id = excluded.run_id, embedding = excluded.embedding, indexed_at = now()
"""
SAW_FILE = """
    insert into font_index.files (url, sha256, size, origin) values (%s, %s, %s, %s)
    on conflict (url) do update set
      sha256 = excluded.sha256, size = excluded.size, origin = excluded.origin, checked_at = now()
"""
FORGIVE = "delete from font_index.failures where space_id = %s and font_id = any(%s)"
FAIL = """
    insert into font_index.failures as x
      (font_id, space_id, input_hash, file_sha256, stage, error, attempts, next_try_at)
    select f.id, %(space_id)s, %(input_hash)s, files.sha256, %(stage)s, %(error)s, 1,
           now() + %(retry)s
    from public.fonts f left join font_index.files on files.url = %(url)s
    where f.id = %(font_id)s
    on conflict (font_id, space_id) do update set
      attempts = case when x.input_hash = excluded.input_hash
                       and x.file_sha256 is not distinct from excluded.file_sha256
                      then x.attempts + 1 else 1 end,
      input_hash = excluded.input_hash, file_sha256 = excluded.file_sha256,
      stage = excluded.stage, error = excluded.error, last_at = now(),
      next_try_at = case when x.attempts + 1 < %(max_attempts)s
                           or x.input_hash <> excluded.input_hash
                         then now() + %(retry)s * 2 ^ x.attempts end
"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A font that needs work, with the inputs as they were when it was claimed."""

    font_id: UUID
    name: str
    category: str | None
    tags: Sequence[str]
    description: str | None
    url: str | None
    input_hash: bytes
    reason: Reason

    @property
    def workable(self) -> bool:
        return self.reason in WORKABLE


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
class Selection:
    """Which fonts a command asks for."""

    only: tuple[str, ...] | None = None  # names or ids
    retry_failed: bool = False  # waiting and quarantined fonts too
    overwrite: bool = False  # vectors of the product's own too


EVERYTHING = Selection()


def pending(
    connection: Connection,
    space: Space,
    selection: Selection = EVERYTHING,
    ids: Sequence[UUID] | None = None,
) -> list[Claim]:
    """All fonts (or those of the ids) whose vector is missing or out of date, oldest first."""
    schema = schema_of(space.text_schema) if space.text_schema else None
    parameters = {
        "space_id": space.id,
        "uses_text": schema is not None,
        "uses_description": schema is not None and schema.description,
        "uses_sheet": space.sheet_spec is not None,
        "overwrite": selection.overwrite or space.leg == "vl",  # the vl column is ours alone
        "retry_failed": selection.retry_failed,
        "only": list(selection.only) if selection.only is not None else None,
        "ids": list(ids) if ids is not None else None,
    }
    statement = PENDING.format(column=SERVING_COLUMN[space.leg])
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def file_urls(connection: Connection, font_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The address of the file that stands for each font; fonts without one are left out."""
    parameters = {
        "uses_text": False, "uses_description": False, "uses_sheet": True, "ids": list(font_ids)
    }  # fmt: skip
    return dict(connection.execute(FILE_URLS, parameters).fetchall())


def start_run(connection: Connection, space: Space, versions: Mapping[str, str]) -> int:
    """Open a run; frees what a dead process of this host still holds."""
    host = socket.gethostname()
    for run_id, process_id in connection.execute(LEASING_RUNS, [host]).fetchall():
        if not psutil.pid_exists(process_id):
            connection.execute(RELEASE, [run_id])
            connection.execute(FINISH_RUN, ["interrupted", Jsonb({}), Jsonb({}), run_id])
    row = connection.execute(
        START_RUN, [space.id, host, os.getpid(), Jsonb(dict(versions))]
    ).fetchone()
    assert row is not None
    return int(row[0])


def finish_run(
    connection: Connection,
    run_id: int,
    outcome: str,
    counts: Mapping[str, int],
    timings: Mapping[str, float],
) -> None:
    with connection.transaction():
        connection.execute(RELEASE, [run_id])
        connection.execute(FINISH_RUN, [outcome, Jsonb(dict(counts)), Jsonb(dict(timings)), run_id])


def claim(
    connection: Connection, space: Space, run_id: int, wanted: Sequence[Claim], selection: Selection
) -> list[Claim]:
    """Lease those of the wanted fonts that still need work and that nobody else holds."""
    ids = [font.font_id for font in wanted]
    with connection.transaction():
        connection.execute(CLAIM_LOCK)
        again = pending(connection, space, selection, ids)
        free = [font for font in again if font.workable]
        connection.execute(
            LEASE_FONTS,
            {
                "space_id": space.id,
                "run_id": run_id,
                "lease": LEASE,
                "font_ids": [font.font_id for font in free],
            },
        )
    return free


def save(connection: Connection, space: Space, run_id: int, batch: Sequence[Indexed]) -> int:
    """Write vectors, traits and bookkeeping of a batch in one transaction; returns how many fonts."""
    with connection.transaction(), connection.cursor() as cursor:
        ids = [item.claim.font_id for item in batch]
        there = {row[0] for row in cursor.execute(STILL_THERE, [ids]).fetchall()}
        batch = [item for item in batch if item.claim.font_id in there]
        state = cursor.execute(SPACE_STATE, [space.id]).fetchone()
        serving = state is not None and state[0] == "active"
        cursor.executemany(
            SAW_FILE,
            [(f.url, f.sha256, f.size, f.origin) for item in batch if (f := item.file)],
        )
        if serving:
            cursor.executemany(
                SERVE.format(column=SERVING_COLUMN[space.leg]),
                [(_serving(item.vector, space.leg), item.claim.font_id) for item in batch],
            )
        cursor.executemany(
            RECORD,
            [
                (
                    item.claim.font_id,
                    space.id,
                    item.claim.input_hash,
                    item.file.sha256 if item.file else None,
                    run_id,
                    None if serving else _serving(item.vector, "vl"),
                )
                for item in batch
            ],
        )
        measured = [
            (Jsonb(item.traits.to_json()), item.claim.font_id) for item in batch if item.traits
        ]
        cursor.executemany(SET_TRAITS, [(traits, font, traits) for traits, font in measured])
        cursor.execute(FORGIVE, [space.id, ids])
        cursor.execute(END_LEASES, [run_id, ids])
        cursor.execute(RENEW, [LEASE, run_id])
    return len(batch)


def fail(
    connection: Connection,
    space: Space,
    run_id: int,
    font: Claim,
    error: FontError,
    file: SeenFile | None,
) -> None:
    """Record why a font could not be indexed, and when to try again."""
    with connection.transaction():
        if file:
            connection.execute(SAW_FILE, [file.url, file.sha256, file.size, file.origin])
        connection.execute(
            FAIL,
            {
                "font_id": font.font_id,
                "space_id": space.id,
                "input_hash": font.input_hash,
                "url": font.url,
                "stage": error.stage,
                "error": error.message,
                "retry": FIRST_RETRY,
                "max_attempts": MAX_ATTEMPTS,
            },
        )
        connection.execute(END_LEASES, [run_id, [font.font_id]])


def _serving(vector: Vector, leg: Leg) -> FullVector | HalfVector:
    """Zero-padded to the column's width, which leaves cosines unchanged."""
    padded = np.zeros(SERVING_DIMENSION, dtype=np.float32)
    padded[: vector.size] = vector
    return FullVector(padded) if leg == "text" else HalfVector(padded)
