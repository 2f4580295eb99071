"""How long a card may take, and how often it may fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds, and counts. Generous: a card that is ended for being slow does all again, as slowly."""

    start: float = 1800.0  # 16 GB of weights from a disk that reads 10 MB/s take 27 minutes
    answer: float = 300.0  # without an answer; the first call may wait minutes for compiled layers
    document: float = 10.0  # more for each of a call: of 8B, old cards embed two a second
    document_of_cpu: float = 300.0  # it takes half a minute for 2B, some two for 8B
    first_pause: float = 1.0  # before another start; doubled with each process that answers nothing
    longest_pause: float = 60.0
    starts: int = 5  # that fail in a row; then the card is given up
    barren: int = 16  # processes in a row that answer nothing; one of 32 documents can end six
    wait: float = 600.0  # of a call while no card is up: for a pause and a start of some minutes

    def silence(self, devices: Sequence[str], documents: int) -> float:
        """How long a call of so many documents may go without an answer."""
        each = self.document_of_cpu if "cpu" in devices else self.document
        return self.answer + each * documents

    def pause(self, barren: int) -> float:
        """Before the start that follows so many processes in a row that answered nothing."""
        return min(self.first_pause * 2.0 ** min(barren, self.barren), self.longest_pause)
