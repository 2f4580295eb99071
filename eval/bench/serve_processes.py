"""The processes of the benchmark of the service: each server, and the model alone, in one of its own."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil

from eval.bench.vectors import Floats
from indexer.embed.protocol import Query, only

if TYPE_CHECKING:
    from indexer.embed.qwen.model import Qwen3VL

SECONDS_TO_START = 300.0
SECONDS_TO_STOP = 30.0
OF_SETTINGS = ("FONTSIGHT_", "VL_EMBEDDING_", "TEXT_EMBEDDING_", "OPENROUTER_", "DATABASE_URL")


class Server:
    """A process that answers on a port of loopback, once it is ready()."""

    def __init__(self, command: Sequence[str], port: int, settings: Mapping[str, str]) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(OF_SETTINGS)
        }
        self.port = port
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = psutil.Popen(
            [sys.executable, *command], env={**kept, **settings}, stdout=self._log, stderr=self._log
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> None:
        """Waits until GET /health says so. Raises RuntimeError, with what it said, where it does not."""
        ends = time.monotonic() + SECONDS_TO_START
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            while self._process.poll() is None and time.monotonic() < ends:
                try:
                    if http.get("/health").status_code == 200:
                        return
                except httpx.TransportError:  # nothing listens yet
                    pass
                time.sleep(0.1)
        self._log.seek(0)
        raise RuntimeError(f"It did not start: {self._log.read()[-2000:].decode()}")

    def cards(self) -> list[psutil.Process]:
        """Those of its processes that hold a model."""
        return [
            child
            for child in self._process.children(recursive=True)
            if any("libtorch" in place.path for place in child.memory_maps())
        ]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except psutil.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@contextmanager
def indexer_serve(database: str, threads: int, arguments: Sequence[str] = ()) -> Iterator[Server]:
    """`indexer serve` as a user starts it, but that nothing of this user's settings counts."""
    with tempfile.TemporaryDirectory() as data:
        port = _free_port()
        command = ["-m", "indexer", "serve", "--port", str(port), *arguments]
        settings = {
            "DATABASE_URL": database,
            "FONTSIGHT_DATA_DIR": data,
            "FONTSIGHT_CACHE_DIR": data,
        }
        with _stopped(Server(command, port, settings | _torch(threads))) as server:
            yield server


@contextmanager
def bare_server(folder: Path, device: str, threads: int) -> Iterator[Server]:
    port = _free_port()
    command = ["-m", "eval.bench.serve_bare", str(folder), device, str(port)]
    with _stopped(Server(command, port, _torch(threads))) as server:
        yield server


@contextmanager
def _stopped(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


def _torch(threads: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(threads)}


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port: int = any_port.getsockname()[1]
        return port


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The model as a process has it that serves nothing. Its methods run in a process of its own."""

    folder: Path
    device: str
    threads: int

    def seconds(self, texts: Sequence[str]) -> list[float]:
        """Of a call for each of the texts."""
        model = _loaded(self)
        taken = []
        for text in texts:
            began = time.perf_counter()
            model.embed_queries([Query(text=text)])
            taken.append(time.perf_counter() - began)
        return taken

    def vectors(self, texts: Sequence[str]) -> Floats:
        """(texts, dimension). Raises UserError for a text without a vector."""
        model = _loaded(self)
        return np.stack(
            [only([result]) for result in model.embed_queries([Query(text=text) for text in texts])]
        )


@cache
def _loaded(reference: Reference) -> Qwen3VL:
    import torch  # noqa: PLC0415 - the process that drives the others needs none

    from indexer.embed.qwen.checkpoint import find  # noqa: PLC0415
    from indexer.embed.qwen.model import Qwen3VL  # noqa: PLC0415

    torch.set_num_threads(reference.threads)
    checkpoint = find(str(reference.folder))
    return Qwen3VL.load(checkpoint.folder, checkpoint.model(), [reference.device])
