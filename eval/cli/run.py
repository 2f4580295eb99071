"""eval run"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from eval.cli.options import FOLDER, SPLIT
from eval.datasets.dataset import Dataset, Query, load
from eval.runs.containers import IMAGE, TESTCONTAINERS, container_database
from eval.runs.corpus import Tools, own_database, own_folder
from eval.runs.evaluate import RunOptions, evaluate
from eval.runs.record import VARIANTS, Variant
from eval.runs.variants import own_singles, prepare_own, prepare_served, served_singles
from eval.scores.results import results
from indexer import choose
from indexer.choose import NO_OPTIONS, VLOptions
from indexer.cli.options import vl_options
from indexer.database.connect import Connection, opened
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.settings import Settings
from indexer.terminal import notice, progress_bar

OFFLINE_TEXT = "hashed-ngrams"
OWN, ENV = "own", "env"  # databases; the third is TESTCONTAINERS


def _variants(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Variant, ...]:
    named = {name.strip().upper() for name in value.split(",") if name.strip()}
    if not named or named - set(VARIANTS):
        raise click.BadParameter(f"it must be some of {','.join(VARIANTS)}, not {value!r}.")
    return tuple(variant for variant in VARIANTS if variant in named)


def _place(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value in (OWN, ENV) or value.partition(":")[0] == TESTCONTAINERS:
        return value
    raise click.BadParameter(f"it must be {param.metavar}, not {value[:100]!r}.")


@click.command("run")
@click.option(
    "--dataset", "folder", type=FOLDER, required=True, help="A folder made by eval build."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The run's folder.",
)
@click.option(
    "--variants", callback=_variants, default=",".join(VARIANTS), show_default=True, metavar="LIST",
    help="A: text alone, B1: sheets alone, B2: sheets with a short text, C: A and B2 by a weighted sum, "
    "RRF: A and B2 by ranks.",
)  # fmt: skip
@SPLIT
@click.option(
    "--depth", type=click.IntRange(20, 200), default=200, show_default=True,
    help="Fonts of a ranking. MAP looks no further.",
)  # fmt: skip
@click.option(
    "--words", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Share of the full-text leg in all variants but B1.",
)  # fmt: skip
@click.option(
    "--normalization", type=click.Choice(["raw", "min_max", "z_score"]), default="raw", show_default=True,
    help="What C does to similarities before it weighs them.",
)  # fmt: skip
@click.option(
    "--text-embedder", type=click.Choice([OFFLINE_TEXT, "provider"]), default=OFFLINE_TEXT,
    show_default=True, help="What embeds texts; provider: the configured service.",
)  # fmt: skip
@vl_options
@click.option(
    "--processes", type=click.IntRange(min=1), help="Rendering processes; default: cores - 1."
)
@click.option("--fresh", is_flag=True, help="Drop the run that stands in --out.")
@click.option(
    "--database", "place", callback=_place, default=OWN, show_default=True,
    metavar=f"{OWN}|{ENV}|{TESTCONTAINERS}[:IMAGE]",
    help=f"Where to rank. {OWN}: an embedded Postgres that keeps the fonts' vectors. {ENV}: the database of "
    "DATABASE_URL, by the vectors that serve there; the fonts must be there, nothing is imported, and only "
    f"B1's vectors are embedded, alongside the serving ones. {TESTCONTAINERS}: a container of {IMAGE} or of "
    "another image, which needs Docker and is removed in the end.",
)  # fmt: skip
def run_command(
    folder: Path,
    out: Path,
    text_embedder: str,
    vl: VLOptions,
    processes: int | None,
    fresh: bool,
    place: str,
    **plan: Any,
) -> None:
    """Rank every query of a dataset in every way, in Postgres, and say what the rankings are worth.

    By default in an embedded Postgres of the evaluation's own, one for each set of fonts, which keeps
    their vectors: a second run embeds nothing. --database chooses another.
    Without options both embedders are the offline ones
    (hashed-ngrams, measured-traits), whatever the environment says. An interrupted run goes on when
    the command is given again.

    \b
    Example:  python -m eval run --dataset toy --out runs/toy
              python -m eval run --dataset toy --variants A,B2,C --vl-embedder 2b --out runs/2b
              python -m eval run --dataset toy --database testcontainers --out runs/pg17
    """
    settings, dataset, wanted = Settings(), load(folder), RunOptions(**plan)
    if place != ENV:
        settings = settings.model_copy(update={"database_url": None})
    files = FontFiles.from_settings(settings, notice=notice, folders=[folder])
    tools = Tools(
        files=files,
        preparer=lambda: Preparer.from_settings(settings, files, processes=processes),
        progress_bar=progress_bar,
        say=notice,
    )
    with ExitStack() as stack:
        if place == ENV:
            connection = stack.enter_context(_configured(settings, text_embedder, vl))
            singles = served_singles(connection, wanted.singles, settings)
        else:
            connection = stack.enter_context(_empty(place, settings, dataset))
            text, sheets = _embedders(settings, text_embedder, vl)
            singles = own_singles(wanted.singles, text=text, sheets=sheets)
        for embedder in {
            id(single.embedder): single.embedder for single in singles.values()
        }.values():
            stack.callback(embedder.close)
        try:
            if place == ENV:
                prepare_served(connection, dataset, singles, tools)
            else:
                prepare_own(connection, dataset, folder, singles, tools)
            done = evaluate(
                connection, dataset, folder, singles, wanted, out,
                fresh=fresh, say=notice, progress=_progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            notice("Stopped. What is done is kept; the same command does the rest.")
            raise
    if missing := done.about.missing:
        font, why = next(iter(missing.items()))
        notice(f"{len(missing)} fonts lack a vector, such as {font} ({why})")
    for leg, queries in done.about.unanswered.items():
        notice(f"{leg} leg: {len(queries)} queries could not be embedded: {', '.join(queries)}")
    click.echo(results(done, dataset))


def _empty(place: str, settings: Settings, dataset: Dataset) -> AbstractContextManager[Connection]:
    """A database of the evaluation's own: one that it keeps, or a container's."""
    if place != OWN:
        return container_database(place.partition(":")[2] or IMAGE, notice)
    folder = own_folder(settings.data_dir, dataset)
    notice(f"Using an embedded Postgres in {folder}.")
    return own_database(folder)


def _configured(
    settings: Settings, text_embedder: str, vl: VLOptions
) -> AbstractContextManager[Connection]:
    if settings.database_url is None:
        raise UserError(f"Set DATABASE_URL, or leave out --database {ENV}.")
    if vl != NO_OPTIONS or text_embedder != OFFLINE_TEXT:
        raise UserError("In a database of yours, the serving vectors say what embeds queries.")
    return opened(settings, notice)


def _embedders(settings: Settings, text_embedder: str, vl: VLOptions) -> tuple[Embedder, Embedder]:
    """Of texts and of sheets. The offline ones unless told: a key in the environment tells nothing."""
    text: Embedder | None = HashedNgrams()
    if text_embedder != OFFLINE_TEXT:
        text = choose.text_service(settings)
    if text is None:
        raise UserError(f"No text-embedding service is configured. {choose.KEY_HINT}")
    told = replace(vl, embedder=vl.embedder or choose.OFFLINE)
    return text, choose.for_sheets(None, told, settings, notice)


def _progress(queries: Sequence[Query]) -> Iterable[Query]:
    """A bar on a terminal, nothing elsewhere."""
    return tqdm(queries, desc="queries", unit="query", disable=None)
