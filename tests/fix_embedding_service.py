"""An embedding service that answers by script, on a real socket of this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest

from tests.fix_servers import running

DIMENSION = 8

T = TypeVar("T")

Answer = tuple[int, dict[str, str], Any]  # status, headers, body: JSON or bytes
Script = Callable[[dict[str, Any]], Answer]


def numbers_of(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]


def asked(request: dict[str, Any]) -> list[str]:
    """What a request wants embedded: its texts, or its one conversation as JSON."""
    if "messages" in request:
        return [json.dumps(request["messages"], sort_keys=True)]
    texts: list[str] = request["input"]
    return texts


def good(request: dict[str, Any]) -> Answer:
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": numbers_of(text)[: request.get("dimensions")],
        }
        for index, text in enumerate(asked(request))
    ]
    return 200, {}, {"object": "list", "data": data, "model": request["model"]}


def listing(*cards: dict[str, Any]) -> Answer:
    return 200, {}, {"object": "list", "data": list(cards)}


def in_turn(answers: list[T]) -> T:
    return answers.pop(0) if len(answers) > 1 else answers[0]


class Service:
    """An embedding service that answers by script: the last one stays."""

    def __init__(self) -> None:
        self.scripts: list[Script] = [good]
        self.models: list[Answer] = [listing({"id": "test-embedding"})]  # likewise
        self.lock = threading.Lock()
        self.asked_for_models = 0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                service.connections += 1

            def do_GET(self) -> None:
                with service.lock:
                    service.note(self.headers)
                    service.asked_for_models += 1
                    answer = in_turn(service.models)
                self.send(answer if self.path == "/v1/models" else (404, {}, b""))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = {**json.loads(body), "path": self.path}
                with service.lock:
                    service.requests.append(request)
                    service.note(self.headers)
                    script = in_turn(service.scripts)
                self.send(script(request))

            def send(self, answer: Answer) -> None:
                status, headers, body = answer
                payload = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False

    def note(self, headers: Message) -> None:
        self.headers.append({name.lower(): value for name, value in headers.items()})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with running(service.server):
        yield service
