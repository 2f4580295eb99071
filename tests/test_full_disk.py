"""A disk that is full or may not be written is no font's fault, and leaves no rubbish."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.atomic import LEFTOVER_SECONDS
from indexer.cli import main
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.errors import FontError, UserError
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.fetch.http import Downloader
from indexer.fetch.npm import Npm
from indexer.fontfile import describe
from indexer.job.ahead import Preparer
from indexer.job.prepare import Prepared, PreparedCache
from indexer.job.progress import Progress
from indexer.job.run import index
from indexer.job.status import read
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT
from indexer.traits import Traits
from tests.fix_fonts import AddFonts
from tests.fix_servers import Web, page

SPEC = SheetSpec()
PREPARED = Prepared(sheet=b"sheet" * 4000, traits=Traits())


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mount("-t", "tmpfs", "-o", "size=4k", "tmpfs")

    def grow(self) -> None:
        self._mount("-o", "remount,size=10m")

    def close(self) -> None:
        """Whatever is open for writing has to be closed before."""
        self._mount("-o", "remount,ro")

    def left(self) -> list[str]:
        """Files that a run should have taken away, or never begun."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path.name for path in found if path.parent.name in ("tmp", "parts")]

    def _mount(self, *arguments: str) -> None:
        command = ["mount", *arguments, str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """One with room for a single page."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        found = Disk(folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system takes root, and a kernel that allows it")
    yield found
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """Of this process, for the length of a block."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def run(
    connection: Connection, files: FontFiles, prepared: Path, notice: Callable[[str], None]
) -> Progress:
    embedder = MeasuredTraits()
    space = spaces.vl_space(embedder, SPEC, LIGHT)
    spaces.register(connection, space)
    cache = PreparedCache(prepared, SPEC, notice=notice)
    with Preparer(files, SPEC, cache, processes=1) as preparer:
        return index(connection, space, embedder, preparer)


def test_what_was_rendered_is_used_where_it_cannot_be_cached(
    connection: Connection, add_fonts: AddFonts, files: FontFiles, disk: Disk
) -> None:
    add_fonts(connection, 3)
    said: list[str] = []
    progress = run(connection, files, disk.folder, said.append)
    assert (progress.embedded, progress.failed) == (3, 0)
    [sentence] = said
    assert "No space left on device" in sentence
    assert disk.left() == []


def test_a_full_cache_ends_the_run_and_blames_no_font(
    connection: Connection, web: Web, disk: Disk, tmp_path: Path
) -> None:
    for number in range(3):
        web.pages[f"/{number}.ttf"] = page(ParametricFont(x_height=0.5 + number / 10).build())
        connection.execute(
            "insert into fonts (name, files) values (%s, %s)",
            [f"Font {number}", Jsonb({"400": web.url(f"/{number}.ttf")})],
        )
    files = FontFiles(FileCache(disk.folder), downloader=Downloader(allow_private=True))
    with pytest.raises(UserError, match="cannot be used: No space left on device") as stopped:
        run(connection, files, tmp_path / "prepared", pytest.fail)
    assert "FONTSIGHT_CACHE_DIR" in str(stopped.value)
    assert read(connection).failures == []
    assert disk.left() == []
    outcome = connection.execute("select outcome from font_index.runs").fetchone()
    assert outcome == ("failed",)
    disk.grow()
    assert run(connection, files, tmp_path / "prepared", pytest.fail).embedded == 3


def test_a_cache_that_may_not_be_written_still_gives_what_it_has(web: Web, disk: Disk) -> None:
    disk.grow()
    web.pages["/a.ttf"] = web.pages["/b.ttf"] = page(b"a font")
    there = FontFiles(FileCache(disk.folder), downloader=Downloader(allow_private=True))
    there.fetch(web.url("/a.ttf"))
    sheets = PreparedCache(disk.folder / "prepared", SPEC)
    sheets.put("a", 0, PREPARED)
    disk.close()
    files = FontFiles(FileCache(disk.folder), downloader=Downloader(allow_private=True))
    assert files.fetch(web.url("/a.ttf")).cached
    with pytest.raises(UserError, match="Read-only file system"):
        files.fetch(web.url("/b.ttf"))
    said: list[str] = []
    sheets = PreparedCache(disk.folder / "prepared", SPEC, notice=said.append)
    sheets.put("b", 0, PREPARED)
    sheets.put("c", 0, PREPARED)
    assert sheets.get("a", 0) == PREPARED
    [sentence] = said
    assert "Read-only file system" in sentence


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    said: list[str] = []
    sheets = PreparedCache(tmp_path / "prepared", SPEC, notice=said.append)
    with limited(resource.RLIMIT_FSIZE, 1000):
        with pytest.raises(UserError, match="cannot be used: File too large"):
            cache.store("key", bytes(2000), origin="test")
        sheets.put("a", 0, PREPARED)
    assert len(said) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_too_many_open_files_are_no_fonts_fault(tmp_path: Path, files: FontFiles) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(b"a font")
    with (
        limited(resource.RLIMIT_NOFILE, 3),
        pytest.raises(UserError, match=r"font.ttf: Too many open files. No font is to blame"),
    ):
        files.fetch(path.as_uri())
    path.unlink()
    with pytest.raises(FontError):
        files.fetch(path.as_uri())


def test_a_cache_folder_that_is_none_is_a_sentence(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DATABASE_URL", database.conninfo)
    monkeypatch.setenv("FONTSIGHT_CACHE_DIR", str(tmp_path / "file"))
    done = CliRunner().invoke(main, ["backfill"])
    assert done.exit_code == 1
    assert "cannot be used: Not a directory." in done.stderr
    assert "set FONTSIGHT_CACHE_DIR" in done.stderr


def test_npm_without_room_is_no_packages_fault(tmp_path: Path) -> None:
    program = tmp_path / "npm"
    program.write_text("""#!/bin/sh\necho '{"error": {"code": "ENOSPC"}}'\nexit 1\n""")
    program.chmod(0o755)
    with pytest.raises(UserError, match=r"could not write into the cache \(ENOSPC\)"):
        Npm(program=str(program)).resolve("@fontsource/abel", "latest", tmp_path)


def test_npm_that_does_not_say_why_it_failed_may_have_had_no_room(
    tmp_path: Path, disk: Disk
) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    npm, cache = Npm(program=str(program)), FileCache(disk.folder)
    with (
        pytest.raises(UserError, match="used: No space left on device"),
        cache.scratch() as scratch,
    ):
        npm.resolve("@fontsource/abel", "latest", scratch)
    assert disk.left() == []
    disk.grow()
    with pytest.raises(FontError, match="no code given"), cache.scratch() as scratch:
        npm.resolve("@fontsource/abel", "latest", scratch)


def test_left_over_sheets_of_killed_runs_are_swept_after_a_day(tmp_path: Path) -> None:
    PreparedCache(tmp_path, SPEC).put("a", 0, PREPARED)
    old, new = tmp_path / "tmp" / "old.part", tmp_path / "tmp" / "new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = new.stat().st_mtime - LEFTOVER_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    assert PreparedCache(tmp_path, SPEC).get("a", 0) == PREPARED
    assert not old.exists()
    assert new.exists()


def test_no_path_of_this_machine_is_in_what_a_font_is_blamed_for() -> None:
    error = FileNotFoundError(2, "No such file or directory", "/home/someone/.cache/blob")
    assert (
        describe(error, "render").message == "The font cannot be used: No such file or directory."
    )
