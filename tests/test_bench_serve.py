"""The benchmark of the query service: that it runs and adds up. Not how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)
from click.testing import CliRunner

from eval.bench import serve, serve_trouble
from eval.bench import serve_load as callers
from eval.bench.serve_load import LOST, Answer, Load
from eval.bench.serve_trouble import outcome
from eval.cli import main

pytestmark = pytest.mark.model


@pytest.mark.slow
def test_one_run_tells_speed_and_what_becomes_of_every_request(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "CLIENTS", (1, 8))
    monkeypatch.setattr(serve, "SHEETS", 2)
    monkeypatch.setattr(serve, "LONGER", 1)
    monkeypatch.setattr(serve_trouble, "SLICE_SECONDS", 0.5)
    done = CliRunner().invoke(
        main, ["bench", "serve", f"--model={checkpoint_folder}", "--devices=cpu",
               "--seconds=0.5", "--rounds=1", "--rows=200", "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    one, eight = result["contest"]["levels"]
    assert (one["clients"], eight["clients"]) == (1, 8)
    for level in (one, eight):
        assert level["ratio"] == pytest.approx(
            level["ours"]["per_second"] / level["bare"]["per_second"]
        )
        for name in ("ours", "bare"):
            assert level[name]["failed"] == 0
            assert 0 < level[name]["p50_ms"] <= level[name]["p99_ms"]
            assert 0 < level[name]["callers_busy"] < 1
    assert all(cosine > 0.999 for cosine in result["contest"]["cosine"].values())
    assert result["one_client"]["model_p50_ms"] < result["one_client"]["p50_ms"]
    much = result["overload"]
    best = max(one["ours"]["per_second"], eight["ours"]["per_second"])
    assert much["per_second"] == pytest.approx(2 * best)
    assert much["outcome"]["asked"] == round(much["per_second"] * 0.5)
    job = result["beside"]
    assert job["sheets_per_second"] > 0
    assert job["outcome"]["asked"] == job["outcome"]["right"] > 0
    died = result["killed"]
    assert (died["cards"], died["seconds_to_full_rate"] is None) == (1, False)
    for told in (much["outcome"], died["outcome"]):
        assert told["wrong"] == told["lost"] == 0
        assert told["asked"] == sum(count for kind, count in told.items() if kind != "asked")
    found = result["search"]
    assert (found["fonts"], found["pairs"] > 0) == (200, True)
    assert found["request_ms"] > found["parts"]["total"] > found["parts"]["rpc"]


def answer(status: int, *, answered: float = 0.5, retry_after: bool = False) -> Answer:
    return Answer(
        text="bold", asked=0.25, answered=answered, status=status, retry_after=retry_after, body=b""
    )


def test_each_request_is_counted_once_by_what_became_of_it() -> None:
    answers = [
        answer(200), answer(200), answer(429, retry_after=True), answer(429), answer(503),
        answer(504), answer(500), answer(LOST),
    ]  # fmt: skip
    told = outcome(answers, np.array([0.9999, 0.95]))
    assert str(told) == (
        "8 asked: 1 right, 1 wrong, 1 refused (429), 1 unavailable (503), 1 late (504), 3 lost"
    )


def test_a_rate_counts_answers_with_a_vector_within_the_time() -> None:
    answers = [answer(200), answer(200, answered=0.75), answer(200, answered=2.5), answer(429)]
    load = Load(answers=answers, seconds=2.0, busy=0.1)
    assert load.rate == 1
    assert load.percentile_ms(50) == 500


class Handler(BaseHTTPRequestHandler):
    """Answers with the length of the text; hangs up on every fifth request, and refuses the next."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections: set[tuple[str, int]]
    texts: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.connections.add(self.client_address)
        self.texts.append(json.loads(body)["text"])
        if len(self.texts) % 5 == 0:
            self.close_connection = True
            return
        reply = json.dumps({"embedding": [len(self.texts[-1])]}).encode()
        self.send_response(429 if len(self.texts) % 5 == 1 else 200)
        self.send_header("Content-Length", str(len(reply)))
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *arguments: object) -> None:
        return None


@pytest.fixture
def port() -> Iterator[int]:
    Handler.connections, Handler.texts = set(), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_callers_keep_their_connection_and_ask_nothing_twice(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "PAUSE_SECONDS", 0.0)
    load = callers.together(port, "x", clients=1, seconds=0.3)
    asked, lost = len(load.answers), sum(answer.status == LOST for answer in load.answers)
    assert asked == len(set(Handler.texts)) > 10
    assert lost == asked // 5
    assert len(Handler.connections) - lost in (0, 1), "a connection was opened anew without need"
    for answer in load.right():
        assert answer.vector() == [len(answer.text)]


def test_callers_who_come_all_the_same_are_all_accounted_for(port: int) -> None:
    load = callers.arriving(port, "x", per_second=100, seconds=0.5)
    assert len(load.answers) == len(set(Handler.texts)) == 50
    told = {status: sum(a.status == status for a in load.answers) for status in (200, 429, LOST)}
    assert told == {200: 30, 429: 10, LOST: 10}
    assert all(answer.retry_after for answer in load.answers if answer.status == 429)
