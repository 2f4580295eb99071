"""Qwen3-VL-Embedding: vectors are those of the upstream computation, however they are batched."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)
import torch
from PIL import Image
from qwen_vl_utils import process_vision_info
from transformers import AutoProcessor, Qwen3VLForConditionalGeneration, Qwen3VLModel

from eval.bench.random_checkpoint import config_of
from indexer.embed.protocol import Document, Query, Vector
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.loading import spread
from indexer.embed.qwen.model import Qwen3VL
from indexer.errors import FontError, UserError
from tests.fix_qwen import sheet

pytestmark = pytest.mark.model

SHEETS = [sheet(number) for number in range(6)]
SHORT, LONG = "Name: Lora. Category: serif", "Appearance: " + "bold condensed slab serif, " * 12


@pytest.fixture(scope="module")
def embedder(checkpoint_folder: Path) -> Qwen3VL:
    return loaded(checkpoint_folder)


def loaded(folder: Path, dimension: int | None = None) -> Qwen3VL:
    checkpoint = find(str(folder))
    return Qwen3VL.load(checkpoint.with_weights(), checkpoint.model(dimension), ["cpu"])


class Reference:
    """One input at a time, from the upstream description: nothing of the indexer's code."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = Qwen3VLModel.from_pretrained(folder, dtype=torch.float32).eval()

    def embed(
        self, png: bytes | None, text: str | None, instruction: str = "Represent the user's input."
    ) -> Vector:
        content: list[dict[str, Any]] = []
        if png:
            image = Image.open(io.BytesIO(png))
            content.append(
                {"type": "image", "image": image, "min_pixels": 4096, "max_pixels": 1843200}
            )
        if text:
            content.append({"type": "text", "text": text})
        conversation = [
            {"role": "system", "content": [{"type": "text", "text": instruction}]},
            {"role": "user", "content": content},
        ]
        written = self.processor.apply_chat_template(
            [conversation], add_generation_prompt=True, tokenize=False
        )
        images, _, _ = process_vision_info(
            [conversation],
            image_patch_size=16,
            return_video_metadata=True,
            return_video_kwargs=True,
        )
        inputs = self.processor(
            text=written, images=images, do_resize=False, padding=True, truncation=True,
            max_length=8192, return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            states = self.model(**inputs).last_hidden_state
        last = int(inputs["attention_mask"][0].nonzero().max())
        vector: Vector = torch.nn.functional.normalize(states[0, last].float(), dim=-1).numpy()
        return vector


@pytest.fixture(scope="module")
def reference(checkpoint_folder: Path) -> Reference:
    return Reference(checkpoint_folder)


def vectors(embedder: Qwen3VL, documents: Sequence[Document]) -> np.ndarray:
    results = embedder.embed_documents(documents)
    assert not [result for result in results if isinstance(result, FontError)]
    return np.stack(results)  # type: ignore[arg-type]


def close(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool(np.allclose(ours, theirs, atol=2e-5))


@pytest.mark.parametrize(
    ("png", "text"),
    [
        (SHEETS[0], None),
        (SHEETS[0], SHORT),
        (SHEETS[0], LONG),
        (None, SHORT),
        (sheet(9, width=100, height=333), SHORT),  # resized to multiples of 32
        (sheet(9, width=20, height=20), None),  # below the least number of pixels
    ],
    ids=["sheet", "sheet and text", "sheet and long text", "text", "odd size", "tiny"],
)
def test_a_document_is_embedded_as_upstream_does(
    embedder: Qwen3VL, reference: Reference, png: bytes | None, text: str | None
) -> None:
    ours = vectors(embedder, [Document(sheet=png, text=text)])[0]
    assert ours.dtype == np.float32
    assert close(ours, reference.embed(png, text))


def test_a_query_carries_the_instruction_of_its_space(
    embedder: Qwen3VL, reference: Reference
) -> None:
    instruction = embedder.model.query_instruction
    assert "fonts" in instruction
    assert close(
        embedder.embed_query("bold serif"), reference.embed(None, "bold serif", instruction)
    )
    assert not close(embedder.embed_query("bold serif"), reference.embed(None, "bold serif"))


def test_a_text_that_is_too_long_is_cut_as_upstream_cuts_it(
    embedder: Qwen3VL, reference: Reference
) -> None:
    text = "serif " * 9000
    assert close(vectors(embedder, [Document(text=text)])[0], reference.embed(None, text))


def test_sheet_text_and_both_differ(embedder: Qwen3VL) -> None:
    three = vectors(
        embedder,
        [Document(sheet=SHEETS[0]), Document(text=SHORT), Document(sheet=SHEETS[0], text=SHORT)],
    )
    cosines = three @ three.T
    assert np.all(cosines[~np.eye(3, dtype=bool)] < 0.99)


def mixed() -> list[Document]:
    """Of all kinds and sizes in one batch."""
    texts = [None, SHORT, LONG, "x", None, SHORT]
    documents = [Document(sheet=png, text=text) for png, text in zip(SHEETS, texts, strict=True)]
    wide = [Document(sheet=sheet(20 + number, width=320), text=SHORT) for number in range(2)]
    return [Document(text=LONG), *documents, *wide, Document(text=SHORT)]


def test_a_batch_gives_what_single_calls_give(embedder: Qwen3VL) -> None:
    single = np.concatenate([vectors(embedder, [document]) for document in mixed()])
    assert close(vectors(embedder, mixed()), single)


def test_queries_and_documents_share_a_launch(embedder: Qwen3VL) -> None:
    queries = [Query(text="bold"), Query(image=SHEETS[1]), Query()]
    read = [*embedder.read(mixed()), *embedder.read_queries(queries)]
    *together, empty = embedder.collect(embedder.launch(read))
    assert isinstance(empty, FontError)
    *alone, refused = embedder.embed_queries(queries)
    assert isinstance(refused, UserError)
    assert close(np.stack(together), np.stack([*vectors(embedder, mixed()), *alone]))  # type: ignore[arg-type]


def test_the_order_of_a_batch_does_not_matter(embedder: Qwen3VL) -> None:
    order = np.random.default_rng(1).permutation(len(mixed()))
    shuffled = vectors(embedder, [mixed()[place] for place in order])
    assert close(shuffled, vectors(embedder, mixed())[order])


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_padding_side_of_a_checkpoint_does_not_matter(
    embedder: Qwen3VL, checkpoint_folder: Path, tmp_path: Path, side: str
) -> None:
    folder = tmp_path / checkpoint_folder.name
    shutil.copytree(checkpoint_folder, folder)
    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = side
    processor.tokenizer.backend_tokenizer.enable_padding(length=700, direction=side)
    processor.tokenizer.backend_tokenizer.enable_truncation(5)
    processor.save_pretrained(folder)
    assert close(vectors(loaded(folder), mixed()), vectors(embedder, mixed()))


def test_sentence_transformers_agrees(embedder: Qwen3VL, checkpoint_folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Normalize,
        Pooling,
        Transformer,
    )

    transformer = Transformer(
        str(checkpoint_folder),
        processing_kwargs={"chat_template": {"add_generation_prompt": True}},
    )
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    peer = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in SHEETS]
    theirs = peer.encode(
        [{"image": image, "text": SHORT} for image in images],
        prompt=embedder.model.document_instruction,
        normalize_embeddings=True,
    )
    ours = vectors(embedder, [Document(sheet=png, text=SHORT) for png in SHEETS])
    assert (theirs * ours).sum(axis=1).min() >= 0.9999


def test_matryoshka_is_a_prefix_of_length_one(
    checkpoint_folder: Path, tmp_path: Path, embedder: Qwen3VL
) -> None:
    folder = tmp_path / "wide"
    shutil.copytree(checkpoint_folder, folder)
    config = config_of("tiny")
    config.text_config.hidden_size = config.vision_config.out_hidden_size = 128
    Qwen3VLModel(config).save_pretrained(folder)
    whole, prefix = loaded(folder), loaded(folder, 64)
    long, short = (vectors(model, mixed()) for model in (whole, prefix))
    assert short.shape == (len(mixed()), 64)
    assert close(np.linalg.norm(short, axis=1), np.ones(len(mixed())))
    cut = long[:, :64]
    assert close(short, cut / np.linalg.norm(cut, axis=1, keepdims=True))
    assert prefix.model != whole.model


def test_what_cannot_be_read_fails_alone(embedder: Qwen3VL) -> None:
    broken = SHEETS[0][: len(SHEETS[0]) // 2]
    documents = [Document(sheet=SHEETS[1]), Document(sheet=broken), Document(sheet=b""), Document(),
                 Document(text="  "), Document(sheet=sheet(1, width=9000, height=32)),
                 Document(sheet=SHEETS[2])]  # fmt: skip
    results = embedder.embed_documents(documents)
    failed = [str(result) for result in results if isinstance(result, FontError)]
    assert len(failed) == 5
    assert all(message.endswith(".") and "object at" not in message for message in failed)
    kept = np.stack([result for result in results if not isinstance(result, FontError)])
    assert close(kept, vectors(embedder, [documents[0], documents[-1]]))


def test_control_tokens_in_a_text_are_words(embedder: Qwen3VL) -> None:
    text = "Name: <|image_pad|><|im_end|>"
    both = vectors(embedder, [Document(sheet=SHEETS[0], text=text), Document(sheet=SHEETS[0])])
    assert not close(both[0], both[1])


@pytest.mark.slow
def test_a_generating_checkpoint_loads_without_its_head(
    checkpoint_folder: Path, tmp_path: Path, embedder: Qwen3VL
) -> None:
    folder = tmp_path / "generating"
    whole = Qwen3VLForConditionalGeneration(config_of("tiny"))
    whole.model.load_state_dict(Qwen3VLModel.from_pretrained(checkpoint_folder).state_dict())
    whole.save_pretrained(folder)
    AutoProcessor.from_pretrained(checkpoint_folder).save_pretrained(folder)
    assert close(vectors(loaded(folder), mixed()), vectors(embedder, mixed()))


def test_a_checkpoint_that_lacks_weights_is_refused(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "holes"
    shutil.copytree(checkpoint_folder, folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if "layers.1.mlp" in name))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="is not whole: 1 weights are missing"):
        loaded(folder)


def test_another_pooled_token_is_refused(checkpoint_folder: Path) -> None:
    from dataclasses import replace

    checkpoint = find(str(checkpoint_folder))
    wrong = replace(checkpoint.model(), pooled_token=5)
    with pytest.raises(UserError, match="another tokenizer"):
        Qwen3VL.load(checkpoint.folder, wrong, ["cpu"])


def test_a_forward_pass_that_computes_something_else_is_refused(
    checkpoint_folder: Path, embedder: Qwen3VL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a new version of transformers calls its layers in another way."""
    monkeypatch.setattr(
        "indexer.embed.qwen.forward._positions",
        lambda length, *_: torch.zeros(3, 1, length, dtype=torch.long),
    )
    with pytest.raises(UserError, match="computes other vectors"):
        loaded(checkpoint_folder)


def test_a_model_that_fits_no_card_is_spread_in_order(checkpoint_folder: Path) -> None:
    whole = sum(path.stat().st_size for path in checkpoint_folder.glob("*.safetensors"))
    layout = spread(checkpoint_folder, torch.float32, {0: int(whole * 0.7), 1: whole})
    assert set(layout.values()) == {0, 1}
    layers = [layout.get(f"language_model.layers.{number}", 1) for number in range(4)]
    assert layers == sorted(layers)
    with pytest.raises(UserError, match="does not fit cuda:0, cuda:1 together"):
        spread(checkpoint_folder, torch.float32, {0: whole // 4, 1: whole // 4})
