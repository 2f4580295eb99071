"""Search in one request: the service embeds, and calls the function that apps call."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from indexer.serve.http.answers import ERRORS, json_of
from indexer.serve.http.bodies import Body
from indexer.serve.http.callers import unless_gone
from indexer.serve.refusals import Refusal
from indexer.serve.search.finding import MAX_QUERY, Search
from indexer.serve.search.schema import SearchAnswer
from indexer.serve.search.searching import answer
from indexer.serve.service import Service
from indexer.serve.vectors.images import Pictures
from indexer.weights import Fusion


class SearchRequest(Body):
    """Words, a picture, or a font whose neighbours are wanted; none of them: all fonts by name."""

    query: Annotated[str, Field(max_length=MAX_QUERY)] | None = None
    image: str | None = Field(None, description="Base64 or a data URL.")
    similar_to: UUID | None = None
    alpha: float | None = Field(
        None, ge=0, le=1, description="1 is text alone, 0 looks alone. Omitted: as deployed."
    )
    words: float | None = Field(
        None, ge=0, le=1, description="Share of the full-text leg. Omitted: as deployed."
    )
    fusion: Fusion | None = None
    filter: dict[str, Any] | None = Field(None, description="As match_fonts_hybrid takes it.")
    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=400)


def search_router(service: Service, pictures: Pictures) -> APIRouter:
    router = APIRouter(tags=["search"], responses=ERRORS)

    @router.post("/search", response_model=SearchAnswer)
    async def search(request: Request, body: SearchRequest) -> Response:
        """The best fonts, how well each fits by each leg, and what was understood of the words."""
        given = body.query.strip() if body.query else None
        if body.similar_to and (given or body.image):
            raise Refusal(400, "Send either similar_to, or a query, an image or both.")
        image = await asyncio.to_thread(pictures.read, body.image) if body.image else None
        wanted = Search(
            query=given or None,
            image=image,
            **body.model_dump(exclude={"query", "image"}),
        )
        found = await unless_gone(request, answer(service, wanted))
        timing = ", ".join(f"{name};dur={ms}" for name, ms in found["milliseconds"].items())
        return json_of(found, {"Server-Timing": timing})

    return router
