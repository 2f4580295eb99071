"""Real servers on this machine: a web server that misbehaves on demand, and an npm registry."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class Web:
    """A server whose pages are functions; it keeps the requests it got."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []  # path, headers in lower case
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                web.requests.append((path, headers))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    web.pages.get(path, status(404))(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False  # an endless page does not hold up the end of the test

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # clients of these tests hang up in the middle

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.stopped = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


def status(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    return page(b"", code=code, headers=headers)


def page(body: bytes, *, code: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, and so on; the last one stays."""
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def versioned(body: bytes, etag: str, *, breaks_after: int | None = None) -> Answer:
    """A file with an ETag and ranges; the connection may break within the body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = 0
        if handler.headers.get("If-None-Match") == etag:
            return status(304, {"ETag": etag})(handler)
        wanted = handler.headers.get("Range", "")
        if wanted and handler.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", etag)
        handler.end_headers()
        handler.wfile.write(body[start:][:breaks_after])
        if breaks_after is not None:
            handler.close_connection = True
        return None

    return answer


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    with running(web.server):
        yield web
        web.stopped.set()


def tarball(files: Mapping[str, bytes], *, top: str = "package") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


class Registry:
    """An npm registry with the packages that a test publishes, for the real npm program."""

    def __init__(self, web: Web, folder: Path) -> None:
        self.web = web
        user, everybody = folder / "user-npmrc", folder / "global-npmrc"
        user.touch()
        everybody.touch()
        # What the machine configures for npm must not reach these tests: a scope's registry wins.
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.env = kept | {
            "npm_config_registry": web.url("/"),
            "npm_config_userconfig": str(user),
            "npm_config_globalconfig": str(everybody),
            "npm_config_fetch_retries": "0",
        }

    def publish(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes],
        *,
        checksum_of: bytes | None = None,
        unpacked_size: int | None = None,
    ) -> None:
        about = json.dumps({"name": name, "version": version}).encode()
        data = tarball({"package.json": about, **files})
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        sha512 = hashlib.sha512(data if checksum_of is None else checksum_of).digest()
        dist: dict[str, Any] = {
            "tarball": self.web.url(path),
            "integrity": "sha512-" + base64.b64encode(sha512).decode(),
        }
        if unpacked_size is not None:
            dist["unpackedSize"] = unpacked_size
        document = {
            "name": name,
            "dist-tags": {"latest": version},
            "versions": {version: {"name": name, "version": version, "dist": dist}},
        }
        self.web.pages[path] = page(data)
        body = json.dumps(document).encode()
        self.web.pages[f"/{name}"] = page(body, headers={"Content-Type": "application/json"})

    def tarballs_sent(self) -> int:
        return sum(path.endswith(".tgz") for path in self.web.paths())


@pytest.fixture
def registry(web: Web, tmp_path: Path) -> Registry:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return Registry(web, tmp_path)


@pytest.fixture(scope="session")
def npm_registry_answers() -> None:
    """Skips, with the reason, where real families cannot be fetched."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        ping = subprocess.run(
            ["npm", "ping"], capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("offline: npm ping did not answer")
    if ping.returncode:
        pytest.skip("offline: npm ping failed")
