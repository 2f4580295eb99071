"""indexer import"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from indexer.catalog import rows
from indexer.catalog.directory import read_directory
from indexer.catalog.family import Family
from indexer.catalog.fontsource import Listing, Source, choose, read_listing, with_licenses
from indexer.cli.common import font_files, notice, opened
from indexer.fetch.files import FontFiles
from indexer.settings import Settings

UPDATE = click.option(
    "--update", is_flag=True,
    help="Also bring category, license, tags and files of rows from the same source up to date.",
)  # fmt: skip


@click.group("import")
def import_() -> None:
    """Fill public.fonts with families; rows that are there stay as they are.

    \b
    Example:  indexer import fontsource --limit 200
              indexer import directory ~/fonts
    """


@import_.command()
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many families, an equal share of each category."
)
@click.option(
    "--ids", metavar="ID,ID", default="", help="Just these families, such as inter,eb-garamond."
)
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
def fontsource(
    limit: int | None, ids: str, categories: tuple[str, ...], source: Source, update: bool
) -> None:
    """Import families of Google Fonts, as Fontsource lists them.

    The choice is the same every time, and a smaller one is the beginning of a larger one.

    \b
    Example:  indexer import fontsource --limit 60
              indexer import fontsource --ids inter,eb-garamond
              indexer import fontsource --category serif --category monospace --limit 40
    """
    settings = Settings()
    with opened(settings) as connection:
        families = fontsource_families(
            font_files(settings),
            limit=limit,
            ids=ids.split(","),
            categories=categories,
            source=source,
        )
        _report(rows.add(connection, families, update=update))


@import_.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@UPDATE
def directory(path: Path, update: bool) -> None:
    """Import the .ttf, .otf, .ttc, .woff and .woff2 files of a folder, one row per family.

    \b
    Example:  indexer import directory ~/fonts
    """
    with opened(Settings()) as connection:
        found = read_directory(path)
        for problem in found.problems:
            notice(f"passed over {problem.path}: {problem.reason}")
        _report(rows.add(connection, found.families, update=update))
    if found.problems:
        click.echo(f"files: {len(found.problems)} of {found.files} passed over")
        sys.exit(1)


def listed(files: FontFiles, source: Source = "auto") -> Listing:
    """The list of families; says on stderr why it comes from elsewhere than the API."""
    listing = read_listing(files, source=source)
    if listing.note:
        notice(listing.note)
    return listing


def fontsource_families(
    files: FontFiles,
    *,
    limit: int | None,
    ids: Sequence[str] = (),
    categories: Sequence[str] = (),
    source: Source = "auto",
) -> list[Family]:
    """The chosen families; says on stderr where the list comes from."""
    listing = listed(files, source)
    chosen = choose(listing.families, limit=limit, ids=ids, categories=categories)
    notice(f"{len(chosen)} of {len(listing.families)} families, list: {listing.origin}.")
    return [entry.to_family() for entry in with_licenses(files, chosen)]


def _report(added: rows.Added) -> None:
    click.echo(f"fonts: {added.new} new, {added.updated} updated, {added.unchanged} unchanged")
