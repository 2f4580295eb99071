"""indexer retry"""

from __future__ import annotations

import json
from typing import get_args

import click

from indexer.cli.options import AS_JSON
from indexer.database.connect import opened
from indexer.errors import Stage
from indexer.job.store import make_due
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("retry")
@click.option("--stage", type=click.Choice(get_args(Stage)), help="Just failures of this stage.")
@click.option("--reason", metavar="TEXT", help="Just failures whose message contains TEXT.")
@click.option("--font", "fonts", multiple=True, help="Just this font (name or id); repeatable.")
@AS_JSON
def retry_command(
    stage: str | None, reason: str | None, fonts: tuple[str, ...], as_json: bool
) -> None:
    """Let the next run try failed fonts again, quarantined ones too.

    For when their cause is gone. Fonts that changed are tried in any case.

    \b
    Example:  indexer retry --stage fetch
              indexer retry --reason "private address"
    """
    with opened(Settings(), notice, writes=True) as connection:
        due = make_due(connection, stage=stage, reason=reason, fonts=fonts)
    if as_json:
        click.echo(json.dumps({"due": due}))
        return
    click.echo(f"{due} failures are due again.{' Run: indexer backfill' * bool(due)}")
