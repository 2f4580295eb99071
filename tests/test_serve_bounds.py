"""What the service bears: how many requests, how large and how slow; and that it ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")
from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from indexer.serve import run
from indexer.serve.http import bodies, connections
from indexer.serve.http.access import Access
from indexer.serve.http.bodies import Bodies
from indexer.serve.http.middleware import Bounded, Observed
from indexer.serve.http.routes.embed import AppQuery
from indexer.serve.http.routes.openai import EmbeddingRequest
from indexer.serve.metrics import Metrics
from indexer.serve.run import Server, bound
from tests.fix_servers import free_port
from tests.fix_service import KEY
from tests.fix_waiting import until

HEAD = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
MEBI = 1 << 20
ENTERED = threading.Event()


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


# --- bodies


def posted(body: bytes, *, keys: tuple[str, ...] = ()) -> tuple[int, int | str]:
    """The status, and how many bytes the route got, or why it got none."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        whole = await Request(scope, receive).body()
        await Response(str(len(whole)))(scope, receive, send)

    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(Bodies(route, Access(keys)))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            return await http.post("/embed", content=body)

    answer = asyncio.run(main())
    if answer.status_code == 200:
        return 200, int(answer.text)
    return answer.status_code, str(answer.json()["error"]["message"])


def test_a_body_that_would_take_long_to_parse_is_not_parsed() -> None:
    for values in (b"[" * MEBI, b"[]," * MEBI, b'{"a":1},' * MEBI, b'"a",' * MEBI):
        status, why = posted(values)
        assert (status, "too many values" in str(why)) == (413, True)


def test_a_large_picture_and_much_text_are_let_in() -> None:
    picture = json.dumps({"image": "iVBORw0KGgo=" * (MEBI - 100)}).encode()
    assert posted(picture) == (200, len(picture))
    texts = json.dumps({"texts": ["Serif, light [text], {calm}. "] * 8_000}).encode()
    assert posted(texts) == (200, len(texts))


