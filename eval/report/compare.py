"""Two runs on one dataset, query by query: what changed, whether by more than luck, and what they differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eval.runs.record import differences
from eval.scores.results import MAIN, Comparison, Results, compared
from eval.scores.statistics import SAME
from indexer.errors import UserError

MAX_QUERIES = 5  # queries that rose most, and that fell most


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A query under one variant, on MAIN."""

    query: str
    text: str
    query_class: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Differences are after - before."""

    before: Results
    after: Results
    variants: tuple[str, ...]  # that both have
    comparisons: Mapping[str | None, tuple[Comparison, ...]]  # by class, None for all queries
    deltas: Mapping[str, tuple[Delta, ...]]  # by variant, the largest fall first
    conditions: Mapping[str, tuple[Any, Any]]  # what the runs differ in

    def __str__(self) -> str:
        """Markdown."""
        return "\n".join(_lines(self))


def compare(before: Results, after: Results) -> Compared:
    """Raises UserError unless both were scored on the same queries of the same dataset."""
    first, second = before.run.about.dataset, after.run.about.dataset
    if first["hash"] != second["hash"]:
        raise UserError(
            f"The runs are on other datasets: {first['name']} {first['hash'][:12]}, "
            f"{second['name']} {second['hash'][:12]}. Only rankings of one dataset can be compared."
        )
    variants = tuple(variant for variant in before.scores if variant in after.scores)
    if not variants:
        raise UserError("The runs have no variant in common.")
    if before.values(variants[0]).keys() != after.values(variants[0]).keys():
        raise UserError("The runs ranked other queries. Compare them on one half: --split")
    comparisons = {
        query_class: compared(
            (
                variant,
                after.values(variant, query_class),
                variant,
                before.values(variant, query_class),
            )
            for variant in variants
        )
        for query_class in (None, *before.classes)
    }
    return Compared(
        before=before,
        after=after,
        variants=variants,
        comparisons=comparisons,
        deltas={variant: _deltas(before, after, variant) for variant in variants},
        conditions=differences(before.run.about, after.run.about),
    )


def _deltas(before: Results, after: Results, variant: str) -> tuple[Delta, ...]:
    queries = {query.id: query for query in before.dataset.queries}
    now = after.values(variant)
    deltas = [
        Delta(
            query=query,
            text=queries[query].text,
            query_class=queries[query].query_class,
            before=value,
            after=now[query],
        )
        for query, value in before.values(variant).items()
    ]
    return tuple(sorted(deltas, key=lambda delta: (delta.change, delta.query)))


def _lines(found: Compared) -> Iterator[str]:
    about = found.before.run.about.dataset
    yield f"# {about['name']} {about['version']} ({about['hash'][:12]}): two runs, by {MAIN}"
    yield ""
    for label, results in (("before", found.before), ("after", found.after)):
        run = results.run.about
        chosen = f", alpha {results.choice.usual:.2f}" if results.choice else ""
        yield f"- {label}: {run.finished_at}, code {(run.code or 'unknown')[:12]}{chosen}"
    for query_class, comparisons in found.comparisons.items():
        queries = len(found.before.values(found.variants[0], query_class))
        yield ""
        yield f"## {query_class or 'all queries'} ({queries})"
        yield ""
        yield "| variant | before | after | difference | 95 % | p | p, Holm | rose | fell |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for comparison in comparisons:
            yield _row(found, comparison, query_class)
    for variant, deltas in found.deltas.items():
        moved = [delta for delta in deltas if abs(delta.change) > SAME]
        if not moved:
            continue
        yield ""
        yield f"## {variant}: queries that moved most"
        yield ""
        yield "| query | class | before | after | change |"
        yield "|---|---|---|---|---|"
        for delta in [*moved[:MAX_QUERIES], *moved[MAX_QUERIES:][-MAX_QUERIES:]]:
            yield (
                f"| {_cell(delta.text)} | {_cell(delta.query_class)} | {delta.before:.3f} | "
                f"{delta.after:.3f} | {delta.change:+.3f} |"
            )
    yield ""
    yield "## What the runs differ in"
    yield ""
    for name, (before, after) in found.conditions.items():
        yield f"- {name}: {before} → {after}"
    if not found.conditions:
        yield "Nothing that is recorded."


def _row(found: Compared, comparison: Comparison, query_class: str | None) -> str:
    variant, difference = comparison.first, comparison.difference
    of_class = {query for query in found.before.values(variant, query_class)}
    changes = [delta.change for delta in found.deltas[variant] if delta.query in of_class]
    before = found.before.mean(variant, query_class)
    after = found.after.mean(variant, query_class)
    interval = (
        f"{difference.low:+.3f} to {difference.high:+.3f}"
        if difference.low is not None
        else "unknown"
    )
    return (
        f"| {variant} | {before:.3f} | {after:.3f} | {difference.mean:+.3f} | {interval} | "
        f"{comparison.test.p_value:.3f} | {comparison.p_adjusted:.3f} | "
        f"{sum(change > SAME for change in changes)} | {sum(change < -SAME for change in changes)} |"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
