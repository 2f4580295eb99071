"""What a process that opens fonts for visitors does, and the fonts that it keeps open for the next text."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import FontError
from indexer.fetch.files import FetchedFile
from indexer.fontfile import open_font
from indexer.sheet.line import SetLine, Typesetter
from indexer.sheet.render import SheetSpec, render_sheet
from indexer.sheet.subset import woff2_subset

MAX_KEPT = 12  # fonts; a screen of results in one of a few sizes
MAX_KEPT_BYTES = 48 << 20  # of files; opened, a font takes a few times as much


@dataclass(frozen=True, kw_only=True)
class Face:
    """A file that was fetched: where, and which bytes it must still have."""

    path: Path
    sha256: str
    index: int  # of a collection

    @classmethod
    def of(cls, file: FetchedFile) -> Face:
        return cls(path=file.path, sha256=file.sha256, index=file.face_index)


_kept: OrderedDict[tuple[str, int], Typesetter] = OrderedDict()


def ready() -> None:
    """Does nothing: a process that has run it has imported what the others need."""


def draw_text(face: Face, text: str, size: int, scale: float, width: int) -> SetLine:
    """Raises FontError."""
    return _opened(face).line(text, size=size, scale=scale, width=width)


def draw_sheet(face: Face, spec: SheetSpec) -> bytes:
    """A PNG. Raises FontError."""
    return render_sheet(_opened(face).font, spec)


def cut_woff2(face: Face, text: str) -> bytes:
    """Raises FontError."""
    return woff2_subset(_opened(face).unpacked, text)


def _opened(face: Face) -> Typesetter:
    key = (face.sha256, face.index)
    found = _kept.pop(key, None)
    if found is None:
        try:
            found = Typesetter(open_font(_read(face), face_index=face.index))
        except MemoryError:
            _kept.clear()  # the fonts that are kept may have taken the memory
            raise
    _kept[key] = found
    while len(_kept) > MAX_KEPT or _bytes_kept() > MAX_KEPT_BYTES:
        _kept.popitem(last=False)
    return found


def _bytes_kept() -> int:
    return sum(len(typesetter.font.data) for typesetter in _kept.values())


def _read(face: Face) -> bytes:
    try:
        data = face.path.read_bytes()
    except OSError as error:
        raise FontError("fetch", f"The file cannot be read: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != face.sha256:
        raise FontError("fetch", "The file changed while it was read.")
    return data
