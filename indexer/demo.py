"""The demo: which families it takes, and a page that shows what search finds among them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined

from indexer import spaces, weights
from indexer.catalog.directory import font_processes, read_directory
from indexer.catalog.family import Family
from indexer.catalog.fontsource import CatalogEntry, read_listing
from indexer.catalog.selection import choose, with_licenses
from indexer.catalog.system import system_folders
from indexer.database.connect import Connection
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.functions import Hit
from indexer.job.ahead import Preparer
from indexer.job.pending import file_urls
from indexer.search import Fonts
from indexer.settings import Settings

HITS = 6
QUERIES = (
    "elegant high-contrast serif",
    "geometric sans with a large x-height",
    "condensed bold headline",
    "typewriter",
    "connected handwriting for a wedding invitation",
    "slab serif",
    "small capitals",
    "very light and thin",
    "wide rounded letters, friendly",
    "old-style book serif with small x-height",
    "calligraphy with flourished capitals",
    "monospaced font for code",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    query: str
    hits: Sequence[Hit]
    notes: Sequence[str]  # what was omitted, and why


def fontsource_families(files: FontFiles, limit: int, say: Callable[[str], None]) -> list[Family]:
    """The first families of Fontsource's whose file is available. Raises UserError where none is."""
    listing = read_listing(files)
    if listing.note:
        say(listing.note)
    return _downloaded(files, choose(listing.families), limit, say)


def system_families() -> list[Family]:
    """All that are installed on this system, by name."""
    families: dict[str, Family] = {}
    with font_processes() as processes:
        for folder in filter(Path.is_dir, system_folders()):
            try:
                found = read_directory(folder, processes)
            except UserError:  # an empty folder
                continue
            for family in found.families:
                families.setdefault(family.name, family)
    return [families[name] for name in sorted(families)]


def spread(families: Sequence[Family], limit: int) -> list[Family]:
    """Spread evenly over the alphabet, so that one large foundry does not fill the demo."""
    step = max(1.0, len(families) / limit)
    return [families[int(number * step)] for number in range(min(limit, len(families)))]


def page(connection: Connection, settings: Settings, files: FontFiles) -> str:
    """One self-contained HTML document. Raises UserError where there is nothing to search."""
    models = spaces.serving(connection)
    if not any(models.values()):
        raise UserError("Nothing was indexed, so there is nothing to show. See: indexer status")
    answers = []
    notes: list[str] = []
    with Fonts(settings=settings, say=notes.append) as fonts:
        for query in QUERIES:
            notes.clear()
            hits = fonts.search(query, count=HITS, threshold=0, filter={"collapse": True})
            answers.append(Answer(query=query, hits=hits, notes=tuple(notes)))
    found = {hit.id: hit for answer in answers for hit in answer.hits}
    urls = file_urls(connection, list(found))
    with Preparer.from_settings(settings, files) as prepared:
        sheets = {
            font: sheet
            for font, url in urls.items()
            if (sheet := _sheet(prepared, url)) is not None
        }
    count = connection.execute("select count(embedding_vl) from public.fonts").fetchone()
    facts = {
        "Fonts": str(count[0] if count else 0),
        **{f"{leg} leg": space.model.name for leg, space in models.items() if space},
        "Weights": str(weights.serving(connection)),
    }
    return _rendered(answers, sheets, facts)


def _downloaded(
    files: FontFiles,
    entries: Sequence[CatalogEntry],
    limit: int,
    say: Callable[[str], None],
) -> list[Family]:
    """The first families whose file is available; the others are reported and skipped."""
    kept: list[CatalogEntry] = []
    missing: list[str] = []
    queue = iter(entries)
    with ThreadPoolExecutor(4) as threads:
        while len(kept) < limit and (wave := list(islice(queue, limit - len(kept)))):
            say(f"Fetching {len(wave)} families, where they are not in the cache yet.")
            for entry, error in zip(wave, threads.map(partial(_fetch, files), wave), strict=True):
                if error is None:
                    kept.append(entry)
                else:
                    missing.append(f"{entry.family}: {error.message}")
            if not kept:
                raise UserError(f"No font file is available. {missing[0]}")
    if missing:
        say(f"{len(missing)} families were skipped, the first: {missing[0]}")
    return [entry.to_family() for entry in with_licenses(files, kept)]


def _fetch(files: FontFiles, entry: CatalogEntry) -> FontError | None:
    try:
        files.fetch(entry.to_family().regular_file)
    except FontError as error:
        return error
    return None


def _sheet(prepared: Preparer, url: str) -> bytes | None:
    """None for a font that text alone found, because its file cannot be fetched or drawn."""
    try:
        return prepared.sheet(url)
    except FontError:
        return None


def _rendered(
    answers: Sequence[Answer], sheets: Mapping[UUID, bytes], facts: Mapping[str, str]
) -> str:
    """Each sheet (PNG) stands in the page once, whoever shows it."""
    environment = Environment(
        loader=PackageLoader("indexer"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    encoded = {font: base64.b64encode(png).decode() for font, png in sheets.items()}
    return environment.get_template("demo.html.j2").render(
        answers=answers, sheets=encoded, facts=facts
    )
