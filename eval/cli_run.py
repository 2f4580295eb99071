"""eval run, eval compare, eval gate and eval export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from eval import gate as gates
from eval import record
from eval.compare import compare as compared
from eval.corpus import Tools, own_database, own_folder
from eval.dataset import Query
from eval.dataset import load as load_dataset
from eval.legs import own_legs, prepare_own, prepare_served, served_legs
from eval.metrics import Rankings
from eval.record import VARIANTS, Variant
from eval.results import Judging, Results, judged_by, rankings_of_c, results
from eval.run import Plan, evaluate
from eval.trec import write_qrels, write_run
from indexer import embedders, vision
from indexer.cli.common import font_files, notice, opened, preparer
from indexer.cli.progress import shown
from indexer.cli.vision import vision_options
from indexer.database import Connection
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.vision import UNSAID, Choice

OFFLINE_TEXT = "hashed-ngrams"
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _variants(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Variant, ...]:
    named = {name.strip().upper() for name in value.split(",") if name.strip()}
    if not named or named - set(VARIANTS):
        raise click.BadParameter(f"it must be some of {','.join(VARIANTS)}, not {value!r}.")
    return tuple(variant for variant in VARIANTS if variant in named)


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


def judging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How rankings are scored; the fields of results.Judging."""
    for option in (COLLAPSE, FOLDS, SPLIT):
        command = option(command)
    return command


@click.command()
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
@vision_options
@click.option(
    "--processes", type=click.IntRange(min=1), help="Rendering processes; default: cores - 1."
)
@click.option("--fresh", is_flag=True, help="Drop the run that stands in --out.")
@click.option(
    "--database-url-from-env", "elsewhere", is_flag=True,
    help="Rank in the database of DATABASE_URL, by the vectors that serve there. The fonts must be there; "
    "nothing is imported, and only B1's vectors are embedded, beside the serving ones.",
)  # fmt: skip
def run(
    folder: Path,
    out: Path,
    text_embedder: str,
    choice: Choice,
    processes: int | None,
    fresh: bool,
    elsewhere: bool,
    **plan: Any,
) -> None:
    """Rank every query of a dataset in every way, in Postgres, and say what the rankings are worth.

    By default in an embedded Postgres of the evaluation's own, one for each dataset, which keeps its
    vectors: a second run embeds nothing. Without options both embedders are the offline ones
    (hashed-ngrams, measured-traits), whatever the environment says. An interrupted run goes on when
    the command is given again.

    \b
    Example:  python -m eval run --dataset toy --out runs/toy
              python -m eval run --dataset toy --variants A,B2,C --vl-embedder 2b --out runs/2b
    """
    settings, dataset, wanted = Settings(), load_dataset(folder), Plan(**plan)
    files = font_files(settings)
    tools = Tools(
        files=files,
        preparer=lambda: preparer(settings, SheetSpec(), files, processes),
        shown=shown,
        say=notice,
    )
    with ExitStack() as stack:
        if elsewhere:
            connection = stack.enter_context(_configured(settings, text_embedder, choice))
            legs = served_legs(connection, wanted.legs, settings)
        else:
            place = own_folder(settings.data_dir, dataset)
            notice(f"Using an embedded Postgres in {place}.")
            connection = stack.enter_context(own_database(place))
            text, sheets = _embedders(settings, text_embedder, choice)
            legs = own_legs(wanted.legs, text=text, sheets=sheets)
        for embedder in {id(leg.embedder): leg.embedder for leg in legs.values()}.values():
            stack.callback(embedder.close)
        try:
            if elsewhere:
                prepare_served(connection, dataset, legs, tools)
            else:
                prepare_own(connection, dataset, folder, legs, tools)
            done = evaluate(
                connection, dataset, folder, legs, wanted, out,
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


@click.command()
@click.argument("run_before", metavar="RUN", type=FOLDER)
@click.argument("run_after", metavar="RUN", type=FOLDER)
@DATASET
@judging_options
def compare(run_before: Path, run_after: Path, folder: Path | None, **judging: Any) -> None:
    """Compare two runs on one dataset, the second against the first, query by query; as Markdown.

    \b
    Example:  python -m eval compare runs/before runs/after --split dev
    """
    how = Judging(**judging)
    click.echo(compared(_results(run_before, folder, how), _results(run_after, folder, how)))


@click.command()
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--baseline", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="A file written by --write-baseline.",
)  # fmt: skip
@click.option(
    "--write-baseline", is_flag=True,
    help="Write the run's numbers to the file; how they are scored is kept with them.",
)  # fmt: skip
@DATASET
@judging_options
def gate(
    run_folder: Path, baseline: Path, write_baseline: bool, folder: Path | None, **judging: Any
) -> None:
    """Exit with 1 when a metric of the run is below the confidence interval of the baseline.

    \b
    Example:  python -m eval gate --baseline toy.baseline.json --write-baseline runs/toy
              python -m eval gate --baseline toy.baseline.json runs/toy-after
    """
    if write_baseline:
        gates.write_baseline(_results(run_folder, folder, Judging(**judging)), baseline)
        notice(f"{baseline} holds the numbers of {run_folder}.")
        return
    if any(judging.values()):
        raise click.UsageError("--split, --collapse and --folds are as the baseline has them.")
    verdict = gates.check(_results(run_folder, folder, gates.judging_of(baseline)), baseline)
    for fall in verdict.falls:
        click.echo(fall)
    click.echo(f"{len(verdict.falls)} of {verdict.compared} metrics fell below their interval")
    if verdict.falls:
        sys.exit(1)


