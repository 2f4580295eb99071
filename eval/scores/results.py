"""What a run is worth: scores, how sure they are, and whether variants differ by more than luck.

The one place that the gate, comparisons and the report take numbers from. Nothing of it is stored: rankings
and judgments give the same numbers again.

C stands for the fusion as it would be used: each query is scored at the alpha chosen without it (eval/scores/alpha.py).
The best alpha in hindsight is given beside it and named so, as is the best single leg.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Literal

from eval.datasets.collapse import collapse, collapse_ranking, standing_of
from eval.datasets.dataset import Dataset, Query, Split, load, of_split
from eval.runs.record import SINGLES, VARIANTS, Run, Setting
from eval.scores.alpha import AlphaChoice, choose
from eval.scores.metrics import CONDENSED, RAW, QueryScores, Rankings, Scores, score
from eval.scores.statistics import SAME, PairedTest, bootstrap_interval, holm, paired_test
from indexer.errors import UserError

ASSUMED = "assumed"  # instead of JUDGED, where nobody knows it
MAIN = "nDCG@10"  # raw: what alpha is chosen by, and what variants are compared on

Reading = Literal["raw", "condensed"]
METRICS: Mapping[Reading, tuple[str, ...]] = {"raw": tuple(RAW), "condensed": tuple(CONDENSED)}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over queries and its 95 % interval.

    low and high are None where the queries say nothing of others: fewer than two, or all alike.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        interval = bootstrap_interval(values)
        if interval is None or interval.high - interval.low <= SAME:
            return cls(mean=fmean(values), low=None, high=None)
        return cls(mean=interval.mean, low=interval.low, high=interval.high)

    def __str__(self) -> str:
        between = "unknown" if self.low is None else f"{self.low:.3f} to {self.high:.3f}"
        return f"{self.mean:.3f} ({between})"


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """A variant over the queries of a class, or over all."""

    queries: int
    raw: Mapping[str, Estimate]  # by metric; JUDGED only where it is known
    condensed: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of two variants, query by query, on MAIN: first - second."""

    first: str
    second: str
    difference: Estimate
    test: PairedTest
    p_adjusted: float  # by Holm, for all comparisons that are made together


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How rankings are scored: numbers of one judging can be compared."""

    split: Split | None = None  # None: all queries that were ranked
    collapsed: bool = False  # near-duplicate families are scored as one
    folds: int | None = None  # of the choice of alpha; None: leave-one-out


@dataclass(frozen=True, kw_only=True)
class Results:
    """Scores by query; means, intervals and tests are computed as they are asked for.

    Where a method takes a class, None means all queries.
    """

    run: Run
    dataset: Dataset  # as it was judged by: of the split, and collapsed
    judging: Judging
    scores: Mapping[str, Scores]  # by variant, in the order of record.VARIANTS
    sweep: Mapping[float, Scores]  # C at each alpha; empty for a run without C
    choice: AlphaChoice | None  # of alpha, None for a run without C

    @property
    def classes(self) -> tuple[str, ...]:
        """Those with scored queries."""
        return tuple(sorted({query.query_class for query in self._any.queries}))

    @property
    def unanswerable(self) -> tuple[str, ...]:
        """Ids of queries without a relevant font, which are not scored."""
        return self._any.unanswerable

    @property
    def in_sample(self) -> Scores | None:
        """C at the one alpha that is best on these very queries: flattered."""
        return self.sweep[self.choice.in_sample] if self.choice else None

    def values(
        self,
        variant: str,
        query_class: str | None = None,
        metric: str = MAIN,
        reading: Reading = "raw",
    ) -> dict[str, float]:
        """A metric by query."""
        return by_query(self.scores[variant], query_class, metric, reading)

    def mean(
        self,
        variant: str,
        query_class: str | None = None,
        metric: str = MAIN,
        reading: Reading = "raw",
    ) -> float:
        return fmean(self.values(variant, query_class, metric, reading).values())

    def estimates(self, variant: str, query_class: str | None = None) -> Estimates:
        return estimates_of(self.scores[variant], query_class)

    def comparisons(self, query_class: str | None = None) -> tuple[Comparison, ...]:
        """Every pair of variants, corrected for their number."""
        pairs = combinations(self.scores, 2)
        values = {name: self.values(name, query_class) for name in self.scores}
        return compared((first, values[first], second, values[second]) for first, second in pairs)

    def best_single(self, query_class: str | None = None) -> str | None:
        """The single leg with the highest mean, picked in hindsight; None where none was ranked."""
        legs = [leg for leg in SINGLES if leg in self.scores]
        return max(legs, key=lambda leg: self.mean(leg, query_class), default=None)

    def curve(self, query_class: str | None = None, metric: str = MAIN) -> dict[float, float]:
        """The mean of a raw metric by alpha."""
        return {
            alpha: fmean(by_query(scores, query_class, metric).values())
            for alpha, scores in self.sweep.items()
        }

    def __str__(self) -> str:
        """Markdown, in short."""
        return "\n".join(_lines(self))

    @property
    def _any(self) -> Scores:
        return next(iter(self.scores.values()))


def results(run: Run, dataset: Dataset, judging: Judging | None = None) -> Results:
    """Score a run. Raises UserError where it is not finished, or holds nothing to score."""
    judging = judging or Judging()
    dataset, rankings = _judged(run, dataset, judging)
    sweep = {
        alpha: _score(dataset, rankings[Setting(variant="C", alpha=alpha).key])
        for alpha in run.alphas
    }
    scores = {
        variant: _score(dataset, rankings[variant]) for variant in VARIANTS if variant in rankings
    }
    choice = None
    if sweep:
        values = {alpha: by_query(scored) for alpha, scored in sweep.items()}
        choice = choose(values, folds=judging.folds)
        scores["C"] = _at_choice(sweep, choice)
    return Results(
        run=run,
        dataset=dataset,
        judging=judging,
        scores={variant: scores[variant] for variant in VARIANTS if variant in scores},
        sweep=sweep,
        choice=choice,
    )


def judged_by(run: Run, folder: Path | None = None) -> Dataset:
    """The dataset that a run was made on. Raises UserError where it is not there, or has changed."""
    about = run.about.dataset
    place = folder or Path(about["folder"])
    found = load(place)
    if found.hash != about["hash"]:
        raise UserError(
            f"{place} is not the dataset of the run ({about['name']} {about['version']}, "
            f"{about['hash'][:12]}) but {found.about.name} {found.about.version}, {found.hash[:12]}."
        )
    return found


def by_query(
    scores: Scores,
    query_class: str | None = None,
    metric: str = MAIN,
    reading: Reading = "raw",
) -> dict[str, float]:
    """A metric by query, of those that have it; of one class, or of all."""
    found = [each for each in scores.queries if query_class in (None, each.query_class)]
    values = {each.query: each.raw if reading == "raw" else each.condensed for each in found}
    return {query: every[metric] for query, every in values.items() if metric in every}


def estimates_of(scores: Scores, query_class: str | None = None) -> Estimates:
    estimates: dict[Reading, dict[str, Estimate]] = {
        reading: {
            metric: Estimate.of([*values.values()])
            for metric in metrics
            if (values := by_query(scores, query_class, metric, reading))
        }
        for reading, metrics in METRICS.items()
    }
    return Estimates(
        queries=len(by_query(scores, query_class)),
        raw=estimates["raw"],
        condensed=estimates["condensed"],
    )


Pair = tuple[str, Mapping[str, float], str, Mapping[str, float]]  # two names, each with its values


def compared(pairs: Iterable[Pair]) -> tuple[Comparison, ...]:
    """Comparisons of values by query, corrected for how many there are."""
    tested = [
        (first, second, Estimate.of([ours[query] - theirs[query] for query in ours]), test)
        for first, ours, second, theirs in pairs
        for test in [paired_test(ours, theirs)]
    ]
    adjusted = holm([test.p_value for *_, test in tested])
    return tuple(
        Comparison(
            first=first, second=second, difference=difference, test=test, p_adjusted=p_adjusted
        )
        for (first, second, difference, test), p_adjusted in zip(tested, adjusted, strict=True)
    )


def rankings_of_c(run: Run, choice: AlphaChoice) -> Rankings:
    """The fusion's rankings, each at the alpha chosen without its query."""
    return {
        query: run.rankings[Setting(variant="C", alpha=alpha).key][query]
        for query, alpha in choice.by_query.items()
    }


