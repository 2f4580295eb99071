"""A folder of fonts that nobody vouches for: opened within limits, and imported some families at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from eval.fonts.parametric import ParametricFont
from indexer.bounded import FontProcesses
from indexer.catalog import directory, rows
from indexer.catalog.directory import Directory
from indexer.cli import main
from indexer.database.connect import Connection, Database
from indexer.job.ahead import Preparer
from tests.fix_bounded import MIB, bomb
from tests.fix_cli import font_folder

ROWS = "select name, category, tags, files, coverage::text, styles from public.fonts order by name"


def test_a_bomb_is_skipped_with_its_reason_and_opened_in_no_process_but_its_own(
    two_processes: FontProcesses, tmp_path: Path
) -> None:
    folder = font_folder(tmp_path / "fonts", 2)
    bomb(folder / "bomb.woff2", 640)
    before = psutil.Process().memory_info().rss
    found = Directory(folder, two_processes)
    names = [family.name for batch in found.batches() for family in batch]
    assert names == ["Family 0", "Family 1"]
    assert [(one.path, one.reason) for one in found.problems] == [
        ("bomb.woff2", "The font needs more memory than is allowed.")
    ]
    assert psutil.Process().memory_info().rss - before < 100 * MIB


def test_an_import_that_is_stopped_keeps_what_it_has_and_the_next_does_the_rest(
    connection: Connection,
    two_processes: FontProcesses,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(directory, "BATCH", 2)
    folder = font_folder(tmp_path / "fonts", 5)
    elsewhere = folder / "more"  # a family is whole before it is inserted, wherever its files are
    elsewhere.mkdir()
    (elsewhere / "9.ttf").write_bytes((folder / "0.ttf").read_bytes())
    stopped = Directory(folder, two_processes).batches()
    assert rows.add(connection, next(stopped)) == rows.Added(new=2, updated=0, unchanged=0)
    first = connection.execute(ROWS).fetchall()
    for batch in Directory(folder, two_processes).batches():
        rows.add(connection, batch)
    after = connection.execute(ROWS).fetchall()
    assert after[:2] == first
    connection.execute("delete from public.fonts")
    for batch in Directory(folder, two_processes).batches():
        rows.add(connection, batch)
    assert connection.execute(ROWS).fetchall() == after
    assert len(after) == 5


def test_files_whose_names_are_not_utf8_are_imported_and_indexed(
    connection: Connection,
    two_processes: FontProcesses,
    tmp_path: Path,
    make_preparer: Callable[[], Preparer],
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/fonts/caf\xe9 \xff.ttf"))
    path.parent.mkdir()
    path.write_bytes(ParametricFont().build())
    for batch in Directory(path.parent, two_processes).batches():
        rows.add(connection, batch)
    row = connection.execute("select files ->> '400' from public.fonts").fetchone()
    assert row and row[0].endswith("/caf%E9%20%FF.ttf")
    with make_preparer() as preparer:
        assert preparer.sheet(row[0]).startswith(b"\x89PNG")


def test_for_a_database_of_ones_own_the_import_names_the_variable(
    database: Database, tmp_path: Path
) -> None:
    folder = font_folder(tmp_path / "fonts", 1)
    environment = {
        "DATABASE_URL": database.conninfo,
        "FONTSIGHT_DATA_DIR": str(tmp_path / "data"),
        "FONTSIGHT_FONT_DIRS": "",
    }
    run = CliRunner().invoke
    done = run(main, ["import", "directory", str(folder)], env=environment)
    assert done.exit_code == 0 and "1 new" in done.stdout
    assert f"FONTSIGHT_FONT_DIRS={folder}" in done.stderr
    assert not (tmp_path / "data").exists()
    environment["FONTSIGHT_FONT_DIRS"] = str(folder)
    done = run(main, ["import", "directory", str(folder)], env=environment)
    assert done.exit_code == 0 and "FONTSIGHT_FONT_DIRS" not in done.stderr
