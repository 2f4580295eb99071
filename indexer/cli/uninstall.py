"""indexer uninstall"""

from __future__ import annotations

import json

import click

from indexer.cli.options import AS_JSON
from indexer.database import schema
from indexer.database.connect import Database
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("uninstall")
@click.option("--yes", is_flag=True, help="Remove it; without this, nothing is changed.")
@AS_JSON
def uninstall_command(yes: bool, as_json: bool) -> None:
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
    if not as_json:
        for line in found:
            click.echo(f"{'removing' if yes else 'would remove'} {line}")
        if not found:
            click.echo("There is nothing to remove.")
    if found and yes:
        schema.uninstall(database.conninfo, notice=notice)
    if as_json:
        click.echo(json.dumps({"found": found, "removed": yes}))
    elif found and not yes:
        notice("Nothing was changed. To remove all of it: indexer uninstall --yes")
