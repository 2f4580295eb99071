"""What goes through the pipe between a card's process and ours: plain records, and no exception.

An exception may not pickle, or pickle and never unpickle; its kind and its text always do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from indexer.embed.protocol import Document, Model, Query, Vector
from indexer.errors import EmbedderUnavailable, FontError, UserError

Items = Sequence[Document] | Sequence[Query]
Result = Vector | FontError | UserError

Attention = Literal["sdpa", "flash"]  # torch's own, or that of the package flash-attn
READY = 0  # number of the reply that no call asked for


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to load and to expect."""

    folder: Path
    identity: Model
    sheet: tuple[int, int]  # height and width in px
    expected: int  # documents
    attention: Attention | None = None  # None: what is usual for the devices
    step: int | None = None  # sheets of a forward pass; None: what is found by measurement


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What a card came to."""

    device: str
    step: int  # sheets of a forward pass
    rate: float | None  # sheets per second, where it was measured
    compiled: bool = False
    note: str | None = None  # in a sentence

    def __str__(self) -> str:
        rate = f", {self.rate:.2g} sheets/s" if self.rate else ""
        note = f" {self.note}" if self.note else ""
        return (
            f"{self.device}: {self.step} sheets at once{rate}{', compiled' * self.compiled}.{note}"
        )


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Asks for the vectors of documents."""

    number: int  # from 1 on, in the order in which they are sent
    items: Sequence[Document]


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Asks for the vectors of queries, before all documents that wait."""

    number: int
    items: Sequence[Query]


Call = Documents | Queries


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One of our errors on its way."""

    kind: Literal["font", "user", "unavailable"]
    text: str

    @classmethod
    def of(cls, error: FontError | UserError) -> Self:
        if isinstance(error, FontError):
            return cls(kind="font", text=error.message)
        unavailable = isinstance(error, EmbedderUnavailable)
        return cls(kind="unavailable" if unavailable else "user", text=str(error))

    def error(self) -> FontError | UserError:
        match self.kind:
            case "font":
                return FontError("embed", self.text)
            case "user":
                return UserError(self.text)
            case "unavailable":
                return EmbedderUnavailable(self.text)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """To a call, a result for each of its items or one failure of all; to READY, what it came to."""

    number: int
    content: Ready | Failure | Sequence[Vector | Failure]
