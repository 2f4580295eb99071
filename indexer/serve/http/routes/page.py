"""The search page: its shell at /, its style and modules, read from the package once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from fastapi import APIRouter, Request, Response

from indexer.serve.http.answers import has
from indexer.serve.refusals import Refusal

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
SHELL = "index.html"
HEADERS = {
    "Cache-Control": "no-cache",  # may be kept, and is asked for again: a 304 while it is unchanged
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
}


@dataclass(frozen=True, kw_only=True)
class PageFile:
    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> PageFile:
        return cls(
            content=content,
            media_type=MEDIA_TYPES[name.rpartition(".")[2]],
            etag=f'"{hashlib.sha256(content).hexdigest()[:16]}"',
        )


def page_files() -> dict[str, PageFile]:
    """All files of the page by name; nothing else is ever served under /page."""
    return {
        entry.name: PageFile.of(entry.name, entry.read_bytes())
        for entry in resources.files("indexer.serve").joinpath("page").iterdir()
        if entry.name.rpartition(".")[2] in MEDIA_TYPES
    }


def page_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    files = page_files()

    @router.get("/")
    async def shell(request: Request) -> Response:
        return _answer(request, files[SHELL])

    @router.get("/page/{name}")
    async def part(request: Request, name: str) -> Response:
        if name not in files or name == SHELL:
            raise Refusal(404, "The page has no such file.")
        return _answer(request, files[name])

    return router


def _answer(request: Request, file: PageFile) -> Response:
    headers = {**HEADERS, "ETag": file.etag}
    if has(request, file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
