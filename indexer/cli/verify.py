"""indexer verify"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from indexer import choose, spaces
from indexer.cli.commands import DONE_WITH_FAILURES
from indexer.cli.options import AS_JSON
from indexer.database.connect import Connection, opened
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.sample import MIN_COSINE, Compared, compare
from indexer.job.verify import Inspected, Verified, verify
from indexer.settings import Settings
from indexer.spaces import SERVING_COLUMN
from indexer.terminal import notice


@click.command("verify")
@click.option("--repair", is_flag=True, help="Mend triggers, and the columns that search derives.")
@click.option(
    "--sample", type=click.IntRange(min=0), default=0, metavar="N",
    help="Embed N fonts of each serving space again, and compare.",
)  # fmt: skip
@AS_JSON
def verify_command(repair: bool, sample: int, as_json: bool) -> None:
    """Look whether the database holds what the bookkeeping says, and by what its vectors are made.

    Vectors of each space: how many, since when, of which length and dimension, and how many fonts
    would be embedded to bring it up to date. Then triggers, indexes, derived columns, and how many
    rows of fonts that are gone are kept for a while. Without --repair nothing is changed. The exit
    code is 3 where something is wrong.

    \b
    Example:  indexer verify --sample 20
    """
    settings = Settings()
    with opened(settings, notice, writes=repair) as connection:
        found = verify(connection, repair=repair)
        compared = _compared(connection, settings, sample) if sample else []
    wrong = found.findings + [sentence for one in compared for sentence in _sentences(one)]
    if as_json:
        click.echo(json.dumps(_json(found, compared, wrong), indent=2, default=str))
    else:
        for space in found.spaces:
            click.echo(_described(space))
        for one in compared:
            same = len(one.cosines) - len(one.different)
            click.echo(
                f"{one.space}: {same} of {len(one.cosines)} fonts embedded again are the same"
            )
        for repaired in found.repaired:
            click.echo(f"mended: {repaired}")
        for kept in found.kept:
            click.echo(f"kept: {kept}")
        for sentence in wrong or ["nothing is wrong"]:
            click.echo(f"{'wrong: ' * bool(wrong)}{sentence}")
    if wrong:
        sys.exit(DONE_WITH_FAILURES)


def _compared(connection: Connection, settings: Settings, count: int) -> list[Compared]:
    files = FontFiles.from_settings(settings, notice=notice)
    serving = [space for leg in SERVING_COLUMN if (space := spaces.active(connection, leg))]
    compared = []
    with Preparer.from_settings(settings, files) as preparer:
        for space in serving:
            with choose.for_queries(space, settings) as embedder:
                compared.append(compare(connection, space, embedder, preparer, count))
    return compared


def _sentences(one: Compared) -> list[str]:
    if not one.different:
        return []
    names = ", ".join(one.different[:5])
    return [
        f"{len(one.different)} of {len(one.cosines)} fonts, embedded again by {one.space}, have no "
        f"cosine of {MIN_COSINE} with the vector that serves: {names}."
    ]


def _described(space: Inspected) -> str:
    made = space.made
    since = f", {made.first_at:%F} to {made.last_at:%F}" if made.first_at and made.last_at else ""
    foreign = f", and {space.foreign} by your app" * bool(space.foreign)
    todo = f"{space.pending} fonts to embed" if space.pending else "up to date"
    return (
        f"{space.space} ({space.state}): {made.vectors} vectors of {space.space.model.dimension} "
        f"dimensions in {space.column}{since}{foreign}; {todo}"
    )


def _json(found: Verified, compared: list[Compared], wrong: list[str]) -> dict[str, object]:
    return {
        "spaces": [{"id": one.space.id, **asdict(one)} for one in found.spaces],
        "compared": [{"space": one.space.id, "cosines": one.cosines} for one in compared],
        "repaired": found.repaired,
        "kept": found.kept,
        "wrong": wrong,
    }
