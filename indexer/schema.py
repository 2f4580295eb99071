"""The database's schema: Alembic's revisions, run, printed, and insisted on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import psycopg
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection as AlchemyConnection
from sqlalchemy.pool import NullPool

from indexer.errors import UserError

PACKAGE = Path(__file__).parent
CURRENT = "select version_num from font_index.alembic_version"


def resource(name: str) -> Path:
    """The folder `migrations` or `sql`: inside the installed package, or at the top of a checkout."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name


def read_sql(name: str) -> str:
    return (resource("sql") / name).read_text(encoding="utf-8")


def run_file(name: str) -> None:
    """Run a file of sql/ inside a revision, or print it in --sql mode: as it is, % and : included."""
    migration = op.get_context()
    if migration.as_sql:
        migration.impl.static_output(read_sql(name))
    else:
        assert migration.bind is not None
        migration.bind.exec_driver_sql(read_sql(name), execution_options={"no_parameters": True})


def config(
    connection: AlchemyConnection | None = None, output: io.StringIO | None = None
) -> Config:
    settings = Config(output_buffer=output) if output else Config()
    settings.set_main_option("script_location", str(resource("migrations")))
    settings.attributes["connection"] = connection
    return settings


def head() -> str:
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None, "the package was built without its migrations"
    return revision


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision that the database is at, None before the first."""
    if connection.execute("select to_regclass('font_index.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute(CURRENT).fetchone()
    return str(row[0]) if row else None


def require_head(connection: psycopg.Connection[Any]) -> None:
    """Raises UserError unless the database is at this version's head."""
    found, known = current(connection), head()
    if found == known:
        return
    scripts = ScriptDirectory.from_config(config())
    if found is not None and all(found != script.revision for script in scripts.walk_revisions()):
        raise UserError(
            f"The database is at revision {found}, which this version does not know. "
            "Upgrade fontsight; do not migrate down."
        )
    state = f"at revision {found}" if found else "not set up"
    raise UserError(f"The database is {state}; revision {known} is needed. Run: indexer migrate")


def upgrade(conninfo: str, revision: str = "head") -> None:
    """Bring a database to a revision. Each revision is a transaction of its own."""
    with connected(conninfo) as connection:
        command.upgrade(config(connection), revision)


def downgrade(conninfo: str, revision: str) -> None:
    with connected(conninfo) as connection:
        command.downgrade(config(connection), revision)


def upgrade_sql(start: str | None = None) -> str:
    """The same upgrade as SQL text, for the Supabase editor."""
    output = io.StringIO()
    command.upgrade(config(output=output), f"{start}:head" if start else "head", sql=True)
    return output.getvalue()


def connected(conninfo: str) -> AlchemyConnection:
    # the address goes to the driver as it is: no rewriting of URLs, no password in SQLAlchemy's errors
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo, application_name="fontsight migrate"),
        poolclass=NullPool,
    )
    return engine.connect()
