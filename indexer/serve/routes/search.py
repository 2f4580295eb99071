"""Search in one request: the service embeds, and calls the function that apps call."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from indexer.serve.answers import ERRORS, json_of
from indexer.serve.callers import unless_gone
from indexer.serve.images import Pictures
from indexer.serve.refusals import Refusal
from indexer.serve.searching import MAX_QUERY, Search, answer
from indexer.serve.service import Service
from indexer.weights import Fusion


class SearchRequest(BaseModel):
    """Words, a picture, or a font whose neighbours are wanted; none of them: all fonts by name."""

    model_config = ConfigDict(extra="forbid")

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


class Reason(BaseModel):
    phrase: str
    trait: str
    value: float
    word: str


class FoundFont(BaseModel):
    id: UUID
    name: str
    category: str | None
    description: str | None
    tags: list[str] | None
    source: str | None
    files: dict[str, Any] | None
    license: str | None
    styles: dict[str, Any] | None
    traits: dict[str, Any] | None
    subsets: list[str]
    score: float | None
    text_similarity: float | None
    text_rank: int | None
    vl_similarity: float | None
    vl_rank: int | None
    full_text_similarity: float | None
    full_text_rank: int | None
    why: list[Reason] = Field(description="Which measurements answer which words.")


class Phrase(BaseModel):
    phrase: str
    means: dict[str, float]


class UnknownWord(BaseModel):
    word: str
    near: list[str]


class LegState(BaseModel):
    model: str | None
    asked: bool
    why_not: str | None


class Legs(BaseModel):
    text: LegState
    vl: LegState
    words: LegState


class Milliseconds(BaseModel):
    embedding: float
    rpc: float
    rendering: float = Field(description="Of this answer; pictures tell theirs in Server-Timing.")
    total: float


class SearchAnswer(BaseModel):
    fonts: list[FoundFont]
    exactness: Literal["scanned", "likely", "unproven"] | None
    strategy: Literal["exact", "index"] | None
    understood: list[Phrase] | None = Field(description="null: the embedder reads everything.")
    not_understood: list[UnknownWord]
    legs: Legs
    alpha: float
    notices: list[str]
    milliseconds: Milliseconds


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
