"""The next columns of public.fonts: filled with a space that is to serve, indexed, and emptied again.

Each batch is a transaction, so that a writer of the app waits for one batch at most, and all of it
may be run again after an interruption. Rows that are locked are omitted and come again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from indexer.database.connect import EXTENSION_SCHEMA, Connection, address_of, connect_again
from indexer.errors import UserError
from indexer.spaces import NEXT_COLUMN, SERVING_COLUMN, Leg

Phase = Literal["coming", "leaving"]

INDEX = "fonts_embedding_joint_hnsw"
NEXT_INDEX = "fonts_embedding_joint_next_hnsw"
OTHER: dict[Leg, Leg] = {"text": "vl", "vl": "text"}
BATCH = 50  # rows of a transaction: a row that is written costs up to 8 ms
TRIES = 20  # in vain: rows may be locked, or come again as fast as they are written
PAUSE = 0.1  # seconds before each

# One row of each page, then the next of each: a version that finds room on its own page costs no
# insertion into the index that serves, and the room of the one before it is free by then. On pages that
# were full, 80 % of 1,200 rows found it, and in the order of the pages 3 to 16 %; 1.3 ms a row for 2.9 to 6.
MISSING = sql.SQL("""
    select f.id from public.fonts f
    left join font_index.embeddings e on e.space_id = %(space)s and e.font_id = f.id
    where f.{next} is null and e.embedding is not null
       or f.embedding_joint_next is null and f.{other} is not null
    order by (f.ctid::text::point)[1], f.ctid
""")
LOCK = "select id from public.fonts where id = any(%s) for no key update skip locked"
# The trigger of the switch writes embedding_joint_next.
FILL = sql.SQL("""
    update public.fonts f
    set {next} = (select e.embedding from font_index.embeddings e
                  where e.space_id = %(space)s and e.font_id = f.id)::{schema}.{type},
        embedding_joint_next = null
    where f.id = any(%(ids)s)
""")
# before it serves: what we wrote into the text column is told from what the app writes there
STAMP = """
    update font_index.embeddings e set vector_md5 = md5(f.embedding_next::text)
    from public.fonts f
    where e.space_id = %(space)s and f.id = e.font_id and f.id = any(%(ids)s)
"""
# Another session may be at the same switch, and further on with it.
STANDS = """
    select from font_index.switches
    where leg = %s and space_id is not distinct from %s and phase = %s for share
"""
LEFT = """
    select f.id from public.fonts f
    where num_nonnulls(embedding_next, embedding_vl_next, embedding_joint_next) > 0
    order by (f.ctid::text::point)[1], f.ctid
"""
PUT_ASIDE = sql.SQL("""
    update font_index.embeddings e set embedding = f.{next}::{schema}.vector
    from public.fonts f
    where e.space_id = %(space)s and f.id = e.font_id and f.id = any(%(ids)s)
      and e.embedding is null and f.{next} is not null
""")
EMPTY = """
    update public.fonts
    set embedding_next = null, embedding_vl_next = null, embedding_joint_next = null
    where id = any(%(ids)s)
"""
COPIES = """
    select e.font_id from font_index.embeddings e join font_index.spaces s on s.id = e.space_id
    where s.state = 'active' and s.leg = %s and e.embedding is not null
      and exists (select from public.fonts f where f.id = e.font_id)
"""
DROP_COPIES = """
    update font_index.embeddings e set embedding = null from font_index.spaces s
    where s.id = e.space_id and s.state = 'active' and s.leg = %(leg)s and e.font_id = any(%(ids)s)
"""
VALID = "select indisvalid from pg_index where indexrelid = to_regclass('public.' || %s::text)"
BUILDING = """
    select pid from pg_stat_progress_create_index where relid = 'public.fonts'::regclass
"""
# As sql/0004_indexes.sql: a graph that outgrows the memory is built many times slower.
MEMORY = """
    select set_config('maintenance_work_mem', greatest(
        pg_size_bytes(current_setting('maintenance_work_mem')),
        least(8192 * count(*), pg_size_bytes('2GB'))) / 1024 || 'kB', false)
    from public.fonts where embedding_joint_next is not null
"""
BUILD = sql.SQL("""
    create index concurrently {index}
    on public.fonts using hnsw (embedding_joint_next {schema}.halfvec_cosine_ops)
