"""A bar with rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

from indexer.cli.common import notice
from indexer.job import Report

SECONDS_BETWEEN_LINES = 10.0


class Show(Protocol):
    def __call__(self, report: Report) -> None: ...


@contextmanager
def shown(label: str) -> Iterator[Show]:
    """Yields what the job calls after each step."""
    if not sys.stderr.isatty():
        yield _Lines(label)
        return
    bar = tqdm[None](desc=label, unit="font", dynamic_ncols=True, file=sys.stderr, delay=0.5)

    def show(report: Report) -> None:
        bar.total = report.pending
        bar.set_postfix(failed=report.failed, refresh=False)
        bar.update(report.embedded + report.failed - bar.n)

    with bar:
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
