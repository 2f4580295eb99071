"""What generic embedding providers are configured for: one path for texts, one for images."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from indexer.embed.protocol import Query
from indexer.serve.http.answers import ERRORS, json_of
from indexer.serve.http.callers import all_of, unless_gone
from indexer.serve.http.routes.embed import MAX_TEXTS, Text
from indexer.serve.refusals import Refusal
from indexer.serve.service import Service
from indexer.serve.vectors.images import Pictures

MAX_IMAGES = 16


class Texts(BaseModel):
    input: Text | Annotated[list[Text], Field(max_length=MAX_TEXTS)]


class Images(BaseModel):
    input: str | Annotated[list[str], Field(max_length=MAX_IMAGES)] = Field(
        description="Base64 or a data URL, or a list of these."
    )


class OneVector(BaseModel):
    embedding: list[float]


class Vectors(BaseModel):
    embeddings: list[list[float]]


def provider_router(service: Service, pictures: Pictures) -> APIRouter:
    router = APIRouter(tags=["embed"], responses=ERRORS)

    @router.post("/txt/embed", response_model=OneVector | Vectors)
    async def embed_text(request: Request, body: Texts) -> Response:
        """The vector of a text as a query; of a list, a list. Of the space's dimension, unpadded."""
        given = [body.input] if isinstance(body.input, str) else body.input
        queries = [Query(text=text) for text in given]
        return await _answer(request, service, queries, isinstance(body.input, str))

    @router.post("/img/embed", response_model=OneVector | Vectors)
    async def embed_image(request: Request, body: Images) -> Response:
        """The vector of an image as a query; of a list, a list."""
        given = [body.input] if isinstance(body.input, str) else body.input
        images = await asyncio.to_thread(lambda: [pictures.read(image) for image in given])
        queries = [Query(image=image) for image in images]
        return await _answer(request, service, queries, isinstance(body.input, str))

    return router


async def _answer(request: Request, service: Service, queries: list[Query], one: bool) -> Response:
    if not queries:
        raise Refusal(400, "input is empty: send at least one.")
    found = await unless_gone(request, all_of(service.embedders.vl, queries))
    return json_of({"embedding": found[0]} if one else {"embeddings": found})
