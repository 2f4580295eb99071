"""indexer doctor"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from functools import partial

import click

from indexer import __version__, choose, spaces
from indexer.choose import VLOptions
from indexer.cli.options import AS_JSON, vl_options
from indexer.database import schema
from indexer.database.advice import database_advice
from indexer.database.connect import Database
from indexer.doctor import described, warnings
from indexer.embed.protocol import Model
from indexer.embed.qwen import devices
from indexer.errors import UserError
from indexer.settings import Settings

Tell = Callable[[str, str], None]  # what, and how it is

MEASURED = 1_000  # fonts for which a batch size is worth finding


@click.command("doctor")
@vl_options
@click.option("--quick", is_flag=True, help="Load no model and measure nothing.")
@AS_JSON
def doctor_command(vl: VLOptions, quick: bool, as_json: bool) -> None:
    """Say what this host can embed with, how fast, and what is slow or wrong about it.

    The model that a backfill would use is loaded, and its batch size found. The exit code is 1 where
    it cannot be used.

    \b
    Example:  indexer doctor
              indexer doctor --vl-embedder 2b --quick
    """
    settings = Settings()
    found: dict[str, list[str]] = {}

    def tell(what: str, value: str) -> None:
        found.setdefault(what, []).append(value)
        if not as_json:
            click.echo(f"{what + ':':11}{value}")

    tell("indexer", f"{__version__}, Python {platform.python_version()}")
    serving, advice = _database(settings, tell)
    try:
        host = devices.look()
    except UserError as error:  # embedding by measurements, or elsewhere, needs none
        tell("torch", str(error))
    else:
        for what, value in described(host):
            tell(what, value)
        advice += warnings(host)
    problem = _embedder(serving, vl, settings, tell, quick=quick)
    if as_json:
        click.echo(json.dumps({**found, "warnings": advice, "problem": problem}, indent=2))
    else:
        for warning in advice:
            click.echo(f"warning: {warning}")
        if problem:
            click.echo(f"problem: {problem}")
    if problem:
        sys.exit(1)


def _database(settings: Settings, tell: Tell) -> tuple[Model | None, list[str]]:
    """What serves there, and what its owner should know. Raises UserError where it is not to be had."""
    database = Database.from_settings(settings)
    with database.connect() as connection:
        version = connection.info.parameter_status("server_version")
        try:
            schema.require_head(connection)
        except UserError as error:
            tell("database", f"{database.label}, Postgres {version}")
            return None, [str(error)]
        serving = spaces.active(connection, "vl")
        tell("database", f"{database.label}, Postgres {version}, serves {serving or 'no space'}")
        return (serving.model if serving else None), database_advice(connection)


def _embedder(
    serving: Model | None, vl: VLOptions, settings: Settings, tell: Tell, *, quick: bool
) -> str | None:
    """Says what a backfill would use, and how fast it is; returns why it cannot."""
    try:
        with choose.for_sheets(serving, vl, settings, partial(tell, "speed")) as embedder:
            model = embedder.model
            tell(
                "model",
                f"{model.name}, revision {model.revision[:19]}, {model.dimension} dimensions",
            )
            if embedder.vocabulary:
                tell("vocabulary", f"{embedder.vocabulary}, by which queries are read")
            if not quick:
                embedder.start(MEASURED)
    except UserError as error:
        return str(error)
    return None
