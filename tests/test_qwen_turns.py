"""Who is next on a card."""

from __future__ import annotations

import time
from collections.abc import Sequence

from indexer.embed.protocol import Document, Query
from indexer.embed.qwen.messages import Documents, Queries
from indexer.embed.qwen.turns import PATIENCE, TOGETHER, Read, Turns
from indexer.errors import FontError

ITEM = FontError("embed", "of no account here")


def documents(number: int, *, waited: float = 0.0) -> Read:
    call = Documents(number=number, items=[Document(text="a")])
    return Read(call=call, items=[ITEM], since=time.monotonic() - waited)


def queries(number: int, count: int = 1) -> Read:
    call = Queries(number=number, items=[Query(text="a")] * count)
    return Read(call=call, items=[ITEM] * count)


def order(reads: Sequence[Read]) -> list[list[int]]:
    """Numbers of the calls, by turn."""
    turns = Turns()
    for read in reads:
        turns.put(read)
    taken: list[list[int]] = []
    while sum(map(len, taken)) < len(reads):
        taken.append([read.call.number for read in turns.take()])
    return taken


def test_queries_go_first_and_together() -> None:
    assert order([documents(1), documents(2), queries(3), queries(4)]) == [[3, 4], [1], [2]]


def test_a_turn_has_room_for_so_many_queries() -> None:
    half = TOGETHER // 2
    waiting = [queries(1, half), queries(2, half), queries(3), queries(4, 2 * TOGETHER), queries(5)]
    assert order(waiting) == [[1, 2], [3], [4], [5]]


def test_documents_that_waited_for_long_go_before_queries() -> None:
    waiting = [documents(1, waited=PATIENCE + 1), documents(2), queries(3)]
    assert order(waiting) == [[1], [3], [2]]
