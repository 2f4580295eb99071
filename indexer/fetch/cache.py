"""Files kept by content hash, so that nothing is fetched twice.

Layout under the root: `blobs/ab/<sha256>` holds the bytes, `index/ab/<sha256 of the key>.json` says
which blob answers a key (a URL, a package's file), `parts/` holds downloads that may be resumed,
`tmp/` whatever is being written. A blob or an index entry appears by rename, so a reader in another
process sees all of it or nothing; no lock is needed to read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from indexer import atomic
from indexer.machine import usable

CHUNK = 1 << 20
STRIPES = 256  # lock files; two keys on one stripe only wait for each other


@dataclass(frozen=True, kw_only=True)
class CachedFile:
    """One file in the cache, its bytes checked against its hash."""

    path: Path
    sha256: str
    size: int
    etag: str | None
    last_modified: str | None
    origin: (
        str  # where the bytes came from, for people: "npm @fontsource/abel@5.3.0", "host.example"
    )


class FileCache:
    """A folder of files by content hash. Safe to share between threads, processes and runs.

    What is there is found in a folder that cannot be written, too. Whatever has to write raises
    UserError where the folder, or its disk, does not let it.
    """

    def __init__(self, root: Path | None = None) -> None:
        """Use `root`, or the user's cache directory. Left-overs older than a day are removed."""
        self.root = root or platformdirs.user_cache_path("fontsight")
        with usable(self.root):
            for name in ("blobs", "index", "locks", "parts", "tmp"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            atomic.sweep(self.root / "parts")
            atomic.sweep(self.root / "tmp")

    def lookup(self, key: str) -> CachedFile | None:
        """The file stored under a key; None when there is none or its bytes are no longer right."""
        entry = self.recall(key)
        if entry is None:
            return None
        path = self._blob(str(entry.get("sha256", "")))
        try:
            digest, size = hash_file(path)
        except OSError:
            return None
        if digest != path.name:
            with contextlib.suppress(OSError):  # damaged: the next fetch writes it anew
                path.unlink()
            return None
        return CachedFile(
            path=path, sha256=digest, size=size, etag=entry.get("etag"),
            last_modified=entry.get("last_modified"), origin=str(entry.get("origin", "")),
        )  # fmt: skip

    def store(
        self,
        key: str,
        content: bytes | Path,
        *,
        origin: str,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> CachedFile:
        """Keep bytes, or a finished file (which is moved), under a key."""
        with usable(self.root):
            if isinstance(content, bytes):
                digest, size = hashlib.sha256(content).hexdigest(), len(content)
            else:
                digest, size = hash_file(content)
            path = self._blob(digest)
            path.parent.mkdir(exist_ok=True)
            if isinstance(content, bytes):
                atomic.write(path, content, scratch=self.root / "tmp")
            else:
                content.replace(path)
        self.remember(key, sha256=digest, origin=origin, etag=etag, last_modified=last_modified)
        return CachedFile(
            path=path, sha256=digest, size=size, etag=etag,
            last_modified=last_modified, origin=origin,
        )  # fmt: skip

    def recall(self, key: str) -> dict[str, Any] | None:
        """The facts remembered under a key; None when there are none."""
        try:
            entry = json.loads(self._index(key).read_bytes())
        except (OSError, ValueError):
            return None
        return entry if isinstance(entry, dict) and entry.get("key") == key else None

    def remember(self, key: str, **facts: object) -> None:
        """Keep a few facts under a key; they replace what was there."""
        path = self._index(key)
        content = json.dumps({"key": key, **facts}).encode()
        with usable(self.root):
            path.parent.mkdir(exist_ok=True)
            atomic.write(path, content, scratch=self.root / "tmp")

    def part(self, key: str) -> Path:
        """Where an unfinished download of a key is kept."""
        return self.root / "parts" / f"{_digest(key)}.part"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new empty folder on the cache's own disk, removed at the end."""
        with usable(self.root), tempfile.TemporaryDirectory(dir=self.root / "tmp") as folder:
            yield Path(folder)

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold a key against every thread and process; a dead holder's lock is free at once."""
        stripe = int(_digest(key)[:8], 16) % STRIPES
        # Each opening has a lock of its own, so flock also holds between threads of one process.
        with usable(self.root):
            file = (self.root / "locks" / f"{stripe:02x}").open("wb")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _blob(self, digest: str) -> Path:
        return self.root / "blobs" / digest[:2] / digest

    def _index(self, key: str) -> Path:
        name = _digest(key)
        return self.root / "index" / name[:2] / f"{name}.json"


def hash_file(path: Path) -> tuple[str, int]:
    """The sha256 in hexadecimal and the size of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
