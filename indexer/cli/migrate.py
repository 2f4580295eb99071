"""indexer migrate"""

from __future__ import annotations

import click

from indexer import schema
from indexer.cli.common import notice
from indexer.database import Database
from indexer.settings import Settings


@click.command()
@click.option("--sql", is_flag=True, help="Print the SQL instead, for the Supabase SQL editor.")
@click.option(
    "--from", "start", metavar="REVISION", help="With --sql: print what follows REVISION."
)
def migrate(sql: bool, start: str | None) -> None:
    """Bring the database's schema to this version.

    Tables of the product are adopted as they are, or created where they do not exist. Running it
    again changes nothing.

    \b
    Example:  indexer migrate
              indexer migrate --sql > fontsight.sql
    """
    if start and not sql:
        raise click.UsageError("--from goes with --sql.")
    if sql:
        click.echo(schema.upgrade_sql(start))
        return
    database = Database.from_settings(Settings())
    notice(f"Using {database.label}.")
    with database.connect() as connection:
        before = schema.current(connection)
    schema.require_known(before)
    head = schema.revisions()[-1]
    if before == head:
        click.echo(f"Already at revision {before}.")
        return
    schema.upgrade(database.conninfo)
    click.echo(f"Migrated from {before or 'nothing'} to revision {head}.")
