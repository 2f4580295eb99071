"""A bar with rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from tqdm import tqdm

from indexer.cli.common import notice
from indexer.job import Report

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown(label: str) -> Iterator[Callable[[Report], None]]:
    """Yields what the job calls after each step. A job without work shows nothing."""
    if not sys.stderr.isatty():
        yield _Lines(label)
        return
    with ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def show(report: Report) -> None:
            if not bars:
                bar = tqdm(desc=label, unit="font", total=report.pending, dynamic_ncols=True)
                bars.append(stack.enter_context(bar))
            bars[0].set_postfix(failed=report.failed, refresh=False)
            bars[0].update(report.embedded + report.failed - bars[0].n)

        yield show


class _Lines:
    def __init__(self, label: str) -> None:
        self._label = label
        self._begin = self._said = time.monotonic()

    def __call__(self, report: Report) -> None:
        now, done = time.monotonic(), report.embedded + report.failed
        if not done or (now - self._said < SECONDS_BETWEEN_LINES and done < report.pending):
            return
        self._said = now
        rate = done / max(now - self._begin, 1e-6)
        left = (report.pending - done) / rate
        notice(
            f"{self._label}: {done}/{report.pending} fonts, {report.failed} failed, "
            f"{rate:.1f} fonts/s, {left:.0f} s left"
        )
