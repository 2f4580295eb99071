"""The commands. Progress and notices go to stderr, results to stdout."""

from __future__ import annotations

import click
import psycopg

from indexer import __version__
from indexer.cli import demo, imports, indexing, migrate, render, search, spaces, status
from indexer.errors import UserError


class Commands(click.Group):
    """Says errors that the user can act on as a sentence; all others keep their traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except psycopg.OperationalError as error:
            raise click.ClickException(
                f"The database stopped answering: {str(error).strip()} "
                "What was committed is kept; run the command again."
            ) from error


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "FONTSIGHT"})
@click.version_option(__version__, prog_name="indexer")
def main() -> None:
    r"""Index fonts by what they look like, and find them in Postgres.

    \b
    DATABASE_URL says which database; without it, an embedded Postgres is used.
    Start with:  indexer demo
    """


for command in (
    migrate.migrate,
    imports.import_,
    render.render,
    indexing.backfill,
    indexing.sync,
    status.status,
    spaces.spaces,
    search.search,
    demo.demo,
):
    main.add_command(command)
