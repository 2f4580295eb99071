"""The benchmark of the query service: that it runs and adds up. Not how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
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
from eval.bench.serve import ServeBench
from eval.bench.serve_contest import Contest, Level, OneClient, Rate
from eval.bench.serve_load import LOST, Answer, Load
from eval.bench.serve_search import SearchCost
from eval.bench.serve_trouble import Beside, Killed, Outcome, Overload, outcome
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


RATE = Rate(
    per_second=600.4, p50_ms=31.25, p99_ms=99.9, rounds=[590.0, 600.4], failed=0, callers_busy=0.08
)
SLOW = replace(RATE, per_second=200.0, callers_busy=0.09)
ALL = Outcome(asked=9, right=4, wrong=0, refused=3, unavailable=1, late=1, lost=0)
RESULT = ServeBench(
    model="tiny", revision="random weights", devices=["cpu"], threads=1, cpus=2,
    sentence_transformers="6.2", uvicorn="0.54",
    contest=Contest(
        levels=[Level(clients=32, ours=RATE, bare=SLOW, ratio=3.004)],
        cosine={"ours": 1.0, "bare": 0.99999},
    ),
    one_client=OneClient(requests=1000, p50_ms=3.5, model_p50_ms=1.5, above_ms=2.1),
    overload=Overload(
        per_second=1200, answered_per_second=550, p50_ms=500, p99_ms=900, callers_busy=0.2, outcome=ALL
    ),
    beside=Beside(
        alone_p50_ms=3, alone_p95_ms=7, p50_ms=80, p95_ms=96, sheets_per_second=13, outcome=ALL
    ),
    killed=Killed(
        cards=1, per_second=600, seconds_to_full_rate=5.44, outcome=ALL
    ),
    search=SearchCost(
        fonts=20_000, pairs=400, request_ms=19.5, rpc_ms=11.2, above_ms=6.9, above_p95_ms=20.8,
        parts={"embedding": 1.1, "rpc": 11.1},
    ),
)  # fmt: skip


def test_a_table_says_what_the_json_says() -> None:
    _, _, level, cosine, one, much, job, died, found = str(RESULT).splitlines()
    assert level.split() == ["32", "600", "31.2", "99.9", "200", "31.2", "99.9", "3.00"]
    assert cosine.endswith("ours 1.00000, bare 0.99999; callers busy: 9% of a core at most")
    assert "above 2.1 ms" in one
    assert f"1200/s: {ALL}; 550 vectors/s" in much
    assert "p95 96.0 ms; without: p50 3.0 ms, p95 7.0 ms" in job
    assert f"at its full rate after 5.4 s; {ALL}" in died
    assert found.endswith("(p95 20.8 ms, 400 pairs); the service says: embedding 1.1, rpc 11.1")
    never = replace(RESULT, killed=replace(RESULT.killed, seconds_to_full_rate=None))
    assert "never back at its full rate" in str(never)


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
