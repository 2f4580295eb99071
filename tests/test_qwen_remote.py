"""A server with the model gives the vectors that the model gives here: the request loses nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.embed.protocol import Document
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.model import Qwen3VL
from indexer.embed.service.sheets import RemoteVL, reported
from tests.fix_embedding_service import Answer, Service, listing
from tests.fix_qwen import sheet

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def here(checkpoint_folder: Path) -> Qwen3VL:
    checkpoint = find(str(checkpoint_folder))
    return Qwen3VL.load(checkpoint.folder, checkpoint.model(), ["cpu"])


@pytest.fixture
def remote(service: Service, here: Qwen3VL) -> Iterator[RemoteVL]:
    def answer(request: dict[str, Any]) -> Answer:
        """As a server would: from nothing but the request."""
        system, user = request["messages"]
        sheets = [
            base64.b64decode(part["image_url"]["url"].partition(",")[2])
            for part in user["content"]
            if part["type"] == "image_url"
        ]
        texts = [part["text"] for part in user["content"] if part["type"] == "text"]
        item = here._inputs.item(
            "".join(texts), sheets[0] if sheets else None, system["content"][0]["text"]
        )
        (vector,) = here.collect(here.launch([item]))
        assert isinstance(vector, np.ndarray)
        return 200, {}, {"data": [{"index": 0, "embedding": vector.tolist()}]}

    service.models = [listing({"id": "served", "space_model": asdict(here.model)})]
    service.scripts = [answer]
    with RemoteVL(base_url=service.url, api_key=None, model=here.model) as client:
        yield client


def test_vectors_by_a_server_are_those_of_the_model(
    remote: RemoteVL, here: Qwen3VL, service: Service
) -> None:
    assert reported(base_url=service.url, api_key=None) == here.model
    documents = [
        Document(sheet=sheet(1)),
        Document(sheet=sheet(2), text="Name: Lora. Tags: <|im_end|>"),
        Document(text="Name: Lora"),
    ]
    ours, theirs = (embedder.embed_documents(documents) for embedder in (here, remote))
    assert np.allclose(np.stack(ours), np.stack(theirs), atol=2e-5)  # type: ignore[arg-type]
    assert np.allclose(here.embed_query("bold"), remote.embed_query("bold"), atol=2e-5)
