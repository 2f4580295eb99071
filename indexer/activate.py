"""Another space serves: its vectors and their index are made beside those that serve, then names are exchanged.

What is null in ordinary times, the next columns of public.fonts (sql/0008_switches.sql), is filled and
indexed while search goes on; one short transaction exchanges names; what served goes back into
font_index.embeddings. Each part may be interrupted: the row in font_index.switches says how far it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import class_row

from indexer.database import schema
from indexer.database.advice import TRIGGERS
from indexer.database.connect import Connection
from indexer.errors import UserError
from indexer.spaces import SERVING_COLUMN, Leg, Space, SpaceRecord, all_spaces, foreign_vectors
from indexer.staging import (
    INDEX,
    NEXT_INDEX,
    Phase,
    Staging,
    build_index,
    drop_index,
    index_is_valid,
)

Say = Callable[[str], None]

MAX_LATE = 100  # rows that the switch itself writes, with everybody waiting
# Vacuum holds a lock that makes no reader or writer wait, nor those behind who wait for it; and gives
# way to who does for a second, but for nobody sooner.
LOCK_OUT_VACUUM = "lock table public.fonts in share update exclusive mode"
VACUUM_TIMEOUT = "set local lock_timeout = '10s'"
# Who waits for a stronger one makes all others wait behind, so not for long.
LOCK_TIMEOUT = "set local lock_timeout = '300ms'"

UNDER_WAY = "select leg, space_id as space, phase from font_index.switches"
BEGIN = """
    insert into font_index.switches (leg, space_id, phase) values (%s, %s, 'coming')
    on conflict do nothing
"""
LEAVING = "update font_index.switches set phase = 'leaving', space_id = %s"
# What stands in the next columns though no switch is under way, as an app that saves whole rows as it
# once read them may have written, would be taken for staged.
BEGIN_EMPTY = """
    insert into font_index.switches (leg, space_id, phase)
    select %s, null, 'leaving' from public.fonts
    where num_nonnulls(embedding_next, embedding_vl_next, embedding_joint_next) > 0 limit 1
    on conflict do nothing
"""
END = """
    delete from font_index.switches
    where leg = %s and space_id is not distinct from %s and phase = 'leaving'
"""
TRIGGER = "fonts_set_embedding_joint"
NEXT_TRIGGER = "fonts_set_embedding_joint_next"
CREATE_NEXT_TRIGGER = sql.SQL("""
    create or replace trigger fonts_set_embedding_joint_next
    before insert or update of embedding, embedding_vl, embedding_next, embedding_vl_next, embedding_joint_next
    on public.fonts for each row execute function font_index.set_embedding_joint({leg})
""")
DROP_NEXT_TRIGGER = "drop trigger if exists fonts_set_embedding_joint_next on public.fonts"
OWNER = """
    select pg_get_userbyid(relowner)::text from pg_class
    where oid = 'public.fonts'::regclass and not pg_has_role(relowner, 'USAGE')
"""
# What was made for a column goes on with it when another takes its name. Triggers' lists and conditions,
# views, rules, policies, indexes, defaults, publications, statistics and functions are all noted there.
DEPENDENTS = """
    select pg_describe_object(d.classid, d.objid, d.objsubid)
    from pg_depend d
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.refclassid = 'pg_class'::regclass and d.refobjid = 'public.fonts'::regclass
      and a.attname = any(%(columns)s)
      and (d.classid <> 'pg_class'::regclass
           or d.objid is distinct from to_regclass('public.' || %(index)s::text))
      and not exists (select from pg_trigger t where d.classid = 'pg_trigger'::regclass
        and t.oid = d.objid and t.tgname = any(%(triggers)s))
    union select format('not null of the column %%s', attname) from pg_attribute
    where attrelid = 'public.fonts'::regclass and attname = any(%(columns)s) and attnotnull
    order by 1
"""
# Rights on the column itself, with those on the table: who may read it goes on reading what serves.
GRANTS = """
    select format('grant %%s (%%I) on public.fonts to %%s%%s', privilege, a.attname || '_next', who, further),
           format('revoke %%s (%%I) on public.fonts from %%s cascade', privilege, a.attname || '_next', who)
    from pg_attribute a
    cross join lateral (
      select privilege_type as privilege, case when is_grantable then ' with grant option' else '' end as further,
             case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as who
      from aclexplode(a.attacl)) x
    where a.attrelid = 'public.fonts'::regclass and a.attname = any(%(columns)s)
"""
COMMENTS = """
    select attname, col_description(attrelid, attnum) from pg_attribute
    where attrelid = 'public.fonts'::regclass and attname = any(%s)
