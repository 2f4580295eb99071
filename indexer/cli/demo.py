"""indexer demo"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from indexer.catalog import rows
from indexer.catalog.family import Family
from indexer.catalog.system import system_folders
from indexer.choose import NO_OPTIONS, OFFLINE, VLOptions
from indexer.cli import extras
from indexer.database import schema
from indexer.database.connect import Database, opened
from indexer.demo import fontsource_families, page, spread, system_families
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import remember
from indexer.job.backfill import BackfillOptions, backfill
from indexer.job.facts import is_local
from indexer.job.pending import Selection
from indexer.settings import Settings
from indexer.terminal import notice, progress_bar


@click.command("demo")
@click.option(
    "--fonts", type=click.IntRange(min=1), default=60, show_default=True,
    help="How many families to import.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"),
    show_default=True, help="Folder for the page.",
)  # fmt: skip
@click.option(
    "--source", type=click.Choice(["fontsource", "system"]), default="fontsource", show_default=True,
    help="Google families from Fontsource, or the fonts installed on this system.",
)  # fmt: skip
@click.option(
    "--serve", "serves", is_flag=True, help="Then start the query service, and open its page."
)
def demo_command(fonts: int, out: Path, source: str, serves: bool) -> None:
    """Do all of it once: migrate, import real families, render, embed, search, and leave a page.

    It runs on the embedded Postgres, with no GPU, key or Docker, and never touches DATABASE_URL. A
    second run repeats no work.

    \b
    Example:  indexer demo
              indexer demo --fonts 200 --serve
    """
    begin = time.monotonic()
    serve = extras.service() if serves else None
    settings = Settings().model_copy(update={"database_url": None})
    files = FontFiles.from_settings(settings, notice=notice)
    families = _installed(fonts) if source == "system" else _fontsource(files, fonts)
    urls = [url for family in families for url in family.files.values() if is_local(url)]
    if urls:
        remember(settings.data_dir, system_folders(), urls)
    database = Database.from_settings(settings)
    schema.upgrade(database.conninfo)
    with opened(settings, notice, writes=True) as connection:
        added = rows.add(connection, families)
        notice(f"families: {added.new} imported, {added.unchanged} existed already")
        names = tuple(family.name for family in families)
        # what it shows has to be the same on every machine
        wanted = BackfillOptions(selection=Selection(only=names), vl=VLOptions(embedder=OFFLINE))
        embedded = failed = 0
        for space, progress in backfill(
            connection, settings, files, wanted, say=notice, progress_bar=progress_bar
        ):
            click.echo(f"{space.leg}: {progress}")
            embedded += progress.embedded
            failed += progress.failed
        click.echo(f"{embedded} vectors embedded, {failed} failures")
        html = page(connection, settings, files)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(html, encoding="utf-8")
    click.echo(f"{path.absolute()} ({time.monotonic() - begin:.0f} s)")
    click.echo('Go on with:  indexer search "friendly rounded sans"')
    if serve is None:
        click.echo("Or look:     indexer demo --serve")
    else:
        serve(settings, database, NO_OPTIONS, notice, open_page=True)


def _fontsource(files: FontFiles, limit: int) -> list[Family]:
    try:
        return fontsource_families(files, limit, notice)
    except UserError as error:
        found = system_families()
        if not found:
            raise
        offer = f"{len(found)} font families are installed on this system"
        if sys.stdin.isatty() and click.confirm(f"{error}\n{offer}. Go on with these?"):
            return spread(found, limit)
        raise UserError(f"{error} Or, as {offer}: indexer demo --source system") from error


def _installed(limit: int) -> list[Family]:
    found = system_families()
    if not found:
        folders = ", ".join(map(str, system_folders()))
        raise UserError(f"No fonts are installed on this system (looked in {folders}).")
    return spread(found, limit)
