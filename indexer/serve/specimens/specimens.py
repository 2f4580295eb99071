"""Pictures and parts of fonts for visitors: made in bounded processes, kept in memory while there is room."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import PIL

from indexer.bounded import EndedByOthers, FontProcesses, LimitError
from indexer.errors import FontError, UserError
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.serve.refusals import Refusal
from indexer.serve.specimens.fetching import Fetching
from indexer.serve.specimens.opened import Face, cut_woff2, draw_sheet, draw_text, ready
from indexer.sheet.line import LINE_VERSION, SetLine, Told
from indexer.sheet.render import SheetSpec

MAX_PROCESSES = 4
# of one picture; a warm one takes some milliseconds, a large emoji font's first 6 s
MAX_SECONDS = 20.0
MAX_WAITING = 256  # pictures that wait for a process
MAX_KEPT_BYTES = 64 << 20
FAILURE_SECONDS = 60.0  # in which a font that exceeded a limit is not tried again: that takes 20 s
MAX_FAILURES = 1000
LINE_WIDTH = 2000  # CSS px, wider than what pages show of a line

Kind = Literal["text", "sheet", "woff2"]
MEDIA_TYPES: dict[Kind, str] = {"text": "image/png", "sheet": "image/png", "woff2": "font/woff2"}
VERSIONS: dict[Kind, str] = {
    "text": f"line/{LINE_VERSION} pillow/{PIL.__version__}",
    "sheet": f"{SheetSpec().identity} pillow/{PIL.__version__}",
    "woff2": "subset/1",
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One thing to make of a font, without the font."""

    kind: Kind
    make: Callable[..., SetLine | bytes]  # in a process, of a Face and the arguments
    arguments: tuple[Any, ...]

    @classmethod
    def text(cls, text: str, *, size: int, scale: float) -> Self:
        return cls(kind="text", make=draw_text, arguments=(text, size, scale, LINE_WIDTH))

    @classmethod
    def sheet(cls) -> Self:
        return cls(kind="sheet", make=draw_sheet, arguments=(SheetSpec(),))

    @classmethod
    def woff2(cls, text: str) -> Self:
        """Of one order of the characters, each once: what they make depends on nothing else."""
        return cls(kind="woff2", make=cut_woff2, arguments=("".join(sorted(set(text))),))

    def etag(self, file: FetchedFile) -> str:
        """The same for the same bytes, quoted as HTTP has it."""
        made_of = (VERSIONS[self.kind], file.sha256, file.face_index, self.arguments)
        return f'"{hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]}"'


@dataclass(frozen=True, kw_only=True)
class Specimen:
    data: bytes
    told: Told | None  # of a text: how much of it is shown


class Specimens:
    """Belongs to one event loop, and to a with block: its end ends the processes.

    What is kept here is found by the file's bytes and does not know who may see which font: callers
    read the font's row as the visitor does, with every request.
    """

    def __init__(self, files: FontFiles, *, processes: int | None = None) -> None:
        wanted = processes or min(MAX_PROCESSES, max(1, (os.cpu_count() or 2) - 1))
        self._fetching = Fetching(files)
        self._processes = FontProcesses(wanted, seconds=MAX_SECONDS)
        # one is ready for each process when it is done with its last
        self._places = asyncio.Semaphore(2 * self._processes.count)
        self._waiting = 0
        self._kept: OrderedDict[str, Specimen] = OrderedDict()
        self._kept_bytes = 0
        self._failures: OrderedDict[tuple[Kind, str, int], tuple[float, FontError]] = OrderedDict()

    def __enter__(self) -> Self:
        for _ in range(self._processes.count):  # so that the first text is as fast as the hundredth
            self._processes.submit(ready)
        return self

    def __exit__(self, *exception: object) -> None:
        self._fetching.close()
        self._processes.close(now=True)

    async def file(self, url: str) -> FetchedFile:
        """The font's file. Raises FontError (stage "fetch"), and Refusal where it takes too long."""
        return await self._fetching.file(url)

    async def make(self, file: FetchedFile, wanted: Wanted) -> Specimen:
        """Raises FontError for a font of which it cannot be made, and Refusal where too many wait."""
        key = wanted.etag(file)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        until, failure = self._failures.get(_font(file, wanted), (0.0, None))
        if failure is not None and time.monotonic() < until:
            raise FontError(failure.stage, failure.message)
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "Too many pictures are being drawn. Try again.", retry_after_s=1)
        self._waiting += 1
        try:
            made = await self._made(file, wanted)
        finally:
            self._waiting -= 1
        self._keep(key, made)
        return made

    async def _made(self, file: FetchedFile, wanted: Wanted) -> Specimen:
        try:
            made = await self._called(file, wanted)
        except EndedByOthers:
            sentence = "The processes that draw are being ended. Try again."
            raise Refusal(503, sentence, retry_after_s=5) from None
        except LimitError as failure:
            self._failures[_font(file, wanted)] = time.monotonic() + FAILURE_SECONDS, failure
            while len(self._failures) > MAX_FAILURES:
                self._failures.popitem(last=False)
            raise
        except UserError as error:  # this machine cannot shape text
            raise Refusal(503, str(error)) from None
        if isinstance(made, bytes):
            return Specimen(data=made, told=None)
        return Specimen(data=made.png, told=made.told)

    async def _called(self, file: FetchedFile, wanted: Wanted) -> SetLine | bytes:
        await self._places.acquire()
        try:
            call = asyncio.wrap_future(
                self._processes.submit(wanted.make, Face.of(file), *wanted.arguments)
            )
        except BaseException:
            self._places.release()
            raise
        call.add_done_callback(self._ended)
        # Cancelling a call ends its process, and with it the fonts that it keeps open. So it goes on,
        # and keeps its place: or callers who leave would have more drawn than others can wait for.
        return await asyncio.shield(call)

    def _ended(self, call: asyncio.Future[SetLine | bytes]) -> None:
        self._places.release()
        if not call.cancelled():
            call.exception()  # a caller who left does not look at it, and asyncio would complain

    def _keep(self, key: str, made: Specimen) -> None:
        if key not in self._kept:
            self._kept_bytes += len(made.data)
        self._kept[key] = made
        while self._kept_bytes > MAX_KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest.data)


def _font(file: FetchedFile, wanted: Wanted) -> tuple[Kind, str, int]:
    return wanted.kind, file.sha256, file.face_index
