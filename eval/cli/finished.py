"""eval compare, eval gate and eval export: what is made of finished runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from eval.cli.options import DATASET, FOLDER, judging_options
from eval.report.compare import compare
from eval.report.gate import check, judging_of, write_baseline
from eval.report.trec import write_qrels, write_run
from eval.runs import record
from eval.scores.metrics import Rankings
from eval.scores.results import Judging, Results, judged_by, rankings_of_c, results
from indexer.terminal import notice


@click.command("compare")
@click.argument("run_before", metavar="RUN", type=FOLDER)
@click.argument("run_after", metavar="RUN", type=FOLDER)
@DATASET
@judging_options
def compare_command(run_before: Path, run_after: Path, folder: Path | None, **judging: Any) -> None:
    """Compare two runs on one dataset, the second against the first, query by query; as Markdown.

    \b
    Example:  python -m eval compare runs/before runs/after --split dev
    """
    how = Judging(**judging)
    click.echo(compare(_results(run_before, folder, how), _results(run_after, folder, how)))


@click.command("gate")
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--baseline", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="A file written by --write-baseline.",
)  # fmt: skip
@click.option(
    "--write-baseline", "write", is_flag=True,
    help="Write the run's numbers to the file; how they are scored is kept with them.",
)  # fmt: skip
@DATASET
@judging_options
def gate_command(
    run_folder: Path, baseline: Path, write: bool, folder: Path | None, **judging: Any
) -> None:
    """Exit with 1 when a metric of the run is below the confidence interval of the baseline.

    \b
    Example:  python -m eval gate --baseline toy.baseline.json --write-baseline runs/toy
              python -m eval gate --baseline toy.baseline.json runs/toy-after
    """
    if write:
        write_baseline(_results(run_folder, folder, Judging(**judging)), baseline)
        notice(f"{baseline} holds the numbers of {run_folder}.")
        return
    if any(judging.values()):
        raise click.UsageError("--split, --collapse and --folds are as the baseline has them.")
    verdict = check(_results(run_folder, folder, judging_of(baseline)), baseline)
    for fall in verdict.falls:
        click.echo(fall)
    click.echo(f"{len(verdict.falls)} of {verdict.compared} metrics fell below their interval")
    if verdict.falls:
        sys.exit(1)


@click.command("export")
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
@DATASET
def export_command(run_folder: Path, out: Path, folder: Path | None) -> None:
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


def _results(folder: Path, dataset: Path | None, judging: Judging) -> Results:
    found = record.load(folder)
    return results(found, judged_by(found, dataset), judging)
