"""What apps and sidecars ask: the vector of a query. Both post to /embed, and are told apart by their keys."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Discriminator, Field, Tag

from indexer.embed.protocol import Query
from indexer.serve.http.answers import ERRORS, cut, json_of
from indexer.serve.http.bodies import Body
from indexer.serve.http.callers import all_of, unless_gone
from indexer.serve.reading import DatabaseUnavailable
from indexer.serve.refusals import Refusal
from indexer.serve.service import Service
from indexer.serve.vectors.images import Pictures
from indexer.spaces import padded

MAX_TEXT = 8_000  # characters
MAX_TEXTS = 256

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class AppQuery(Body):
    """What the app posts to its VL_EMBEDDING_ENDPOINT."""

    text: Text | None = None
    image: str | None = Field(None, description="Base64 or a data URL.")


class SidecarQueries(Body):
    """What a reranking or retrieval sidecar posts."""

    texts: list[Text] = Field(max_length=MAX_TEXTS)
    instruction: Text | None = Field(None, description="Omitted: the serving space's.")
    dimension: int | None = Field(None, ge=1, le=4096)


def _kind(given: object) -> str:
    is_sidecar = "texts" in given if isinstance(given, dict) else isinstance(given, SidecarQueries)
    return "many texts" if is_sidecar else "one query"


# what is wrong is told of the one that is meant, not of both
EitherQuery = Annotated[AppQuery, Tag("one query")] | Annotated[SidecarQueries, Tag("many texts")]
Kind = Discriminator(_kind)


class AppVector(BaseModel):
    embedding: list[float] = Field(
        description="4096 numbers; shorter vectors are padded with zeros."
    )


class SidecarVectors(BaseModel):
    embeddings: list[list[float]]
    dimension: int
    model: str


def embed_router(service: Service, pictures: Pictures) -> APIRouter:
    router = APIRouter(tags=["embed"], responses=ERRORS)

    @router.post("/embed", response_model=AppVector | SidecarVectors)
    @router.post("/", response_model=AppVector | SidecarVectors)
    async def embed(request: Request, body: Annotated[EitherQuery, Kind]) -> Response:
        """The vector of a query in the serving space: of text and image, or of several texts."""
        if isinstance(body, SidecarQueries):
            return json_of(await unless_gone(request, _of_texts(service, body)))
        return json_of(await unless_gone(request, _of_query(service, pictures, body)))

    return router


async def _of_query(service: Service, pictures: Pictures, body: AppQuery) -> dict[str, object]:
    image = await asyncio.to_thread(pictures.read, body.image) if body.image else None
    query = Query(text=body.text, image=image)
    if query.empty:
        raise Refusal(400, "There is nothing to embed: send a text, an image or both.")
    # the app hands it to the database, which cannot tell whose it is
    with suppress(DatabaseUnavailable):  # then the app will find out by itself
        if mismatch := await service.mismatch():
            raise Refusal(503, mismatch)
    return {"embedding": padded(await service.embedders.vl.of(query))}


async def _of_texts(service: Service, body: SidecarQueries) -> dict[str, object]:
    if not body.texts:
        raise Refusal(400, "texts is empty: send at least one.")
    vectors = service.embedders.vl
    queries = [Query(text=text, instruction=body.instruction) for text in body.texts]
    dimension = (
        body.dimension or service.options.sidecar_dimension or service.embedders.model.dimension
    )
    found = [cut(vector, dimension) for vector in await all_of(vectors, queries)]
    return {"embeddings": found, "dimension": dimension, "model": service.embedders.model.name}
