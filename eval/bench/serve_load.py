"""The callers of a benchmark: HTTP/1.1 over connections that stay open, and no more work than that.

An ordinary client takes longer for a request than the server does. What these read is parsed after
the clock has stopped, and they tell how busy their own process was.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

PAUSE_SECONDS = 0.2  # of a caller who was refused
LOST = 0  # in place of a status: the connection ended before the answer
HEAD = "POST /embed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SECONDS_TO_FINISH = 60.0  # for what is under way when the time is up


@dataclass(frozen=True, kw_only=True)
class Answer:
    text: str
    asked: float  # seconds since the load began
    answered: float
    status: int  # of HTTP, or LOST
    retry_after: bool  # a header says so
    body: bytes

    @property
    def seconds(self) -> float:
        return self.answered - self.asked

    def vector(self) -> np.ndarray:
        return np.asarray(json.loads(self.body)["embedding"], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Load:
    """All that callers asked, and what became of it."""

    answers: Sequence[Answer]
    seconds: float  # in which they asked
    busy: float  # the callers' processor time, over that

    def right(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def rate(self) -> float:
        """Requests per second that were answered within the time."""
        return sum(answer.answered <= self.seconds for answer in self.right()) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        seconds = [answer.seconds for answer in self.right()]
        return float(np.percentile(seconds, percent)) * 1000 if seconds else float("nan")


class _Connection:
    """Of one caller; opened when it is needed, and again after it has broken."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, text: str, began: float) -> Answer:
        body = json.dumps({"text": text})
        asked = time.perf_counter() - began
        status, retry_after, answer = LOST, False, b""
        try:
            async with asyncio.timeout(SECONDS_TO_FINISH):
                status, retry_after, answer = await self._exchanged(body)
        except (OSError, EOFError, TimeoutError):
            self.close()
        return Answer(
            text=text,
            asked=asked,
            answered=time.perf_counter() - began,
            status=status,
            retry_after=retry_after,
            body=answer,
        )

    async def _exchanged(self, body: str) -> tuple[int, bool, bytes]:
        if self._streams and self._streams[0].at_eof():  # it was idle for too long for the server
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), "retry-after" in headers, answer

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


class _Clock:
    """Times a load, and the process that makes it."""

    def __enter__(self) -> Self:
        self.began, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = time.perf_counter() - self.began
        self.busy = (time.process_time() - self._cpu) / self.took


def together(port: int, label: str, *, clients: int, seconds: float) -> Load:
    """So many callers, each of whom asks again as soon as it is answered. No text is asked twice."""
    return asyncio.run(_together(port, label, clients, seconds))


def arriving(port: int, label: str, *, per_second: float, seconds: float) -> Load:
    """Callers who come whether or not those before them were answered."""
    return asyncio.run(_arriving(port, label, per_second, seconds))


async def _together(port: int, label: str, clients: int, seconds: float) -> Load:
    answers: list[Answer] = []

    async def ask(client: int) -> None:
        connection, number = _Connection(port), 0
        while time.perf_counter() - clock.began < seconds:
            number += 1
            answer = await connection.post(text(label, client, number), clock.began)
            answers.append(answer)
            if answer.status != 200:
                await asyncio.sleep(PAUSE_SECONDS)
        connection.close()

    with _Clock() as clock:
        await asyncio.gather(*(ask(client) for client in range(clients)))
    return Load(answers=answers, seconds=seconds, busy=clock.busy)


async def _arriving(port: int, label: str, per_second: float, seconds: float) -> Load:
    answers: list[Answer] = []
    free: list[_Connection] = []

    async def ask(number: int) -> None:
        connection = free.pop() if free else _Connection(port)
        answers.append(await connection.post(text(label, 0, number), clock.began))
        free.append(connection)

    with _Clock() as clock:
        asking = []
        for number in range(round(per_second * seconds)):
            await asyncio.sleep(clock.began + number / per_second - time.perf_counter())
            asking.append(asyncio.create_task(ask(number)))
        await asyncio.gather(*asking)
    for connection in free:
        connection.close()
    return Load(answers=answers, seconds=seconds, busy=clock.busy)


LOOKS = ("elegant", "quirky", "sober", "playful", "stern", "warm", "plain", "ornate")
KINDS = ("serif", "grotesque", "script", "slab", "blackletter", "monospace")


def text(label: str, client: int, number: int) -> str:
    """As long as what people type, and never the same."""
    look, kind = LOOKS[number % len(LOOKS)], KINDS[client % len(KINDS)]
    return f"{look} {kind} for a poster, {label} {client} {number}"