def test_what_all_bodies_take_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_HELD", MEBI)
    assert posted(b"a" * MEBI) == (200, MEBI)
    assert posted(b"a" * (MEBI + 1)) == (429, "Too many large requests. Try again in a second.")


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (EmbeddingRequest, {"model": "m", "input": ["a"] * 60_000}),
        (EmbeddingRequest, {"model": "m", "input": [["a"]] * 60_000}),
        (AppQuery, {str(number): 0 for number in range(60_000)}),
    ],
)
def test_what_is_wrong_with_a_long_list_is_not_said_of_each_item(
    model: Any, body: dict[str, object]
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert caught.value.error_count() < 300


# --- clients that dawdle


@dataclass(frozen=True)
class Served:
    address: tuple[str, int]
    server: Server

    def __call__(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    @property
    def open(self) -> int:
        return len(self.server.server_state.connections)


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """A service that answers with as many bytes as it is sent, and to GET with 16 MiB."""
    app = FastAPI()

    @app.post("/embed")
    async def embed(request: Request) -> Response:
        return Response(str(len(await request.body())))

    @app.get("/much")
    async def much() -> Response:
        return Response(b"a" * (16 * MEBI))

    @app.get("/never")
    async def never() -> None:
        ENTERED.set()
        await asyncio.Event().wait()

    app.add_middleware(Bounded, most=1)
    app.add_middleware(Bodies, access=Access((KEY,)))
    app.add_middleware(Observed, metrics=Metrics())
    server = Server(app, lambda line: None)
    listening = bound("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield Served(listening.getsockname(), server)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the service did not end"


def whole(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


def ask_for_ever(connection: socket.socket) -> None:
    ENTERED.clear()
    connection.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    assert ENTERED.wait(20)


def silence(connection: socket.socket) -> bool:
    """It is open, and nothing comes."""
    connection.settimeout(0.05)
    try:
        connection.recv(1000)
    except TimeoutError:
        return True
    return False


def dripped(connection: socket.socket, *first: bytes) -> bytes:
    """What is answered to one who sends these, and then a byte now and again until nobody listens."""
    for part in first:
        connection.sendall(part)
    connection.settimeout(0.02)
    received = b""
    with contextlib.suppress(OSError):
        while True:
            with contextlib.suppress(TimeoutError):
                if not (part := connection.recv(65536)):
                    break
                received += part
            connection.sendall(b"a")
    return received


def test_a_head_that_comes_by_the_byte_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SECONDS, "head", 0.2)
    with served() as connect:
        with connect() as slow, connect() as silent:
            answer = dripped(slow, b"POST /embed HTTP/1.1\r\nX-Slow: ")
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"not there within 0.2 seconds" in answer
            assert whole(silent) == b""
        with connect() as kept:
            kept.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
            assert kept.recv(1000).startswith(b"HTTP/1.1 200 ")
            assert b"HTTP/1.1 408 " in dripped(kept, b"POST /e")


def test_a_body_that_comes_by_the_byte_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_SECONDS", 0.2)
    monkeypatch.setitem(connections.SECONDS, "body", 0.2)
    with served() as connect:
        for length in (
            b"Content-Length: 4000\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\nfa0\r\n",
        ):
            with connect() as slow:
                answer = dripped(slow, HEAD + length)
                assert answer.startswith(b"HTTP/1.1 408 ")
                assert b"not there within 0.2 seconds" in answer
        with (
            connect() as refused
        ):  # who is told at once that it is too large may not go on for ever
            answer = dripped(refused, HEAD + b"Content-Length: 5000\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 401 ")


def test_who_is_slow_keeps_nobody_out() -> None:
    with served() as connect, connect() as slow, connect() as other:
        slow.sendall(HEAD + b"Content-Length: 3\r\n\r\na")
        other.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
        assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
        slow.sendall(b"bc")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SECONDS, "taking", 0.2)
    with served() as connect, connect() as full:
        full.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        assert full.recv(1, socket.MSG_PEEK)
        until(lambda: connect.open == 0)
        assert len(whole(full)) < 16 * MEBI


def test_of_many_connections_those_that_ask_nothing_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(connections, "SECONDS_TO_ASK", 0.0)
    monkeypatch.setattr(run, "SECONDS_TO_FINISH", 0.1)
    with contextlib.ExitStack() as stack, served() as connect:
        silent, half, asking = (stack.enter_context(connect()) for _ in range(3))
        half.sendall(HEAD + b"Content-Length: 3\r\n\r\na")
        ask_for_ever(asking)
        for late in (silent, half):
            stack.enter_context(connect())
            assert whole(late) == b""
        assert silence(asking)


def test_where_all_connections_are_busy_another_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(run, "SECONDS_TO_FINISH", 0.1)
    with served() as connect, connect() as asking:
        ask_for_ever(asking)
        with connect() as refused:
            assert whole(refused).startswith(b"HTTP/1.1 503 ")


def test_what_is_not_http_is_told_so_and_nothing_else() -> None:
    with served() as connect, connect() as other, connect() as twice:
        other.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b'"message": "This is not a request' in whole(other)
        # in the middle of a body
        twice.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nnonsense\r\n")
        assert whole(twice).startswith(b"HTTP/1.1 400 ")


# --- the end


def test_who_has_no_answer_by_the_end_is_told_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "SECONDS_TO_FINISH", 0.1)
    with contextlib.ExitStack() as stack:
        with served() as connect:
            asked = stack.enter_context(connect())
            ask_for_ever(asked)
        answer = whole(asked)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"The service is stopping. Try again." in answer
    assert not any(record.exc_info for record in caplog.records)


HANGS = """
import asyncio, sys, threading
from indexer.cli import commands
from indexer.serve import run

commands.set_up()
run.SECONDS_TO_FINISH, run.SECONDS_TO_STOP = 0.1, 0.5

async def app(scope, receive, send):
    if scope["type"] == "http":  # a database or a card that gives no answer
        print("asked", flush=True)
        await asyncio.to_thread(threading.Event().wait)

server = run.Server(app, lambda line: print(line, flush=True))
server.run([run.bound("127.0.0.1", int(sys.argv[1]))])
"""


def test_it_ends_in_time_whatever_hangs() -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            asked = None
            while asked is None:
                with contextlib.suppress(ConnectionRefusedError):
                    asked = socket.create_connection(("127.0.0.1", port))
            with asked:
                asked.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
                assert process.stdout
                assert process.stdout.readline() == b"asked\n"
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 1
            assert b"did not end within 0.5 s" in process.stdout.read()
        finally:
            process.kill()