def _judged(run: Run, dataset: Dataset, judging: Judging) -> tuple[Dataset, Mapping[str, Rankings]]:
    """The dataset and the rankings as they are to be scored."""
    if run.about.finished_at is None:
        raise UserError("The run was interrupted. Give its command again: it goes on where it was.")
    ranked = run.about.parameters["split"]
    if judging.split is not None and ranked not in (None, judging.split):
        raise UserError(
            f"The run ranked the queries of {ranked} only, not those of {judging.split}."
        )
    queries = of_split(dataset.queries, judging.split or ranked)
    dataset = replace(dataset, queries=queries)
    if not any(_answerable(dataset, query) for query in queries):
        raise UserError("No query has a relevant font, so there is nothing to score.")
    rankings: Mapping[str, Rankings] = run.rankings
    if judging.collapsed:
        standing = standing_of(dataset.fonts)
        dataset = collapse(dataset)
        rankings = {
            key: {
                query: collapse_ranking(ranking, {font: font for font in ranking} | standing)
                for query, ranking in answers.items()
            }
            for key, answers in rankings.items()
        }
    return dataset, rankings


def _answerable(dataset: Dataset, query: Query) -> bool:
    return any(dataset.judgments.get(query.id, {}).values())


def _score(dataset: Dataset, rankings: Rankings) -> Scores:
    return score(dataset.queries, dataset.judgments, rankings)


