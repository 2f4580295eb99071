"""The command `indexer` in a process of its own, and a folder of fonts for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fontTools.ttLib import TTFont

from eval.fonts.parametric import ParametricFont

Indexer = Callable[..., subprocess.CompletedProcess[str]]


def runner(home: Path, **environment: str) -> Indexer:
    def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if "EMBEDDING" not in key}
        done = subprocess.run(
            [sys.executable, "-m", "indexer", *arguments],
            env={**clean, "FONTSIGHT_CACHE_DIR": str(home / "cache"), **environment},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


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
