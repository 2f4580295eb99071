"""`python -m eval words`: what words mean to people, learned from their tags."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from eval.datasets.building import google_families
from eval.datasets.importers import read_tags
from eval.datasets.measured import measure_families
from eval.words.train import of_development, train, written
from indexer import atomic
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.settings import Settings
from indexer.terminal import notice


@click.group("words")
def words_group() -> None:
    """Learn what words mean: python -m eval words train --help"""


@words_group.command("train")
@click.option(
    "--labels", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON, family to list of tags.",
)  # fmt: skip
@click.option("--license", "license_", required=True, help="Of the tags, such as CC0-1.0.")
@click.option(
    "--families", type=click.IntRange(min=1), default=350, show_default=True,
    help="So many tagged families of the development half, in the order of indexer import fontsource.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)  # fmt: skip
def train_command(labels: Path, license_: str, families: int, out: Path) -> None:
    """Learn the words of offline search from what people have tagged Google's families with.

    Families and tags of the reporting halves are excluded, whatever the labels hold.

    \b
    Example:  python -m eval words train --labels eval/labels/font-library-tags.json
                --license CC0-1.0 --out indexer/embed/measured/words.json
    """
    settings = Settings()
    try:
        tags = read_tags(labels)
        files = FontFiles.from_settings(settings, notice=notice)
        chosen, origin = google_families(files, families, among=of_development(tags).__contains__)
        traits, failed = measure_families(chosen, Preparer.from_settings(settings, files))
        for name, reason in failed.items():
            notice(f"skipped {name}: {reason}")
        learned = train(tags, traits)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    digest = hashlib.sha256(labels.read_bytes()).hexdigest()[:16]
    source = {"labels": f"{labels.name}, SHA-256 {digest}", "license": license_, "fonts": origin}
    atomic.write(out, written({**source, **learned}).encode())
    click.echo(f"{len(learned['words'])} words of {learned['families']} families: {out}")
