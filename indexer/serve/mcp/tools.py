"""What an assistant may ask of the fonts: search, neighbours, and all about one font with its sheet."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, Field

from indexer.catalog.install import font_face, fontsource_line
from indexer.catalog.rows import font_id
from indexer.database.connect import Connection
from indexer.errors import FontError
from indexer.serve.mcp.types import (
    Count,
    Filter,
    Font,
    FontDetails,
    Found,
    FoundFont,
    Offset,
    Sheets,
)
from indexer.serve.refusals import Refusal
from indexer.serve.search import facets
from indexer.serve.search.columns import Columns
from indexer.serve.search.finding import MAX_QUERY, Search
from indexer.serve.search.searching import answer
from indexer.serve.search.visible import VisibleFont, visible_font
from indexer.serve.service import Service
from indexer.serve.specimens.specimens import Specimens, Wanted
from indexer.serve.vectors.images import MAX_BYTES, checked
from indexer.traits import Traits
from indexer.traits.wording import describe_traits

SECONDS_TO_LOAD = 45.0  # of a model, that a first search waits; clients wait for a minute

Alpha = Annotated[float, Field(ge=0, le=1)]


class Tools:
    """Reads as the app's visitors do, and writes nothing. Belongs to one event loop.

    Every tool raises Refusal, UserError, or what the database refuses.
    """

    def __init__(self, service: Service, specimens: Specimens) -> None:
        self._service = service
        self._specimens = specimens
        self._columns = Columns()

    async def search_fonts(
        self,
        query: Annotated[str, Field(max_length=MAX_QUERY)] | None = None,
        image_file: str | None = None,
        filter: Filter = None,
        count: Count = 10,
        offset: Offset = 0,
        alpha: Alpha | None = None,
        sheets: Sheets = 0,
    ) -> Annotated[CallToolResult, Found]:
        """Find fonts by what they look like, best first.

        query: what the letters look like ("elegant high-contrast serif", "condensed bold headline"),
        a name, or a mood. Where only measurements are understood (`understood` is not null), use words
        of typography; `not_understood` names the words that changed nothing. image_file: path of a
        picture of letters on this computer; `seen` tells what was read of it. Without both, all fonts
        that pass the filter, by name. Put what must hold into filter and what should be near into
        query. alpha: 0 compares looks alone, 1 descriptions alone; omit it for the deployed mix. Ask
        for sheets when you want to see the fonts.
        """
        image = await asyncio.to_thread(_read, image_file) if image_file else None
        words = query.strip() if query else None
        wanted = Search(
            query=words or None, image=image, filter=filter, limit=count, offset=offset, alpha=alpha
        )
        return await self._found(wanted, sheets)

    async def similar_fonts(
        self,
        font: Font,
        filter: Filter = None,
        count: Count = 10,
        offset: Offset = 0,
        alpha: Alpha = 0.0,
        sheets: Sheets = 0,
    ) -> Annotated[CallToolResult, Found]:
        """Find the fonts that look most like one font, without itself.

        For alternatives: another license, more scripts or other styles go into filter. alpha: 0
        compares looks, 1 descriptions, between them a mix.
        """

        def read() -> UUID:
            with self._service.reader.visitor() as connection:
                return _id(connection, font)

        similar_to = await self._service.reader.answer(read)
        wanted = Search(
            similar_to=similar_to, filter=filter, limit=count, offset=offset, alpha=alpha
        )
        return await self._found(wanted, sheets)

    async def font_details(
        self, font: Font, sheet: bool = True
    ) -> Annotated[CallToolResult, FontDetails]:
        """All that is known of one font, with its glyph sheet as a picture.

        License, styles, measurements and how they compare with the other fonts, and how to install
        it. sheet: false omits the picture.
        """

        def read() -> tuple[VisibleFont, dict[str, float]]:
            with self._service.reader.visitor() as connection:
                found = visible_font(connection, _id(connection, font))
                return found, facets.percentiles(connection, self._columns, found.traits or {})

        found, percentiles = await self._service.reader.answer(read)
        pictures, notices = await self._sheets([found.id] if sheet else [])
        details = FontDetails(
            **{name: getattr(found, name) for name in (
                "id", "name", "category", "description", "license", "source", "styles",
            )},
            tags=found.tags or [],
            appearance=_appearance(found.traits),
            traits={k: v for k, v in (found.traits or {}).items() if k != "version"},
            percentiles=percentiles,
            npm=fontsource_line(found.addresses),
            css=font_face(found.name, found.addresses),
            notices=notices,
        )  # fmt: skip
        return _result(details, pictures)

    async def _found(self, wanted: Search, sheets: int) -> CallToolResult:
        await self._service.embedders.tried(SECONDS_TO_LOAD)
        body = await answer(self._service, wanted)
        fonts = [
            FoundFont.model_validate({**font, "appearance": _appearance(font["traits"])})
            for font in body["fonts"]
        ]
        pictures, notices = await self._sheets([font.id for font in fonts[:sheets]])
        body |= {"fonts": fonts, "notices": [*body["notices"], *notices]}
        return _result(Found.model_validate(body), pictures)

    async def _sheets(self, ids: Sequence[UUID]) -> tuple[list[ContentBlock], list[str]]:
        """Each with its font's name above it; and of those that cannot be drawn, why."""
        drawn = await asyncio.gather(*(self._sheet(font) for font in ids))
        pictures: list[ContentBlock] = []
        for name, sheet in drawn:
            if isinstance(sheet, bytes):
                data = base64.b64encode(sheet).decode()
                pictures.append(TextContent(text=f"{name}:"))
                pictures.append(ImageContent(data=data, mime_type="image/png"))
        return pictures, [f"{name}: {why}" for name, why in drawn if isinstance(why, str)]

    async def _sheet(self, font: UUID) -> tuple[str, bytes | str]:
        """The font's name, and its sheet (PNG) or why there is none."""

        def read() -> VisibleFont:
            with self._service.reader.visitor() as connection:
                return visible_font(connection, font)

        found = await self._service.reader.answer(read)
        if found.url is None:
            return found.name, "Its row names no file that could be drawn."
        try:
            file = await self._specimens.file(found.url)
            made = await self._specimens.make(file, Wanted.sheet())
        except FontError as error:
            return found.name, error.message
        except Refusal as refusal:
            return found.name, refusal.message
        return found.name, made.data


