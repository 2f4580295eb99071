"""A guard against getting worse: a run against a baseline that was written down.

A metric fails when its new mean is below the baseline's lower bound: the lower end of the 95 % interval of
the baseline's mean over queries. Smaller falls are within what other queries would have made of the same
system, so they pass; on the very same queries they may still be real, and `eval compare` shows them.

Where an interval has no width (all queries alike, or a single one) it is not taken for certainty: that n
queries were alike says, at the same confidence, that at most a share of 1 - .025^(1/n) of all queries is
otherwise, each of which may score 0. So the bound is the mean times .025^(1/n): .69 of it for 10 queries,
.93 for 50.

Every variant is held to every metric but Judged@10, raw and condensed, over all queries and in each class.
Judged@10 says what people looked at, not what is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from eval.scores.results import METRICS, Estimate, Judging, Results
from eval.scores.statistics import CONFIDENCE, SAME
from indexer.errors import UserError

FORMAT = 1
ALL = "all queries"  # beside the classes
NOT_HELD = "Judged@10"
# what decides which queries are scored and how, so that means can be compared
CONDITIONS = ("dataset", "split", "collapsed", "folds", "depth")


@dataclass(frozen=True, kw_only=True)
class Held:
    """A number that must not fall."""

    variant: str
    group: str  # a class, or ALL
    reading: str
    metric: str

    def __str__(self) -> str:
        return f"{self.variant} {self.metric} ({self.reading}, {self.group})"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What it was, and what it must not fall below."""

    held: Held
    mean: float
    least: float


@dataclass(frozen=True, kw_only=True)
class Fall:
    bound: Bound
    now: float

    def __str__(self) -> str:
        bound = self.bound
        return (
            f"{bound.held}: {self.now:.4f}, was {bound.mean:.4f}, "
            f"must not fall below {bound.least:.4f}"
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    falls: tuple[Fall, ...]
    compared: int


def write_baseline(results: Results, path: Path) -> None:
    value = {
        "format": FORMAT,
        "made_by": {"code": results.run.about.code, "finished_at": results.run.about.finished_at},
        **_conditions(results),
        "bounds": [asdict(bound) for bound in bounds(results)],
    }
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def judging_of(path: Path) -> Judging:
    """As the baseline was scored, so that a run is scored alike."""
    found = _read(path)
    return Judging(split=found["split"], collapsed=found["collapsed"], folds=found["folds"])


def check(results: Results, path: Path) -> Verdict:
    """Raises UserError where the baseline is of another dataset, or the run lacks what it holds."""
    found = _read(path)
    now = _conditions(results)
    if other := [name for name in CONDITIONS if found[name] != now[name]]:
        raise UserError(
            f"The baseline {path} cannot be compared with this run: it has another "
            f"{', another '.join(other)} ({_shown(found, other)}; the run: {_shown(now, other)})."
        )
    means = {held: fmean(values) for held, values in _held(results)}
    before = [Bound(**{**bound, "held": Held(**bound["held"])}) for bound in found["bounds"]]
    if lacking := sorted({bound.held.variant for bound in before if bound.held not in means}):
        raise UserError(f"The run lacks what the baseline holds: {', '.join(lacking)}.")
    falls = tuple(
        Fall(bound=bound, now=means[bound.held])
        for bound in before
        if means[bound.held] < bound.least - SAME
    )
    return Verdict(falls=falls, compared=len(before))


def bounds(results: Results) -> list[Bound]:
    return [
        Bound(held=held, mean=fmean(values), least=least(Estimate.of(values), len(values)))
        for held, values in _held(results)
    ]


def least(estimate: Estimate, queries: int) -> float:
    """The lower bound of a mean; see above for one without an interval."""
    if estimate.low is None:
        tail = (1 - CONFIDENCE) / 2
        return float(estimate.mean * tail ** (1 / queries))
    return min(estimate.low, estimate.mean)


def _held(results: Results) -> Iterator[tuple[Held, list[float]]]:
    """Everything that is held, with its values by query."""
    for variant in results.scores:
        for query_class in (None, *results.classes):
            for reading, metrics in METRICS.items():
                for metric in metrics:
                    if metric != NOT_HELD:
                        values = results.values(variant, query_class, metric, reading)
                        held = Held(
                            variant=variant,
                            group=query_class or ALL,
                            reading=reading,
                            metric=metric,
                        )
                        yield held, list(values.values())


def _conditions(results: Results) -> dict[str, Any]:
    about, judging = results.run.about, results.judging
    return {
        "dataset": about.dataset["hash"],
        "split": judging.split or about.parameters["split"],
        "collapsed": judging.collapsed,
        "folds": judging.folds,
        "depth": about.parameters["depth"],
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] == FORMAT and all(name in value for name in (*CONDITIONS, "bounds")):
            return dict(value)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no baseline. Write one: eval gate --write-baseline") from error
    raise UserError(f"{path} is a baseline of another version. Write it anew: --write-baseline")


def _shown(conditions: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {str(conditions[name])[:12]}" for name in names)
