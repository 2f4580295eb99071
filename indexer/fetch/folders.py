"""Below which folders of this machine a row may name files: those that its user has named, and no other."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Self
from urllib.parse import unquote_to_bytes, urlsplit

from indexer import atomic
from indexer.errors import UserError
from indexer.settings import Settings

REMEMBERED = "font-folders.json"  # in the data folder, which holds the embedded database


class FontFolders:
    """Folders with all that is in them. Thread-safe.

    remembered: a file of `remember`, which is read again when it may say more.
    """

    def __init__(self, folders: Iterable[Path] = (), *, remembered: Path | None = None) -> None:
        self._folders = [_real(folder) for folder in folders]
        self._remembered = remembered
        self._known: list[str] = []
        self._guard = Lock()

    @classmethod
    def from_settings(cls, settings: Settings, *more: Path) -> Self:
        """FONTSIGHT_FONT_DIRS, `more`, and for the embedded database what was imported into it."""
        embedded = settings.database_url is None
        return cls(
            [*settings.font_folders, *more],
            remembered=_remembered(settings.data_dir) if embedded else None,
        )

    def file(self, url: str) -> Path | None:
        """The path that a file: address names, without links; None where it is below none of the folders.

        The answer does not depend on whether there is such a file, unless it is below one of them.
        """
        found = _file(url)
        if found is None:
            return None
        if _is_below(found, self._folders):
            return Path(found)
        with self._guard:
            if self._remembered and not _is_below(found, self._known):
                self._known = [_real(folder) for folder in _read(self._remembered)]
            return Path(found) if _is_below(found, self._known) else None


def remember(data_dir: Path, folders: Iterable[Path], urls: Iterable[str] = ()) -> None:
    """Note folders whose fonts were imported into the embedded database; they stay noted.

    urls: of the fonts; where links among the folders lead is noted, too.
    """
    path = _remembered(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    roots = {_real(folder) for folder in folders}
    files = {file for url in urls if (file := _file(url))}
    linked = {str(Path(file).parent) for file in files if not _is_below(file, roots)}
    with path.with_suffix(".lock").open("wb") as lock:  # of imports at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = set(map(str, _read(path)))
        found = known | roots | linked
        if found != known:
            atomic.write(path, json.dumps(sorted(found), indent=1).encode())


def file_name(path: Path) -> str:
    """As it may stand in a message: names need not be UTF-8, and may have no end."""
    return "".join(c if c.isprintable() else "?" for c in path.name)[:100]


def _file(url: str) -> str | None:
    """Without links; names need not be UTF-8. None where it names no file of this machine."""
    parts = urlsplit(url)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        return None
    return os.path.realpath(path)


def _remembered(data_dir: Path) -> Path:
    return data_dir.expanduser() / REMEMBERED


def _read(path: Path) -> list[Path]:
    try:
        return [Path(folder) for folder in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):
        raise UserError(
            f"{path} is no list of folders. Delete it, and import them again."
        ) from None


def _real(folder: Path) -> str:
    return os.path.realpath(folder)


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
