"""The application: its routes, who may use them, and what starts and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from indexer.serve.http import errors
from indexer.serve.http.access import COOKIE, LOOPBACK, Access
from indexer.serve.http.bodies import Bodies
from indexer.serve.http.middleware import Bounded, Observed
from indexer.serve.http.routes.embed import embed_router
from indexer.serve.http.routes.facets import facets_router
from indexer.serve.http.routes.fonts import fonts_router
from indexer.serve.http.routes.health import health_router
from indexer.serve.http.routes.openai import openai_router
from indexer.serve.http.routes.page import page_router
from indexer.serve.http.routes.provider import provider_router
from indexer.serve.http.routes.search import search_router
from indexer.serve.search.columns import Columns
from indexer.serve.search.facets import warm
from indexer.serve.search.searching import warm_up
from indexer.serve.service import Service
from indexer.serve.specimens.specimens import Specimens
from indexer.serve.vectors.images import Pictures
from indexer.settings import Settings


class Key(BaseModel):
    key: str


def application(
    service: Service, specimens: Specimens, access: Access, settings: Settings
) -> FastAPI:
    """FastAPI's own pages are omitted: they load scripts from elsewhere. GET /openapi.json has it all."""
    columns = Columns()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service.reader, specimens:
            service.embedders.start(lambda: warm_up(service))
            warming = asyncio.create_task(asyncio.to_thread(warm, service.reader, columns))
            yield
            await asyncio.gather(warming, return_exceptions=True)
            await service.embedders.close()

    app = FastAPI(
        title="fontsight",
        version=version("fontsight"),
        description="Font search by sight: query vectors, and search in one request.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    pictures = Pictures(downloader=None)
    if settings.serve_remote_images:
        pictures = Pictures.of_web(
            allow_private=settings.allow_private_addresses, proxy=settings.proxy
        )
    app.include_router(health_router(service, access))
    app.include_router(page_router())  # it holds nothing, and asks for the key itself
    for router in (
        embed_router(service, pictures),
        provider_router(service, pictures),
        openai_router(service, pictures),
        search_router(service, pictures),
        facets_router(service, columns),
        fonts_router(service.reader, specimens, columns),
    ):
        app.include_router(router, dependencies=[Depends(access.check)])

    @app.post("/session", status_code=204, tags=["page"])
    async def session(request: Request, body: Key) -> Response:
        """Lets a browser in: the key once, then a cookie that no script can read."""
        answer = Response(status_code=204)
        answer.set_cookie(
            COOKIE, access.cookie_for(body.key), httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    app.add_middleware(Bounded)
    app.add_middleware(Bodies, access=access)  # around it: what is not there yet keeps nobody out
    origins = [origin.strip() for origin in settings.serve_origins.split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip
    if not access.required:
        # without a key, a web page that renames its own host to 127.0.0.1 could ask in its visitor's place
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK], www_redirect=False)
    app.add_middleware(Observed, metrics=service.metrics)
    return app
