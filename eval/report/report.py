"""A run as a report: what was run, what came out, what it means, and what it depends on.

`report_of` gathers it once; `markdown` and eval/report/page.py write it down.
"""

from __future__ import annotations

import html
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from eval.report import answer
from eval.report.figures import FILTERS, counted
from eval.runs.record import AboutRun
from eval.scores.results import ASSUMED, MAIN, METRICS, Results
from eval.scores.scope import Scope, scope_of
from eval.scores.statistics import SAME
from indexer.choose import OFFLINE
from indexer.embed.ngrams import HashedNgrams

MAX_LOSSES = 10  # queries shown where fusion loses; more are on the page
MAX_MISSING = 10  # fonts without a vector
HASH = 12  # characters of a hash that are shown


@dataclass(frozen=True, kw_only=True)
class ReportedQuery:
    """A scored query, and what each variant made of it."""

    id: str
    number: int  # from 1, as it was asked
    text: str
    query_class: str
    split: str | None
    relevant: int  # fonts
    values: Mapping[str, float]  # MAIN by variant

    def delta(self, variant: str, against: str) -> float:
        return self.values[variant] - self.values[against]


@dataclass(frozen=True, kw_only=True)
class Report:
    results: Results
    whole: Scope
    classes: Sequence[Scope]  # none where there is only one: it would say the same again
    queries: Sequence[ReportedQuery]  # in the dataset's order

    @property
    def title(self) -> str:
        about = self.results.run.about.dataset
        return f"{about['name']} {about['version']}: what search finds, evaluated"

    @property
    def is_of_changed_code(self) -> bool:
        return (self.results.run.about.code or "").endswith("+")

    @property
    def has_assumed(self) -> bool:
        return any(query.assumed for query in self.results.dataset.queries)

    @property
    def scopes(self) -> Sequence[Scope]:
        return [self.whole, *self.classes]

    @property
    def sentences(self) -> list[str]:
        """The answer on all queries, beside the headline."""
        results, whole = self.results, self.whole
        said = [answer.legs(whole), *answer.other_fusions(whole)]
        if whole.fusion and whole.best_single:
            said.append(answer.counts(results, whole.fusion, whole.best_single))
        said += [answer.chosen_alpha(results, whole), answer.power(whole)]
        return [sentence for sentence in said if sentence]

    @property
    def losses(self) -> list[ReportedQuery]:
        """Queries on which the fusion is worse than the best single leg, the worst first."""
        fusion, leg = self.whole.fusion, self.whole.best_single
        if not fusion or not leg:
            return []
        found = [asked for asked in self.queries if asked.delta(fusion, leg) < -SAME]
        return sorted(found, key=lambda asked: (asked.delta(fusion, leg), asked.id))

    @property
    def facts(self) -> dict[str, str]:
        """What was run, in a few words each."""
        results, about = self.results, self.results.run.about
        dataset = results.dataset
        scored = Counter(asked.query_class for asked in self.queries)
        judged = sum(len(dataset.judgments.get(query.id, ())) for query in dataset.queries)
        facts = {
            "Dataset": f"{about.dataset['name']} {about.dataset['version']}, "
            f"hash {about.dataset['hash'][:HASH]}",
            "Fonts": f"{len(dataset.fonts):,}",
            "Queries": ", ".join(f"{count} {name}" for name, count in sorted(scored.items())),
            "Judged pairs": f"{judged:,}, on average {judged / len(dataset.queries):,.0f} of "
            f"{len(dataset.fonts):,} fonts per query",
            "Embedders": "; ".join(
                f"{leg} {space['identity']['model']['name']}" for leg, space in about.spaces.items()
            ),
            "Ranked": f"{_time(about.finished_at)}, on Postgres {about.versions['postgres']} "
            f"with pgvector {about.versions['pgvector']}",
        }
        if split := results.judging.split or about.parameters["split"]:
            facts["Queries"] += f" (the {split} half)"
        if results.judging.collapsed:
            facts["Fonts"] += ", near-duplicate families as one"
        elif (there := about.parameters["fonts"]) > len(dataset.fonts):
            facts["Fonts"] += f"; the database that was searched holds {there:,}"
        return facts

    @property
    def missing(self) -> list[str]:
        """What could not be embedded or scored, in a sentence each."""
        results, about = self.results, self.results.run.about
        texts = {query.id: query.text for query in results.dataset.queries}
        lines = []
        for leg, queries in about.unanswered.items():
            if quoted := [f"“{texts[query]}”" for query in queries if query in texts]:
                first = next(why for query, why in queries.items() if query in texts)
                lines.append(
                    f"The {leg} leg could not embed {counted(len(quoted), 'query', 'queries')}: "
                    f"{', '.join(quoted)}. Of the first it says: {first}"
                )
        fonts = [f"{font} has no vector of {why}" for font, why in about.missing.items()]
        lines += fonts[:MAX_MISSING]
        if len(fonts) > MAX_MISSING:
            lines.append(f"and {counted(len(fonts) - MAX_MISSING, 'font')} more, named in run.json")
        if unscored := [texts[query] for query in results.unanswerable]:
            lines.append(f"Not scored, since no font is relevant: {'; '.join(unscored)}")
        return lines

    @property
    def depends_on(self) -> dict[str, str]:
        """Everything that the numbers depend on; hashes are whole in run.json."""
        about = self.results.run.about
        files = about.dataset.get("files", "")
        judging = self.results.judging
        return {
            "dataset": f"{about.dataset['hash']}, font files {files[:HASH] or 'not read'}",
            **{
                f"space of {leg}": f"{space['id'][:HASH]}: {_shown(space['identity'])}"
                for leg, space in about.spaces.items()
            },
            "functions": ", ".join(f"{name} {sha[:HASH]}" for name, sha in about.functions.items()),
            "schema": about.schema_revision,
            "code": about.code or "unknown: not a checkout",
            "versions": _shown(about.versions),
            "parameters": _shown(about.parameters),
            "judging": _shown(
                {
                    "split": judging.split or about.parameters["split"] or "all",
                    "near-duplicates": "as one" if judging.collapsed else "each by itself",
                    "alpha by": f"{judging.folds} folds"
                    if judging.folds
                    else "leave-one-query-out",
                }
            ),
            "time": f"{_time(about.started_at)} to {_time(about.finished_at)}",
        }


