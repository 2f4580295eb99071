"""Before a job batch size, kernels and compilation are found by measurement; without memory it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)
import torch
from torch import Tensor

from indexer.embed.protocol import Document
from indexer.embed.qwen import budget, tuning
from indexer.embed.qwen.budget import CALM, Budget
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.loading import attention_of, dtypes_of
from indexer.embed.qwen.memory import is_lack_of_memory
from indexer.embed.qwen.model import OtherVectors, Qwen3VL
from indexer.embed.qwen.tuning import Tuned, Tuning
from indexer.errors import EmbedderUnavailable, FontError, UserError
from tests.fix_qwen import sheet, stacked

pytestmark = pytest.mark.model

SHEETS = [Document(sheet=sheet(number), text="Name: Lora") for number in range(6)]


@pytest.fixture
def embedder(checkpoint_folder: Path) -> Qwen3VL:
    checkpoint = find(str(checkpoint_folder))
    return Qwen3VL.load(checkpoint.folder, checkpoint.model(), ["cpu"])


class Memory:
    """A card's, as far as a batch can see it: with room for so many rows and tokens."""

    def __init__(self, embedder: Qwen3VL, rows: int, tokens: int = 10**9) -> None:
        self.rows, self.tokens = rows, tokens
        self.refused: list[int] = []
        self._forward = embedder._forward
        self.device = embedder.device
        embedder._forward = self  # type: ignore[assignment]

    def __call__(self, ids: Tensor, *others: Any) -> Tensor:
        if len(ids) > self.rows or ids.numel() > self.tokens:
            self.refused.append(len(ids))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._forward(ids, *others)


def test_without_memory_the_batch_is_halved_and_nothing_is_lost(embedder: Qwen3VL) -> None:
    whole = stacked(embedder.embed_documents(SHEETS))
    memory = Memory(embedder, rows=2)
    assert np.allclose(stacked(embedder.embed_documents(SHEETS)), whole, atol=2e-5)
    assert memory.refused == [6, 3]
    embedder.embed_documents(SHEETS)
    assert memory.refused == [6, 3], "what was too much once is not tried again at once"


def test_a_lack_of_memory_that_passes_does_not_halve_the_batch_for_good() -> None:
    pace = Budget()
    pace.found(3200)
    pace.had_no_room(32, 100)
    assert pace.rows(100) == 16
    for _ in range(2 * CALM):
        pace.had_room()
    assert pace.rows(100) == 32
    for _ in range(1000):
        pace.had_room()
    assert pace.rows(100) == 32, "never more than was found"


def test_a_lack_of_memory_that_stays_is_met_ever_more_rarely() -> None:
    pace = Budget()
    pace.found(3200)
    refused = []
    for number in range(2000):
        if pace.rows(100) > 20:
            refused.append(number)
            pace.had_no_room(pace.rows(100), 100)
        else:
            pace.had_room()
    assert len(refused) < 6


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA driver error: out of memory"),
        torch.AcceleratorError("CUDA error: out of memory\nCompile with"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    ],
    ids=str,
)
def test_lack_of_memory_is_known_by_all_its_names(error: RuntimeError) -> None:
    assert is_lack_of_memory(error)
    assert not is_lack_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_an_ordinary_document_without_room_is_the_cards_fault(embedder: Qwen3VL) -> None:
    Memory(embedder, rows=0)
    with pytest.raises(EmbedderUnavailable, match="no memory for a single document"):
        embedder.embed_documents(SHEETS[:1])


def test_a_document_of_unusual_length_without_room_fails_alone(embedder: Qwen3VL) -> None:
    Memory(embedder, rows=32, tokens=budget.FIRST)
    long = Document(text="serif " * 7000)
    first, failed, last = embedder.embed_documents([SHEETS[0], long, SHEETS[1]])
    assert isinstance(failed, FontError)
    assert "no memory for its" in failed.message
    assert np.allclose(
        stacked([first, last]), stacked(embedder.embed_documents(SHEETS[:2])), atol=2e-5
    )


def test_the_step_is_found_by_measurement(embedder: Qwen3VL) -> None:
    memory = Memory(embedder, rows=4)
    tuned = Tuning(embedder, 128, 256).run()
    assert tuned.rate > 0
    assert embedder.step(128, 256) == tuned.step <= 4
    assert memory.refused in ([], [8])


def test_a_step_that_is_said_is_taken(embedder: Qwen3VL) -> None:
    assert Tuning(embedder, 128, 256).run(step=3).step == 3
    assert embedder.step(128, 256) == 3
    Memory(embedder, rows=4)
    with pytest.raises(EmbedderUnavailable, match="no memory for 5 sheets at once"):
        Tuning(embedder, 128, 256).run(step=5)


