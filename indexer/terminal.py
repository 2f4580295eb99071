"""What a person sees while a command works, on stderr: notices, and how far a run has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

import click
from tqdm import tqdm

from indexer.job.progress import Progress

SECONDS_BETWEEN_LINES = 10.0


def notice(message: str) -> None:
    click.echo(message, err=True)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[Progress], None]]:
    """Yields what the job calls after each step. A job without work shows nothing.

    On a terminal it is a bar with rate and time left, elsewhere a line now and then.
    """
    if not sys.stderr.isatty():
        yield _Lines(label)
        return
    with ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def show(progress: Progress) -> None:
            if not bars:
                bar = tqdm(desc=label, unit="font", total=progress.pending, dynamic_ncols=True)
                bars.append(stack.enter_context(bar))
            bars[0].set_postfix(failed=progress.failed, refresh=False)
            bars[0].update(progress.embedded + progress.failed - bars[0].n)

        yield show


class _Lines:
    def __init__(self, label: str) -> None:
        self._label = label
        self._begin = self._said = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now, done = time.monotonic(), progress.embedded + progress.failed
        if not done or (now - self._said < SECONDS_BETWEEN_LINES and done < progress.pending):
            return
        self._said = now
        rate = done / max(now - self._begin, 1e-6)
        left = (progress.pending - done) / rate
        notice(
            f"{self._label}: {done}/{progress.pending} fonts, {progress.failed} failed, "
            f"{rate:.1f} fonts/s, {left:.0f} s left"
        )
