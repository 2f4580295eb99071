"""Every command of the README is run, here or in .ci/run, and every command is in the README."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from eval.cli import main as evaluation
from eval.fonts.parametric import ParametricFont
from indexer.cli import main
from indexer.cli.commands import DONE_WITH_FAILURES
from indexer.database.connect import Database
from indexer.settings import Settings
from tests.fix_cli import command_here
from tests.fix_embedding_service import Service, listing

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
# in a fresh virtual environment, by .ci/run
IN_CI = {
    "pip install -e '.[test]'",
    "pytest",
    "pytest --db=testcontainers",
    "pytest --db=embedded-16",
    "pip install -e '.[test-vl]'",
    "pytest -m model",
}
ELSEWHERE = {
    "pip install -e .": "tests/test_wheel.py installs the package alone",
    "indexer demo --serve": "tests/test_demo.py",
    "pip install -e '.[serve]'": ".ci/run installs the extra test, which contains it",
    "indexer serve": "tests/test_serve_cli.py; it does not end by itself",
    "indexer watch": "tests/test_watch.py; it does not end by itself",
    "pip install -e '.[vl]'": ".ci/run installs the extra test-vl, which contains it",
    "pip install -e '.[eval]'": ".ci/run installs the extra test, which contains it",
    'pytest -n 2 -m "not slow"': "part of pytest",
    "python -m eval bench embed --sheets 4 --rounds 1 --width 256 --height 128": "tests/test_bench_embed.py",
    "python -m eval bench job --fonts 4 --rounds 1 --width 256 --height 128": "tests/test_bench_embed.py",
    "python -m eval bench serve --seconds 0.5 --rounds 1 --rows 200": "tests/test_bench_serve.py",
    "python -m eval bench storage --rows 200": "tests/test_flops.py",
    "docker compose up --wait": "tests/test_deploy.py; its images cannot be pulled everywhere",
}


# in this process, where the model's packages are imported and a card's process is a fork; that they
# work in processes of their own is seen in tests/test_qwen_cli.py and tests/test_mcp.py
HEAVY = (
    "indexer backfill", "indexer sync", "indexer search", "indexer embed", "indexer doctor",
    "python -m eval bench",
)  # fmt: skip


def test_every_command_of_the_indexer_is_in_the_readme() -> None:
    missing = [name for name in main.commands if f"indexer {name}" not in "\n".join(COMMANDS)]
    assert missing == []


def test_ci_runs_the_commands_that_it_is_said_to_run() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in (
        "pip install --quiet -e '.[test]'", " pytest -n 2\n", "--db=embedded-16",
        "--db=testcontainers",
    ):  # fmt: skip
        assert command in script


@pytest.mark.slow
@pytest.mark.network
def test_the_commands_of_the_readme_work_in_its_order(
    empty_database: Database,
    tmp_path: Path,
    npm_registry_answers: None,
    checkpoint_folder: Path,
    service: Service,
    data_folder: Path,
) -> None:
    from indexer.embed.qwen.checkpoint import find

    model = find(str(checkpoint_folder)).model()
    service.models = [listing({"id": model.name, "space_model": asdict(model)})]
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    (fonts / "font.ttf").write_bytes(ParametricFont().build())
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "FONTSIGHT_DATA_DIR": str(data_folder),  # of the evaluation's own database
        "FONTSIGHT_CACHE_DIR": str(Settings().cache_dir),  # what was fetched once is not again
        "DATABASE_URL": empty_database.conninfo,
        # in place of a model and a card that no test can have
        "FONTSIGHT_VL_EMBEDDER": str(checkpoint_folder),
        "FONTSIGHT_VL_DEVICES": "cpu",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(command: str) -> subprocess.CompletedProcess[str]:
        if command.startswith(HEAVY):
            words = [word.replace("~", str(tmp_path)) for word in shlex.split(command)]
            if words[0] == "indexer":
                return command_here(main, "indexer", words[1:], tmp_path, environment)
            assert words[:3] == ["python", "-m", "eval"]
            return command_here(evaluation, "eval", words[3:], tmp_path, environment)
        return subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=300, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    said: dict[str, str] = {}
    here = [command for command in COMMANDS if command not in IN_CI | ELSEWHERE.keys()]
    for written in here:
        command = written
        if command.startswith("export DATABASE_URL="):
            continue  # the address of this test's database stands in for it
        if command.startswith("export VL_EMBEDDING_URL="):
            environment["VL_EMBEDDING_URL"] = service.url
            continue
        if command.startswith("indexer spaces activate"):
            listed = said["indexer spaces list"].splitlines()
            candidate = next(line for line in listed if "candidate" in line)
            command = f"indexer spaces activate {candidate.split()[0]}"
        begin = time.monotonic()
        done = run(command)
        print(f"{time.monotonic() - begin:5.1f} s  {command}")
        if done.returncode == DONE_WITH_FAILURES and command.startswith(
            ("indexer backfill", "indexer sync")
        ):
            # a registry that lacks some families is no fault of the command: it must say just that
            failures = json.loads(run("indexer status --json").stdout)["failures"]
            assert failures
            assert all("npm knows no package" in failure["error"] for failure in failures)
        else:
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said[command] = done.stdout
    assert (tmp_path / "fontsight.sql").read_text().startswith("-- Run this with psql")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert "files:" in said["indexer sync"]
    remote = said["indexer backfill --vl-embedder remote --dry-run"]
    assert f"into {model.name}" in remote


def test_all_shell_lines_parse() -> None:
    assert COMMANDS
    for command in COMMANDS:
        shlex.split(command)
