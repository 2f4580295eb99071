"""Whether the database holds what the bookkeeping says: checks, what mends them, and what each column is made by.

Everything is read in one transaction that is rolled back; `repair` mends what search derives from other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from indexer import spaces
from indexer.database.advice import broken, broken_triggers
from indexer.database.connect import EXTENSION_SCHEMA, Connection
from indexer.job.pending import outstanding, pending
from indexer.spaces import NEXT_COLUMN, NO_SWITCH, SERVING_COLUMN, SERVING_DIMENSION, Space

MAX_NORM_ERROR = 0.01  # halfvec keeps eleven bits
BATCH = 1000  # rows whose derived columns are computed again at once
WRITTEN_AT_ONCE = (
    50  # rows of a transaction: each costs up to 8 ms, and who writes one of them waits
)

AGAIN = "set them to null, and the next backfill embeds them again"

# `vectors` is the serving column of fonts that the space made, or the space's own table aside.
SERVED = sql.SQL("""
    select e.font_id, f.{column} as vector, e.indexed_at from font_index.embeddings e
    join public.fonts f on f.id = e.font_id where e.space_id = %(space)s
""")
# Where a switch was interrupted, vectors of the space that served may still be on their way there.
ASIDE = sql.SQL("""
    select e.font_id, coalesce(e.embedding, f.{next}::vector) as vector, e.indexed_at
    from font_index.embeddings e
    left join font_index.switches w on w.space_id = e.space_id and w.phase = 'leaving'
    left join public.fonts f on f.id = e.font_id and w.only_one
    where e.space_id = %(space)s
""")
COLUMN = sql.SQL("""
    with vectors as ({vectors})
    select count(vector) as vectors, count(*) - count(vector) as missing,
           min(indexed_at) filter (where vector is not null) as first_at,
           max(indexed_at) filter (where vector is not null) as last_at,
           count(*) filter (where abs({norm}(vector) - 1) > %(error)s) as not_of_length_1,
           count(*) filter (where %(dimension)s < %(width)s and {norm}(
             subvector(vector, least(%(dimension)s, %(width)s - 1) + 1, greatest(%(width)s - %(dimension)s, 1))) > 0
           ) as not_of_dimension
    from vectors
""")
# nothing wrong: fonts are deleted, and may come back until the job sweeps what they have left
ORPHANS = """
    select 'font_index.' || relation, count(*) from (
      select 'embeddings' as relation, font_id from font_index.embeddings union all
      select 'failures', font_id from font_index.failures union all
      select 'facts', font_id from font_index.facts union all
      select 'leases', font_id from font_index.leases) x
    where not exists (select from public.fonts where id = x.font_id)
    group by relation order by relation
"""
# The triggers themselves say what the derived columns should be: on a copy, a batch of rows at a time.
COPY = """
    create temporary table fontsight_copy on commit drop as
      select id, name, category, tags, description, embedding, embedding_vl, fts, embedding_joint
      from public.fonts with no data;
    create trigger set_fts before insert on fontsight_copy
      for each row execute function font_index.set_fts();
    create trigger set_embedding_joint before insert on fontsight_copy
      for each row execute function font_index.set_embedding_joint();
"""
FILL = """
    insert into fontsight_copy
    select id, name, category, tags, description, embedding, embedding_vl
    from public.fonts where %(after)s::uuid is null or id > %(after)s order by id limit %(batch)s
"""
DIFFERENT = """
    select c.id from fontsight_copy c join public.fonts f using (id)
    where c.fts is distinct from f.fts or c.embedding_joint::text is distinct from f.embedding_joint::text
"""
FORGET_LOOKS = "delete from font_index.looks"
WRITE_AGAIN = "update public.fonts set fts = null, embedding_joint = null where id = any(%s)"


@dataclass(frozen=True, kw_only=True)
class Made:
    """The vectors of a space: how many, since when, and how many do not fit it."""

    vectors: int
    missing: int  # known to the bookkeeping, and not there
    first_at: datetime | None
    last_at: datetime | None
    not_of_length_1: int
    not_of_dimension: int  # not zero beyond the model's dimension


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A space, what became of it, and its vectors. `foreign`: of the serving column, your app's own."""

    space: Space
    state: str
    column: str
    made: Made
    foreign: int
    pending: int  # fonts that would be embedded to bring it up to date
    overlooked: int  # of these, what a run would miss, for its last look counts them as up to date

    @property
    def wrong(self) -> list[str]:
        found = {
            "are missing, though the bookkeeping has them; the next backfill embeds them": self.made.missing,
            f"are not of length 1; {AGAIN}": self.made.not_of_length_1,
            f"have more than {self.space.model.dimension} dimensions; {AGAIN}": self.made.not_of_dimension,
        }
        return [f"{count} vectors {what}" for what, count in found.items() if count]


