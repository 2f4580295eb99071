"""Decompression bombs, and processes on a machine that has little memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import brotli
import psutil
import pytest
from fontTools.ttLib import TTFont
from fontTools.ttLib.woff2 import WOFF2DirectoryEntry, woff2DirectorySize

from eval.fonts.parametric import ParametricFont
from indexer import bounded
from indexer.bounded import MEMORY_SHARE, MIN_PROCESS_BYTES, FontProcesses

MIB = 1024**2


def bomb(path: Path, mib: int) -> Path:
    """A woff2 file of a kilobyte or two whose tables unpack to that many MiB and more."""
    font, packed = TTFont(io.BytesIO(ParametricFont().build())), io.BytesIO()
    font.flavor = "woff2"
    font.save(packed)
    (tables,) = struct.unpack(">H", packed.getvalue()[12:14])
    packed.seek(woff2DirectorySize)
    for _ in range(tables):
        WOFF2DirectoryEntry().fromFile(packed)
    head = bytearray(packed.getvalue()[: packed.tell()])
    compressor, zeros = brotli.Compressor(quality=1), bytes(16 * MIB)
    data = b"".join(compressor.process(zeros) for _ in range(mib // 16)) + compressor.finish()
    head[8:12] = struct.pack(">L", len(head) + len(data))
    head[20:24] = struct.pack(">L", len(data))
    path.write_bytes(bytes(head) + data)
    return path


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[FontProcesses]:
    """On a machine that has just enough memory for two processes."""
    monkeypatch.setattr(
        bounded, "available_bytes", lambda: int(2 * MIN_PROCESS_BYTES / MEMORY_SHARE)
    )
    processes = FontProcesses(8, seconds=20)
    yield processes
    processes.close(now=True)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
