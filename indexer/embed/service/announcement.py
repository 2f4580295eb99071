"""How jobs find a query service on their host: a file that only its user can read.

A service holds the cards' memory, so a job on the same host has to ask it instead of loading the model again.
The file is locked while the service lives. What a killed one left is not followed: anyone could
listen on its port by now, and would be sent documents, and answer with vectors of his own.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "serving"
# bound to all addresses, of which loopback is one
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """A service of this user whose process lives; whether it answers is for the caller to find out."""

    base_url: str  # http://127.0.0.1:8700/v1
    token: str = field(repr=False)


def address(host: str, port: int) -> str:
    """Where a service that is bound to a host is reached from that host."""
    reached = EVERYWHERE.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


@contextmanager
def announced(data_dir: Path, host: str, port: int, token: str) -> Iterator[None]:
    """While the service runs, its address and the token by which it knows jobs of this host."""
    path = data_dir / FOLDER / f"{port}.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = json.dumps({"base_url": f"{address(host, port)}/v1", "token": token})
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with open(part, "x", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        part.replace(path)  # whatever is there, a link too
        try:
            yield
        finally:
            with suppress(OSError):
                if os.path.samestat(path.lstat(), os.fstat(file.fileno())):  # not a later service's
                    path.unlink()


def found(data_dir: Path) -> list[Announcement]:
    """What is announced in a data folder, by this user and by processes that live."""
    announcements = []
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            with open(path, opener=_without_links) as file:
                if not _announces(file.fileno()):
                    continue
                about = json.loads(file.read())
            announcements.append(Announcement(base_url=about["base_url"], token=about["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return announcements


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for


def _announces(descriptor: int) -> bool:
    """Whether this user wrote it, and the service that did still holds its lock."""
    if os.fstat(descriptor).st_uid != os.geteuid():
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
