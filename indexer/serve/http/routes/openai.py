"""OpenAI's API: "Create embeddings" and "List models", and the chat messages that vLLM adds to it.

A plain input is a query. A conversation is embedded as it says: its system message is the instruction,
so that documents can be embedded here too; `priority` above 0 lets queries overtake it (vLLM's field).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StrictInt

from indexer.embed.protocol import Query, Vector
from indexer.serve.http.answers import ERRORS, cut, json_of
from indexer.serve.http.callers import all_of, unless_gone
from indexer.serve.http.routes.embed import MAX_TEXTS, Text
from indexer.serve.refusals import Refusal
from indexer.serve.service import Service
from indexer.serve.vectors.images import Pictures

MAX_MESSAGES = 2  # a system message and a user's
MAX_PARTS = 16


# else each text of a long list is an error of its own
Tokens = Annotated[list[StrictInt], Field(fail_fast=True)]


class ImageURL(BaseModel):
    url: str


class Part(BaseModel):
    type: Literal["text", "image_url"]
    text: Text | None = None
    image_url: ImageURL | None = None


class Message(BaseModel):
    role: Literal["system", "user"]
    content: Text | Annotated[list[Part], Field(max_length=MAX_PARTS)]


class EmbeddingRequest(BaseModel):
    model: str
    input: (
        Text
        | Annotated[list[Text], Field(max_length=MAX_TEXTS)]
        | Tokens
        | Annotated[list[Tokens], Field(fail_fast=True)]
        | None
    ) = None
    messages: Annotated[list[Message], Field(max_length=MAX_MESSAGES)] | None = None
    dimensions: int | None = Field(None, ge=1, le=4096)
    encoding_format: Literal["float", "base64"] = "float"
    priority: int = Field(0, description="0: a query. Above: a document, which queries overtake.")


class Embedding(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingResponse(BaseModel):
    object: Literal["list"]
    data: list[Embedding]
    model: str


class ModelCard(BaseModel):
    id: str
    object: Literal["model"]
    owned_by: str
    space_model: dict[str, Any] = Field(description="All that its vectors depend on.")


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelCard]


def openai_router(service: Service, pictures: Pictures) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["OpenAI"], responses={**ERRORS, 404: {}})

    @router.post("/embeddings", response_model=EmbeddingResponse)
    async def embeddings(request: Request, body: EmbeddingRequest) -> Response:
        vectors = service.embedders.vl
        if body.model != service.embedders.model.name:
            raise Refusal(
                404,
                f"The model {body.model[:100]!r} is not served here: {service.embedders.model.name} is.",
            )
        queries = await asyncio.to_thread(_queries, body, pictures, service)
        low = body.priority > 0
        found = await unless_gone(request, all_of(vectors, queries, low_priority=low))
        data = [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, body)}
            for index, vector in enumerate(found)
        ]
        return json_of({"object": "list", "data": data, "model": service.embedders.model.name})

    @router.get("/models", response_model=ModelList)
    async def models() -> Response:
        model = service.embedders.model
        card = {
            "id": model.name,
            "object": "model",
            "owned_by": "fontsight",
            "root": model.name,
            "space_model": asdict(model),
        }
        return json_of({"object": "list", "data": [card]})

    return router


def _queries(body: EmbeddingRequest, pictures: Pictures, service: Service) -> list[Query]:
    if (body.input is None) == (body.messages is None):
        raise Refusal(400, "Send either input or messages.")
    if body.messages is not None:
        return [_of_messages(body.messages, pictures, service)]
    given = [body.input] if isinstance(body.input, str) else body.input or []
    if not given:
        raise Refusal(400, "input is empty: send at least one text.")
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise Refusal(
            400, "Arrays of tokens are not accepted, because each model has its own: send text."
        )
    return [Query(text=text) for text in texts]


def _of_messages(messages: Sequence[Message], pictures: Pictures, service: Service) -> Query:
    instruction = service.embedders.model.document_instruction  # as upstream's default is
    texts: list[str] = []
    images: list[str] = []
    for message in messages:
        parts = _parts(message)
        if message.role == "system":
            instruction = " ".join(part.text or "" for part in parts)
            continue
        texts += [part.text for part in parts if part.type == "text" and part.text]
        images += [part.image_url.url for part in parts if part.image_url]
    if len(images) > 1:
        raise Refusal(400, "At most one image can be embedded.")
    query = Query(
        text="\n".join(texts) or None,
        image=pictures.read(images[0]) if images else None,
        instruction=instruction,
    )
    if query.empty:
        raise Refusal(400, "The messages hold neither a text nor an image.")
    return query


def _parts(message: Message) -> list[Part]:
    if isinstance(message.content, str):
        return [Part(type="text", text=message.content)]
    return message.content


def _encoded(vector: Vector, body: EmbeddingRequest) -> object:
    numbers = cut(vector, body.dimensions)
    if body.encoding_format == "float":
        return numbers
    return base64.b64encode(numbers.astype(np.dtype("<f4")).tobytes()).decode()
