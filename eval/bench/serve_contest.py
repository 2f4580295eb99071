"""Ours and the bare server, asked in turn by the same callers; and what ours adds to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np

from eval.bench import serve_load
from eval.bench.serve_load import Answer, Load
from eval.bench.serve_processes import Reference, Server
from indexer.spaces import SERVING_DIMENSION

OURS, BARE = "ours", "bare"
SAMPLE = 64  # answers of each load of the contest that are compared with the model's own
MIN_COSINE = 0.999  # with the model's own vector, of one that is right
TEXTS_OF_SLICE = 40  # of one caller, before the model alone has its turn


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who asks, and who knows the right answers: each a process of its own."""

    callers: ProcessPoolExecutor
    knowing: ProcessPoolExecutor
    reference: Reference

    def ready(self) -> None:
        """Waits until the model is loaded."""
        self.knowing.submit(self.reference.seconds, []).result()

    def together(self, server: Server, label: str, *, clients: int, seconds: float) -> Load:
        asked = self.callers.submit(
            serve_load.together, server.port, label, clients=clients, seconds=seconds
        )
        return asked.result()

    def cosines(self, answers: Sequence[Answer]) -> np.ndarray:
        """Of each vector with the model's own, (answers,); 0 where it has not the right width.

        A vector as wide as the serving columns is the model's own and zeros.
        """
        if not answers:
            return np.empty(0)
        texts = [answer.text for answer in answers]
        right = self.knowing.submit(self.reference.vectors, texts).result()
        given = [answer.vector() for answer in answers]
        return np.array(
            [
                own @ vector[: own.size]
                if vector.size in (own.size, SERVING_DIMENSION) and not vector[own.size :].any()
                else 0.0
                for own, vector in zip(right, given, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Of one server at one number of clients; the median of its rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    rounds: Sequence[float]  # requests per second of each
    failed: int  # answers that were no vector, in all rounds
    callers_busy: float  # the most of a core that the callers used: at 1 they are the bottleneck


@dataclass(frozen=True, kw_only=True)
class Level:
    clients: int
    ours: Rate
    bare: Rate
    ratio: float  # of requests per second, ours over bare: the median of the rounds'


@dataclass(frozen=True, kw_only=True)
class Contest:
    levels: Sequence[Level]
    cosine: Mapping[
        str, float
    ]  # the least of a sample of each server's answers with the model's own

    @property
    def best(self) -> float:
        """Requests per second, of ours."""
        return max(level.ours.per_second for level in self.levels)


def contest(
    crew: Crew,
    servers: Mapping[str, Server],
    clients: Sequence[int],
    *,
    seconds: float,
    rounds: int,
) -> Contest:
    """One server has nothing to do while the other is asked; which goes first changes each time."""
    loads: dict[tuple[str, int], list[Load]] = {}
    cosine = dict.fromkeys(servers, 1.0)
    for number in range(rounds):
        for count in clients:
            names = list(servers)[:: 1 if number % 2 == 0 else -1]
            for name in names:
                label = f"{name} {number} {count}"
                load = crew.together(servers[name], label, clients=count, seconds=seconds)
                loads.setdefault((name, count), []).append(load)
                sample = crew.cosines(load.right()[:SAMPLE])
                cosine[name] = min(cosine[name], float(np.min(sample, initial=1.0)))
    levels = [
        Level(
            clients=count,
            ours=_rate(loads[OURS, count]),
            bare=_rate(loads[BARE, count]),
            ratio=median(
                ours.rate / bare.rate
                for ours, bare in zip(loads[OURS, count], loads[BARE, count], strict=True)
            ),
        )
        for count in clients
    ]
    return Contest(levels=levels, cosine=cosine)


@dataclass(frozen=True, kw_only=True)
class OneClient:
    """A request by one caller, next to a call of the model in its own process."""

    requests: int
    p50_ms: float
    model_p50_ms: float
    above_ms: float  # the median of the differences of medians, slice by slice


def one_client(crew: Crew, server: Server, *, seconds: float) -> OneClient:
    """In short slices, by turns, until each has had so many seconds."""
    asked: list[float] = []
    alone: list[float] = []
    above: list[float] = []
    spent = 0.0
    while spent < seconds or not above:
        label = f"alone {len(above)}"
        texts = [serve_load.text(f"model {label}", 0, number) for number in range(TEXTS_OF_SLICE)]
        taken = crew.knowing.submit(crew.reference.seconds, texts).result()
        share = max(sum(taken), 0.1)
        load = crew.together(server, label, clients=1, seconds=2 * share)
        waited = [answer.seconds for answer in load.right()]
        above.append(median(waited) - median(taken))
        asked += waited
        alone += taken
        spent += share
    return OneClient(
        requests=len(asked),
        p50_ms=median(asked) * 1000,
        model_p50_ms=median(alone) * 1000,
        above_ms=median(above) * 1000,
    )


def _rate(loads: Sequence[Load]) -> Rate:
    return Rate(
        per_second=median(load.rate for load in loads),
        p50_ms=median(load.percentile_ms(50) for load in loads),
        p99_ms=median(load.percentile_ms(99) for load in loads),
        rounds=[load.rate for load in loads],
        failed=sum(len(load.answers) - len(load.right()) for load in loads),
        callers_busy=max(load.busy for load in loads),
    )
