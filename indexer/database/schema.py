"""The database's schema: Alembic's revisions, run, printed, and insisted on.

Alembic and SQLAlchemy are imported where they are needed: they take a third of a second, and most
commands only want to know the head.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from indexer.database.options import options
from indexer.errors import UserError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection as AlchemyConnection

PACKAGE = Path(__file__).parents[1]
MIGRATE = "fontsight migrate"
CURRENT = "select version_num from font_index.alembic_version"

# A migration that waits for a lock makes all later readers wait behind it, and Supabase's API ends their calls
# after 3 s (anon): it gives up before that, and tries again after a pause. Ten tries, two minutes in all.
GUARDS = ("set lock_timeout = '2s';", "set statement_timeout = '60s';")
PAUSES = (1.0, 2.0, 4.0, 6.0, 9.0, 13.0, 17.0, 22.0, 28.0)

# Who is bound sees a part of the table, and what it writes to the rest goes nowhere without an error.
BOUND = """
    select current_user::text, c.relforcerowsecurity and pg_has_role(c.relowner, 'USAGE')
    from pg_class c where c.oid = to_regclass('public.fonts') and row_security_active(c.oid)
"""
# of sql/0004_indexes.sql
INDEXES = ("fonts_embedding_joint_hnsw", "fonts_fts_gin")
INSTALLED = {
    "the columns of public.fonts:": """
        select attname from pg_attribute where attrelid = to_regclass('public.fonts') and not attisdropped
          and attname in ('embedding_vl', 'traits', 'fts', 'embedding_joint', 'coverage', 'styles', 'design',
            'embedding_next', 'embedding_vl_next', 'embedding_joint_next')
          and to_regclass('font_index.alembic_version') is not null
        order by attnum""",
    "the functions": """
        select oid::regprocedure from pg_proc
        where pronamespace = 'public'::regnamespace and proname in ('match_fonts_hybrid', 'similar_fonts')
        order by proname""",
    "the schema font_index with its tables": """
        select relname from pg_class
        where relnamespace = to_regnamespace('font_index') and relkind = 'r' order by relname""",
}


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


def require_all_rows(connection: psycopg.Connection[Any]) -> None:
    """Raises UserError where row-level security of public.fonts binds the role that is connected."""
    bound = connection.execute(BOUND).fetchone()
    if bound is None:
        return
    role, owns = bound
    if owns:
        raise UserError(
            f"Row-level security of public.fonts is forced on its owner too ({role[:100]}), so rows may "
            "be hidden from the job. Nothing was done. Connect as a role with BYPASSRLS, or run: "
            "alter table public.fonts no force row level security"
        )
    raise UserError(
        f"Row-level security of public.fonts binds the role {role[:100]}, so rows may be hidden from the "
        "job. Nothing was done. Connect as the table's owner (on Supabase: postgres), or as a role "
        "with BYPASSRLS."
    )


def upgrade(
    conninfo: str, revision: str = "head", notice: Callable[[str], None] | None = None
) -> None:
    """Bring a database to a revision. Each revision is a transaction of its own.

    Raises UserError where others hold the locks that it needs, or migrate too, for two minutes.
    """
    from alembic import command

    with connected(conninfo) as connection:
        command.upgrade(config(connection, notice=notice), revision)


def downgrade(
    conninfo: str,
    revision: str,
    notice: Callable[[str], None] | None = None,
    *,
    drop_vectors: bool = False,
) -> None:
    """Take a database back to a revision, or to "base".

    Raises UserError, before anything is changed, where vectors would go and may not.
    """
    from alembic import command

    with connected(conninfo) as connection:
        settings = config(connection, notice=notice)
        settings.cmd_opts = Namespace(x=["drop=embeddings"] if drop_vectors else [])
        command.downgrade(settings, revision)


def uninstall(conninfo: str, notice: Callable[[str], None] | None = None) -> None:
    """Remove all that `installed` lists."""
    downgrade(conninfo, "base", notice, drop_vectors=True)
    with psycopg.connect(conninfo, **options(conninfo, MIGRATE)) as connection:
        connection.execute("set local lock_timeout = '10s'")
        connection.execute("drop table font_index.alembic_version")
        connection.execute("drop schema font_index")


def installed(connection: psycopg.Connection[Any]) -> list[str]:
    """What this project has made in a database, in words: columns, functions, its schema."""
    found = []
    for kind, query in INSTALLED.items():
        names = [str(name) for (name,) in connection.execute(query)]
        if names:
            found.append(f"{kind} {', '.join(names)}")
    if "embedding_vl" in "".join(found):
        row = connection.execute("select count(embedding_vl) from public.fonts").fetchone()
        found.append(f"{row[0] if row else 0} appearance vectors in public.fonts")
    return found


def upgrade_sql(start: str | None = None) -> str:
    """The same upgrade as SQL text, for psql; all of it, or what follows a revision."""
    from alembic import command

    if start is not None and start not in revisions():
        raise UserError(f"There is no revision {start}; there are {', '.join(revisions())}.")
    output = io.StringIO()
    command.upgrade(config(output=output), f"{start}:head" if start else "head", sql=True)
    return output.getvalue()


def config(
    connection: AlchemyConnection | None = None,
    output: io.StringIO | None = None,
    notice: Callable[[str], None] | None = None,
) -> Config:
    from alembic.config import Config

    settings = Config(output_buffer=output) if output else Config()
    settings.set_main_option("script_location", str(resource("migrations")))
    settings.attributes.update(connection=connection, notice=notice)
    return settings


@contextmanager
def connected(conninfo: str) -> Iterator[AlchemyConnection]:
    """A connection for Alembic. Errors are the driver's: SQLAlchemy's repeat whole statements."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    # the address goes to the driver as it is: no rewriting of URLs, no password in an error
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo, **options(conninfo, MIGRATE)),
        poolclass=NullPool,
    )
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause: BaseException | None = error
        # on the way out of a connection that is lost, or was interrupted, it raises further ones
        while cause is not None and not isinstance(cause, psycopg.Error | KeyboardInterrupt):
            cause = cause.__context__
        if cause is None:
            raise
        raise cause from None


def read_sql(name: str) -> str:
    return (resource("sql") / name).read_text(encoding="utf-8")


def run_file(name: str) -> None:
    """Run a file of sql/ inside a revision, or print it in --sql mode."""
    run(read_sql(name))


def run_each(name: str) -> None:
    """Run a file of sql/ statement by statement: a semicolon and a blank line end one."""
    for statement in read_sql(name).strip().split(";\n\n"):
        run(f"{statement.removesuffix(';')};")


def run(statement: str) -> None:
    """Run a statement inside a revision, or print it: as it is, % and : included."""
    from alembic import op

    migration = op.get_context()
    if migration.as_sql:
        migration.impl.static_output(statement)
    else:
        assert migration.bind is not None
        migration.bind.exec_driver_sql(statement, execution_options={"no_parameters": True})


def say(message: str) -> None:
    """Tell whoever waits for the migration, if they asked to be told."""
    from alembic import context

    notice: Callable[[str], None] | None = context.config.attributes.get("notice")
    if notice is not None and not context.is_offline_mode():
        notice(message)


@contextmanager
def unhurried() -> Iterator[None]:
    """Inside, each statement is a transaction of its own and takes the time that it needs.

    The guards stand again afterwards; after an error, from the next try on.
    """
    from alembic import op

    with op.get_context().autocommit_block():
        run("set statement_timeout = 0;")
        yield
        for guard in GUARDS:
            run(guard)
