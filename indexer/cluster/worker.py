"""One worker of many: the loop of `indexer backfill`, and what it reports while it runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import psycopg

from indexer.database.connect import opened
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.backfill import BackfillOptions, backfill
from indexer.job.pending import Reason
from indexer.job.progress import Progress
from indexer.settings import Settings
from indexer.spaces import Space

OF_ITS_HOST = ("data_dir", "cache_dir", "font_dirs")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a worker has done since it was started, or started again."""

    life: str  # a random id: a worker that was started again has another
    notices: Sequence[str]
    legs: Mapping[str, Progress]
    done: Sequence[Space]  # of the legs that it is done with
    error: Exception | None = None


class Worker:
    """An actor. While `run` runs in one thread, a second one answers `report` and `stop`."""

    def __init__(self) -> None:
        self._life = uuid4().hex
        self._notices: list[str] = []
        self._legs: dict[str, Progress] = {}
        self._done: list[Space] = []
        self._stopped = False

    def run(self, settings: Settings, options: BackfillOptions, sharing: int) -> Report:
        """The job, with this host's folders; `sharing`: how many workers share its cores.

        What the user can act on is in the report; raises for a defect alone.
        """
        here = Settings()
        settings = settings.model_copy(update={name: getattr(here, name) for name in OF_ITS_HOST})
        cores = (os.cpu_count() or 2) // sharing
        options = replace(options, processes=options.processes or max(1, cores - 1))
        error: Exception | None = None
        try:
            files = FontFiles.from_settings(settings, options.files, notice=self._notices.append)
            with opened(settings, lambda line: None, writes=True) as connection:
                for space, progress in backfill(
                    connection, settings, files, options,
                    say=self._notices.append, progress_bar=self._progress_bar,
                ):  # fmt: skip
                    self._legs[space.leg] = progress
                    self._done.append(space)
        except KeyboardInterrupt:  # by `stop`
            pass
        except UserError as found:
            error = UserError(str(found))  # not every subclass can be sent to another process
        except (psycopg.Error, OSError) as found:
            error = found
        return replace(self.report(), error=error)

    def report(self) -> Report:
        return Report(
            life=self._life, notices=[*self._notices], legs={**self._legs}, done=[*self._done]
        )

    def stop(self) -> None:
        """End `run` after the batch in flight, as Ctrl-C would: its leases are given back."""
        self._stopped = True

    @contextmanager
    def _progress_bar(self, leg: str) -> Iterator[Callable[[Progress], None]]:
        def show(progress: Progress) -> None:
            # a copy, which is sent while the job goes on
            self._legs[leg] = replace(
                progress, failures=[*progress.failures], seconds={**progress.seconds}
            )
            if self._stopped:
                raise KeyboardInterrupt

        yield show


def added_up(parts: Collection[Progress]) -> Progress:
    """Of several workers on one leg, the one that was done last at the end."""
    *_, last = parts
    embedded = sum(part.embedded for part in parts)
    failures = [failure for part in parts for failure in part.failures]
    # what failed in another's hands is waiting when the last one looks
    by_others = Counter[Reason]({"waiting": len(failures) - last.failed})
    return Progress(
        # the first has seen the most; fonts that were written since come on top
        pending=max(embedded + len(failures), *(part.pending for part in parts)),
        embedded=embedded,
        failures=failures,
        failed_at_first=sum(part.failed_at_first for part in parts),
        held=last.held - by_others,
        seconds={stage: sum(part.seconds[stage] for part in parts) for stage in last.seconds},
    )
