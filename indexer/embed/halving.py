"""A batch that fails as a whole, halved until each culprit stands alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Failure = TypeVar("Failure")


def halved(
    items: Sequence[Item],
    failure: Failure,
    attempt: Callable[[Sequence[Item]], list[Result] | Failure],
    blame: Callable[[Failure], Result],
) -> list[Result]:
    """A result for each of the items, which `attempt` has just failed on with `failure`.

    `attempt` returns a result for each item, or why it has none for any; `blame` makes the result
    of a single item that it fails on.
    """
    if len(items) == 1:
        return [blame(failure)]
    middle = len(items) // 2
    results: list[Result] = []
    for half in (items[:middle], items[middle:]):
        answer = attempt(half)
        if isinstance(answer, list):
            results += answer
        else:
            results += halved(half, answer, attempt, blame)
    return results
