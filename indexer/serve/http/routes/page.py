"""The search page at /, read from the package once."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources

from fastapi import APIRouter, Request, Response

from indexer.serve.http.answers import has
from indexer.serve.http.joined import joined_page

MEDIA_TYPE = "text/html; charset=utf-8"


def page_files() -> dict[str, str]:
    """What the page is made of, by name."""
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in resources.files("indexer.serve").joinpath("page").iterdir()
        if entry.is_file()
    }


def page_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page, hashes = joined_page(page_files())
    plain = page.encode()
    zipped = gzip.compress(plain, mtime=0)
    headers = {
        "Cache-Control": "no-cache",  # may be kept, and is asked for again: a 304 while it is unchanged
        "ETag": f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"',  # weak: of both encodings
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                f"script-src {hashes['script']}",
                f"style-src {hashes['style']}",
                "img-src 'self' data: blob:",
                "font-src 'self' blob:",
                "connect-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        ),
    }
    etag = headers["ETag"].removeprefix("W/")

    @router.api_route("/", methods=["GET", "HEAD"])
    async def shell(request: Request) -> Response:
        if has(request, etag):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                zipped, media_type=MEDIA_TYPE, headers={**headers, "Content-Encoding": "gzip"}
            )
        return Response(plain, media_type=MEDIA_TYPE, headers=headers)

    return router
