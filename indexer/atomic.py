"""Files that are whole or not there, whoever else writes them and whenever the process ends."""

from __future__ import annotations

import secrets
from pathlib import Path


def write(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
    """Put a file in place at once; `scratch` is a folder of the same file system, else the file's own."""
    part = (scratch or path.parent) / f"{path.name}.{secrets.token_hex(4)}.part"
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
