"""From font bytes to sheet, traits and facts: what a rendering process does, and what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import PIL
from fontTools.ttLib import TTFont

from indexer import atomic
from indexer.catalog.facts import Facts
from indexer.errors import FontError
from indexer.fontfile import check_whole, describe, open_font
from indexer.machine import of_the_machine, reason
from indexer.sheet.render import SheetSpec, render_sheet
from indexer.traits import TRAITS_VERSION, Traits
from indexer.traits.measure import measure


@dataclass(frozen=True, kw_only=True)
class Prepared:
    sheet: bytes  # PNG
    traits: Traits


def prepare(data: bytes, face_index: int, spec: SheetSpec) -> Prepared:
    """Pure: font bytes to sheet and traits. Raises FontError."""
    font = open_font(data, face_index=face_index)
    return Prepared(sheet=render_sheet(font, spec), traits=measure(font))


def nothing() -> None:
    """For a process that has only to start, and to import all that this module needs."""


def prepare_file(path: Path, sha256: str, face_index: int, spec: SheetSpec) -> Prepared:
    """The same for a file, whose bytes must still be those of the hash. Raises FontError."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FontError("fetch", "The file changed while it was read.")
    return prepare(data, face_index, spec)


def facts_of_file(path: Path, face_index: int, name: str) -> Facts:
    """What one face of the family of that name has. Raises FontError."""
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
            number = face_index if head[:4] == b"ttcf" else -1
            with TTFont(stream, fontNumber=number, lazy=True) as font:
                check_whole(font, head, path.stat().st_size)
                return Facts.from_font(font, name)
    except Exception as error:
        if of_the_machine(error):
            raise
        raise describe(error, "open") from None  # fontTools raises whatever its parsers run into


class PreparedCache:
    """Sheets and traits on disk, by everything that they depend on. May be deleted at any time.

    Where they cannot be kept, `notice` gets one sentence about it.
    """

    def __init__(
        self,
        folder: Path,
        spec: SheetSpec,
        *,
        notice: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._folder = folder
        self._scratch = folder / "tmp"
        self._notice = notice
        self._once = Lock()
        with suppress(FileNotFoundError):
            atomic.sweep(self._scratch)
        self._made_by = f"{spec.identity} pillow/{PIL.__version__} traits/{TRAITS_VERSION}"

    def get(self, sha256: str, face_index: int) -> Prepared | None:
        path = self._path(sha256, face_index)
        try:
            traits = Traits.from_json(json.loads(path.with_suffix(".json").read_bytes()))
            return Prepared(sheet=path.read_bytes(), traits=traits)
        except (OSError, ValueError, TypeError):  # not there, or cut short by a full disk
            return None

    def put(self, sha256: str, face_index: int, prepared: Prepared) -> None:
        path = self._path(sha256, face_index)
        traits = json.dumps(prepared.traits.to_json()).encode()
        try:
            for folder in (path.parent, self._scratch):
                folder.mkdir(parents=True, exist_ok=True)
            atomic.write(path, prepared.sheet, scratch=self._scratch)
            # last: its presence says that the pair is whole
            atomic.write(path.with_suffix(".json"), traits, scratch=self._scratch)
        except OSError as error:
            if self._once.acquire(blocking=False):
                self._notice(
                    f"Sheets cannot be cached in {self._folder}: {reason(error)}. They are used all "
                    "the same, and drawn again when they are next needed."
                )

    def _path(self, sha256: str, face_index: int) -> Path:
        name = hashlib.sha256(f"{sha256} {face_index} {self._made_by}".encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.png"
