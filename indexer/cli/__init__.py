"""The commands. Progress and notices go to stderr, results to stdout."""

from __future__ import annotations

import errno
import logging
import signal

import click
import psycopg
from pydantic import ValidationError

from indexer import __version__
from indexer.cli import demo, doctor, imports, indexing, migrate, render, search, spaces, status
from indexer.errors import UserError


class Commands(click.Group):
    """Says what a user can act on as a sentence; a defect of ours keeps its traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except ValidationError as error:
            raise click.ClickException(_of_settings(error)) from None
        except psycopg.Error as error:
            raise click.ClickException(_of_database(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE or error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}.") from error


def _of_database(error: psycopg.Error) -> str:
    """The database's own sentence and hint. What was committed is kept."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"The database refused: {error.diag.message_primary}. Connect as the owner of "
            "public.fonts and font_index; on Supabase that is postgres."
        )
    if error.diag.message_primary:
        hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
        return f"The database refused: {error.diag.message_primary}.{hint}"
    first = (str(error).splitlines() or ["no reason given"])[0].rstrip(".")
    return f"The database stopped answering: {first}. What was committed is kept; run it again."


def _of_settings(error: ValidationError) -> str:
    """Which variable is wrong and why, without its value."""
    wrong = (f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
    return f"The environment is not right: {'; '.join(wrong)}."


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "FONTSIGHT"})
@click.version_option(__version__, prog_name="indexer")
def main() -> None:
    """Index fonts by what they look like, and find them in Postgres.

    \b
    DATABASE_URL says which database; without it, an embedded Postgres is used.
    Start with:  indexer demo
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leases are given back
    # what fontTools thinks of a broken font is said in our own words
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)


for command in (
    migrate.migrate,
    imports.import_,
    render.render,
    indexing.backfill,
    indexing.sync,
    status.status,
    doctor.doctor,
    spaces.spaces,
    search.search,
    search.similar,
    demo.demo,
):
    main.add_command(command)
