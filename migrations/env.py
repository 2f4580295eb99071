"""How every revision runs: one transaction each, one migrator at a time, never waiting long for a lock."""

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from indexer.database import Database
from indexer.schema import connected
from indexer.settings import Settings

ADVISORY_LOCK = 4_096_001  # any number, the same in every process
# a migration that waits for a lock, or holds one, makes all later readers wait behind it
TIMEOUTS = ("set lock_timeout = '4s'", "set statement_timeout = '60s'")

OPTIONS = {
    "version_table_schema": "font_index",  # the product may have an alembic_version of its own
    "transaction_per_migration": True,
}


def run_online(connection: Connection) -> None:
    for timeout in TIMEOUTS:
        connection.execute(text(timeout))
    connection.execute(text(f"select pg_advisory_lock({ADVISORY_LOCK})"))
    connection.execute(text("create schema if not exists font_index"))
    connection.commit()
    try:
        context.configure(connection=connection, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text(f"select pg_advisory_unlock({ADVISORY_LOCK})"))
        connection.commit()


def run_offline() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    for statement in (*TIMEOUTS, "create schema if not exists font_index"):
        context.get_context().impl.static_output(f"{statement};")
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    run_offline()
elif given is not None:
    run_online(given)
else:  # called by the alembic command
    with connected(Database.from_settings(Settings()).conninfo) as connection:
        run_online(connection)
