"""How many requests are let in at once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")
from fastapi import Response
from starlette.types import Receive, Scope, Send

from indexer.serve.http.middleware import Bounded


def test_what_is_too_much_is_refused_at_once_and_let_in_again_later() -> None:
    gate = asyncio.Event()
    entered = 0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal entered
        entered += 1
        if scope["path"] != "/health":
            await gate.wait()
        await Response("done")(scope, receive, send)

    async def main() -> None:
        transport = httpx.ASGITransport(Bounded(slow, most=2))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            running = [asyncio.create_task(http.post("/embed")) for _ in range(2)]
            while entered < 2:
                await asyncio.sleep(0)
            refused = await http.post("/v1/embeddings")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
            assert refused.json()["error"]["type"] == "invalid_request_error"
            assert (await http.get("/health")).status_code == 200
            assert entered == 3
            gate.set()
            assert [answer.text for answer in await asyncio.gather(*running)] == ["done", "done"]
            assert (await http.post("/embed")).status_code == 200

    asyncio.run(main())