def test_a_step_that_leaves_no_reserve_is_not_taken(
    embedder: Qwen3VL, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([tuning.RESERVE + 1, tuning.RESERVE - 1])
    monkeypatch.setattr(embedder, "free_bytes", lambda: next(free))
    seconds = {1: 1.0, 2: 1.0, 4: 1.0}
    monkeypatch.setattr(embedder, "timed", lambda items: seconds[len(items)])
    assert Tuning(embedder, 128, 256).run().step == 2


Layer = Callable[..., Tensor]


def compiled_to(change: Callable[[Layer], Layer]) -> Callable[..., Layer]:
    """In place of torch.compile."""

    def compile(layer: Layer, *, dynamic: bool) -> Layer:
        assert dynamic
        return change(layer)

    return compile


def broken(layer: Layer) -> Layer:
    def call(*arguments: Any) -> Tensor:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nmore")

    return call


def other(layer: Layer) -> Layer:
    return lambda *arguments: torch.randn_like(layer(*arguments))


@pytest.mark.parametrize(
    ("change", "seconds", "why"),
    [
        (broken, [], r"RuntimeError: InvalidCxxCompiler: No working C\+\+ compiler found\.$"),
        (other, [0.1], r"it computes other vectors"),
        (lambda layer: layer, [2.0], r"it is 0\.50 times as fast\.$"),
    ],
    ids=["no compiler", "other vectors", "slower"],
)
def test_layers_that_do_not_gain_by_compiling_are_not_compiled(
    embedder: Qwen3VL, monkeypatch: pytest.MonkeyPatch, change: Any, seconds: list[float], why: str
) -> None:
    before = stacked(embedder.embed_documents(SHEETS))
    monkeypatch.setattr(torch, "compile", compiled_to(change))
    taken = iter(seconds)
    monkeypatch.setattr(embedder, "timed", lambda items: next(taken))
    tuned = Tuning(embedder, 128, 256).compile(Tuned(rate=1.0, step=1))
    assert not tuned.compiled
    assert tuned.note is not None
    assert tuned.note.startswith("Layers are not compiled: ")
    assert pytest.importorskip("re").search(why, tuned.note)
    assert np.array_equal(stacked(embedder.embed_documents(SHEETS)), before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch's own, on import
def test_compiled_layers_compute_the_same(
    embedder: Qwen3VL, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stacked(embedder.embed_documents(SHEETS))
    monkeypatch.setattr(embedder, "timed", lambda items: 0.5)
    tuned = Tuning(embedder, 128, 256).compile(Tuned(rate=1.0, step=2))
    assert tuned.compiled, tuned.note
    assert np.allclose(stacked(embedder.embed_documents(SHEETS)), before, atol=2e-5)


def test_one_card_uses_torchs_attention_and_a_spread_model_flash_attn_that_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ["cuda:0", "cuda:1"]
    monkeypatch.setitem(sys.modules, "flash_attn", ModuleType("flash_attn"))
    assert attention_of(["cuda:0"]) == "sdpa"
    assert attention_of(["cuda:0"], "flash") == "flash_attention_2"
    assert attention_of(both) == "flash_attention_2"
    assert attention_of(both, "sdpa") == "sdpa"
    monkeypatch.setitem(sys.modules, "flash_attn", None)  # importing it raises ImportError
    assert attention_of(both) == "sdpa"
    with pytest.raises(UserError, match="flash-attn cannot be used here"):
        attention_of(both, "flash")


def test_numbers_too_narrow_for_apples_gpu_are_widened(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dtypes_of(["mps"]) == (torch.float16, torch.float32)
    monkeypatch.setattr(
        "indexer.embed.qwen.model.dtypes_of", lambda devices: (torch.float16, torch.float32)
    )
    tried: list[torch.dtype] = []

    def check(embedder: Qwen3VL) -> None:
        tried.append(embedder._plain._model.dtype)
        if tried[-1] == torch.float16:
            raise OtherVectors("NaN")

    monkeypatch.setattr(Qwen3VL, "check", check)
    checkpoint = find(str(checkpoint_folder))
    Qwen3VL.load(checkpoint.folder, checkpoint.model(), ["cpu"])
    assert tried == [torch.float16, torch.float32]


def test_grey_sheets_travel_with_one_channel(embedder: Qwen3VL) -> None:
    import io

    from PIL import Image

    grey, colour = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(np.random.default_rng(3).integers(0, 256, (128, 256), dtype=np.uint8))
    picture.save(grey, "PNG")
    picture.convert("RGB").save(colour, "PNG")
    documents = [Document(sheet=file.getvalue()) for file in (grey, colour)]
    read = embedder.read(documents)
    shapes: Sequence[Any] = [item.pixels.shape for item in read]  # type: ignore[union-attr]
    assert shapes == [(128, 256), (128, 256, 3)]
    one, other = stacked(embedder.embed_documents(documents))
    assert np.allclose(one, other, atol=1e-6)
