"""An embedding service that answers by script, on a real socket of this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.fix_servers import running

DIMENSION = 8

Answer = tuple[int, dict[str, str], Any]  # status, headers, body: JSON or bytes
Script = Callable[[dict[str, Any]], Answer]


def numbers_of(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]


def good(request: dict[str, Any]) -> Answer:
    data = [
        {"object": "embedding", "index": index, "embedding": numbers_of(text)}
        for index, text in enumerate(request["input"])
    ]
    return 200, {}, {"object": "list", "data": data, "model": request["model"]}


class Service:
    """An embedding service that answers by script: the last one stays."""

    def __init__(self) -> None:
        self.scripts: list[Script] = [good]
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

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = {**json.loads(body), "path": self.path}
                service.requests.append(request)
                service.headers.append({k.lower(): v for k, v in self.headers.items()})
                scripts = service.scripts
                script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
                status, headers, answer = script(request)
                payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with running(service.server):
        yield service
