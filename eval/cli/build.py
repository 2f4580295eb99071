"""`python -m eval build`: datasets, each by one command that makes the same one again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec

import click

from eval.datasets.building import Built, assemble, family_half, google_families
from eval.datasets.dataset import AboutDataset, Font, Judgments, Query, Split, refusal, save
from eval.datasets.google import build_google
from eval.datasets.importers import (
    exhaustive,
    pooled,
    read_fonts,
    read_judgments,
    read_labels,
    read_queries,
    read_tags,
)
from eval.datasets.measured import build_measured, measure_families
from eval.datasets.tags import build_tags
from eval.datasets.toy import build_toy
from eval.pictures.dataset import build_pictures
from indexer.catalog.directory import font_processes, read_directory
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import remember
from indexer.job.ahead import Preparer
from indexer.settings import Settings
from indexer.terminal import notice

P = ParamSpec("P")

NOT_EXHAUSTIVE = (
    "Of {} queries only relevant fonts are known, and nobody's word is taken for the others (--exhaustive): "
    "condensed to judged pairs, nothing but relevant fonts is left of their rankings, so read their raw "
    "scores alone."
)

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write; a dataset that stands there is replaced.",
)  # fmt: skip
FAMILIES = click.option(
    "--families", type=click.IntRange(min=1), default=200, show_default=True,
    help="So many of those whose files can be had, in the order of indexer import fontsource.",
)  # fmt: skip
COLLAPSE = click.option(
    "--collapse", "collapsed", is_flag=True,
    help="Near-duplicate families (Noto Sans and its scripts) count as one.",
)  # fmt: skip


@click.group("build")
def build_group() -> None:
    """Make a dataset: python -m eval build toy --out datasets/toy"""


def _made(command: Callable[P, Built]) -> Callable[P, None]:
    """Writes what the command built into `out`, and says what it is."""

    @functools.wraps(command)
    def write(*args: P.args, **kwargs: P.kwargs) -> None:
        out = kwargs["out"]
        assert isinstance(out, Path)
        try:
            built = command(*args, **kwargs)
            save(built.dataset, out)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        click.echo(built)

    return write


@build_group.command("toy")
@OUT
@_made
def build_toy_command(out: Path) -> Built:
    """Fonts drawn by code, and queries that their parameters answer exactly.

    \b
    Example:  python -m eval build toy --out datasets/toy
    """
    return build_toy(out)


@build_group.command("google")
@OUT
@FAMILIES
@COLLAPSE
@_made
def build_google_command(out: Path, families: int, collapsed: bool) -> Built:
    """Families of Google Fonts, with proxy labels from their categories and scripts.

    \b
    Example:  python -m eval build google --families 200 --out datasets/google
    """
    chosen, origin = google_families(FontFiles.from_settings(Settings(), notice=notice), families)
    return build_google(chosen, origin, collapsed=collapsed)


@build_group.command("tags")
@click.option(
    "--labels", required=True, type=FILE,
    help="JSON, family to list of tags; or CSV, Family,Group/Tag,Weight.",
)  # fmt: skip
@click.option("--license", "license_", required=True, help="Of the tags, such as CC0-1.0.")
@click.option("--tagged", is_flag=True, help="Only families that have a tag: all are judged then.")
@click.option(
    "--half", type=click.Choice(["dev", "test"]),
    help="Only families for improving, or for reporting; for queries, see eval run --split.",
)  # fmt: skip
@OUT
@FAMILIES
@COLLAPSE
@_made
def build_tags_command(
    labels: Path,
    license_: str,
    tagged: bool,
    half: Split | None,
    out: Path,
    families: int,
    collapsed: bool,
) -> Built:
    """Families of Google Fonts, and what people have tagged them with.

    \b
    Example:  python -m eval build tags --labels font-library-tags.json --license CC0-1.0 --out tags
    """
    read = read_tags(labels)

    def wanted(name: str) -> bool:
        return bool(read.get(name) or not tagged) and half in (None, family_half(name))

    chosen, origin = google_families(
        FontFiles.from_settings(Settings(), notice=notice), families, among=wanted
    )
    digest = hashlib.sha256(labels.read_bytes()).hexdigest()[:16]
    made_by = f"python -m eval build tags --labels {labels.name} --families {families}"
    made_by += f"{' --tagged' if tagged else ''}{f' --half {half}' if half else ''}"
    made_by += f", from {origin} and tags of SHA-256 {digest}"
    return build_tags(chosen, read, made_by=made_by, license_=license_, collapsed=collapsed)


@build_group.command("measured")
@click.option(
    "--fonts", type=click.Path(exists=True, path_type=Path),
    help="A folder with fonts, instead of families of Google Fonts.",
)  # fmt: skip
@OUT
@FAMILIES
@COLLAPSE
@_made
def build_measured_command(fonts: Path | None, out: Path, families: int, collapsed: bool) -> Built:
    """Fonts, and queries such as "high contrast condensed" that their outlines decide.

    With --fonts the dataset holds addresses of this machine.

    \b
    Example:  python -m eval build measured --families 200 --out datasets/measured
              python -m eval build measured --fonts /usr/share/fonts --out datasets/system
    """
    settings = Settings()
    files = FontFiles.from_settings(settings, notice=notice, folders=[fonts] if fonts else [])
    if fonts:
        with font_processes() as processes:
            found = read_directory(fonts, processes)
        for problem in found.problems:
            notice(f"skipped {problem.path}: {problem.reason}")
        chosen = list(found.families)
        urls = [url for family in chosen for url in family.files.values()]
        remember(settings.data_dir, [fonts], urls)  # for the runs on this dataset
        made_by = f"python -m eval build measured --fonts {fonts.name}"
    else:
        chosen, origin = google_families(files, families)
        made_by = f"python -m eval build measured --families {families}, from {origin}"
    traits, failed = measure_families(chosen, Preparer.from_settings(settings, files))
    for name, reason in failed.items():
        notice(f"skipped {name}: {reason}")
    return build_measured(chosen, traits, made_by=made_by, collapsed=collapsed)


@build_group.command("pictures")
@OUT
@FAMILIES
@_made
def build_pictures_command(out: Path, families: int) -> Built:
    """Families of Google Fonts, and pictures of words set in them, that are to find their family.

    Three pictures of each family, in manners that take turns: small, grey, noisy, turned … A model that
    reads pictures ranks them: the offline one, or Qwen3-VL. The split test is of families that did not
    teach the offline one.

    \b
    Example:  python -m eval build pictures --families 400 --out datasets/pictures
              python -m eval run --dataset datasets/pictures --variants B2 --split test --out runs/pictures
    """
    files = FontFiles.from_settings(Settings(), notice=notice)
    chosen, origin = google_families(files, families)
    made_by = f"python -m eval build pictures --families {families}, from {origin}"
    return build_pictures(chosen, files, out, made_by=made_by)


@build_group.command("import")
@click.option("--fonts", required=True, type=FILE, help="corpus.*.json: a list of fonts.")
@click.option("--queries", required=True, type=FILE, help="queries.*.json: id, text and class.")
@click.option("--labels", type=FILE, help="labels.*.json: query id to names, or to name and grade.")
@click.option(
    "--judgments", type=FILE,
    help='A judge\'s file, {"judgments": …}: the pairs that were looked at. With --labels, they count for '
    "the queries that have any, and labels for the others.",
)  # fmt: skip
@click.option(
    "--exhaustive", "whole", is_flag=True,
    help="Who labelled looked at all fonts: those that --labels does not name are not relevant.",
)  # fmt: skip
@click.option("--name", default="imported", show_default=True)
@click.option("--description", default="Imported; see made_by.", help="What labels are worth.")
@click.option("--license", "license_", required=True, help="Of queries and labels.")
@click.option("--source", default="Google Fonts", show_default=True, help="Of fonts without one.")
@click.option(
    "--truth-tag", "truth_tags", multiple=True,
    help="A tag that decides labels, so that no font may hold it; repeatable.",
)  # fmt: skip
@OUT
@COLLAPSE
@_made
def build_import_command(
    fonts: Path,
    queries: Path,
    labels: Path | None,
    judgments: Path | None,
    whole: bool,
    name: str,
    description: str,
    license_: str,
    source: str,
    truth_tags: tuple[str, ...],
    out: Path,
    collapsed: bool,
) -> Built:
    """Fonts, queries and labels from files of other evaluations.

    \b
    Example:  python -m eval build import --fonts corpus.200.json --queries queries.json
                --labels labels.json --exhaustive --license CC0-1.0 --out datasets/imported
              python -m eval build import --fonts corpus.json --queries queries.json --labels labels.json
                --judgments pool.json --license CC0-1.0 --out datasets/pooled
    """
    if not (labels or judgments):
        raise click.UsageError("Give --labels, --judgments or both.")
    if whole and not labels:
        raise click.UsageError("--exhaustive is said of --labels, which are not given.")
    corpus, asked = read_fonts(fonts, source=source), read_queries(queries)
    named = read_labels(labels) if labels else {}
    pairs = read_judgments(judgments) if judgments else {}
    for path, grades in ((labels, named), (judgments, pairs)):
        if path:
            _refuse_strangers(corpus, asked, grades, path)
    if both := named.keys() & pairs.keys():
        notice(f"{len(both)} queries have labels and judged pairs: the pairs count.")
    labelled = named.keys() - pairs.keys()
    if whole:
        named = exhaustive(named, [font.id for font in corpus])
        asked = tuple(replace(query, assumed=query.id in labelled) for query in asked)
    elif labelled:
        notice(NOT_EXHAUSTIVE.format(len(labelled)))
        description += "\n\n" + NOT_EXHAUSTIVE.format(len(labelled))
    grades = pooled(named, pairs)
    sources = ", ".join(path.name for path in (fonts, queries, labels, judgments) if path)
    about = AboutDataset(
        name=name,
        version="1",
        description=description,
        license=license_,
        made_by=f"python -m eval build import, from {sources}",
        ground_truth_tags=truth_tags,
    )
    return assemble(about, corpus, asked, grades, collapsed=collapsed)


def _refuse_strangers(
    fonts: Sequence[Font], queries: Sequence[Query], grades: Judgments, path: Path
) -> None:
    """Raises UserError for labels of what is neither asked nor searched: they would be lost."""
    known, asked = {font.id for font in fonts}, {query.id for query in queries}
    problems = [f"there is no query {query!r}" for query in grades if query not in asked]
    problems += [
        f"{query}: there is no font {name!r}"
        for query, row in grades.items()
        for name in row
        if name not in known
    ]
    if problems:
        raise refusal(f"{path} does not fit the fonts and queries", problems)
