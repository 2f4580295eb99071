"""How many tokens go into a forward pass: found by measurement, less while memory is short."""

from __future__ import annotations

FIRST = 5_120  # tokens, before anything is measured: 8 sheets
CALM = 64  # passes with room, after which twice as much is tried again


class Budget:
    """Of a device. What is short of memory may be another program's doing, and pass."""

    def __init__(self) -> None:
        self._found = self._now = FIRST
        self._passes = 0  # with room, since the last that had none
        self._calm = CALM

    def rows(self, length: int) -> int:
        """How many inputs of so many tokens go together, at least one."""
        return max(1, self._now // length)

    def found(self, tokens: int) -> None:
        """Keep it: so much is fastest, and fits."""
        self._found = self._now = tokens

    def had_room(self) -> None:
        """To be called after a pass."""
        if self._now >= self._found:
            return
        self._passes += 1
        if self._passes >= self._calm:
            self._now = min(2 * self._now, self._found)
            self._passes = 0

    def had_no_room(self, rows: int, length: int) -> None:
        """To be called after a pass of so many inputs that failed: half of it from now on."""
        self._now = rows // 2 * length
        self._passes = 0
        self._calm *= 2  # a card that is short for good is asked ever more rarely
