"""What several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click

from indexer.database import Connection, Database
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles, Mode
from indexer.fetch.http import Downloader
from indexer.prepare import PreparedCache
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.workers import Preparer

NAMED = "select id from public.fonts where name = %(font)s or id::text = %(font)s"


def notice(message: str) -> None:
    click.echo(message, err=True)


@contextmanager
def opened(settings: Settings) -> Iterator[Connection]:
    """A connection to the database at head; says on stderr which database it is."""
    database = Database.from_settings(settings)
    notice(f"Using {database.label}.")
    with database.open() as connection:
        yield connection


def font_id(connection: Connection, font: str) -> UUID | None:
    """The id of the font that a user names, by its name or its id."""
    row = connection.execute(NAMED, {"font": font}).fetchone()
    return row[0] if row else None


def font_files(settings: Settings, mode: Mode = "auto") -> FontFiles:
    return FontFiles(
        FileCache(settings.cache_dir / "files"),
        mode=mode,
        allow_file=True,  # rows of `import directory` hold file: addresses
        downloader=Downloader(allow_private=settings.allow_private_addresses, proxy=settings.proxy),
        notice=notice,
    )


def preparer(
    settings: Settings, spec: SheetSpec, files: FontFiles, processes: int | None = None
) -> Preparer:
    cache = PreparedCache(settings.cache_dir / "prepared", spec)
    return Preparer(files, spec, cache, processes=processes)
