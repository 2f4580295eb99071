"""The search columns of the rows that are there, and the indexes that propose candidates by them.

Nothing here is one transaction, so all of it may be run again after an interruption. The columns come
before the indexes: a row written while these stand costs an insertion into each.
"""

from alembic import context, op

from indexer.database.schema import INDEXES, run, run_each, run_file, say, unhurried

revision = "0004"
down_revision = "0003"

# A build that is interrupted leaves an index which writers maintain and no query uses.
INVALID = """
    select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = 'public.fonts'::regclass and not i.indisvalid
      and c.relname = any(%s)
"""
# Concurrent builds and drops wait for open transactions, and block nobody while they wait.
PATIENT = "set lock_timeout = 0;"


def upgrade() -> None:
    with unhurried():
        run_file("0004_fill_search_columns.sql")
        run(PATIENT)
        if not context.is_offline_mode():
            for name in op.get_bind().exec_driver_sql(INVALID, (list(INDEXES),)).scalars().all():
                say(f"Dropping the index {name}, whose build was interrupted.")
                run(f"drop index concurrently if exists public.{name};")
        say("Building indexes; reading and writing go on. It waits for transactions that are open.")
        run_each("0004_indexes.sql")


def downgrade() -> None:
    with unhurried():
        run(PATIENT)
        run_each("0004_indexes_down.sql")
