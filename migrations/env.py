"""How every revision runs: one transaction each, one migrator at a time, never waiting long for a lock."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from indexer.database import schema
from indexer.database.connect import Database
from indexer.errors import UserError
from indexer.settings import Settings

ADVISORY_LOCK = 4_096_001  # any number below 2^32, the same in every process
TAKE_TURN = "select pg_try_advisory_lock(%s)"
END_TURN = "select pg_advisory_unlock(%s)"

OPTIONS: dict[str, Any] = {
    "version_table_schema": "font_index",  # the product may have an alembic_version of its own
    "transaction_per_migration": True,
}
PREPARE = (
    "create schema if not exists font_index;",
    "create table if not exists font_index.alembic_version (\n"
    "  version_num text not null constraint alembic_version_pkc primary key\n);",
    "comment on table font_index.alembic_version is"
    " 'The revision of the schema that this database is at; written by Alembic.';",
)
HOW_TO_RUN = """\
-- Run this with psql, on a direct connection or the session pooler (port 5432):
--     psql -v ON_ERROR_STOP=1 -f THIS_FILE "$DATABASE_URL"
-- Supabase's SQL editor makes one transaction of what it is given. There, run each part from BEGIN to COMMIT
-- by itself, and what stands between two of them (concurrent index builds) one statement at a time.
-- What was committed stays after an error: mend its cause, see the revision that was reached with
--     select version_num from font_index.alembic_version;
-- and print the rest with:  indexer migrate --sql --from REVISION
"""

# Who may have kept a try from its lock: only a transaction older than the wait itself. What it runs is not
# read, for there may be secrets in it.
BLOCKERS = """
    select l.pid, coalesce(nullif(a.application_name, ''), a.backend_type),
           date_trunc('second', clock_timestamp() - a.xact_start)::text
    from pg_locks l
    join pg_class c on c.oid = l.relation
    left join pg_stat_activity a on a.pid = l.pid
    where l.granted and l.database = (select oid from pg_database where datname = current_database())
      and (c.oid = to_regclass('public.fonts') or c.relnamespace = to_regnamespace('font_index'))
      and l.pid is distinct from pg_backend_pid()
      and coalesce(a.xact_start < clock_timestamp() - current_setting('lock_timeout')::interval, true)
    group by l.pid, a.application_name, a.backend_type, a.xact_start
    order by a.xact_start limit 3
"""
MIGRATORS = """
    select l.pid, coalesce(nullif(a.application_name, ''), a.backend_type),
           date_trunc('second', clock_timestamp() - a.backend_start)::text
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.classid = 0 and l.objid = %s and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
"""


class Impl(PostgresqlImpl):
    """Alembic's, but for its version table, a varchar without "if not exists": ours is made before."""

    __dialect__ = "postgresql"

    def version_table_impl(self, **options: Any) -> Table:
        table = super().version_table_impl(**options)
        table.create = lambda *_, **__: None  # type: ignore[method-assign]  # nothing is left to make
        return table


class Plan:
    """The steps of a run, decided once: decided anew at each try, `downgrade -2` could take three."""

    def __init__(self, decide: Callable[..., Iterable[Any]]) -> None:
        self.decide = decide
        self.steps: list[Any] | None = None

    def __call__(self, heads: tuple[str, ...], migration: Any) -> list[Any]:
        if self.steps is None:
            self.steps = list(self.decide(heads, migration))
            for step in self.steps:
                if step.is_downgrade and hasattr(step, "revision"):
                    # refused before the first step, not half-way down
                    getattr(step.revision.module, "before_downgrade", lambda: None)()
        return list(self.steps)

    def done(self, ctx: object, step: object, heads: object, run_args: object) -> None:
        assert self.steps is not None
        del self.steps[0]


def run_online(connection: Connection) -> None:
    take_turn(connection)
    context.configure(connection=connection, **OPTIONS)
    plan = Plan(context.get_context().opts["fn"])
    for pause in (*schema.PAUSES, None):
        try:
            attempt(connection, plan)
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            blockers = described(connection, BLOCKERS) or "by transactions that have ended since"
            if pause is None:
                raise UserError(
                    f"A lock that the migration needs is held {blockers}; {len(schema.PAUSES) + 1} tries "
                    "did not get it. Nothing was lost. End what holds it, or wait, "
                    "then run again: indexer migrate"
                ) from None
            schema.say(f"Locked {blockers}. Trying again in {pause:g} s.")
            time.sleep(pause)
        else:
            break
    # after an error, the end of the connection gives it back
    connection.exec_driver_sql(END_TURN, (ADVISORY_LOCK,))
    connection.commit()


def take_turn(connection: Connection) -> None:
    """Wait until no other migrator is at work, by asking again and again.

    A session that waited inside a statement would hold a snapshot, for which the concurrent index
    build of the other would wait in turn.
    """
    for pause in (*schema.PAUSES, None):
        taken = connection.exec_driver_sql(TAKE_TURN, (ADVISORY_LOCK,)).scalar_one()
        connection.commit()
        if taken:
            return
        others = described(connection, MIGRATORS, ADVISORY_LOCK)
        if pause is None:
            raise UserError(
                f"Another migration is running on this database, {others}. Nothing was changed. "
                "Run this again when it has ended."
            )
        schema.say(f"Another migration is running, {others}. Looking again in {pause:g} s.")
        time.sleep(pause)


def attempt(connection: Connection, plan: Plan) -> None:
    # each time, for an interrupted revision may have lifted the guards
    for statement in (*schema.GUARDS, *PREPARE):
        connection.exec_driver_sql(statement)
    connection.commit()
    context.configure(connection=connection, fn=plan, on_version_apply=plan.done, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def described(connection: Connection, query: str, *values: object) -> str:
    """The sessions that a query finds: who, which process, since when."""
    rows = connection.exec_driver_sql(query, values).all()
    connection.commit()
    return " and ".join(
        f"by {application or 'a session'} (pid {pid}, open for {age or 'an unknown time'})"
        if pid
        else "by a prepared transaction"
        for pid, application, age in rows
    )


def run_offline() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    first = PREPARE if context.get_starting_revision_argument() is None else ()
    for statement in (HOW_TO_RUN, *schema.GUARDS, *first):
        context.get_context().impl.static_output(statement)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    run_offline()
elif given is not None:
    run_online(given)
else:  # called by the alembic command
    with schema.connected(Database.from_settings(Settings()).conninfo) as connection:
        run_online(connection)