"""
COMMENT = sql.SQL("comment on column public.fonts.{} is {}")
# Who began before the index was valid looks it up by its new name and takes it for invalid.
NOW = "select pg_current_xact_id()::xid::text"
SETTLED = """
    select not exists (
      select from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and age(backend_xmin) >= age(%s::text::xid))
"""
SETTLING = 10.0  # seconds; a transaction that stays open for longer is not waited for
RENAME = sql.SQL("alter table public.fonts rename column {} to {}")
RENAME_INDEX = sql.SQL("alter index if exists public.{} rename to {}")
RETIRE = """
    update font_index.spaces set state = 'retired' where leg = %s and state = 'active' returning id
"""
SERVE = "update font_index.spaces set state = 'active', activated_at = now() where id = %s"


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The switch that is under way. `space`: whose vectors stand in the next columns."""

    leg: Leg
    space: str | None
    phase: Phase


class _TooManyLate(Exception):
    """Rows were written faster than they were staged."""


def under_way(connection: Connection) -> Switch | None:
    with connection.cursor(row_factory=class_row(Switch)) as cursor:
        return cursor.execute(UNDER_WAY).fetchone()


def activate(
    connection: Connection,
    prefix: str,
    *,
    force: bool = False,
    say: Say = lambda sentence: None,
) -> Space:
    """Let search use another space; the one that served is kept aside. Interrupted, run it again.

    The connection commits by itself: this is many transactions. `say` is told what is being done.
    Raises UserError, before anything is changed, where the prefix of the id is not unique, where the
    space has vectors for fewer fonts than the serving one (unless forced), where the app's vectors
    would go, where anything was made for the columns that are exchanged, and for a role that does not
    own the table; later, where others hold rows or the table for two minutes, where another session is
    at the same switch, and where triggers keep rows from what search looks them up by.
    """
    if row := connection.execute(OWNER).fetchone():
        raise UserError(f"A switch alters public.fonts, so connect as its owner, {row[0][:100]}.")
    new = _chosen(connection, prefix, force)
    space, leg = new.space, new.space.leg
    if new.state != "active":
        _refuse(connection, leg)
        connection.execute(BEGIN_EMPTY, [leg])
    switch = under_way(connection)
    if switch and (switch.phase == "leaving" or switch.space != space.id):
        say("Finishing an earlier switch that was interrupted.")
        _clear(connection, switch, say)
    if new.state == "active":
        return space
    # without it the planner may still think the table empty
    connection.execute("analyze font_index.embeddings")
    _begin(connection, space, say)
    staging = Staging(connection=connection, leg=leg, space=space.id)
    say("Copying its vectors next to those that serve; search and writers go on.")
    staging.fill()
    say("Building the index on them. It waits for transactions that are open.")
    build_index(connection)
    _settle(connection)
    _switch(connection, staging, say)
    say(f"Search uses {space}. Putting aside the vectors that served until now.")
    if (switch := under_way(connection)) and switch.phase == "leaving":
        _clear(connection, switch, say)
    return space


def _chosen(connection: Connection, prefix: str, force: bool) -> SpaceRecord:
    records = all_spaces(connection)
    found = [record for record in records if record.space.id.startswith(prefix)]
    if len(found) != 1:
        raise UserError(
            f"{len(found)} spaces have an id that starts with {prefix[:100]!r}. See: indexer spaces list"
        )
    new = found[0]
    old = next((r for r in records if r.space.leg == new.space.leg and r.state == "active"), None)
    if old and new.fonts < old.fonts and not force:
        raise UserError(
            f"{new.space} has vectors for {new.fonts} fonts, the serving {old.space} for "
            f"{old.fonts}. Fill it first: indexer backfill (or pass --force)."
        )
    return new


def _refuse(connection: Connection, leg: Leg) -> None:
    if foreign := foreign_vectors(connection, leg):
        raise UserError(
            f"{foreign} vectors of the {leg} column are your app's own; "
            "switching would drop them, so it is refused."
        )
    values = {"columns": _columns(leg), "index": INDEX, "triggers": [TRIGGER, NEXT_TRIGGER]}
    if found := [row[0] for row in connection.execute(DEPENDENTS, values)]:
        raise UserError(
            f"A switch gives the names {' and '.join(_columns(leg))} of public.fonts to other columns. "
            f"What was made for these columns would stay with the vectors that served: {'; '.join(found)}. "
            "Drop that, run this again, and make it anew."
        )


def _begin(connection: Connection, space: Space, say: Say) -> None:
    def begin() -> None:
        connection.execute("lock table public.fonts in share row exclusive mode")
        connection.execute(BEGIN, [space.leg, space.id])
        if under_way(connection) != Switch(leg=space.leg, space=space.id, phase="coming"):
            raise UserError("Another switch has just begun. Let it end, then run this again.")
        connection.execute(CREATE_NEXT_TRIGGER.format(leg=sql.Literal(space.leg)))

    _at_once(connection, begin, say)


