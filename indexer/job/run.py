"""One space brought up to date: claim, prepare ahead, embed in batches, save each beside the next."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from itertools import chain, islice
from uuid import UUID

import psycopg

from indexer.database.connect import Connection
from indexer.embed.protocol import Embedder, Vector
from indexer.errors import FontError
from indexer.job.ahead import Outcome, Preparer
from indexer.job.embedding import embed_each
from indexer.job.heartbeat import Heartbeat, abandoned
from indexer.job.pending import EVERYTHING, Claim, Selection, outstanding
from indexer.job.progress import Progress
from indexer.job.saving import Batch, Saved
from indexer.job.store import JobRun, tidy
from indexer.job.writers import Writers
from indexer.spaces import Space

BATCH = 32  # fonts of a claim and of a transaction, at most
BATCHES_AHEAD = 2  # fetched and rendered, for each call of the embedder that may run at once


def index(
    connection: Connection,
    space: Space,
    embedder: Embedder,
    preparer: Preparer | None,
    *,
    selection: Selection = EVERYTHING,
    limit: int | None = None,
    show: Callable[[Progress], None] = lambda progress: None,
    progress: Progress | None = None,
    before: Callable[[list[Claim]], None] = lambda work: None,
) -> Progress:
    """Bring the vectors of a space up to date.

    Each batch is one transaction of vectors and bookkeeping: killed at any moment, the next run
    does the rest. Fonts that cannot be indexed are recorded and the run goes on. `preparer` is
    needed where the space has a sheet. A `progress` that is given is continued: its fonts count
    towards `limit`. `before` is called with the fonts before the first is embedded, and may refuse
    them. Raises EmbedderUnavailable, TooManyFailed, UserError where this machine fails, and what the
    database raises; the run's row then says that it failed.
    """
    progress = Progress() if progress is None else progress
    tidy(connection)
    rounds = _rounds(connection, space, selection, limit, progress)
    first = next(rounds, None)
    if first is None:
        return progress
    before(first)
    embedder.start(len(first))
    run = JobRun.start(connection, space, _versions())
    earlier, seconds = progress.counts() | {"pending": progress.done}, dict(progress.seconds)

    def finish(outcome: str) -> None:
        """With what this run has done, not the one before it that lost its connection."""
        counts = {name: count - earlier[name] for name, count in progress.counts().items()}
        timings = {stage: value - seconds[stage] for stage, value in progress.seconds.items()}
        run.finish(outcome, counts, timings)

    try:
        with (
            Heartbeat(connection, run.id) as heartbeat,
            Writers(
                run, partial(_saved, progress, heartbeat), overwrite=selection.overwrite
            ) as writers,
        ):
            show(progress)
            for work in chain([first], rounds):
                size = min(embedder.batch_size, BATCH)
                claims = _claims(run, work, selection, size)
                outcomes = (
                    preparer.outcomes(claims, ahead=BATCHES_AHEAD * size * embedder.parallel)
                    if preparer
                    else (Outcome(claim=claim) for claim in claims)
                )
                prepared = _batches(_beating(outcomes, heartbeat), size, progress)
                batches = (Batch.of(space, fonts) for fonts in prepared)
                for batch, vectors in _embedded(embedder, batches, progress):
                    heartbeat.progressed()
                    with progress.timed("save"):
                        writers.save(batch, vectors)
                    progress.require_success()
                    show(progress)
                while _waited(writers, progress):  # a further round looks at what is saved
                    progress.require_success()
                    show(progress)
    except BaseException as error:
        outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(psycopg.Error):  # the database is gone: the leases expire
            finish(outcome)
        raise
    finish("finished")
    return progress


def _rounds(
    connection: Connection,
    space: Space,
    selection: Selection,
    limit: int | None,
    progress: Progress,
) -> Iterator[list[Claim]]:
    """The fonts that need work; then, in further rounds, those that runs held which have died."""
    tried: set[UUID] = set()
    while True:
        found = [f for f in outstanding(connection, space, selection) if f.font_id not in tried]
        room = None if limit is None else limit - progress.done
        work = [font for font in found if font.workable][:room]
        progress.pending = progress.done + len(work)
        progress.held = Counter(font.reason for font in found if not font.workable)
        if work:
            yield work
        tried.update(font.font_id for font in work)
        leased = [font.font_id for font in found if font.reason == "leased"]
        if progress.done == limit or not (leased and abandoned(connection, space, leased)):
            return


def _claims(run: JobRun, work: Sequence[Claim], selection: Selection, size: int) -> Iterator[Claim]:
    """The fonts of `work` that this run got, leased a batch at a time, as they are asked for."""
    for start in range(0, len(work), size):
        yield from run.claim(work[start : start + size], selection)


def _beating(outcomes: Iterable[Outcome], heartbeat: Heartbeat) -> Iterator[Outcome]:
    for outcome in outcomes:
        heartbeat.progressed()
        yield outcome


def _batches(outcomes: Iterator[Outcome], size: int, progress: Progress) -> Iterator[list[Outcome]]:
    while True:
        with progress.timed("prepare"):
            batch = list(islice(outcomes, size))
        if not batch:
            return
        yield batch


def _saved(progress: Progress, heartbeat: Heartbeat, saved: Saved) -> None:
    heartbeat.progressed()
    progress.embedded += saved.embedded
    progress.failures += [error for _, error in saved.failed]
    progress.failed_at_first += sum(font.claim.reason != "retry" for font, _ in saved.failed)


def _waited(writers: Writers, progress: Progress) -> bool:
    with progress.timed("save"):
        return writers.wait()


def _embedded(
    embedder: Embedder, batches: Iterator[Batch], progress: Progress
) -> Iterator[tuple[Batch, list[Vector | FontError]]]:
    """Batches with their vectors, as they come."""
    if embedder.parallel == 1:
        for batch in batches:
            with progress.timed("embed"):
                vectors = embed_each(embedder, batch.documents)
            yield batch, vectors
        return
    pool = ThreadPoolExecutor(embedder.parallel, thread_name_prefix="embed")
    running: dict[Future[list[Vector | FontError]], Batch] = {}
    try:
        for batch in batches:
            running[pool.submit(embed_each, embedder, batch.documents)] = batch
            while len(running) >= embedder.parallel:
                yield from _finished(running, progress)
        while running:
            yield from _finished(running, progress)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # closing the embedder ends what still runs


def _finished(
    running: dict[Future[list[Vector | FontError]], Batch], progress: Progress
) -> Iterator[tuple[Batch, list[Vector | FontError]]]:
    with progress.timed("embed"):
        done = wait(running, return_when=FIRST_COMPLETED).done
    for future in done:
        yield running.pop(future), future.result()


def _versions() -> dict[str, str]:
    packages = ("fontsight", "pillow", "fonttools", "numpy", "psycopg")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
