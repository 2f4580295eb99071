"""indexer demo"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import click

from indexer import demo as index_demo
from indexer import schema, search, spaces
from indexer.catalog import rows
from indexer.catalog.directory import read_directory
from indexer.catalog.family import Family
from indexer.catalog.fontsource import CatalogEntry, choose, with_licenses
from indexer.catalog.system import system_folders
from indexer.cli.common import font_files, notice, opened, preparer
from indexer.cli.imports import listed
from indexer.cli.indexing import Job, bring_up_to_date
from indexer.cli.search import embedded_query
from indexer.database import Connection, Database
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.pending import Selection, file_urls
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import SERVING_COLUMN
from indexer.vision import OFFLINE, Choice
from indexer.workers import Preparer

HITS = 6


@click.command()
@click.option("--fonts", type=click.IntRange(min=1), default=60, show_default=True)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"),
    show_default=True, help="Folder for the page.",
)  # fmt: skip
@click.option(
    "--source", type=click.Choice(["fontsource", "system"]), default="fontsource", show_default=True,
    help="Google families from Fontsource, or the fonts installed on this system.",
)  # fmt: skip
def demo(fonts: int, out: Path, source: str) -> None:
    """Do all of it once: migrate, import real families, render, embed, search, and leave a page.

    It runs on the embedded Postgres, with no GPU, key or Docker, and never touches DATABASE_URL. A
    second run does no work twice.

    \b
    Example:  indexer demo
              indexer demo --fonts 200 --out demo
    """
    begin = time.monotonic()
    settings = Settings().model_copy(update={"database_url": None})
    files = font_files(settings)
    families = _system(fonts) if source == "system" else _fontsource(files, fonts)
    schema.upgrade(Database.from_settings(settings).conninfo)
    with opened(settings) as connection:
        added = rows.add(connection, families)
        notice(f"families: {added.new} imported, {added.unchanged} were there")
        names = tuple(family.name for family in families)
        # what it shows has to be the same on every machine
        wanted = Job(selection=Selection(only=names), choice=Choice(embedder=OFFLINE))
        report = bring_up_to_date(connection, settings, files, wanted)
        click.echo(f"{report.embedded} vectors embedded, {report.failed} failures")
        page = _page(connection, settings, files)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(page, encoding="utf-8")
    click.echo(f"{path.absolute()} ({time.monotonic() - begin:.0f} s)")
    click.echo('Go on with:  indexer search "friendly rounded sans"')


def _fontsource(files: FontFiles, limit: int) -> list[Family]:
    try:
        return _downloaded(files, choose(listed(files).families), limit)
    except UserError as error:
        found = _system_families()
        if not found:
            raise
        offer = f"{len(found)} font families are installed on this system"
        if sys.stdin.isatty() and click.confirm(f"{error}\n{offer}. Go on with these?"):
            return _some(found, limit)
        raise UserError(f"{error} Or, as {offer}: indexer demo --source system") from error


def _downloaded(files: FontFiles, entries: Sequence[CatalogEntry], limit: int) -> list[Family]:
    """The first families whose file can be had; those that cannot are said and passed over."""
    kept: list[CatalogEntry] = []
    missing: list[str] = []
    queue = iter(entries)
    with ThreadPoolExecutor(4) as threads:
        while len(kept) < limit and (wave := list(islice(queue, limit - len(kept)))):
            notice(f"Fetching {len(wave)} families, where they are not in the cache yet.")
            for entry, error in zip(wave, threads.map(partial(_fetch, files), wave), strict=True):
                if error is None:
                    kept.append(entry)
                else:
                    missing.append(f"{entry.family}: {error.message}")
            if not kept:
                raise UserError(f"No font file can be had. {missing[0]}")
    if missing:
        notice(f"{len(missing)} families were passed over, the first: {missing[0]}")
    return [entry.to_family() for entry in with_licenses(files, kept)]


def _fetch(files: FontFiles, entry: CatalogEntry) -> FontError | None:
    try:
        files.fetch(entry.to_family().regular_file)
    except FontError as error:
        return error
    return None


def _system(limit: int) -> list[Family]:
    found = _system_families()
    if not found:
        folders = ", ".join(map(str, system_folders()))
        raise UserError(f"No fonts are installed on this system (looked in {folders}).")
    return _some(found, limit)


def _system_families() -> list[Family]:
    families: dict[str, Family] = {}
    for folder in system_folders():
        if folder.is_dir():
            try:
                found = read_directory(folder)
            except UserError:  # an empty folder
                continue
            for family in found.families:
                families.setdefault(family.name, family)
    return [families[name] for name in sorted(families)]


def _some(families: Sequence[Family], limit: int) -> list[Family]:
    """Spread evenly over the alphabet, so that one large foundry does not fill the demo."""
    step = max(1.0, len(families) / limit)
    return [families[int(number * step)] for number in range(min(limit, len(families)))]


def _page(connection: Connection, settings: Settings, files: FontFiles) -> str:
    answers = []
    for query in index_demo.QUERIES:
        notes: list[str] = []
        vectors = {
            leg: embedded_query(connection, settings, leg, query, notes.append)
            for leg in SERVING_COLUMN
        }
        if all(vector is None for vector in vectors.values()):
            raise UserError("Nothing was indexed, so there is nothing to show. See: indexer status")
        hits = search.match(
            connection, text=vectors["text"], vl=vectors["vl"], count=HITS, threshold=0
        )
        answers.append(index_demo.Answer(query=query, hits=hits, notes=notes))
    found = {hit.id: hit for answer in answers for hit in answer.hits}
    urls = file_urls(connection, list(found))
    with preparer(settings, SheetSpec(), files) as prepared:
        sheets = {
            font: sheet
            for font, url in urls.items()
            if (sheet := _sheet(prepared, url)) is not None
        }
    models = {leg: spaces.active(connection, leg) for leg in SERVING_COLUMN}
    count = connection.execute("select count(embedding_vl) from public.fonts").fetchone()
    facts = {
        "Fonts": str(count[0] if count else 0),
        **{f"{leg} leg": space.model.name for leg, space in models.items() if space},
        "Fusion": "score = 0.5 text cosine + 0.5 sight cosine",
    }
    return index_demo.page(answers, sheets, facts)


def _sheet(prepared: Preparer, url: str) -> bytes | None:
    """None for a font that text alone found, because its file cannot be had or drawn."""
    try:
        return prepared.sheet(url)
    except FontError:
        return None
