"""indexer status"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from indexer.cli.options import AS_JSON
from indexer.database.connect import opened
from indexer.job.causes import by_cause
from indexer.job.status import read
from indexer.settings import Settings
from indexer.terminal import notice

NAMES = 3  # of the fonts that fail for one cause


@click.command("status")
@AS_JSON
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
        ours, theirs = leg["vectors"] - leg["foreign"], leg["foreign"]
        counts = f"{ours} vectors by {leg['model']}" if leg["model"] else "no space yet"
        click.echo(
            f"{name + ':':6}{counts}{f', {theirs} by your app' * bool(theirs)}; "
            f"pending: {pending or 'none'}"
        )
        if run := leg["last_run"]:
            counts = ", ".join(f"{key} {value}" for key, value in run["counts"].items())
            click.echo(
                f"      last run {run['id']}: {run['outcome']}, {run['started_at']:%F %T}, {counts}"
            )
    click.echo(f"search: {found.weights}, where its caller names none")
    for warning in found.warnings:
        click.echo(f"warning: {warning}")
    for name in found.legs:
        failures = [failure for failure in found.failures if failure["leg"] == name]
        for alike in by_cause(failures, lambda failure: failure["error"]):
            click.echo(_described(alike))


def _described(alike: Sequence[Mapping[str, Any]]) -> str:
    """Failures of one cause: how many, which, when they are tried again, and why they failed."""
    first = alike[0]
    fonts = f"{len(alike)} fonts" if len(alike) > 1 else first["name"]
    waiting = [failure["next_try_at"] for failure in alike if failure["next_try_at"]]
    quarantined = len(alike) - len(waiting)
    when = [f"next try {min(waiting):%F %T}"] * bool(waiting)
    if quarantined:
        when.append(f"{quarantined} quarantined" if waiting else "quarantined")
    names = f"; {', '.join(one['name'] for one in alike[:NAMES])} …" * (len(alike) > 1)
    return (
        f"failed: {fonts} ({first['leg']}, {first['stage']}, {', '.join(when)}{names}): "
        f"{first['error']}"
    )
