"""Whether the service can answer, by what, and what Prometheus wants to know."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from indexer.serve.http.access import Access
from indexer.serve.http.answers import json_of
from indexer.serve.reading import DatabaseUnavailable
from indexer.serve.service import Service

NOT_LOADED = "The model cannot be loaded. Ask with a key, or see the service's log."
OTHER_MODEL = "The model is not that of the serving vectors. Ask with a key for more."


class Health(BaseModel):
    """As sidecars have it; `notice` says in a sentence what is wrong."""

    status: Literal["ok", "loading", "failed"]
    embedding_model: str | None
    reranker_model: str | None
    embedding_loaded: bool
    reranker_loaded: bool
    device: str | None
    embedding_dim: int | None = Field(description="Of POST /embed with texts.")
    vocabulary: str | None = Field(
        description="A hash of what queries are read by, of an embedder that knows a vocabulary."
    )
    serving_model: str | None = Field(description="That made the vectors which search compares.")
    searches: bool = Field(description="False: `notice` says why not.")
    notice: str | None


def health_router(service: Service, access: Access) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/health", response_model=Health, responses={503: {"model": Health}})
    async def health(request: Request) -> Response:
        """Without a key, where one is needed, `notice` tells no more than which part is wrong."""
        knows = access.lets_in(request)
        notice = service.embedders.why_not.get("vl")
        if notice and not knows:
            notice = NOT_LOADED
        try:
            mismatch = await service.mismatch()
        except DatabaseUnavailable as error:
            mismatch, notice = None, str(error)
        if mismatch and not knows:
            mismatch = OTHER_MODEL
        answer = json_of(_health(service, mismatch, notice).model_dump())
        answer.status_code = 200 if service.embedders.state == "ok" else 503
        return answer

    @router.get("/metrics", dependencies=[Depends(access.check)], response_class=Response)
    async def metrics() -> Response:
        """In Prometheus' text format."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    return router


def _health(service: Service, mismatch: str | None, notice: str | None) -> Health:
    embedder = vl.embedder if (vl := service.embedders.ready.get("vl")) else None
    space = service.spaces.latest.get("vl")
    why_not = mismatch or notice
    own = embedder.model.dimension if embedder else None
    return Health(
        status=service.embedders.state,
        embedding_model=embedder.model.name if embedder else None,
        reranker_model=None,
        embedding_loaded=embedder is not None,
        reranker_loaded=False,
        device=embedder.device if embedder else None,
        embedding_dim=service.options.sidecar_dimension or own,
        vocabulary=embedder.vocabulary if embedder else None,
        serving_model=space.model.name if space else None,
        searches=service.embedders.state == "ok" and why_not is None,
        notice=why_not,
    )