def _settle(connection: Connection) -> None:
    end = time.monotonic() + SETTLING
    now = connection.execute(NOW).fetchone()
    while connection.execute(SETTLED, now).fetchone() == (False,) and time.monotonic() < end:
        time.sleep(0.05)


def _switch(connection: Connection, staging: Staging, say: Say) -> None:
    def exchange() -> None:
        # first what a job locks first: while it saves, its space stays what it is
        connection.execute("lock table font_index.spaces in exclusive mode")
        connection.execute("lock table public.fonts in access exclusive mode")
        _exchange(connection, staging)

    for attempt in range(len(schema.PAUSES)):
        try:
            return _at_once(connection, exchange, say)
        except _TooManyLate:
            say("Rows were written meanwhile. Copying these.")
            time.sleep(attempt)
            staging.fill()
    raise UserError(
        "Rows of public.fonts stay locked, or are written faster than they are copied. Nothing is lost. "
        "Run this again when fewer are written."
    )


def _exchange(connection: Connection, staging: Staging) -> None:
    staging.require("coming")  # what was exchanged once would be exchanged back
    if not index_is_valid(connection):
        raise UserError(f"The index public.{NEXT_INDEX} was dropped meanwhile. Run this again.")
    _refuse(connection, staging.leg)  # what was made, or written, meanwhile
    late = staging.missing()
    if len(late) > MAX_LATE:
        raise _TooManyLate
    staging.write(late)
    if late and staging.missing():
        raise UserError(
            "Triggers of public.fonts are disabled, or undo what is written to its rows, so search would "
            "not see some of them. Nothing is lost. Mend that, then run this again."
        )
    columns = _columns(staging.leg)
    values = {"columns": columns}
    grants = connection.execute(GRANTS, values).fetchall()
    for grant, _ in grants:
        connection.execute(grant.encode())
    both = columns + [f"{column}_next" for column in columns]
    comments: dict[str, str | None] = dict(connection.execute(COMMENTS, [both]).fetchall())
    for column in columns:
        _rename(connection, RENAME, column, f"{column}_next")
    _rename(connection, RENAME_INDEX, INDEX, NEXT_INDEX)
    for column, comment in comments.items():
        connection.execute(COMMENT.format(sql.Identifier(column), sql.Literal(comment)))
    for _, revoke in grants:
        connection.execute(revoke.encode())
    # their lists of columns have gone on with the columns
    connection.execute(DROP_NEXT_TRIGGER)
    connection.execute(TRIGGERS[TRIGGER].encode())
    retired = connection.execute(RETIRE, [staging.leg]).fetchone()
    connection.execute(SERVE, [staging.space])
    connection.execute(LEAVING, [retired[0] if retired else None])


def _rename(connection: Connection, rename: sql.SQL, one: str, other: str) -> None:
    """Each gets the other's name."""
    free = f"{one}_exchanged"
    for old, new in ((one, free), (other, one), (free, other)):
        connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))


def _clear(connection: Connection, switch: Switch, say: Say) -> None:
    """What is left of a switch, or of one that was given up: the next columns are null after it."""
    staging = Staging(connection=connection, leg=switch.leg, space=switch.space)
    if switch.phase == "coming":

        def leave() -> None:
            connection.execute(DROP_NEXT_TRIGGER)
            staging.require("coming")
            connection.execute(LEAVING, [switch.space])

        _at_once(connection, leave, say)
    drop_index(connection)  # first: rows are written without it
    staging.empty()
    connection.execute(END, [switch.leg, switch.space])


def _at_once(connection: Connection, work: Callable[[], None], say: Say) -> None:
    """In one transaction; where a lock is busy, again after a pause, for two minutes."""
    for pause in (*schema.PAUSES, None):
        try:
            with connection.transaction():
                connection.execute("set local statement_timeout = 0")
                connection.execute(VACUUM_TIMEOUT)
                connection.execute(LOCK_OUT_VACUUM)
                connection.execute(LOCK_TIMEOUT)
                return work()
        except (LockNotAvailable, DeadlockDetected):
            if pause is None:
                raise UserError(
                    "A lock on public.fonts, or on the bookkeeping, stays busy. Nothing is lost. End the "
                    "transaction that holds it, or wait, then run this again."
                ) from None
            say(f"Another transaction holds a lock. Trying again in {pause:g} s.")
            time.sleep(pause)


def _columns(leg: Leg) -> list[str]:
    return [SERVING_COLUMN[leg].as_string().strip('"'), "embedding_joint"]
