"""A tiny Qwen3-VL checkpoint with random weights, in a folder as the real ones lie."""

from __future__ import annotations

import io
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SITE = Path(__file__).parent / "site"

# in this process and in every one that the tests start
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")]))
runpy.run_path(str(SITE / "sitecustomize.py"))
os.environ["HF_HUB_OFFLINE"] = "1"  # no test fetches a model


NEEDS_TORCH = "needs Qwen3-VL's packages: pip install -e '.[test-vl]'"


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from eval.bench.random_checkpoint import save

    return save("tiny", tmp_path_factory.mktemp("checkpoint") / "tiny-qwen3-vl")


def sheet(seed: int = 0, width: int = 256, height: int = 128) -> bytes:
    """A PNG of noise, of which no two are alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
