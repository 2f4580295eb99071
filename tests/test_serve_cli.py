"""`indexer serve` as a process: it says where it is, ends in order, and refuses what is not safe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from indexer.database.connect import Database
from indexer.embed.service import announcement
from indexer.serve import run
from tests.fix_cli import runner
from tests.fix_servers import free_port
from tests.fix_service import KEY
from tests.fix_waiting import until


@contextlib.contextmanager
def process(
    database: Database, home: Path, *arguments: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "indexer", "serve", *arguments],
        env={
            **os.environ, "DATABASE_URL": database.conninfo, "FONTSIGHT_DATA_DIR": str(home),
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            started.kill()


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_on_a_connection_that_is_kept_do_not_wait_for_acknowledgements(host: str) -> None:
    with run.bound(host, free_port()) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # by which asyncio knows where not to wait
        with socket.create_connection(listening.getsockname()[:2]):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.proto == socket.IPPROTO_TCP


def test_all_addresses_are_those_of_both_protocols() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this host has no sockets of both")
    port = free_port()
    with run.bound("::", port), socket.create_connection(("127.0.0.1", port)):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    filled: Database, tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(filled, tmp_path, "--port", str(port), FONTSIGHT_SERVE_KEYS=KEY) as service:
        until(lambda: answers(url) or service.poll() is not None, 60)
        (announced,) = announcement.found(tmp_path)
        assert announced.base_url == f"{url}/v1"
        headers = {"Authorization": f"Bearer {announced.token}"}
        asked = {"text": "a secretive serif"}
        found = httpx.post(f"{url}/embed", json=asked, headers=headers, trust_env=False)
        assert len(found.json()["embedding"]) == 4096
        service.send_signal(number)
        assert service.wait(20) == 0
        assert service.stderr
        said = service.stderr.read()
    assert announcement.found(tmp_path) == []
    assert f"Serving on {url}" in said
    assert "Traceback" not in said
    assert KEY not in said
    assert announced.token not in said
    assert "secretive" not in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {"/embed", "/health"} <= {line["route"] for line in lines}


@pytest.mark.slow
def test_what_is_not_safe_or_not_there_is_refused(filled: Database, tmp_path: Path) -> None:
    indexer = runner(tmp_path, DATABASE_URL=filled.conninfo, FONTSIGHT_DATA_DIR=str(tmp_path))
    said = indexer("serve", "--host", "0.0.0.0", expect=1).stderr
    assert "set FONTSIGHT_SERVE_KEYS" in said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "cannot be bound" in indexer("serve", "--port", port, expect=1).stderr
