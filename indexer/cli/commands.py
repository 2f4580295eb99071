"""What the command lines of indexer and eval have in common: errors as sentences, and an orderly end.

Exit codes: 0 done, 1 could not run, 2 wrong usage (click's), 3 done, but some fonts failed.
"""

from __future__ import annotations

import errno
import logging
import signal

import click
import psycopg
from pydantic import ValidationError

from indexer.errors import UserError

ENDED = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)


DONE_WITH_FAILURES = 3


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
    if isinstance(error, ENDED):
        return (
            f"The database ended the connection: {error.diag.message_primary}. "
            "What was committed is kept; run it again."
        )
    if error.diag.message_primary:
        hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
        return f"The database refused: {error.diag.message_primary}.{hint}"
    first = (str(error).splitlines() or ["no reason given"])[0].rstrip(".")
    return f"The database stopped answering: {first}. What was committed is kept; run it again."


def _of_settings(error: ValidationError) -> str:
    """Which variable is wrong and why, without its value."""
    wrong = (f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
    return f"The environment is not valid: {'; '.join(wrong)}."


def set_up() -> None:
    """For a process that runs a command."""
    # as for Ctrl-C: leases are given back, the embedded Postgres is stopped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # what fontTools thinks of a broken font is said in our own words
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
