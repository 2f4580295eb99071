"""Fonts made by code, as files and as rows that point to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer.database.connect import Connection
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import FontFolders
from indexer.fetch.http import Downloader
from indexer.job.ahead import Preparer
from indexer.job.prepare import PreparedCache
from indexer.sheet.render import SheetSpec

AddFonts = Callable[[Connection, int], list[Path]]


@pytest.fixture
def add_fonts(tmp_path: Path) -> AddFonts:
    """Adds rows `Font 00`, `Font 01`, … with files whose x-height grows; returns the files."""

    def add(connection: Connection, count: int) -> list[Path]:
        folder = tmp_path / "fonts"
        folder.mkdir(exist_ok=True)
        paths = []
        for number in range(count):
            path = folder / f"font-{number:02}.ttf"
            path.write_bytes(ParametricFont(x_height=0.5 + 0.3 * number / count).build())
            connection.execute(
                "insert into public.fonts (name, category, tags, files) values (%s, 'serif', '{latin}', %s)",
                [f"Font {number:02}", Jsonb({"400": path.as_uri()})],
            )
            paths.append(path)
        return paths

    return add


@pytest.fixture
def files(tmp_path: Path) -> FontFiles:
    return FontFiles(
        FileCache(tmp_path / "cache"),
        mode="npm",
        folders=FontFolders([tmp_path]),
        downloader=Downloader(allow_private=True),
    )


@pytest.fixture
def make_preparer(tmp_path: Path, files: FontFiles) -> Callable[[], Preparer]:
    cache = PreparedCache(tmp_path / "prepared", SheetSpec())
    return lambda: Preparer(files, SheetSpec(), cache, processes=2)
