"""Checkpoints: found in a folder or the hub's cache, identified, and refused with a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.embed.qwen import LARGE, SMALL
from indexer.embed.qwen.checkpoint import PINNED, find
from indexer.errors import UserError

pytestmark = pytest.mark.model


@pytest.fixture
def folder(checkpoint_folder: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    copy = tmp_path / checkpoint_folder.name
    shutil.copytree(checkpoint_folder, copy)
    return copy


@pytest.fixture
def hub_cache(checkpoint_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with the tiny checkpoint under the pinned commit of the 2B model."""
    home = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    repository = home / "models--Qwen--Qwen3-VL-Embedding-2B"
    shutil.copytree(checkpoint_folder, repository / "snapshots" / PINNED[SMALL])
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(PINNED[SMALL])
    return home


def test_the_identity_of_a_folder_is_what_it_holds(folder: Path) -> None:
    found = find(str(folder))
    assert found.name == folder.name
    assert found.revision.startswith("sha256:")
    assert (found.dimension, found.pooled_token) == (64, 0)
    moved = folder.with_name("elsewhere") / folder.name
    shutil.copytree(folder, moved)
    assert find(str(moved)).model() == found.model()
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert find(str(folder)).model() != found.model()


def test_a_pinned_model_is_found_offline_by_its_short_name(hub_cache: Path) -> None:
    found = find("2b")
    assert (found.name, found.revision) == (SMALL, PINNED[SMALL])
    assert found.with_weights() == found.folder
    assert find(str(found.folder)).model() == found.model(), "by its folder it is the same model"


def test_a_revision_can_be_chosen(hub_cache: Path) -> None:
    repository = hub_cache / "models--Qwen--Qwen3-VL-Embedding-2B/snapshots"
    other = "0123456789abcdef0123456789abcdef01234567"
    (repository / PINNED[SMALL]).rename(repository / other)
    assert find("2b", other).revision == other
    with pytest.raises(UserError, match="not in the local cache"):
        find("2b")


def test_both_models_are_pinned_by_commit() -> None:
    assert set(PINNED) == {SMALL, LARGE}
    assert all(len(commit) == 40 and int(commit, 16) for commit in PINNED.values())


def test_a_model_that_is_not_there_is_said(hub_cache: Path) -> None:
    with pytest.raises(UserError, match="hf download Qwen/Qwen3-VL-Embedding-8B"):
        find("8b")
    with pytest.raises(UserError, match="neither a folder nor a model's name"):
        find("../nowhere/else")


def test_another_architecture_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(UserError, match="is a 'bert' model, not a Qwen3-VL one"):
        find(str(folder))


@pytest.mark.parametrize("file", ["tokenizer.json", "processor_config.json"])
def test_a_missing_processor_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(UserError, match="has no processor"):
        find(str(folder))


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no readable config\.json"):
        find(str(tmp_path))


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights"):
        find(str(folder)).with_weights()


@pytest.mark.parametrize("dimension", [63, 65, 4096])
def test_an_impossible_dimension_is_refused(folder: Path, dimension: int) -> None:
    with pytest.raises(UserError, match="64 to 64 dimensions"):
        find(str(folder)).model(dimension)


def test_finding_a_checkpoint_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from indexer.embed.qwen.checkpoint import find; from indexer.embed.qwen import "
        f"cards, devices; find({str(folder)!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
