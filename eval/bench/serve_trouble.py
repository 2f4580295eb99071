"""The service when too much is asked of it, when a card dies, and while a job uses the same cards."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

import numpy as np

from eval.bench import serve_load
from eval.bench.serve_contest import MIN_COSINE, Crew
from eval.bench.serve_load import Answer, Load
from eval.bench.serve_processes import Server
from indexer.embed.protocol import Document
from indexer.embed.service.sheets import RemoteVL, reported
from indexer.errors import FontError

CLIENTS = 32  # when a card dies
SLICE_SECONDS = 1.0
MAX_SECONDS_AWAY = 90.0
FULL = 0.9  # of the rate before
CALLS = 2  # that a job has under way, with half of the sheets each
HEAD_START = 0.5  # seconds


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of all requests."""

    asked: int
    right: int  # the vector is the model's own
    wrong: int  # it is another
    refused: int  # 429 with Retry-After
    unavailable: int  # 503
    late: int  # 504
    lost: int  # no answer, or one of another kind

    def __str__(self) -> str:
        return (
            f"{self.asked} asked: {self.right} right, {self.wrong} wrong, {self.refused} refused (429), "
            f"{self.unavailable} unavailable (503), {self.late} late (504), {self.lost} lost"
        )


def outcome(answers: Sequence[Answer], cosines: np.ndarray) -> Outcome:
    """`cosines`: of those that hold a vector, with the model's own."""
    given = sum(answer.status == 200 for answer in answers)
    right = int((cosines >= MIN_COSINE).sum())
    kinds = Counter(
        answer.status for answer in answers if answer.status != 429 or answer.retry_after
    )
    refused, unavailable, late = (kinds[status] for status in (429, 503, 504))
    return Outcome(
        asked=len(answers),
        right=right,
        wrong=given - right,
        refused=refused,
        unavailable=unavailable,
        late=late,
        lost=len(answers) - given - refused - unavailable - late,
    )


@dataclass(frozen=True, kw_only=True)
class Overload:
    per_second: float  # requests that came
    answered_per_second: float  # with vectors, from the first to the last of them
    p50_ms: float  # of those
    p99_ms: float
    callers_busy: float  # of a core
    outcome: Outcome


def overload(crew: Crew, server: Server, *, per_second: float, seconds: float) -> Overload:
    asked = crew.callers.submit(
        serve_load.arriving, server.port, "too much", per_second=per_second, seconds=seconds
    )
    load = asked.result()
    return Overload(
        per_second=per_second,
        answered_per_second=_answered(load.right()),
        p50_ms=load.percentile_ms(50),
        p99_ms=load.percentile_ms(99),
        callers_busy=load.busy,
        outcome=_judged(crew, load.answers),
    )


def _judged(crew: Crew, answers: Sequence[Answer]) -> Outcome:
    return outcome(answers, crew.cosines([answer for answer in answers if answer.status == 200]))


def _answered(right: Sequence[Answer]) -> float:
    """Per second."""
    times = sorted(answer.answered for answer in right)
    return (len(times) - 1) / (times[-1] - times[0])


@dataclass(frozen=True, kw_only=True)
class Killed:
    """One of the card processes was killed while many asked."""

    cards: int
    per_second: float  # before
    seconds_to_full_rate: float | None  # None: it never came back
    outcome: Outcome  # of all that was asked from the kill on, until then


def killed(crew: Crew, server: Server) -> Killed:
    """Slices of a second: the rate before, the kill amid one, and those until the rate is back."""
    before = [_slice(crew, server, f"before {number}") for number in range(3)]
    full = median(load.rate for load in before)
    cards = server.cards()
    with ThreadPoolExecutor(1) as beside:
        asking = beside.submit(_slice, crew, server, "killed")
        time.sleep(SLICE_SECONDS / 2)
        os.kill(cards[0].pid, signal.SIGKILL)
        died = time.perf_counter()
        after = [asking.result()]
    away: float | None = None
    while away is None and time.perf_counter() - died < MAX_SECONDS_AWAY:
        began = time.perf_counter()
        after.append(_slice(crew, server, f"after {len(after)}"))
        if after[-1].rate >= FULL * full:
            away = began - died
    return Killed(
        cards=len(cards),
        per_second=full,
        seconds_to_full_rate=away,
        outcome=_judged(crew, [answer for load in after for answer in load.answers]),
    )


def _slice(crew: Crew, server: Server, label: str) -> Load:
    return crew.together(server, label, clients=CLIENTS, seconds=SLICE_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One caller's queries, alone and while a job keeps the cards busy."""

    alone_p50_ms: float
    alone_p95_ms: float
    p50_ms: float
    p95_ms: float
    sheets_per_second: float
    outcome: Outcome  # of the queries


def beside_documents(
    crew: Crew, server: Server, sheets: Sequence[bytes], *, seconds: float
) -> Beside:
    alone = crew.together(server, "no job", clients=1, seconds=seconds)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as job:
        job.submit(_fill, server.url, sheets, 0.0).result()  # it has started
        filling = job.submit(_fill, server.url, sheets, seconds + 2 * HEAD_START)
        time.sleep(HEAD_START)
        beside = crew.together(server, "a job", clients=1, seconds=seconds)
        rate = filling.result()
    return Beside(
        alone_p50_ms=alone.percentile_ms(50),
        alone_p95_ms=alone.percentile_ms(95),
        p50_ms=beside.percentile_ms(50),
        p95_ms=beside.percentile_ms(95),
        sheets_per_second=rate,
        outcome=_judged(crew, beside.answers),
    )


def _fill(url: str, sheets: Sequence[bytes], seconds: float) -> float:
    """Sheets per second, sent as a job on the service's host sends them, for so long at least."""
    base_url = f"{url}/v1"
    model = reported(base_url=base_url, api_key=None)
    assert model is not None
    documents = [Document(sheet=sheet) for sheet in sheets]
    share = -(-len(documents) // CALLS)
    parts = [documents[at : at + share] for at in range(0, len(documents), share)]
    began = time.perf_counter()
    with RemoteVL(base_url=base_url, api_key=None, model=model, documents_wait=True) as remote:

        def call(part: Sequence[Document]) -> int:
            done = 0
            while not done or time.perf_counter() - began < seconds:
                done += len(part)
                for result in remote.embed_documents(part):
                    if isinstance(result, FontError):
                        raise result
            return done

        with ThreadPoolExecutor(CALLS) as calls:
            return sum(calls.map(call, parts)) / (time.perf_counter() - began)