def _at_choice(sweep: Mapping[float, Scores], choice: AlphaChoice) -> Scores:
    """Each query's scores at its alpha."""
    of_query: dict[float, dict[str, QueryScores]] = {
        alpha: {each.query: each for each in scores.queries} for alpha, scores in sweep.items()
    }
    first = next(iter(sweep.values()))
    return Scores(
        queries=tuple(of_query[choice.by_query[each.query]][each.query] for each in first.queries),
        unanswerable=first.unanswerable,
    )


def _lines(found: Results) -> Iterator[str]:
    columns = ("Recall@10", "Recall@20", "MRR@10", "MAP", "Judged@10")
    yield f"| variant | queries | {MAIN} (95 %) | {' | '.join(columns)} | condensed {MAIN} |"
    yield "|---|---" + "|---" * (len(columns) + 2) + "|"
    for query_class in (None, *found.classes):
        for variant, scores in found.scores.items():
            yield _line(variant, query_class, scores, columns)
        if found.choice and found.in_sample:
            name = f"C at {found.choice.in_sample:.2f}, best in hindsight"
            yield _line(name, query_class, found.in_sample, columns)
    if found.choice:
        yield ""
        yield (
            f"C: each query at the alpha chosen without it, {found.choice.usual:.2f} for most "
            f"({found.choice.folds} folds of {len(found.choice.by_query)} queries)."
        )
        for comparison in found.comparisons():
            if (comparison.first, comparison.second) == (found.best_single(), "C"):
                yield (
                    f"{comparison.first}, the best single leg in hindsight, less C: {comparison.difference}, "
                    f"p {comparison.test.p_value:.3f}, {comparison.p_adjusted:.3f} by Holm."
                )


def _line(name: str, query_class: str | None, scores: Scores, columns: Iterable[str]) -> str:
    group = f"{name}, {query_class}" if query_class else name
    main = [*by_query(scores, query_class).values()]
    values = [
        *(by_query(scores, query_class, column).values() for column in columns),
        by_query(scores, query_class, MAIN, "condensed").values(),
    ]
    means = [f"{fmean(each):.3f}" if each else ASSUMED for each in values]
    cells = [group, str(len(main)), str(Estimate.of(main)), *means]
    return f"| {' | '.join(cells)} |"
