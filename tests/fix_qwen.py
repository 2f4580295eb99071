"""A tiny Qwen3-VL checkpoint with random weights, in a folder as the real ones lie."""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from PIL import Image

from indexer.embed.qwen import devices, process

if TYPE_CHECKING:
    from indexer.embed.qwen.cards import Plan

SITE = Path(__file__).parent / "site"

# in this process and in every one that the tests start
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")]))
runpy.run_path(str(SITE / "sitecustomize.py"))
os.environ["HF_HUB_OFFLINE"] = "1"  # no test fetches a model


NEEDS_TORCH = "needs Qwen3-VL's packages: pip install -e '.[test-vl]'"


class Forks:
    """In place of the module multiprocessing, where processes with torch are started."""

    def get_context(self, method: str) -> BaseContext:
        assert method == "spawn"
        return multiprocessing.get_context("forkserver")


@pytest.fixture(scope="session", autouse=True)
def cards_are_forks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Processes with torch are forks of one that has imported it, which takes 4 s of a CPU.

    That is as good where there is no CUDA. What tests start by a command of its own process or with
    `spawned` starts as elsewhere.
    """
    wanted = any(item.get_closest_marker("model") for item in request.session.items)
    if not wanted or find_spec("torch") is None:
        yield
        return
    import torch

    with pytest.MonkeyPatch.context() as patch:
        if not torch.cuda.is_available():
            for module in (devices, process):
                patch.setattr(module, "multiprocessing", Forks())
            multiprocessing.set_forkserver_preload(["indexer.embed.qwen.model"])
            forkserver.ensure_running()
        yield


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card's process starts from nothing, and writes where this one does."""
    monkeypatch.setattr(process, "multiprocessing", multiprocessing)


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from eval.bench.random_checkpoint import save

    return save("tiny", tmp_path_factory.mktemp("checkpoint") / "tiny-qwen3-vl")


def plan(folder: Path, *devices: str, **limits: float) -> Plan:
    """Of cards; `limits` other than the usual ones."""
    from indexer.embed.qwen.cards import Plan
    from indexer.embed.qwen.checkpoint import find
    from indexer.embed.qwen.limits import Limits

    checkpoint = find(str(folder))
    return Plan(
        checkpoint=checkpoint, identity=checkpoint.model(), devices=devices, sheet=(128, 256),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )  # fmt: skip


def processes() -> list[psutil.Process]:
    """Of the cards, in the order in which they were started."""
    this = psutil.Process()
    cards = []
    for child in this.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            command = " ".join(child.cmdline())
            forked = "forkserver" in command and child.ppid() != this.pid
            if forked or "spawn_main" in command:
                cards.append(child)
    return sorted(cards, key=lambda child: child.create_time())


def stacked(results: Sequence[object]) -> np.ndarray:
    """Vectors only: an error among them fails."""
    assert not [result for result in results if isinstance(result, Exception)], results
    return np.stack(results)  # type: ignore[call-overload, no-any-return]


def fault(code: str) -> bytes:
    """A picture whose decoder runs this (tests/site/faults.py), in the process that reads it."""
    return f"FAULT\n{code}".encode()


def sheet(seed: int = 0, width: int = 256, height: int = 128) -> bytes:
    """A PNG of noise, of which no two are alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
