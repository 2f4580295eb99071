"""eval report"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click

from eval.cli.options import DATASET, FOLDER, judging_options
from eval.datasets.dataset import Dataset
from eval.report.page import page, shown_fonts, shown_queries, small
from eval.report.report import markdown, report_of
from eval.runs import record
from eval.runs.corpus import families
from eval.scores.results import Judging, judged_by, results
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.settings import Settings
from indexer.terminal import notice

MARKDOWN, PAGE = "report.md", "index.html"


@click.command("report")
@click.argument("run_folder", metavar="RUN", type=FOLDER)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder for {MARKDOWN} and {PAGE}. Default: the run's.",
)  # fmt: skip
@click.option(
    "--sheets/--no-sheets", "with_sheets", default=True,
    help="Glyph sheets on the page, some 17 kB each. Default: with them.",
)  # fmt: skip
@DATASET
@judging_options
def report_command(
    run_folder: Path, out: Path | None, with_sheets: bool, folder: Path | None, **judging: Any
) -> None:
    """Write what a run is worth: report.md, and a page with the sheets that each variant ranked.

    \b
    Example:  python -m eval report runs/toy
              python -m eval report runs/tags --split test --out reports/tags
    """
    run = record.load(run_folder)
    dataset = judged_by(run, folder)
    found = report_of(results(run, dataset, Judging(**judging)))
    shown = shown_queries(found, dataset)
    sheets = None
    if with_sheets:
        sheets = _sheets(dataset, folder or Path(run.about.dataset["folder"]), shown_fonts(shown))
    out = out or run_folder
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKDOWN).write_text(markdown(found), encoding="utf-8")
    (out / PAGE).write_text(page(found, shown, sheets), encoding="utf-8")
    notice(f"{PAGE} is {(out / PAGE).stat().st_size / 1e6:.1f} MB.")
    click.echo(f"{out / MARKDOWN}\n{out / PAGE}")


def _sheets(dataset: Dataset, folder: Path, fonts: Sequence[str]) -> dict[str, bytes]:
    """Small sheets of those fonts whose file can be had and drawn; says which cannot."""
    settings = Settings().model_copy(update={"database_url": None})  # no row has a say here
    wanted = set(fonts)
    urls = {
        font.id: family.regular_file
        for font, family in zip(dataset.fonts, families(dataset, folder), strict=True)
        if font.id in wanted and family.files
    }
    with (
        Preparer.from_settings(
            settings, FontFiles.from_settings(settings, notice=notice, folders=[folder])
        ) as prepared,
        ThreadPoolExecutor(prepared.processes) as threads,
    ):
        try:
            found = list(threads.map(partial(_sheet, prepared), urls.values()))
        except UserError as error:
            raise UserError(f"{error} Or leave the sheets out: --no-sheets") from error
    sheets = {font: sheet for font, sheet in zip(urls, found, strict=True) if sheet is not None}
    if lacking := [font for font in fonts if font not in sheets]:
        notice(f"{len(lacking)} of {len(fonts)} fonts have no sheet, such as {lacking[0]}.")
    return sheets


def _sheet(prepared: Preparer, url: str) -> bytes | None:
    try:
        return small(prepared.sheet(url))
    except UserError:
        raise
    except Exception:  # noqa: BLE001 - a FontError, or whatever libraries raise on hostile bytes
        return None
