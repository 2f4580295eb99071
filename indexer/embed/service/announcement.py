"""How jobs find a query service on their host: a file that only its user can read.

A service holds the cards' memory, so a job beside it has to ask it instead of loading the model again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "serving"
# bound to all addresses, of which loopback is one
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """A service that was started here; whether it still answers is for the caller to find out."""

    base_url: str  # http://127.0.0.1:8700/v1
    token: str = field(repr=False)


def url_of(host: str, port: int) -> str:
    """An IPv6 address goes in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def announced(data_dir: Path, host: str, port: int, token: str) -> Iterator[None]:
    """While the service runs, its address and the token by which it knows jobs of this host."""
    path = data_dir / FOLDER / f"{port}.json"
    url = url_of(EVERYWHERE.get(host, host), port)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = json.dumps({"base_url": f"{url}/v1", "token": token})
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def found(data_dir: Path) -> list[Announcement]:
    """What is announced in a data folder. A file that is being written, or not ours, is skipped."""
    announcements = []
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            about = json.loads(path.read_text())
            announcements.append(Announcement(base_url=about["base_url"], token=about["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return announcements
