"""eval apply"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from eval.cli.options import DATASET, FOLDER, judging_options
from eval.runs import record
from eval.scores.chosen import chosen, evidence
from eval.scores.results import Judging, judged_by, results
from indexer.database.connect import opened
from indexer.settings import Settings
from indexer.terminal import notice
from indexer.weights import deploy, serving, undo


@click.command("apply")
@click.argument("run_folder", metavar="RUN", type=FOLDER, required=False)
@click.option("--dry-run", is_flag=True, help="Print what the run chooses; change nothing.")
@click.option("--undo", "back", is_flag=True, help="Go back to the weights before the last ones.")
@DATASET
@judging_options
def apply_command(
    run_folder: Path | None, dry_run: bool, back: bool, folder: Path | None, **judging: Any
) -> None:
    """Let search use the weights that a run chooses: alpha, fusion and the share of the words.

    They are kept in the database of DATABASE_URL for the pair of spaces that the run was ranked by, and
    are used whenever that pair serves and a caller of match_fonts_hybrid names no weights of its own.

    \b
    Example:  python -m eval apply runs/tags --dry-run
              python -m eval apply runs/tags
              python -m eval apply --undo
    """
    if back == (run_folder is not None):
        raise click.UsageError("Give either RUN or --undo.")
    if back and dry_run:
        raise click.UsageError("--dry-run goes with RUN: --undo changes the database.")
    with opened(Settings(), notice) as connection:
        if run_folder is None:
            undo(connection)
            click.echo(f"Search now uses {serving(connection)}.")
            return
        run = record.load(run_folder)
        found = results(run, judged_by(run, folder), Judging(**judging))
        weights = chosen(found)
        spaces = {name: space["id"] for name, space in run.about.spaces.items()}
        if not weights.full_text_weight:  # it measured nothing of words
            weights = replace(weights, full_text_weight=serving(connection).full_text_weight)
        click.echo(f"The run chooses {weights}.")
        if not dry_run:
            deploy(
                connection, weights, text_space=spaces.get("A"), vl_space=spaces.get("B2"),
                evidence=evidence(found),
            )  # fmt: skip
        now = serving(connection)
        click.echo(f"Search uses {now}.")
        if not dry_run and now != weights:
            notice("Another pair of spaces serves: these weights take effect when this one does.")
