"""indexer uninstall"""

from __future__ import annotations

import click

from indexer.database import schema
from indexer.database.connect import Database
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("uninstall")
@click.option("--yes", is_flag=True, help="Remove it; without this, nothing is changed.")
def uninstall_command(yes: bool) -> None:
    """Show what `migrate` and the job have put into the database; with --yes, remove it.

    Your app's tables, and all that is in them, stay; so does pgvector.

    \b
    Example:  indexer uninstall
    """
    database = Database.from_settings(Settings())
    notice(f"Using {database.label}.")
    with database.connect() as connection:
        schema.require_known(schema.current(connection))
        found = schema.installed(connection)
    if not found:
        click.echo("There is nothing to remove.")
        return
    for line in found:
        click.echo(f"{'removing' if yes else 'would remove'} {line}")
    if yes:
        schema.uninstall(database.conninfo, notice=notice)
    else:
        notice("Nothing was changed. To remove all of it: indexer uninstall --yes")
