"""Failures by cause: a sentence a cause, where a line a font would bury it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

Failure = TypeVar("Failure")

# what differs from font to font: addresses, quoted names, file names, numbers
VARIES = re.compile(r"\w+://\S+|'[^']*'|\S+\.(?:woff2?|[to]tf|ttc)\b|\d[\d,.]*")


def by_cause(failures: Iterable[Failure], message: Callable[[Failure], str]) -> list[list[Failure]]:
    """Failures whose messages differ only in addresses, names and numbers, together.

    The most frequent first; each in the order that they came in.
    """
    alike = defaultdict[str, list[Failure]](list)
    for failure in failures:
        alike[VARIES.sub("…", message(failure))].append(failure)
    return sorted(alike.values(), key=lambda group: -len(group))