def report_of(results: Results) -> Report:
    queries = {query.id: query for query in results.dataset.queries}
    values = {variant: results.values(variant) for variant in results.scores}
    scored = next(iter(results.scores.values())).queries
    classes = results.classes if len(results.classes) > 1 else ()
    return Report(
        results=results,
        whole=scope_of(results),
        classes=[scope_of(results, name) for name in classes],
        queries=[
            ReportedQuery(
                id=each.query,
                number=number,
                text=queries[each.query].text,
                query_class=each.query_class,
                split=queries[each.query].split,
                relevant=each.relevant,
                values={variant: found[each.query] for variant, found in values.items()},
            )
            for number, each in enumerate(scored, 1)
        ],
    )


def markdown(found: Report) -> str:
    text = environment().get_template("report.md.j2").render(context(found))
    # what templates leave between blocks and at the ends of lines
    return re.sub(r" +\n", "\n", re.sub(r"\n{3,}", "\n\n", text)).rstrip() + "\n"


def commands(results: Results) -> list[str]:
    """What to type to get these numbers again, in the commit that made them."""
    about = results.run.about
    dataset = shlex.quote(Path(about.dataset["folder"]).name)
    run = ["python -m eval run", f"--dataset {dataset}", "--out run", *_ranking_options(about)]
    report = ["python -m eval report run", *_judging_options(results)]
    checkout = [f"git checkout {about.code.rstrip('+')}"] if about.code else []
    return [*checkout, " ".join(run), " ".join(report)]


def context(found: Report) -> dict[str, Any]:
    """What both templates are given."""
    return {
        "report": found,
        "main": MAIN,
        "metrics": METRICS,
        "assumed": ASSUMED,
        "names": answer.NAMES,
        "answer": answer,
        "losses_shown": MAX_LOSSES,
        "commands": commands,
    }


def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("eval"),
        autoescape=select_autoescape(enabled_extensions=("html.j2", "svg.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS, cell=_cell, tenths=_tenths)
    return made


def _shown(value: Any) -> str:
    """Nested values of run.json in a line, without those that are empty."""
    if isinstance(value, Mapping):
        stated = {key: inner for key, inner in value.items() if inner not in (None, "")}
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in stated.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _time(stamp: str | None) -> str:
    return f"{datetime.fromisoformat(stamp):%Y-%m-%d %H:%M} UTC" if stamp else "not finished"


def _ranking_options(about: AboutRun) -> Iterator[str]:
    """All of them, whatever the defaults become."""
    planned = about.parameters
    yield f"--variants {','.join(planned['variants'])}"
    for name in ("split", "depth", "words", "normalization"):
        if planned[name] is not None:
            yield f"--{name} {planned[name]}"
    models = {
        space["identity"]["leg"]: space["identity"]["model"] for space in about.spaces.values()
    }
    if "text" in models and models["text"]["name"] != HashedNgrams().model.name:
        yield "--text-embedder provider"
    if "vl" in models and models["vl"]["name"] != OFFLINE:
        model = models["vl"]
        yield f"--vl-embedder {shlex.quote(model['name'])} --vl-revision {model['revision']}"
        yield f"--dim {model['dimension']}"


def _judging_options(results: Results) -> Iterator[str]:
    judging = results.judging
    if judging.split and judging.split != results.run.about.parameters["split"]:
        yield f"--split {judging.split}"
    if judging.folds:
        yield f"--folds {judging.folds}"
    if judging.collapsed:
        yield "--collapse"


def _cell(text: str) -> str:
    """A text in a cell of a Markdown table, or in a line."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", plain)


def _tenths(alphas: Iterable[float]) -> list[float]:
    """Those of the sweep that make a table of it readable."""
    every = list(alphas)
    return [value for value in every if abs(value * 10 - round(value * 10)) < SAME] or every