def _id(connection: Connection, font: str) -> UUID:
    """Raises Refusal (404) where the connection's role sees no such font."""
    found = font_id(connection, font)
    if found is None:
        raise Refusal(
            404,
            f"There is no font {font[:100]!r}. Give its full name or its id; search_fonts finds "
            "fonts by words in their names.",
        )
    return found


def _result(model: BaseModel, pictures: Sequence[ContentBlock]) -> CallToolResult:
    """As data, and the same as text, for clients that know no structured content."""
    text = TextContent(text=model.model_dump_json(exclude_none=True))
    return CallToolResult(
        content=[text, *pictures], structured_content=model.model_dump(mode="json")
    )


def _appearance(traits: Mapping[str, Any] | None) -> str:
    return describe_traits(Traits.from_json(dict(traits))) if traits else ""


def _read(file: str) -> bytes:
    path = Path(file).expanduser()
    try:
        if not path.is_file():  # also a device or a pipe, which has no end
            raise Refusal(422, f"There is no file {file[:100]!r} on this computer.")
        if path.stat().st_size > MAX_BYTES:
            raise Refusal(413, f"The image is larger than {MAX_BYTES >> 20} MiB.")
        return checked(path.read_bytes())
    except (OSError, ValueError, RuntimeError):  # no permission, a zero byte, an unknown ~user
        raise Refusal(422, f"The file {file[:100]!r} cannot be read.") from None
