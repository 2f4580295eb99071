"""Saving beside embedding: threads with connections of their own, each batch one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from queue import Empty, LifoQueue
from types import TracebackType
from typing import Self

import psycopg

from indexer.database.connect import address_of, connect_again, end, register_vectors
from indexer.embed.protocol import Vector
from indexer.errors import FontError
from indexer.job.saving import Batch, Saved, save
from indexer.job.store import JobRun

# A job holds five connections at most: its main one, the heartbeat's, and these. An insertion into the
# index keeps a core of the server busy: see `python -m eval bench write`.
WRITERS = 3
IN_HAND = 2  # batches of a writer, the one that it saves included
GRACE = 10.0  # seconds for what is being saved when the run ends by an error


class WriterLost(psycopg.OperationalError):
    """The connection of a writer cannot be had, or was ended by the server."""


class Writers:
    """Saves batches, in any order. To be entered; leaving it ends it, after what it was given.

    A connection is opened when all others are busy, so that a slow embedder needs one. `saved` is
    called in the thread that calls, with what became of each batch.
    """

    def __init__(
        self,
        run: JobRun,
        saved: Callable[[Saved], None],
        *,
        overwrite: bool = False,
        count: int = WRITERS,
    ) -> None:
        self._run = run
        self._saved = saved
        self._overwrite = overwrite
        self._most = IN_HAND * count
        self._address = address_of(run.connection)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="write")
        self._running: set[Future[Saved]] = set()
        self._opened: list[JobRun] = []
        self._idle: LifoQueue[JobRun] = LifoQueue()

    def save(self, batch: Batch, vectors: Sequence[Vector | FontError]) -> None:
        """Returns before the batch is saved, unless many wait for it.

        Raises what saving another one raised: WriterLost, psycopg.Error.
        """
        self._collect(timeout=0)
        while len(self._running) >= self._most:
            self._collect()
        self._running.add(self._threads.submit(self._save, batch, vectors))

    def wait(self) -> bool:
        """Until another batch is saved; False where none is under way. Raises as `save` does."""
        if not self._running:
            return False
        self._collect()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                while self.wait():
                    pass
        finally:
            self._end()

    def _collect(self, timeout: float | None = None) -> None:
        for future in wait(self._running, timeout, return_when=FIRST_COMPLETED).done:
            self._running.remove(future)
            self._saved(future.result())

    def _end(self) -> None:
        """What was embedded is paid for: it is saved, if the database does not take too long."""
        if wait(self._running, GRACE).not_done:
            for run in self._opened:
                end(run.connection)
        self._threads.shutdown(cancel_futures=True)
        for future in self._running:
            if not future.cancelled() and future.exception() is None:
                self._saved(future.result())
        for run in self._opened:
            run.connection.close()

    def _save(self, batch: Batch, vectors: Sequence[Vector | FontError]) -> Saved:
        run = self._open()
        try:
            return save(run, batch, vectors, overwrite=self._overwrite)
        except psycopg.OperationalError as error:
            if run.connection.closed:
                raise WriterLost(str(error)) from error
            raise
        finally:
            self._idle.put(run)

    def _open(self) -> JobRun:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        try:
            connection = connect_again(self._address)
        except psycopg.OperationalError as error:
            raise WriterLost(str(error)) from error
        run = replace(self._run, connection=connection)
        self._opened.append(run)
        register_vectors(connection)
        return run
