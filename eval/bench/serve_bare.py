"""sentence-transformers behind a bare FastAPI, as people write it: what `indexer serve` is raced against.

python -m eval.bench.serve_bare FOLDER DEVICE PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from indexer.embed.qwen.conversation import QUERY_INSTRUCTION
from indexer.embed.qwen.loading import attention_of


class Query(BaseModel):
    text: str


def bare(model: SentenceTransformer) -> FastAPI:
    app = FastAPI()

    @app.post("/embed")
    def embed(query: Query) -> dict[str, list[float]]:
        vectors = model.encode([query.text], prompt=QUERY_INSTRUCTION, show_progress_bar=False)
        return {"embedding": vectors[0].tolist()}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def load(folder: Path, device: str) -> SentenceTransformer:
    """With the modules that the model card names, and numbers as wide as ours."""
    place = torch.device(device)
    transformer = Transformer(
        str(folder),
        model_kwargs={
            "dtype": torch.float32 if place.type == "cpu" else torch.bfloat16,
            "attn_implementation": attention_of([device]),
        },
        processing_kwargs={"chat_template": {"add_generation_prompt": True}},
    )
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device=device)


def main(folder: str, device: str, port: str) -> None:
    model = load(Path(folder), device)
    model.encode(["regular serif"], prompt=QUERY_INSTRUCTION, show_progress_bar=False)
    uvicorn.run(bare(model), port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
