"""The built package works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from indexer.database.connect import Database

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_carries_sql_migrations_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for top in ("sql", "migrations/versions"):
        for path in (ROOT / top).iterdir():
            if path.is_file():
                assert f"indexer/{top}/{path.name}" in names
    assert {"indexer/embed/measured/lexicon.toml", "indexer/templates/demo.html.j2"} <= names
    page = ROOT / "indexer/serve/page"
    assert {f"indexer/serve/page/{path.name}" for path in page.iterdir()} <= names
    assert "eval/fonts/parametric.py" in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


@pytest.mark.slow
def test_the_installed_wheel_migrates_and_answers(
    wheel: Path, empty_database: Database, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    environment = {
        **os.environ, "PYTHONPATH": str(site), "DATABASE_URL": empty_database.conninfo
    }  # fmt: skip

    def run(*command: str) -> str:
        return subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, check=True,
            capture_output=True, text=True,
        ).stdout  # fmt: skip

    assert str(site) in run("-c", "import indexer; print(indexer.__file__)")
    assert "Migrated" in run("-m", "indexer", "migrate")
    assert "fonts: 0" in run("-m", "indexer", "status")
