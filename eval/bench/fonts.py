"""How long a font takes: its traits, and its sheet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from indexer.catalog.faces import SUFFIXES
from indexer.errors import FontError, UserError
from indexer.fontfile import open_font
from indexer.sheet.render import render_sheet
from indexer.traits.measure import measure

RUNS = 3  # the least disturbed one counts


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Seconds of processor time per font: other work on the machine does not count."""

    fonts: int
    failed: int
    median: float
    p95: float
    max: float
    slowest: str  # file name

    def __str__(self) -> str:
        return (
            f"{self.fonts} fonts, {self.failed} failed: median {self.median:.3f} s, "
            f"p95 {self.p95:.3f} s, max {self.max:.3f} s ({self.slowest})"
        )


def bench_fonts(paths: Sequence[Path]) -> dict[str, Timings]:
    """Open and measure each font, and open and render it, in one process; the best of three runs.

    Raises UserError where the paths hold no font.
    """
    files = font_files(paths)
    return {
        "traits": _time_each(files, lambda data: measure(open_font(data))),
        "sheet": _time_each(files, lambda data: render_sheet(open_font(data))),
    }


def font_files(paths: Iterable[Path]) -> list[Path]:
    """The font files given, and those in the folders given, in a fixed order."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [file for file in inside if file.suffix.lower() in SUFFIXES]
    if not found:
        raise UserError("There is no font file in the paths given (.ttf .otf .ttc .woff .woff2).")
    return found


def _time_each(files: list[Path], work: Callable[[bytes], object]) -> Timings:
    seconds, failed = [], 0
    for file in files:
        data = file.read_bytes()
        runs = [_timed(work, data) for _ in range(RUNS)]
        seconds.append(min(taken for taken, _ in runs))
        failed += not runs[0][1]
    top = max(range(len(files)), key=seconds.__getitem__)
    return Timings(
        fonts=len(files),
        failed=failed,
        median=median(seconds),
        p95=quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0],
        max=seconds[top],
        slowest=files[top].name,
    )


def _timed(work: Callable[[bytes], object], data: bytes) -> tuple[float, bool]:
    begin = time.process_time()
    try:
        work(data)
    except FontError:
        return time.process_time() - begin, False
    return time.process_time() - begin, True
