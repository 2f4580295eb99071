"""The weight of text in a fusion, chosen so that no query is scored at an alpha that it helped to choose.

The best of 21 alphas on the very queries that it is then reported on is flattered: some of it is luck. Here
each query is scored at the alpha that is best on the others (leave-one-out), or on the other folds. That errs
to the other side, if less: where the curve is flat, a query unlike the rest tips the choice against itself.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from eval.scores.statistics import SAME

MIDDLE = 0.5  # what search takes where nothing is deployed

Sweep = Mapping[float, Mapping[str, float]]  # alpha to query id to a metric


@dataclass(frozen=True, kw_only=True)
class AlphaChoice:
    by_query: Mapping[str, float]  # the alpha that is best without the query
    folds: int  # as many as queries: leave-one-out
    in_sample: float  # the alpha that is best on all of them

    @property
    def usual(self) -> float:
        """The alpha that most queries are scored at."""
        counts = Counter(self.by_query.values())
        return min(counts, key=lambda alpha: (-counts[alpha], *_from_the_middle(alpha)))


def choose(sweep: Sweep, *, folds: int | None = None, seed: int = 0) -> AlphaChoice:
    """Raises ValueError without a query, or unless every alpha has a value for the same queries."""
    queries = sorted(next(iter(sweep.values()), {}))
    if not queries or any(values.keys() != set(queries) for values in sweep.values()):
        raise ValueError("Each alpha needs a value for each query, and there must be a query.")
    parts = _split(queries, min(folds or len(queries), len(queries)), seed)
    by_query = {
        query: alpha
        for part in parts
        for alpha in [best(sweep, set(queries).difference(part))]
        for query in part
    }
    return AlphaChoice(by_query=by_query, folds=len(parts), in_sample=best(sweep, queries))


def best(sweep: Sweep, queries: Collection[str]) -> float:
    """The alpha of the highest mean; of several, the nearest to the middle, then the lower one.

    Without queries that is the middle: nothing speaks for any other.
    """
    means = {
        alpha: fmean(values[query] for query in queries) if queries else 0.0
        for alpha, values in sweep.items()
    }
    highest = max(means.values())
    return min(
        (alpha for alpha, mean in means.items() if mean > highest - SAME), key=_from_the_middle
    )


def _from_the_middle(alpha: float) -> tuple[float, float]:
    return round(abs(alpha - MIDDLE), 9), alpha


def _split(queries: Sequence[str], folds: int, seed: int) -> list[list[str]]:
    """Parts that differ by one query at most."""
    shuffled = random.Random(seed).sample(queries, len(queries))  # noqa: S311
    return [shuffled[first::folds] for first in range(folds)]
