"""Files out of a .tgz that nobody vouches for: read as a stream, with caps, never extracted."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from indexer.errors import FontError
from indexer.machine import of_the_machine

MAX_HEADER_BYTES = 1 << 20  # long names and PAX records that tarfile reads into memory at once
CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    member_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 1024 * 1024 * 1024  # decompressed; the largest CJK package has about 200 MB
    members: int = 20_000  # the largest CJK packages have a few thousand files


class _Capped(io.RawIOBase):
    """A decompressed stream that gives no more bytes than were allowed for the next step."""

    def __init__(self, stream: gzip.GzipFile, total: int) -> None:
        self._stream = stream
        self._position = 0
        self._total = total
        self._allowed = 0

    def allow(self, size: int) -> None:
        self._allowed = self._position + size

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(CHUNK if size < 0 else min(size, CHUNK))
        self._position += len(data)
        if self._position > self._total:
            raise _bad(f"unpacks to more than {self._total:,} bytes")
        if self._position > self._allowed:
            raise _bad("has a header that is too large")
        return data


def read_members(
    path: Path, wanted: Callable[[str], bool], *, limits: ArchiveLimits | None = None
) -> Iterator[tuple[str, bytes | None]]:
    """Yield each regular file of a .tgz: its name below the top folder, and its bytes if wanted.

    Links, devices, and names that are absolute or climb with ".." are passed over. Nothing is
    written anywhere. Raises FontError when the archive is damaged or exceeds a limit; a file that
    was yielded before that was read in full.
    """
    limits = limits or ArchiveLimits()
    try:
        with gzip.open(path, "rb") as unzipped:
            source = _Capped(unzipped, limits.total_bytes)
            source.allow(MAX_HEADER_BYTES)
            with tarfile.open(fileobj=source, mode="r|", bufsize=tarfile.RECORDSIZE) as archive:
                yield from _members(archive, source, wanted, limits)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        if of_the_machine(error):
            raise
        raise _bad("is damaged") from error


def _members(
    archive: tarfile.TarFile, source: _Capped, wanted: Callable[[str], bool], limits: ArchiveLimits
) -> Iterator[tuple[str, bytes | None]]:
    for _ in range(limits.members):
        source.allow(MAX_HEADER_BYTES)
        member = archive.next()
        if member is None:
            return
        if member.issparse():  # a few bytes of map stand for any amount of zeros
            raise _bad("has a sparse file")
        if not member.isreg():
            continue
        if member.size > limits.member_bytes:
            raise _bad(f"has a file of {member.size:,} bytes; the limit is {limits.member_bytes:,}")
        source.allow(member.size + MAX_HEADER_BYTES)
        name = _safe_name(member.name)
        keep = name is not None and wanted(name)
        data = _read(archive, member, keep=keep)
        if name is not None:
            yield name, data
    raise _bad(f"has more than {limits.members:,} files")


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, *, keep: bool) -> bytes | None:
    """Read a member to its end in any case: skipping would count against the next header."""
    file = archive.extractfile(member)
    if file is None:
        return None
    kept = bytearray()
    while chunk := file.read(CHUNK):
        if keep:
            kept += chunk
    return bytes(kept) if keep else None


def _safe_name(name: str) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or len(path.parts) < 2:
        return None
    return str(
        PurePosixPath(*path.parts[1:])
    )  # npm, too, drops the top folder whatever it is called


def _bad(what: str) -> FontError:
    return FontError("fetch", f"The archive {what}.")
