"""The command `indexer`, in this process or in one of its own, and a folder of fonts for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
from click.testing import CliRunner
from fontTools.ttLib import TTFont

from eval.fonts.parametric import ParametricFont
from indexer.cli import main

Done = subprocess.CompletedProcess[str]
Indexer = Callable[..., Done]


def runner(home: Path, **environment: str) -> Indexer:
    """The command in this process: its imports are done, and what runs on a Postgres finds it up."""
    return _runner(_here, home, environment)


def process_runner(home: Path, **environment: str) -> Indexer:
    """The command as a person starts it."""
    return _runner(_in_a_process, home, environment)


def _runner(invoke: Callable[..., Done], home: Path, environment: Mapping[str, str]) -> Indexer:
    def run(*arguments: str, expect: int = 0) -> Done:
        clean = {key: value for key, value in os.environ.items() if "EMBEDDING" not in key}
        cache = {"FONTSIGHT_CACHE_DIR": str(home / "cache")}
        done = invoke(arguments, home, {**clean, **cache, **environment})
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def _here(arguments: Sequence[str], home: Path, environment: Mapping[str, str]) -> Done:
    return command_here(main, "indexer", arguments, home, environment)


def command_here(
    command: click.Command,
    name: str,
    arguments: Sequence[str],
    home: Path,
    environment: Mapping[str, str],
) -> Done:
    """A command line in this process, with that environment and no other."""
    gone: dict[str, str | None] = dict.fromkeys(os.environ.keys() - environment.keys())
    at_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.chdir(home):
            result = CliRunner(catch_exceptions=False).invoke(
                command, arguments, env={**gone, **environment}, prog_name=name
            )
    finally:
        signal.signal(signal.SIGTERM, at_sigterm)
    return Done([name, *arguments], result.exit_code, result.stdout, result.stderr)


def _in_a_process(arguments: Sequence[str], home: Path, environment: Mapping[str, str]) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "indexer", *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def font_folder(folder: Path, count: int = 5) -> Path:
    """Families of their own names, as files in every container."""
    folder.mkdir()
    for number in range(count):
        flavor = (None, "woff", "woff2")[number % 3]
        path = folder / f"{number}.{flavor or 'ttf'}"
        path.write_bytes(ParametricFont(contrast=0.15 * number, serifs=0.3 * (number % 2)).build())
        font = TTFont(path)
        font["name"].setName(f"Family {number}", 1, 3, 1, 0x409)
        font.flavor = flavor
        font.save(path)
    return folder
