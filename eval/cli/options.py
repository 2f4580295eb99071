"""Options that several commands of the evaluation share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from indexer.sheet.render import SheetSpec

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SPLIT = click.option(
    "--split", type=click.Choice(["dev", "test"]), help="Only the queries of this half."
)
FOLDS = click.option(
    "--folds", type=click.IntRange(min=2), metavar="K",
    help="Choose alpha by K-fold cross-validation. Default: leave-one-query-out.",
)  # fmt: skip
COLLAPSE = click.option(
    "--collapse", "collapsed", is_flag=True,
    help="Score near-duplicate families (Noto Sans and its scripts) as one.",
)  # fmt: skip
DATASET = click.option(
    "--dataset",
    "folder",
    type=FOLDER,
    help="Where the dataset lies now, if it has moved since the run.",
)
RANDOM_WEIGHTS = click.option(
    "--random-weights", is_flag=True, help="2b or 8b without a download: as fast as the real one."
)


def judging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How rankings are scored; the fields of results.Judging."""
    for option in (COLLAPSE, FOLDS, SPLIT):
        command = option(command)
    return command


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command an argument `spec`."""

    @functools.wraps(command)
    def with_spec(width: int, height: int, **others: Any) -> Any:
        try:
            spec = SheetSpec(width=width, height=height)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return command(spec=spec, **others)

    usual = SheetSpec()
    for name, side in (("--width", usual.width), ("--height", usual.height)):
        with_spec = click.option(name, default=side, show_default=True, help="Of a sheet, px.")(
            with_spec
        )
    return with_spec
