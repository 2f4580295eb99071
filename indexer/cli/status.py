"""indexer status"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from indexer.database.connect import opened
from indexer.job.status import read
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status_command(as_json: bool) -> None:
    """Say how many fonts are indexed, pending and failing, and why.

    \b
    Example:  indexer status --json
    """
    with opened(Settings(), notice) as connection:
        found = read(connection)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
        return
    click.echo(f"fonts: {found.fonts}   schema: revision {found.revision}")
    for name, leg in found.legs.items():
        pending = ", ".join(f"{count} {reason}" for reason, count in leg["pending"].items())
        model = leg["model"] or "no space yet"
        click.echo(f"{name + ':':6}{leg['vectors']} vectors, {model}; pending: {pending or 'none'}")
        if run := leg["last_run"]:
            counts = ", ".join(f"{key} {value}" for key, value in run["counts"].items())
            click.echo(
                f"      last run {run['id']}: {run['outcome']}, {run['started_at']:%F %T}, {counts}"
            )
    click.echo(f"search: {found.weights}, where its caller names none")
    for warning in found.warnings:
        click.echo(f"warning: {warning}")
    for failure in found.failures:
        again = failure["next_try_at"]
        when = f"next try {again:%F %T}" if again else "quarantined"
        click.echo(
            f"failed: {failure['name']} ({failure['leg']}, {failure['stage']}, "
            f"{failure['attempts']} tries, {when}): {failure['error']}"
        )
