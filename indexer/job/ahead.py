"""Preparing fonts ahead of the embedder: threads fetch, processes render."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from indexer.bounded import FontProcesses
from indexer.catalog.facts import Facts, union
from indexer.errors import FontError, UserError
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.fetch.folders import file_name
from indexer.fontfile import describe
from indexer.job.pending import Claim
from indexer.job.prepare import Prepared, PreparedCache, facts_of_file, nothing, prepare_file
from indexer.job.store import SeenFile
from indexer.machine import TOO_MANY, of_the_machine, reason, stopped
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec

MAX_FILES = 100  # of a family, that are opened for facts about it
MAX_SECONDS_PER_FONT = 60  # an ordinary font takes a fifth of a second


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What preparing one claimed font came to."""

    claim: Claim
    file: SeenFile | None = None  # None where it could not be fetched, or is not needed
    prepared: Prepared | None = None  # None where it failed, or is not needed
    error: FontError | None = None


class Preparer:
    """Prepares a stream of fonts, some of them ahead of the one that is asked for.

    A font that crashes its process, or exceeds the time or memory limit, yields a FontError; the
    others are not touched by it.
    """

    def __init__(
        self,
        files: FontFiles,
        spec: SheetSpec,
        cache: PreparedCache,
        *,
        processes: int | None = None,
    ) -> None:
        self._files = files
        self._spec = spec
        self._cache = cache
        wanted = processes or max(1, (os.cpu_count() or 2) - 1)
        self._pool = FontProcesses(wanted, seconds=MAX_SECONDS_PER_FONT)
        self.processes = self._pool.count
        self._threads = ThreadPoolExecutor(self.processes + 4, thread_name_prefix="fetch")

    @classmethod
    def from_settings(
        cls, settings: Settings, files: FontFiles, *, processes: int | None = None
    ) -> Self:
        """Of this version's ordinary sheets, kept in the cache folder."""
        spec = SheetSpec()
        cache = PreparedCache(settings.cache_dir / "prepared", spec, notice=files.notice)
        return cls(files, spec, cache, processes=processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        self._pool.close(now=kind is not None)

    def warm_up(self) -> None:
        """Start all processes now, and not with the first fonts."""
        for ready in [self._pool.submit(nothing) for _ in range(self.processes)]:
            ready.result()

    def outcomes(self, claims: Iterable[Claim], *, ahead: int) -> Iterator[Outcome]:
        """One outcome per claim, as they come: a font that takes seconds holds nobody up.

        Up to `ahead` claims are taken before they are needed.
        """
        waiting: set[Future[Outcome]] = set()
        for claim in claims:
            waiting.add(self._threads.submit(self._outcome, claim))
            while len(waiting) > ahead:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for outcome in done:
                    yield outcome.result()
        for outcome in as_completed(waiting):
            yield outcome.result()

    def sheet(self, url: str) -> bytes:
        """The glyph sheet (PNG) of the font file at an address. Raises FontError."""
        return self._prepare(self._files.fetch(url)).sheet

    def facts(self, families: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Facts | FontError]:
        """Of each family (name, file addresses) what its files tell, in order.

        FontError where none of them can be had now.
        """
        names, addresses = zip(*families, strict=True)
        return self._threads.map(self._family, names, addresses)

    def _outcome(self, claim: Claim) -> Outcome:
        file: SeenFile | None = None
        try:
            if claim.url is None:
                raise FontError("fetch", "The font has no file address in fonts.files.")
            fetched = self._files.fetch(claim.url)
            if claim.file_sha256 not in (None, fetched.sha256):
                # another host has seen newer bytes than our cache holds
                fetched = self._files.fetch(claim.url, refresh=True)
            file = seen(claim.url, fetched)
            return Outcome(claim=claim, file=file, prepared=self._prepare(fetched))
        except UserError:  # nothing can be fetched by anyone: no font is to blame
            raise
        except Exception as error:  # noqa: BLE001 - libraries raise anything on hostile bytes
            return Outcome(claim=claim, file=file, error=_to_blame(error))

    def _prepare(self, fetched: FetchedFile) -> Prepared:
        known = self._cache.get(fetched.sha256, fetched.face_index)
        if known is not None:
            return known
        with _readable(fetched):
            prepared = self._pool.call(
                prepare_file, fetched.path, fetched.sha256, fetched.face_index, self._spec
            )
        self._cache.put(fetched.sha256, fetched.face_index, prepared)
        return prepared

    def _family(self, name: str, urls: Sequence[str]) -> Facts | FontError:
        faces: list[Facts] = []
        troubles: list[FontError] = []
        for url in urls[:MAX_FILES]:
            try:
                file = self._files.fetch(url)
                with _readable(file):
                    faces.append(self._pool.call(facts_of_file, file.path, file.face_index, name))
            except UserError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                # what a file does not tell is unknown; a font's failures are those of its vector
                troubles.append(_to_blame(error))
        if troubles and not faces and all(trouble.stage == "fetch" for trouble in troubles):
            return troubles[0]
        return union(name, faces)


@contextmanager
def _readable(fetched: FetchedFile) -> Iterator[None]:
    """Inside, a file of the user's own that is gone or closed is the font's matter."""
    try:
        yield
    except OSError as error:
        its_own = of_the_machine(error) and error.errno not in TOO_MANY
        if not its_own or fetched.origin != "file":
            raise
        message = f"{file_name(fetched.path)} cannot be read: {reason(error)}."
        raise FontError("fetch", message) from error


def _to_blame(error: Exception) -> FontError:
    """What the font is to blame for. Raises UserError where it is this machine."""
    if isinstance(error, OSError) and of_the_machine(error):
        raise stopped(error) from error
    return error if isinstance(error, FontError) else describe(error, "render")


def seen(url: str, fetched: FetchedFile) -> SeenFile:
    return SeenFile(url=url, sha256=fetched.sha256, size=fetched.size, origin=fetched.origin)
