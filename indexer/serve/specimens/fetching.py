"""Font files for visitors: at once where the cache has them, else fetched by a few threads, each once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from indexer.errors import FontError, UserError
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.fontfile import describe
from indexer.machine import MachineError
from indexer.serve.refusals import Refusal

LOOKUPS = 4  # at once: they read and hash a file
FETCHES = 4  # at once
MAX_FETCHING = 64  # under way or waiting
MAX_WAIT_SECONDS = 15.0  # of a request; the fetch goes on
FAILURE_SECONDS = 60.0  # in which an address that failed is not asked again
MAX_FAILURES = 1000


class Fetching:
    """Thread-safe. Raises FontError for a file that is not available, and Refusal where it takes too long."""

    def __init__(self, files: FontFiles) -> None:
        self._files = files
        self._lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")
        self._fetches = ThreadPoolExecutor(FETCHES, thread_name_prefix="fetch")
        self._guard = Lock()
        self._under_way: dict[str, Future[FetchedFile]] = {}
        self._failures: OrderedDict[str, tuple[float, FontError]] = OrderedDict()

    def close(self) -> None:
        for threads in (self._lookups, self._fetches):
            threads.shutdown(wait=False, cancel_futures=True)

    async def file(self, url: str) -> FetchedFile:
        """The file behind an address of fonts.files, as the job fetches it."""
        here = await asyncio.wrap_future(self._lookups.submit(self._files.cached, url))
        if here is not None:
            return here
        fetch = asyncio.wrap_future(self._fetch(url))
        # a caller who left does not look at it, and asyncio would complain
        fetch.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({fetch}, timeout=MAX_WAIT_SECONDS)
        if not done:
            raise Refusal(
                503, "The font's file is still being fetched. Try again soon.", retry_after_s=5
            )
        try:
            return fetch.result()
        except (FontError, MachineError):
            raise
        except UserError as error:  # no file can be fetched now
            raise Refusal(503, str(error), retry_after_s=60) from None

    def _fetch(self, url: str) -> Future[FetchedFile]:
        """The one fetch of an address that is under way."""
        with self._guard:
            until, failure = self._failures.get(url, (0.0, None))
            if failure is not None and time.monotonic() < until:
                raise FontError(failure.stage, failure.message)
            if url in self._under_way:
                return self._under_way[url]
            if len(self._under_way) >= MAX_FETCHING:
                raise Refusal(
                    429, "Too many font files are being fetched. Try again.", retry_after_s=2
                )
            future = self._under_way[url] = self._fetches.submit(self._fetched, url)
        return future

    def _fetched(self, url: str) -> FetchedFile:
        try:
            return self._files.fetch(url)
        except UserError:
            raise
        except Exception as error:
            bad = error if isinstance(error, FontError) else describe(error, "fetch")
            with self._guard:
                self._failures[url] = (time.monotonic() + FAILURE_SECONDS, bad)
                while len(self._failures) > MAX_FAILURES:
                    self._failures.popitem(last=False)
            raise bad from error
        finally:
            with self._guard:
                self._under_way.pop(url, None)