@dataclass(kw_only=True)
class Verified:
    spaces: list[Inspected]
    findings: list[str] = field(default_factory=list)  # a sentence each; none where all is well
    repaired: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # sentences on what deleted fonts have left


def verify(connection: Connection, *, repair: bool = False) -> Verified:
    """Look at all vectors and all bookkeeping. With `repair`, triggers and derived columns are mended."""
    repaired = list(_repair_triggers(connection)) if repair else []
    with connection.transaction(force_rollback=True):
        connection.execute("set transaction isolation level repeatable read")  # while a job goes on
        connection.execute(NO_SWITCH)
        _use_vectors(connection)
        found = Verified(spaces=[_inspect(connection, r) for r in spaces.all_spaces(connection)])
        overlooked = sum(one.overlooked for one in found.spaces)
        for one in found.spaces:
            found.findings += [f"{one.column}: {wrong} ({one.space})." for wrong in one.wrong]
        for table, count in connection.execute(ORPHANS).fetchall():
            found.kept.append(
                f"{count} rows of {table} are of fonts that are gone: runs delete them a day later, "
                "for fonts may come back"
            )
        found.findings += broken(connection)
        stale = _out_of_step(connection)
    if stale and repair:
        for start in range(0, len(stale), WRITTEN_AT_ONCE):
            connection.execute(WRITE_AGAIN, [stale[start : start + WRITTEN_AT_ONCE]])
        repaired.append(f"what search looks {len(stale)} fonts up by (fts, embedding_joint)")
    elif stale:
        found.findings.append(
            f"What search looks {len(stale)} fonts up by (fts, embedding_joint) is not what the triggers "
            "would write. Run: indexer verify --repair"
        )
    if overlooked and repair:
        connection.execute(FORGET_LOOKS)
        repaired.append("what the job takes for up to date: the next run compares every font")
    elif overlooked:
        found.findings.append(
            f"{overlooked} vectors are out of date, and the job takes them for up to date. "
            "Run: indexer verify --repair"
        )
    found.repaired = repaired
    return found


def _use_vectors(connection: Connection) -> None:
    row = connection.execute(EXTENSION_SCHEMA).fetchone()
    assert row is not None
    connection.execute(
        "select set_config('search_path', format('%%I, public, pg_temp', %s::text), true)", row
    )


def _inspect(connection: Connection, record: spaces.SpaceRecord) -> Inspected:
    space, serves = record.space, record.state == "active"
    column = SERVING_COLUMN[space.leg]
    vectors = SERVED.format(column=column) if serves else ASIDE.format(next=NEXT_COLUMN[space.leg])
    values = {
        "space": space.id,
        "error": MAX_NORM_ERROR,
        "dimension": space.model.dimension,
        "width": SERVING_DIMENSION,
    }
    with connection.cursor(row_factory=class_row(Made)) as cursor:
        # pgvector's name for it depends on the type
        norm = sql.SQL("l2_norm" if serves and space.leg == "vl" else "vector_norm")
        made = cursor.execute(COLUMN.format(vectors=vectors, norm=norm), values).fetchone()
    assert made is not None
    due = {font.font_id for font in pending(connection, space)}
    overlooked = due - {font.font_id for font in outstanding(connection, space, keep=False)}
    name = column.as_string(connection).strip('"')
    return Inspected(
        space=space,
        state=record.state,
        column=f"fonts.{name}" if serves else "font_index.embeddings",
        made=made,
        foreign=spaces.foreign_vectors(connection, space.leg) if serves else 0,
        pending=len(due),
        overlooked=len(overlooked),
    )


def _out_of_step(connection: Connection) -> list[UUID]:
    """Fonts whose derived columns are not what their triggers write."""
    connection.execute(COPY)
    after: UUID | None = None
    found: list[UUID] = []
    while True:
        filled = connection.execute(FILL, {"after": after, "batch": BATCH}).rowcount
        if not filled:
            return found
        found += [font for (font,) in connection.execute(DIFFERENT)]
        row = connection.execute("select max(id::text)::uuid from fontsight_copy").fetchone()
        assert row is not None
        after = row[0]
        connection.execute("truncate fontsight_copy")


def _repair_triggers(connection: Connection) -> Iterator[str]:
    for name, statement in broken_triggers(connection):
        with connection.transaction():
            connection.execute("set local lock_timeout = '2s'")
            connection.execute(statement)
        yield f"the trigger {name}"
