"""Files that are whole or not there, whoever else writes them and whenever the process ends."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from pathlib import Path

LEFTOVER_SECONDS = 24 * 3600  # a temporary file older than this belongs to nobody


def write(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
    """Put a file in place at once; `scratch` is a folder of the same file system, else the file's own."""
    part = (scratch or path.parent) / f"{path.name}.{secrets.token_hex(4)}.part"
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def sweep(scratch: Path) -> None:
    """Remove what processes that are dead have left in a folder for temporary files."""
    limit = time.time() - LEFTOVER_SECONDS
    for path in scratch.iterdir():
        with contextlib.suppress(OSError):  # another process may sweep at the same time
            if path.lstat().st_mtime < limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
