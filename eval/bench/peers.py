"""Three ways to embed the same sheets with the same weights: ours, and those of two others.

All take the bytes of sheets, and give vectors in the host's memory. The model is one object in the
memory of the device: so cosines between the ways say how the computations differ, and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from qwen_vl_utils import process_vision_info
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import Qwen3VLModel, Qwen3VLProcessor

from indexer.embed.protocol import Document
from indexer.embed.qwen.cards import CALLS_PER_CARD, REQUEST
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION, MAX_LENGTH, MAX_PIXELS, MIN_PIXELS
from indexer.embed.qwen.model import Qwen3VL, Result
from indexer.errors import FontError

Floats = NDArray[np.float32]


class EmbedContender(Protocol):
    def __call__(self, documents: Sequence[Document]) -> Floats:
        """(documents, dimension), each row of length 1."""
        ...


class Ours:
    """As in a card's process (indexer/embed/qwen/process.py): reading, launching and collecting overlap."""

    def __init__(self, embedder: Qwen3VL) -> None:
        self._embedder = embedder
        self._reading, self._launching, self._collecting = (ThreadPoolExecutor(1) for _ in range(3))
        self._calling = ThreadPoolExecutor(CALLS_PER_CARD)

    def __call__(self, documents: Sequence[Document]) -> Floats:
        requests = [documents[at : at + REQUEST] for at in range(0, len(documents), REQUEST)]
        results = list(chain.from_iterable(self._calling.map(self._answer, requests)))
        failed = [result for result in results if isinstance(result, FontError)]
        if failed:
            raise failed[0]
        return np.stack([result for result in results if not isinstance(result, FontError)])

    def _answer(self, request: Sequence[Document]) -> list[Result]:
        read = self._reading.submit(self._embedder.read, request)
        launched = self._launching.submit(lambda: self._embedder.launch(read.result()))
        return self._collecting.submit(lambda: self._embedder.collect(launched.result())).result()


class SentenceTransformers:
    """`SentenceTransformer.encode`, the way that the model card recommends."""

    def __init__(self, model: Qwen3VLModel, processor: Qwen3VLProcessor) -> None:
        class Loaded(Transformer):  # type: ignore[misc]  # of a package that is not followed
            """In place of weights from a folder, those that are in memory already."""

            def _load_model(self, *_: object, **__: object) -> Qwen3VLModel:
                return model

        with TemporaryDirectory() as folder:
            model.config.save_pretrained(folder)
            processor.save_pretrained(folder)
            transformer = Loaded(
                folder, processing_kwargs={"chat_template": {"add_generation_prompt": True}}
            )
        pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
        self._model = SentenceTransformer(
            modules=[transformer, pooling, Normalize()], device=str(model.device)
        )
        self.batch_size = 1

    def __call__(self, documents: Sequence[Document]) -> Floats:
        inputs = [{"image": _image(document), "text": document.text} for document in documents]
        vectors: Floats = self._model.encode(
            inputs,
            prompt=DOCUMENT_INSTRUCTION,
            batch_size=self.batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors.astype(np.float32)


class OneByOne:
    """The plain loop after QwenLM/Qwen3-VL-Embedding, scripts/qwen3_vl_embedding.py, a sheet at a time.

    Written from its description, with nothing of the embedder that it is compared with.
    """

    def __init__(self, model: Qwen3VLModel, processor: Qwen3VLProcessor) -> None:
        self._model = model
        self._processor = processor

    def __call__(self, documents: Sequence[Document]) -> Floats:
        return np.stack([self._vector(document) for document in documents])

    @torch.inference_mode()
    def _vector(self, document: Document) -> Floats:
        limits = {"min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS}
        content: list[dict[str, Any]] = [
            {"type": "image", "image": _image(document), **limits},
            {"type": "text", "text": document.text},
        ]
        conversation = [
            {"role": "system", "content": [{"type": "text", "text": DOCUMENT_INSTRUCTION}]},
            {"role": "user", "content": content},
        ]
        written = self._processor.apply_chat_template(
            [conversation], add_generation_prompt=True, tokenize=False
        )
        images, _, _ = process_vision_info(
            [conversation],
            image_patch_size=16,
            return_video_metadata=True,
            return_video_kwargs=True,
        )
        inputs = self._processor(
            text=written, images=images, do_resize=False, padding=True, truncation=True,
            max_length=MAX_LENGTH, return_tensors="pt",
        ).to(self._model.device)  # fmt: skip
        states = self._model(**inputs).last_hidden_state
        last = int(inputs["attention_mask"][0].nonzero().max())
        vector: Floats = (
            torch.nn.functional.normalize(states[0, last].float(), dim=-1).cpu().numpy()
        )
        return vector


def without_cache(model: Qwen3VLModel) -> None:
    """As sentence-transformers sets it where it loads a model itself: no keys and values are kept."""
    for config in (model.config, model.config.text_config):
        config.use_cache = False


def _image(document: Document) -> Image.Image:
    assert document.sheet is not None
    return Image.open(io.BytesIO(document.sheet)).convert("RGB")
