"""The numbers of a run over all of its queries, or over those of a class, each computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from eval.runs.record import SINGLES
from eval.scores.results import (
    MAIN,
    Comparison,
    Estimate,
    Estimates,
    Results,
    by_query,
    estimates_of,
)
from eval.scores.statistics import SAME

FUSIONS = ("C", "RRF")
SIGNIFICANT = 0.05
VALIDATED, IN_SAMPLE = "C, alpha cross-validated", "C, alpha in-sample best"
RECALLS = {"Recall@10": 10, "Recall@20": 20}


@dataclass(frozen=True, kw_only=True)
class Scope:
    query_class: str | None  # None: all queries
    queries: int
    rows: Mapping[str, Estimates]  # by variant
    in_sample: Estimates | None  # of C at its best alpha in hindsight
    best_single: str | None
    comparisons: tuple[Comparison, ...]  # of all pairs of variants, the later one minus the earlier
    sweep: Mapping[float, Estimate]  # MAIN by alpha
    ceiling: Mapping[str, float]  # metrics that cannot reach 1 here: the most that they can

    @property
    def table(self) -> list[tuple[str, Estimates, bool]]:
        """Label, numbers, and whether they are in-sample; C stands there both ways."""
        lines = []
        for variant, numbers in self.rows.items():
            lines.append((VALIDATED if variant == "C" else variant, numbers, False))
            if variant == "C" and self.in_sample is not None:
                lines.append((IN_SAMPLE, self.in_sample, True))
        return lines

    @property
    def condensed_differs(self) -> bool:
        """Not where all that was ranked high is judged."""
        return any(
            abs(condensed.mean - numbers.raw[metric].mean) > SAME
            for numbers in self.rows.values()
            for metric, condensed in numbers.condensed.items()
        )

    @property
    def singles(self) -> tuple[str, ...]:
        return tuple(name for name in SINGLES if name in self.rows)

    @property
    def fusions(self) -> tuple[str, ...]:
        return tuple(name for name in FUSIONS if name in self.rows)

    @property
    def fusion(self) -> str | None:
        """The one that stands for fusion: C, or RRF where that is all there is."""
        return next(iter(self.fusions), None)

    def main(self, variant: str) -> Estimate:
        return self.rows[variant].raw[MAIN]

    def compared(self, first: str, second: str) -> Comparison:
        """The first minus the second, whichever way round they were tested."""
        for found in self.comparisons:
            if (found.first, found.second) == (first, second):
                return found
            if (found.first, found.second) == (second, first):
                return _turned(found)
        raise KeyError((first, second))

    @property
    def is_too_small(self) -> bool:
        """Whether not even a difference of one sign on every query could come out significant."""
        return len(self.comparisons) * 0.5 ** (self.queries - 1) >= SIGNIFICANT


def scope_of(results: Results, query_class: str | None = None) -> Scope:
    relevant = [
        each.relevant
        for each in next(iter(results.scores.values())).queries
        if query_class in (None, each.query_class)
    ]
    ceiling = {
        metric: fmean(min(depth, count) / count for count in relevant)
        for metric, depth in RECALLS.items()
        if max(relevant) > depth
    }
    return Scope(
        query_class=query_class,
        queries=len(relevant),
        rows={variant: results.estimates(variant, query_class) for variant in results.scores},
        in_sample=estimates_of(results.in_sample, query_class) if results.in_sample else None,
        best_single=results.best_single(query_class),
        comparisons=tuple(map(_turned, results.comparisons(query_class))),
        sweep={
            alpha: Estimate.of(list(by_query(scores, query_class).values()))
            for alpha, scores in results.sweep.items()
        },
        ceiling=ceiling,
    )


def is_significant(comparison: Comparison) -> bool:
    return comparison.p_adjusted < SIGNIFICANT


def _turned(found: Comparison) -> Comparison:
    """The same comparison from the other side."""
    difference, test = found.difference, found.test
    return replace(
        found,
        first=found.second,
        second=found.first,
        difference=Estimate(
            mean=-difference.mean,
            low=None if difference.high is None else -difference.high,
            high=None if difference.low is None else -difference.low,
        ),
        test=replace(test, difference=-test.difference),
    )
