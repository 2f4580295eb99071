"""Text vectors alongside those of an app: of one model, counted apart, and paid for knowingly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.database.connect import Connection, Database
from tests.fix_cli import Indexer, runner
from tests.fix_embedding_service import Answer, Service, asked

OTHER = "[" + ",".join(str((-1) ** n) for n in range(4096)) + "]"
ONLY_TEXT = ("--vl-embedder", "measured-traits", "--text-embedder", "provider")


def numbers_of(text: str) -> list[float]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return [round(number, 4) for number in np.random.default_rng(seed).standard_normal(4096)]


def embed(request: dict[str, Any]) -> Answer:
    vectors = [{"index": n, "embedding": numbers_of(text)} for n, text in enumerate(asked(request))]
    return 200, {}, {"object": "list", "data": vectors, "model": request["model"]}


@pytest.fixture
def run(database: Database, tmp_path: Path, service: Service) -> Indexer:
    service.scripts = [embed]
    return runner(
        tmp_path, DATABASE_URL=database.conninfo, TEXT_EMBEDDING_URL=service.url,
        TEXT_EMBEDDING_API_KEY="hush-hush", TEXT_EMBEDDING_PRICE="0.5",
    )  # fmt: skip


def add(connection: Connection, *, vectors_of: str) -> None:
    """Ten fonts; the app has written vectors for eight of them: of these texts, or of a model of its own."""
    for number in range(10):
        name = f"Font {number}"
        vector = None
        if number < 8:
            text = f"Name: {name}. Category: serif"
            vector = json.dumps(numbers_of(text)) if vectors_of == "the service" else OTHER
        connection.execute(
            "insert into fonts (name, category, embedding) values (%s, 'serif', %s)", [name, vector]
        )


def test_vectors_of_another_model_are_not_joined(
    run: Indexer, connection: Connection, service: Service
) -> None:
    add(connection, vectors_of="another model")
    done = run("backfill", *ONLY_TEXT, expect=1)
    assert "median cosine of" in done.stderr
    assert "--trust-text-space" in done.stderr
    assert connection.execute("select count(embedding) from fonts").fetchone() == (8,)
    assert run("backfill", *ONLY_TEXT, "--trust-text-space", expect=3).stdout.startswith(
        "text: 2 emb"
    )


def test_vectors_of_the_same_model_are_joined_and_counted_apart(
    run: Indexer, connection: Connection
) -> None:
    add(connection, vectors_of="the service")
    assert run("backfill", *ONLY_TEXT, expect=3).stdout.startswith("text: 2 embedded")
    again = [json.loads(line) for line in run("backfill", *ONLY_TEXT, "--json").stdout.splitlines()]
    assert [(leg["leg"], leg["embedded"]) for leg in again] == [("text", 0), ("vl", 0)]
    found = json.loads(run("status", "--json").stdout)["legs"]["text"]
    assert (found["vectors"], found["foreign"]) == (10, 8)
    assert "8 by your app" in run("status").stdout


def test_what_a_service_will_be_paid_is_told_and_limited(
    run: Indexer, connection: Connection, service: Service
) -> None:
    add(connection, vectors_of="the service")
    plan = run("backfill", *ONLY_TEXT, "--dry-run").stdout
    assert "2 texts, about 15 tokens, about $0.0000" in plan
    told = json.loads(run("backfill", *ONLY_TEXT, "--dry-run", "--json").stdout.splitlines()[0])
    assert (told["leg"], told["would_embed"], told["cost"]["tokens"]) == ("text", 2, 15)
    assert "allows $1e-06" in run("backfill", *ONLY_TEXT, "--max-cost", "0.000001", expect=1).stderr
    assert service.requests == []
    assert "2 embedded" in run("backfill", *ONLY_TEXT, "--max-cost", "0.01", expect=3).stdout
