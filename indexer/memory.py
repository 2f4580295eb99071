"""How much memory there is to use: of the machine, and of the container it runs in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil


def available_bytes(root: Path = Path("/")) -> int:
    """What can be used without swapping, by the machine and by every cgroup (v1, v2) above this process.

    root: below which /proc and /sys are read.
    """
    return max(min([psutil.virtual_memory().available, *_left_in_cgroups(root)]), 0)


def _left_in_cgroups(root: Path) -> Iterator[int]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            top = root / "sys/fs/cgroup"
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # in a container the group's own folder is the top, though its name says more
        folder = top / group.lstrip("/")
        for level in (folder, *folder.parents):
            with suppress(OSError, ValueError):  # not there; "max", or no number
                yield _left(level, *names)
            if level == top:
                break


def _left(group: Path, limit: str, used: str, cache: str) -> int:
    """The kernel drops a file's pages, which count as used, before it ends a process."""
    most, now = (int((group / name).read_text(encoding="utf-8")) for name in (limit, used))
    statistics = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
    pages = dict(line.split(maxsplit=1) for line in statistics)
    return most - now + int(pages.get(cache, 0))
