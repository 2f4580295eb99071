"""The database's schema: Alembic's revisions, run, printed, and insisted on.

Alembic and SQLAlchemy are imported where they are needed: they take a third of a second, and most
commands only want to know the head.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from indexer.errors import UserError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection as AlchemyConnection

PACKAGE = Path(__file__).parent
CURRENT = "select version_num from font_index.alembic_version"


def resource(name: str) -> Path:
    """The folder `migrations` or `sql`: inside the installed package, or at the top of a checkout."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name


def revisions() -> list[str]:
    """Every revision of this version, oldest first: the numbers that their files begin with."""
    files = sorted((resource("migrations") / "versions").glob("[0-9]*.py"))
    return [file.stem.partition("_")[0] for file in files]


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision that the database is at, None before the first."""
    if connection.execute("select to_regclass('font_index.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute(CURRENT).fetchone()
    return str(row[0]) if row else None


def require_head(connection: psycopg.Connection[Any]) -> None:
    """Raises UserError unless the database is at this version's head."""
    found, known = current(connection), revisions()
    if found == known[-1]:
        return
    require_known(found)
    state = f"at revision {found}" if found else "not set up"
    raise UserError(
        f"The database is {state}; revision {known[-1]} is needed. Run: indexer migrate"
    )


def require_known(found: str | None) -> None:
    """Raises UserError where the database, or a user, names a revision of a later version."""
    if found is not None and found not in revisions():
        raise UserError(
            f"The database is at revision {found}, which this version does not know. "
            "Upgrade fontsight; do not migrate down."
        )


def upgrade(conninfo: str, revision: str = "head") -> None:
    """Bring a database to a revision. Each revision is a transaction of its own."""
    from alembic import command

    with connected(conninfo) as connection:
        command.upgrade(config(connection), revision)


def downgrade(conninfo: str, revision: str) -> None:
    from alembic import command

    with connected(conninfo) as connection:
        command.downgrade(config(connection), revision)


def upgrade_sql(start: str | None = None) -> str:
    """The same upgrade as SQL text, for the Supabase editor; all of it, or what follows a revision."""
    from alembic import command

    if start is not None and start not in revisions():
        raise UserError(f"There is no revision {start}; there are {', '.join(revisions())}.")
    output = io.StringIO()
    command.upgrade(config(output=output), f"{start}:head" if start else "head", sql=True)
    return output.getvalue()


def config(
    connection: AlchemyConnection | None = None, output: io.StringIO | None = None
) -> Config:
    from alembic.config import Config

    settings = Config(output_buffer=output) if output else Config()
    settings.set_main_option("script_location", str(resource("migrations")))
    settings.attributes["connection"] = connection
    return settings


@contextmanager
def connected(conninfo: str) -> Iterator[AlchemyConnection]:
    """A connection for Alembic. Errors are the driver's: SQLAlchemy's repeat whole statements."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    # the address goes to the driver as it is: no rewriting of URLs, no password in an error
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo, application_name="fontsight migrate"),
        poolclass=NullPool,
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from None
        raise


def read_sql(name: str) -> str:
    return (resource("sql") / name).read_text(encoding="utf-8")


def run_file(name: str) -> None:
    """Run a file of sql/ inside a revision, or print it in --sql mode: as it is, % and : included."""
    from alembic import op

    migration = op.get_context()
    if migration.as_sql:
        migration.impl.static_output(read_sql(name))
    else:
        assert migration.bind is not None
        migration.bind.exec_driver_sql(read_sql(name), execution_options={"no_parameters": True})
