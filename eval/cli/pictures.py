"""`python -m eval pictures`: how the offline embedder learns to read pictures of letters."""

from __future__ import annotations

from pathlib import Path

import click

from eval.datasets.building import family_half, google_families
from eval.datasets.measured import measure_families
from eval.pictures.train import train
from indexer import atomic
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.settings import Settings
from indexer.terminal import notice


@click.group("pictures")
def pictures_group() -> None:
    """Learn to read pictures of letters: python -m eval pictures train --help"""


@pictures_group.command("train")
@click.option(
    "--families", type=click.IntRange(min=1), default=300, show_default=True,
    help="So many families of the development half, in the order of indexer import fontsource.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)  # fmt: skip
def train_command(families: int, out: Path) -> None:
    """Learn by which measures of a picture the traits of its font are told.

    Words are set in families of the development half, as pictures small, grey, noisy or turned; a ridge
    regression maps what is measured on them to what was measured on the outlines. Families of the
    reporting half are excluded.

    \b
    Example:  python -m eval pictures train --out indexer/embed/measured/pictures/table.npz
    """
    settings = Settings()
    files = FontFiles.from_settings(settings, notice=notice)
    try:
        chosen, origin = google_families(
            files, families, among=lambda name: family_half(name) == "dev"
        )
        traits, failed = measure_families(chosen, Preparer.from_settings(settings, files))
        for name, reason in failed.items():
            notice(f"skipped {name}: {reason}")
        table = train(chosen, traits, files)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    atomic.write(out, table.to_bytes())
    click.echo(f"{out}: {table.weights.shape[0]} measures, of {len(traits)} families from {origin}")
