"""indexer migrate"""

from __future__ import annotations

import json

import click

from indexer.cli.options import AS_JSON
from indexer.database import schema
from indexer.database.advice import database_advice
from indexer.database.connect import Database
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("migrate")
@click.option("--sql", is_flag=True, help="Print the SQL instead, for psql.")
@click.option(
    "--from", "start", metavar="REVISION", help="With --sql: print what follows REVISION."
)
@click.option(
    "--down-to", metavar="REVISION", help="Go back to REVISION, before an older version is used."
)
@click.option(
    "--drop-vectors", is_flag=True, help="With --down-to: even where vectors are dropped."
)
@AS_JSON
def migrate_command(
    sql: bool, start: str | None, down_to: str | None, drop_vectors: bool, as_json: bool
) -> None:
    """Bring the database's schema to this version, while your app keeps running.

    Your app's tables are adopted as they are, or created where they do not exist. Running it again
    changes nothing; after an interruption it continues where it was. If a lock is busy, it tries
    again, for two minutes. Use the direct connection or the session pooler (port
    5432).

    --down-to takes back what later revisions made, in the version that made them; `indexer
    uninstall` takes back all.

    With --sql nothing is changed: the SQL is printed, to be read and run with psql. Its first lines
    say how to run it in Supabase's SQL editor, which cannot take it in one piece.

    \b
    Example:  indexer migrate
              indexer migrate --sql > fontsight.sql
              psql -v ON_ERROR_STOP=1 -f fontsight.sql "$DATABASE_URL"
    """
    if start and not sql:
        raise click.UsageError("--from goes with --sql.")
    if drop_vectors and not down_to:
        raise click.UsageError("--drop-vectors goes with --down-to.")
    if sql and down_to:
        raise click.UsageError("--down-to cannot be printed: --sql prints upgrades only.")
    if sql and as_json:
        raise click.UsageError("--sql prints SQL; --json says what a migration has done.")
    if sql:
        click.echo(schema.upgrade_sql(start))
        return
    database = Database.from_settings(Settings())
    notice(f"Using {database.label}.")
    with database.connect() as connection:
        before = schema.current(connection)
        schema.require_all_rows(connection)
    schema.require_known(before)
    advice: list[str] = []
    if down_to:
        _go_back(database, before, down_to, drop_vectors=drop_vectors)
        done = f"Went back from revision {before} to {down_to}."
    else:
        done, advice = _go_on(database, before)
    if as_json:
        revision = down_to or schema.revisions()[-1]
        click.echo(json.dumps({"before": before, "revision": revision, "advice": advice}))
        return
    click.echo(done)
    for sentence in advice:
        notice(sentence)


def _go_on(database: Database, before: str | None) -> tuple[str, list[str]]:
    """What was done, and what the database's owner should know."""
    head = schema.revisions()[-1]
    if before != head:
        schema.upgrade(database.conninfo, notice=notice)
    with database.connect() as connection:
        advice = database_advice(connection)
    if before == head:
        return f"Already at revision {head}.", advice
    return f"Migrated from {before or 'nothing'} to revision {head}.", advice


def _go_back(database: Database, before: str | None, to: str, *, drop_vectors: bool) -> None:
    known = schema.revisions()
    if to not in known or before is None or to >= before:
        older = ", ".join(revision for revision in known if before and revision < before)
        raise click.UsageError(
            f"The database is at revision {before or 'none'}. It can go back to: {older or 'none'}."
        )
    schema.downgrade(database.conninfo, to, notice=notice, drop_vectors=drop_vectors)
