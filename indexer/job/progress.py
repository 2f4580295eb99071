"""How far a run has come, and when it makes no sense to go on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from indexer.errors import FontError, UserError
from indexer.job.causes import by_cause
from indexer.job.pending import Reason

MIN_DONE, MAX_FAILED = 50, 0.5  # of so many fonts, at most this share may fail


@dataclass(kw_only=True)
class Progress:
    """What a run has done so far. Seconds are the main thread's: how long it waited for each."""

    pending: int = 0
    embedded: int = 0
    failures: list[FontError] = field(default_factory=list)
    failed_at_first: int = 0  # of `failures`, those that had not failed as they are before
    held: Counter[Reason] = field(default_factory=Counter)  # left alone: leased, waiting, …
    seconds: dict[str, float] = field(
        default_factory=lambda: {"prepare": 0.0, "embed": 0.0, "save": 0.0}
    )

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def done(self) -> int:
        return self.embedded + self.failed

    def require_success(self) -> None:
        """Raises TooManyFailed where most of what was tried for the first time failed."""
        if self.done >= MIN_DONE and self.failed_at_first > MAX_FAILED * self.done:
            raise TooManyFailed(self)

    def counts(self) -> dict[str, int]:
        return {"pending": self.pending, "embedded": self.embedded, "failed": self.failed}

    def __str__(self) -> str:
        held = "".join(f", {count} {reason}" for reason, count in sorted(self.held.items()))
        seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in self.seconds.items())
        return f"{self.embedded} embedded, {self.failed} failed{held} ({seconds})"

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


class TooManyFailed(UserError):
    """Most fonts of a run failed: it is hardly the fonts that are to blame."""

    def __init__(self, progress: Progress) -> None:
        first = by_cause(progress.failures, str)[0]
        super().__init__(
            f"Stopped: {progress.failed} of {progress.done} fonts failed, {len(first)} of them "
            f"for one reason ({first[0].stage}): {first[0].message} Mend that, then run: indexer retry"
        )
