"""Who is next on a card."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from indexer.embed.protocol import Document, Query
from indexer.embed.qwen.messages import Documents, Queries
from indexer.embed.qwen.turns import PATIENCE, TOGETHER, Read, Turns
from indexer.errors import FontError

ITEM = FontError("embed", "of no account here")


def documents(number: int) -> Read:
    return Read(call=Documents(number=number, items=[Document(text="a")]), items=[ITEM])


def queries(number: int, count: int = 1) -> Read:
    call = Queries(number=number, items=[Query(text="a")] * count)
    return Read(call=call, items=[ITEM] * count)


def order(reads: Sequence[Read], seconds: float = 0.0) -> list[list[int]]:
    """Numbers of the calls, by turn; a turn takes so many seconds."""
    turns = Turns(count(0, seconds).__next__)
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


def test_queries_hold_documents_for_so_long() -> None:
    waiting = [documents(1), documents(2), *(queries(number, TOGETHER) for number in range(3, 8))]
    assert order(waiting, PATIENCE / 2 + 0.1) == [[3], [4], [1], [5], [6], [2], [7]]


def test_documents_that_take_long_do_not_go_before_queries() -> None:
    turns = Turns(count(0, 10 * PATIENCE).__next__)
    turns.put(documents(1))
    assert [read.call.number for read in turns.take()] == [1]
    turns.put(documents(2))
    turns.put(queries(3))
    assert [read.call.number for read in turns.take()] == [3]
