"""indexer import"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click

from indexer.catalog import rows
from indexer.catalog.directory import Directory, font_processes
from indexer.catalog.family import Family
from indexer.catalog.fontsource import Source
from indexer.catalog.selection import chosen_families
from indexer.cli.commands import DONE_WITH_FAILURES
from indexer.cli.options import AS_JSON
from indexer.database.connect import opened
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import FontFolders, remember
from indexer.settings import Settings
from indexer.terminal import notice

UPDATE = click.option(
    "--update", is_flag=True,
    help="Also bring category, license, tags and files of rows from the same source up to date.",
)  # fmt: skip


@click.group("import")
def import_group() -> None:
    """Fill public.fonts with families; rows that are there stay as they are.

    \b
    Example:  indexer import fontsource --limit 200
              indexer import directory ~/fonts
    """


@import_group.command("fontsource")
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many families, an equal share of each category."
)
@click.option(
    "--ids", metavar="ID,ID", default="",
    help='Just these families, by id or name, such as inter,"EB Garamond".',
)  # fmt: skip
@click.option(
    "--ids-file", type=click.File(encoding="utf-8-sig", errors="replace"),
    help="Just the families of this file, an id or a name on each line; - for standard input.",
)  # fmt: skip
@click.option("--category", "categories", multiple=True, help="Just this category; repeatable.")
@click.option(
    "--list",
    "source",
    type=click.Choice(["auto", "api", "npm"]),
    default="auto",
    show_default=True,
    help="Where the list of families comes from. auto: npm where the Fontsource API gives none.",
)
@UPDATE
@AS_JSON
def import_fontsource(
    limit: int | None,
    ids: str,
    ids_file: TextIO | None,
    categories: tuple[str, ...],
    source: Source,
    update: bool,
    as_json: bool,
) -> None:
    """Import families of Google Fonts, as Fontsource lists them.

    The choice is the same every time, and a smaller one is the beginning of a larger one. Ids and
    names that nobody knows are reported and skipped, with exit code 3; a family that is newer than
    the list is taken from its npm package.

    \b
    Example:  indexer import fontsource --limit 60
              indexer import fontsource --ids inter,eb-garamond
              indexer import fontsource --ids-file families.txt
              indexer import fontsource --category serif --category monospace --limit 40
    """
    wanted = [*map(str.strip, ids.split(",")), *map(str.strip, ids_file or ())]
    wanted = [word for word in wanted if word]
    if ids_file is not None and not wanted:
        raise UserError("The file of --ids-file names no family: put an id or a name on each line.")
    settings = Settings()
    files = FontFiles.from_settings(settings, notice=notice)
    with opened(settings, notice, writes=True) as connection:
        chosen = chosen_families(
            files, limit=limit, wanted=wanted, categories=categories, source=source, say=notice
        )
        added = rows.add(connection, chosen.families, update=update)
    skipped = [{"family": word, "reason": why} for word, why in chosen.unknown.items()]
    if as_json:
        click.echo(json.dumps({**asdict(added), "skipped": skipped}))
    else:
        for word, why in chosen.unknown.items():
            notice(f"skipped {word}: {why}")
        click.echo(str(added))
        if skipped:
            click.echo(f"ids: {len(skipped)} of {len(wanted)} skipped")
    if skipped:
        sys.exit(DONE_WITH_FAILURES)


@import_group.command("directory")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@UPDATE
@AS_JSON
def import_directory(path: Path, update: bool, as_json: bool) -> None:
    """Import the .ttf, .otf, .ttc, .woff and .woff2 files of a folder, one row per family.

    They are opened in processes with limits of time and memory, and inserted some families at a
    time: where it is stopped, what is inserted stays, and the same command does the rest. The embedded
    database remembers the folder; for one of DATABASE_URL, name it in FONTSIGHT_FONT_DIRS, or the job
    and the service do not read its files.

    \b
    Example:  indexer import directory ~/fonts
    """
    settings = Settings()
    added = rows.Added(new=0, updated=0, unchanged=0)
    refused = False
    with opened(settings, notice, writes=True) as connection, font_processes() as processes:
        directory = Directory(path, processes)
        for families in directory.batches():
            refused |= not _readable(settings, path, families)
            added += rows.add(connection, families, update=update)
    if refused:
        notice(
            "The job and the service read these files only where FONTSIGHT_FONT_DIRS names their "
            f"folder, such as FONTSIGHT_FONT_DIRS={path.absolute()}"
        )
    skipped = directory.problems
    if as_json:
        found = {**asdict(added), "files": directory.files, "skipped": list(map(asdict, skipped))}
        click.echo(json.dumps(found))
    else:
        for problem in skipped:
            notice(f"skipped {problem.path}: {problem.reason}")
        click.echo(str(added))
        if skipped:
            click.echo(f"files: {len(skipped)} of {directory.files} skipped")
    if skipped:
        sys.exit(DONE_WITH_FAILURES)


def _readable(settings: Settings, path: Path, families: Sequence[Family]) -> bool:
    """Whether the job and the service may read the files; of the embedded database they may."""
    urls = [url for family in families for url in family.files.values()]
    if settings.database_url is None:
        remember(settings.data_dir, [path], urls)
    folders = FontFolders.from_settings(settings)
    return all(map(folders.file, urls))