@click.command()
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
@DATASET
def export(run_folder: Path, out: Path, folder: Path | None) -> None:
    """Write a run as files of trec_eval: one run file per way of ranking, and the judgments.

    C.run has each query at the alpha chosen without it, C@0.50.run all of them at one. Names are
    percent-encoded.

    \b
    Example:  python -m eval export runs/toy --out trec
              trec_eval -m ndcg_cut.10 trec/qrels.txt trec/B2.run
    """
    found = record.load(run_folder)
    scored = results(found, judged_by(found, folder))
    rankings: dict[str, Rankings] = dict(found.rankings)
    if scored.choice:
        rankings["C"] = rankings_of_c(found, scored.choice)
    out.mkdir(parents=True, exist_ok=True)
    write_qrels(scored.dataset.judgments, out / "qrels.txt")
    for name, ranked in rankings.items():
        write_run(ranked, out / f"{name}.run", tag=f"{found.about.dataset['name']}-{name}")
    notice(f"{len(rankings)} run files and qrels.txt are in {out}.")


def _configured(
    settings: Settings, text_embedder: str, choice: Choice
) -> AbstractContextManager[Connection]:
    if settings.database_url is None:
        raise UserError("Set DATABASE_URL, or leave out --database-url-from-env.")
    if choice != UNSAID or text_embedder != OFFLINE_TEXT:
        raise UserError("In a database of yours, the serving vectors say what embeds queries.")
    return opened(settings)


def _embedders(settings: Settings, text_embedder: str, choice: Choice) -> tuple[Embedder, Embedder]:
    """Of texts and of sheets. The offline ones unless told: a key in the environment tells nothing."""
    text: Embedder | None = HashedNgrams()
    if text_embedder != OFFLINE_TEXT:
        text = embedders.provider(settings)
    if text is None:
        raise UserError(f"No text-embedding service is configured. {embedders.KEY_HINT}")
    told = replace(choice, embedder=choice.embedder or vision.OFFLINE)
    return text, vision.choose(None, told, settings, notice)


def _progress(queries: Sequence[Query]) -> Iterable[Query]:
    """A bar on a terminal, nothing elsewhere."""
    return tqdm(queries, desc="queries", unit="query", disable=None)


def _results(folder: Path, dataset: Path | None, judging: Judging) -> Results:
    found = record.load(folder)
    return results(found, judged_by(found, dataset), judging)
