"""One font: what is known of it, a text set in it, its sheet, and the part of it that a text needs."""

from __future__ import annotations

import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from indexer.catalog.install import font_face, fontsource_line
from indexer.catalog.licenses import permits_subsets
from indexer.catalog.scripts import subsets_of
from indexer.errors import FontError
from indexer.serve.http.answers import ERRORS, Error, has, json_of
from indexer.serve.http.callers import unless_gone
from indexer.serve.reading import Reader
from indexer.serve.refusals import Refusal
from indexer.serve.search import facets
from indexer.serve.search.columns import Columns
from indexer.serve.search.schema import FontColumns
from indexer.serve.search.visible import VisibleFont, visible_font
from indexer.serve.specimens.specimens import MEDIA_TYPES, Specimens, Wanted

MAX_TEXT = 200
ASCII = "".join(map(chr, range(0x20, 0x7F)))
# A policy may hide a font at any time, so a browser asks each time whether what it has is still to be seen.
CACHE_CONTROL = "private, no-cache"
NO_FILE = "The font's row names no file that could be drawn."

Text = Annotated[str, Query(min_length=1, max_length=MAX_TEXT)]


class Install(BaseModel):
    fontsource: str | None = Field(description="The command for npm; null if it is not available.")
    css: str | None = Field(description="@font-face rules; null without files on the web.")


class Font(FontColumns):
    install: Install
    percentiles: dict[str, float] = Field(
        description="Where each measurement stands among all fonts, 0 to 1; ties count half."
    )


def _pictures(kind: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that answers with bytes."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        200: {"content": {kind: binary}},
        304: {"description": "What the caller has, by If-None-Match, is still right."},
        404: {"model": Error, "description": "No such font, or its file is not available."},
    }


def fonts_router(reader: Reader, specimens: Specimens, columns: Columns) -> APIRouter:
    """Every route reads the font's row as a visitor, also where the answer is kept in memory."""
    router = APIRouter(prefix="/fonts", tags=["fonts"], responses=ERRORS)

    async def row(font_id: UUID) -> VisibleFont:
        def read() -> VisibleFont:
            with reader.visitor() as connection:
                return visible_font(connection, font_id)

        return await reader.answer(read)

    async def specimen(request: Request, font: VisibleFont, wanted: Wanted) -> Response:
        began = time.perf_counter()
        if font.url is None:
            raise Refusal(404, NO_FILE)
        try:
            file = await specimens.file(font.url)
        except FontError as error:
            raise Refusal(404, error.message) from None
        found = time.perf_counter()
        headers = {"ETag": wanted.etag(file), "Cache-Control": CACHE_CONTROL}
        if has(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        made = await specimens.make(file, wanted)
        headers["Server-Timing"] = (
            f"file;dur={(found - began) * 1000:.1f}, "
            f"drawing;dur={(time.perf_counter() - found) * 1000:.1f}"
        )
        if made.told:
            headers["X-Specimen"] = made.told
        return Response(made.data, headers=headers, media_type=MEDIA_TYPES[wanted.kind])

    @router.get("/{font_id}", response_model=Font, responses={404: {"model": Error}})
    async def font(font_id: UUID) -> Response:
        """All that is known of a font, how to install it, and how it compares with the others."""

        def read() -> tuple[VisibleFont, dict[str, float]]:
            with reader.visitor() as connection:
                found = visible_font(connection, font_id)
                return found, facets.percentiles(connection, columns, found.traits or {})

        return json_of(_told(*await reader.answer(read)))

    @router.get(
        "/{font_id}/text",
        response_class=Response,
        responses=_pictures("image/png"),
    )
    async def text(
        request: Request,
        font_id: UUID,
        text: Text,
        size: Annotated[int, Query(ge=12, le=160, description="CSS px per em.")] = 48,
        scale: Annotated[float, Query(ge=1, le=3, description="Device px per CSS px.")] = 1.0,
    ) -> Response:
        """The text set in the font: black ink on transparent paper, as wide as its ink.

        The picture is 1.6 em high with the baseline 1.15 em from its top. X-Specimen tells how much
        is shown: all of the `text`, the `partial` text that the font has (or that has room), or a
        `sample` of its own script where it has none.
        """
        found = await row(font_id)
        wanted = Wanted.text(text, size=size, scale=round(scale, 2))
        return await unless_gone(request, specimen(request, found, wanted))

    @router.get(
        "/{font_id}/sheet",
        response_class=Response,
        responses=_pictures("image/png"),
    )
    async def sheet(request: Request, font_id: UUID) -> Response:
        """The glyph sheet that vision-language embedders see, 1024 by 512 pixels."""
        found = await row(font_id)
        return await unless_gone(request, specimen(request, found, Wanted.sheet()))

    @router.get(
        "/{font_id}/woff2",
        response_class=Response,
        responses={
            **_pictures("font/woff2"),
            403: {"model": Error, "description": "The license does not permit it."},
        },
    )
    async def woff2(request: Request, font_id: UUID, text: Text = ASCII) -> Response:
        """The regular file cut down to the text's characters, where the font's license permits it."""
        found = await row(font_id)
        if not permits_subsets(found.license):
            raise Refusal(
                403, "The font's license is not known to permit this. Its pictures are at …/text."
            )
        return await unless_gone(request, specimen(request, found, Wanted.woff2(text)))

    return router


def _told(font: VisibleFont, percentiles: dict[str, float]) -> dict[str, Any]:
    return {
        "id": font.id,
        "name": font.name,
        "category": font.category,
        "description": font.description,
        "tags": font.tags,
        "source": font.source,
        "files": font.files if isinstance(font.files, dict) else None,
        "license": font.license,
        "styles": font.styles,
        "traits": font.traits,
        "subsets": subsets_of(font.tags),
        "install": {
            "fontsource": fontsource_line(font.addresses),
            "css": font_face(font.name, font.addresses),
        },
        "percentiles": percentiles,
    }
