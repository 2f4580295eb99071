"""The service in front of a slow remote embedder: who leaves, who waits, and how it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from indexer.choose import VLOptions
from indexer.database.connect import Database
from tests.fix_embedding_service import Answer, Service, good
from tests.fix_service import Running, service_on
from tests.fix_waiting import until

REMOTE = VLOptions(embedder="remote", dimension=8)


@pytest.fixture
def gate(service: Service) -> threading.Semaphore:
    """What the remote embedder is let through, once the service is ready."""
    return threading.Semaphore(0)


@pytest.fixture
def slow(database: Database, service: Service, gate: threading.Semaphore) -> Iterator[Running]:
    with service_on(
        database, vl=REMOTE, vl_url=service.url, vl_model="test-embedding", vl_api_key=None
    ) as running:

        def answer(request: dict[str, Any]) -> Answer:
            assert gate.acquire(timeout=20)
            return good(request)

        service.requests.clear()
        service.scripts = [answer]
        yield running
        gate.release(100)


def asked_for(service: Service, text: str) -> bool:
    return any(text in json.dumps(request) for request in service.requests)


def test_what_a_caller_no_longer_waits_for_is_not_embedded(
    slow: Running, service: Service, gate: threading.Semaphore
) -> None:
    with ThreadPoolExecutor(3) as callers:
        staying = [callers.submit(slow.post, "/embed", text=f"stays {n}") for n in range(2)]
        until(lambda: len(service.requests) == 2)  # two calls are under way
        with pytest.raises(httpx.ReadTimeout):
            slow.http.post("/embed", json={"text": "leaves"}, timeout=0.3)
        until(lambda: 'status="499"' in slow.http.get("/metrics").text)  # the server has noticed
        later = callers.submit(slow.post, "/embed", text="comes later")
        gate.release(10)
        assert [call.result().status_code for call in [*staying, later]] == [200, 200, 200]
    assert asked_for(service, "comes later")
    assert not asked_for(service, "leaves")


def test_the_embedder_that_goes_down_is_told_and_search_goes_on_by_words(
    slow: Running, service: Service, gate: threading.Semaphore, database: Database
) -> None:
    with database.open() as connection:
        connection.execute("insert into fonts (name) values ('Lora')")
    gate.release(100)
    service.scripts = [lambda request: (401, {}, {"error": {"message": "who are you?"}})]
    refused = slow.post("/embed", text="serif")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "who are you?" in refused.json()["error"]["message"]
    found = slow.post("/search", query="Lora").json()
    assert [font["name"] for font in found["fonts"]] == ["Lora"]
    assert "who are you?" in found["legs"]["vl"]["why_not"]


def test_a_search_goes_on_without_a_leg_that_takes_too_long(
    slow: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.open() as connection:
        connection.execute("insert into fonts (name) values ('Lora')")
    monkeypatch.setattr("indexer.serve.vectors.query_vectors.MAX_SECONDS", 0.1)
    found = slow.post("/search", query="Lora").json()
    assert [font["name"] for font in found["fonts"]] == ["Lora"]
    assert "not embedded within 0.1 seconds" in found["legs"]["vl"]["why_not"]


def test_requests_under_way_are_answered_before_it_ends(
    database: Database, service: Service, gate: threading.Semaphore
) -> None:
    with ThreadPoolExecutor(1) as callers:
        with service_on(
            database, vl=REMOTE, vl_url=service.url, vl_model="test-embedding", vl_api_key=None
        ) as running:
            service.requests.clear()
            service.scripts = [lambda request: (gate.acquire(timeout=20), good(request))[1]]
            url = f"{running.url}/embed"
            call = callers.submit(
                httpx.post, url, json={"text": "the last"}, trust_env=False, timeout=30
            )
            until(lambda: len(service.requests) == 1)
            threading.Timer(0.5, gate.release).start()
        assert call.result().status_code == 200