""")
COMMENT = sql.SQL("comment on index public.{index} is {text}")
PURPOSE = "Proposes candidates of both vector legs, for any weights."  # as in sql/0004_indexes.sql


@dataclass(frozen=True, kw_only=True)
class Staging:
    """Where the vectors of a space are on their way to, or from. `space`: None where none served."""

    connection: Connection
    leg: Leg
    space: str | None

    def missing(self) -> list[UUID]:
        """Fonts whose next columns are not yet what they should be."""
        names = {"next": NEXT_COLUMN[self.leg], "other": SERVING_COLUMN[OTHER[self.leg]]}
        return _ids(self.connection, MISSING.format(**names), {"space": self.space})

    def fill(self) -> None:
        """All that are not locked by others for long."""
        _in_batches(self.connection, self.missing, self.write)

    def write(self, ids: Sequence[UUID]) -> None:
        """To be called in a transaction that has these rows locked."""
        self.require("coming")
        values = {"space": self.space, "ids": ids}
        self.connection.execute(FILL.format(**self._names()), values)
        if self.leg == "text":
            self.connection.execute(STAMP, values)

    def empty(self) -> None:
        """Back into font_index.embeddings what stands nowhere else, and nothing left.

        Raises UserError where rows stay locked by others.
        """
        put_aside = PUT_ASIDE.format(**self._names())

        def write(ids: Sequence[UUID]) -> None:
            self.require("leaving")
            values = {"space": self.space, "ids": ids}
            self.connection.execute(put_aside, values)
            self.connection.execute(EMPTY, values)

        def drop_copies(ids: Sequence[UUID]) -> None:
            self.require("leaving")
            self.connection.execute(DROP_COPIES, {"leg": self.leg, "ids": ids})

        locked = _in_batches(self.connection, lambda: _ids(self.connection, LEFT), write)
        locked += _in_batches(
            self.connection, lambda: _ids(self.connection, COPIES, [self.leg]), drop_copies
        )
        if locked:
            raise UserError(
                f"{locked} rows of public.fonts stay locked by another transaction, or a trigger undoes what is "
                "written to them. Nothing is lost. Mend that, then run this again."
            )

    def require(self, phase: Phase) -> None:
        """To be called in a transaction: until it ends, the switch stays in this phase.

        Raises UserError where another session has brought it further.
        """
        if self.connection.execute(STANDS, [self.leg, self.space, phase]).rowcount != 1:
            raise UserError(
                "Another session goes on with this switch. Nothing is lost. Let it end; "
                "indexer spaces list says which space serves then."
            )

    def _names(self) -> dict[str, sql.Identifier]:
        return {
            "next": NEXT_COLUMN[self.leg],
            "schema": _extension_schema(self.connection),
            "type": sql.Identifier("vector" if self.leg == "text" else "halfvec"),
        }


def build_index(connection: Connection) -> None:
    """On embedding_joint_next, unless it is there. What an interrupted build has left is dropped.

    Raises UserError where another session builds an index of fonts.
    """
    if row := connection.execute(BUILDING).fetchone():
        raise UserError(
            f"Another session (pid {row[0]}) builds an index of public.fonts. Nothing is lost. "
            "Let it end, then run this again."
        )
    if index_is_valid(connection):
        return
    drop_index(connection)
    index = sql.Identifier(NEXT_INDEX)
    with closing(connect_again(address_of(connection))) as own:
        _without_limits(own)
        own.execute(MEMORY)
        own.execute(BUILD.format(index=index, schema=_extension_schema(own)))
        own.execute(COMMENT.format(index=index, text=PURPOSE))


def index_is_valid(connection: Connection) -> bool:
    """That on embedding_joint_next."""
    return connection.execute(VALID, [NEXT_INDEX]).fetchone() == (True,)


def drop_index(connection: Connection) -> None:
    with closing(connect_again(address_of(connection))) as own:
        _without_limits(own)
        own.execute(f"drop index concurrently if exists public.{NEXT_INDEX}".encode())


def _without_limits(own: Connection) -> None:
    """Concurrent builds and drops wait for open transactions, and block nobody while they wait."""
    own.execute("set statement_timeout = 0")
    own.execute("set lock_timeout = 0")


def _in_batches(
    connection: Connection, find: Callable[[], list[UUID]], write: Callable[[Sequence[UUID]], None]
) -> int:
    """Write what `find` returns, a transaction each; returns how many are left after tries in vain."""
    tries, fewest = 0, sys.maxsize
    while found := find():
        tries = 0 if len(found) < fewest else tries + 1
        if tries == TRIES:
            break
        if tries:
            time.sleep(PAUSE)
        fewest = min(fewest, len(found))
        for start in range(0, len(found), BATCH):
            with connection.transaction():
                if ids := _ids(connection, LOCK, [found[start : start + BATCH]]):
                    write(ids)
    return len(found)


def _ids(connection: Connection, query: Any, values: Any = None) -> list[UUID]:
    return [font for (font,) in connection.execute(query, values)]


def _extension_schema(connection: Connection) -> sql.Identifier:
    row = connection.execute(EXTENSION_SCHEMA).fetchone()
    assert row is not None
    return sql.Identifier(str(row[0]))
