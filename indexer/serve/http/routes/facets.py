"""What the page shows around its results: counts for its filters, and how the index stands."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from indexer.errors import Stage
from indexer.serve.http.answers import ERRORS, json_of
from indexer.serve.http.bodies import Body
from indexer.serve.search import facets, panel
from indexer.serve.search.columns import Columns
from indexer.serve.service import Service
from indexer.spaces import Leg, State


class FacetsRequest(Body):
    filter: dict[str, Any] | None = Field(None, description="As match_fonts_hybrid takes it.")


class Value(BaseModel):
    value: str
    count: int


class Weight(BaseModel):
    value: int
    count: int


class StyleCounts(BaseModel):
    italic: int
    variable: int
    weights: list[Weight] = Field(description="Static ones, and hundreds within a variable range.")


class Histogram(BaseModel):
    low: float
    high: float
    unit: str
    meaning: str
    counts: list[int] = Field(description="20 bins; what lies beyond counts in the outer ones.")


class Facets(BaseModel):
    """Each facet counts the fonts under all parts of the filter but its own."""

    total: int = Field(description="Under the whole filter; near-duplicates are not collapsed.")
    category: list[Value]
    subsets: list[Value]
    tags: list[Value] = Field(description="The 30 most frequent that are no script.")
    license: list[Value]
    source: list[Value]
    styles: StyleCounts
    traits: dict[str, Histogram]


class SpaceState(BaseModel):
    leg: Leg
    model: str
    revision: str
    dimension: int
    id: str
    state: State
    fonts: int


class EmbedderState(BaseModel):
    model: str | None
    reads_images: bool
    loaded: bool


class LastRun(BaseModel):
    leg: Leg
    started_at: datetime
    finished_at: datetime | None
    outcome: Literal["running", "finished", "failed", "interrupted"]
    seconds: float | None


class FailureCount(BaseModel):
    leg: Leg
    stage: Stage
    reason: str = Field(description="One of the sentences; others differ in numbers.")
    count: int


class Panel(BaseModel):
    """Fonts, vectors and failures are counted among those that visitors see."""

    spaces: list[SpaceState]
    device: str | None
    embedder: EmbedderState
    fonts: int
    with_vl: int
    without_vl: int
    last_run: LastRun | None
    failures: list[FailureCount]
    searches: bool = Field(description="Whether searches are answered.")
    role: str | None = Field(description="That fonts are read as; null: the role that connects.")


def facets_router(service: Service, columns: Columns) -> APIRouter:
    router = APIRouter(tags=["page"], responses=ERRORS)

    @router.post("/facets", response_model=Facets)
    async def counts(body: FacetsRequest) -> Response:
        """How many fonts each filter would leave, and how each measurement is spread."""
        began = time.perf_counter()
        answer = await service.reader.answer(lambda: _counted(service, columns, body.filter or {}))
        milliseconds = (time.perf_counter() - began) * 1000
        return json_of(answer, {"Server-Timing": f"facets;dur={milliseconds:.1f}"})

    @router.get("/panel", response_model=Panel)
    async def state() -> Response:
        """Spaces, embedder, the last run and what failed."""
        embedders = service.embedders
        vl = embedders.ready.get("vl")
        answer = {
            **await service.reader.answer(lambda: panel.read(service.reader)),
            "device": vl.embedder.device if vl else None,
            "embedder": {
                "model": vl.embedder.model.name if vl else None,
                "reads_images": vl.embedder.reads_images if vl else False,
                "loaded": vl is not None,
            },
            "searches": embedders.state == "ok"
            and embedders.mismatch(service.spaces.latest) is None,
        }
        return json_of(answer)

    return router


def _counted(service: Service, columns: Columns, filter: dict[str, Any]) -> dict[str, Any]:
    with service.reader.visitor() as connection:
        return facets.counted(connection, columns, filter)
