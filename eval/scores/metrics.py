"""What rankings are worth, per query and on average, through ir-measures.

A font is relevant to a query when its grade is 1 or more.

- Recall@k: relevant fonts among the first k, over all relevant ones. With more than k relevant fonts it
  cannot reach 1; with fewer than k fonts in the ranking it looks at all of them.
- MRR@10: 1 over the rank of the first relevant font, 0 when there is none among the first ten.
- nDCG@10 as trec_eval has it: the sum of grade / log2(rank + 1) over the first ten, over the same sum of
  the best order of the judged fonts (Järvelin & Kekäläinen, TOIS 2002; the gain is the grade, not 2^grade - 1).
- MAP: the precision at the rank of each relevant font, summed, over all relevant fonts. One that the ranking
  does not reach adds 0: compare only rankings that were asked for equally deep.
- Judged@10: the share of the first ten (of all, where there are fewer) that anybody judged. Queries whose
  grades of 0 are assumed have none.

Each is given raw, where an unjudged font counts as not relevant, and condensed, where unjudged fonts are
taken out of the ranking first. Pooled judgments are unfair to a system that finds what nobody looked at; the
condensed list is the simplest remedy and as good as any (Sakai, SIGIR 2007, "Alternatives to Bpref"). It
flatters the same system somewhat, so read both. It needs fonts of grade 0: where only relevant ones are judged,
nothing but relevant ones is left (see importers.exhaustive).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import ir_measures
from ir_measures import AP, RR, Judged, Measure, R, nDCG

from eval.datasets.dataset import Judgments, Query

Rankings = Mapping[str, Sequence[str]]  # query id to font ids, the best first
Values = Mapping[str, float]  # by metric

CONDENSED: Mapping[str, Measure] = {
    "Recall@10": R @ 10,
    "Recall@20": R @ 20,
    "MRR@10": RR @ 10,
    "nDCG@10": nDCG @ 10,
    "MAP": AP,
}
JUDGED = "Judged@10"
RAW: Mapping[str, Measure] = {**CONDENSED, JUDGED: Judged @ 10}  # of a condensed list it is 1


@dataclass(frozen=True, kw_only=True)
class QueryScores:
    query: str
    query_class: str
    relevant: int  # fonts
    raw: Values
    condensed: Values


@dataclass(frozen=True, kw_only=True)
class Means:
    """Over queries, each of the same weight."""

    queries: int
    raw: Values
    condensed: Values


@dataclass(frozen=True, kw_only=True)
class Scores:
    queries: tuple[QueryScores, ...]  # as they were asked
    unanswerable: tuple[str, ...]  # ids of queries without a relevant font: nothing can be right

    def means(self) -> Means:
        """Over all scored queries. Raises ValueError where there is none."""
        return _means(self.queries)

    def class_means(self) -> dict[str, Means]:
        """The same for each class that has scored queries, by name."""
        classes: defaultdict[str, list[QueryScores]] = defaultdict(list)
        for scores in self.queries:
            classes[scores.query_class].append(scores)
        return {name: _means(classes[name]) for name in sorted(classes)}


def score(queries: Iterable[Query], judgments: Judgments, rankings: Rankings) -> Scores:
    """Score a ranking for each query; rankings of other queries are passed over.

    The order of a ranking is taken as it is: whoever made it has broken the ties. Raises ValueError
    for a query without a ranking (an empty one is an answer, none is not), and for a font that stands
    in a ranking twice.
    """
    answerable: list[Query] = []
    unanswerable: list[str] = []
    for query in queries:
        if any(grade > 0 for grade in judgments.get(query.id, {}).values()):
            answerable.append(query)
        else:
            unanswerable.append(query.id)
    _check(answerable, rankings)

    graded = {query.id: dict(judgments[query.id]) for query in answerable}
    asked = {query: rankings[query] for query in graded}
    condensed = {
        query: [font for font in ranking if font in graded[query]]
        for query, ranking in asked.items()
    }
    raw_values = _measure(RAW, graded, asked)
    condensed_values = _measure(CONDENSED, graded, condensed)
    return Scores(
        queries=tuple(
            QueryScores(
                query=query.id,
                query_class=query.query_class,
                relevant=sum(grade > 0 for grade in graded[query.id].values()),
                raw={
                    metric: value
                    for metric, value in raw_values[query.id].items()
                    if metric != JUDGED or not query.assumed
                },
                condensed=condensed_values[query.id],
            )
            for query in answerable
        ),
        unanswerable=tuple(unanswerable),
    )


def descending(ranking: Sequence[str]) -> dict[str, float]:
    """Scores that fall by 1 a rank, so that no program can put the fonts in another order.

    Programs sort by score and break ties by their own rules; trec_eval keeps scores in 32 bits, where
    whole numbers up to 2^24 stay apart, and similarities of a database may not.
    """
    return {font: float(len(ranking) - index) for index, font in enumerate(ranking)}


def _check(queries: Iterable[Query], rankings: Rankings) -> None:
    for query in queries:
        if query.id not in rankings:
            raise ValueError(f"Query {query.id!r} has no ranking.")
        if len(set(rankings[query.id])) < len(rankings[query.id]):
            raise ValueError(f"The ranking of query {query.id!r} holds a font twice.")


def _measure(
    measures: Mapping[str, Measure], graded: Mapping[str, dict[str, int]], rankings: Rankings
) -> dict[str, dict[str, float]]:
    """By query and metric. ir-measures divides by nothing in an empty ranking; one left out scores 0."""
    run = {query: descending(ranking) for query, ranking in rankings.items() if ranking}
    found: dict[str, dict[Measure, float]] = {query: {} for query in graded}
    for value in ir_measures.iter_calc(measures.values(), graded, run):
        found[value.query_id][value.measure] = float(value.value)
    return {
        query: {name: values[measure] for name, measure in measures.items()}
        for query, values in found.items()
    }


def _means(scores: Sequence[QueryScores]) -> Means:
    if not scores:
        raise ValueError("No query has a relevant font, so there is no mean.")
    return Means(
        queries=len(scores),
        raw={
            name: fmean(values)
            for name in RAW
            if (values := [each.raw[name] for each in scores if name in each.raw])
        },
        condensed={name: fmean(each.condensed[name] for each in scores) for name in CONDENSED},
    )
