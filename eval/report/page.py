"""A report as a page: each query with the glyph sheets that each variant ranked, judged ones marked."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from eval.datasets.collapse import collapse_ranking, standing_of
from eval.datasets.dataset import Dataset
from eval.report import plots
from eval.report.figures import alpha
from eval.report.report import Report, ReportedQuery, context, environment
from eval.runs.record import FOREIGN
from eval.scores.alpha import AlphaChoice
from eval.scores.metrics import Rankings
from eval.scores.results import MAIN, Results, rankings_of_c
from eval.scores.scope import Scope

MAX_FONTS = 10  # fonts of a ranking: what most metrics look at
SHEET_WIDTH = 400  # pixels: twice as sharp as it is shown
GREYS = 16  # enough for letters with soft edges, at a third of the bytes


@dataclass(frozen=True, kw_only=True)
class RankedFont:
    font: str  # id
    name: str
    grade: int | None  # None: unjudged


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a variant made of a query."""

    variant: str
    note: str
    hits: Sequence[RankedFont]


@dataclass(frozen=True, kw_only=True)
class Shown:
    asked: ReportedQuery
    columns: Sequence[Column]
    notes: Sequence[str]

    @property
    def hits(self) -> list[RankedFont]:
        return [hit for column in self.columns for hit in column.hits]


def shown_queries(report: Report, dataset: Dataset) -> list[Shown]:
    """The scored queries with their first hits. dataset: with all fonts that the run ranked."""
    results = report.results
    ranked = _rankings(results, dataset)
    names = {font.id: font.name for font in dataset.fonts}
    shown = []
    for asked in report.queries:
        grades = results.dataset.judgments[asked.id]
        columns = [
            Column(
                variant=variant,
                note=_note(variant, asked.id, results.choice),
                hits=[
                    RankedFont(
                        font=font, name=names.get(font) or _foreign(font), grade=grades.get(font)
                    )
                    for font in ranking[asked.id][:MAX_FONTS]
                ],
            )
            for variant, ranking in ranked.items()
        ]
        notes = [
            f"The {leg} leg could not embed it: {why[asked.id]}"
            for leg, why in results.run.about.unanswered.items()
            if asked.id in why
        ]
        shown.append(Shown(asked=asked, columns=columns, notes=notes))
    return shown


def shown_fonts(shown: Sequence[Shown]) -> list[str]:
    """Ids of the fonts whose sheets the page has a place for, each once."""
    return list(dict.fromkeys(hit.font for each in shown for hit in each.hits))


def small(sheet: bytes) -> bytes:
    """A sheet (PNG) as the page holds it: 12 kB instead of 40."""
    image = Image.open(io.BytesIO(sheet)).convert("L")
    height = round(SHEET_WIDTH * image.height / image.width)
    image = image.resize((SHEET_WIDTH, height), Image.Resampling.LANCZOS).quantize(GREYS)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def page(report: Report, shown: Sequence[Shown], sheets: Mapping[str, bytes] | None = None) -> str:
    """One self-contained HTML document.

    sheets: PNG by font id, each of which stands in it once; a font that lacks one is an empty box
    with its name. None: names only.
    """
    made = environment()
    made.filters["points"] = plots.points
    drawn = made.get_template("sweep.svg.j2")
    sizes = {"width": plots.WIDTH, "height": plots.HEIGHT, "alpha_ticks": plots.ALPHA_TICKS}
    figures = [
        (scope, plot, drawn.render(plot=plot, **sizes))
        for scope in report.scopes
        if (plot := sweep(scope, report.results)) is not None
    ]
    encoded = {font: base64.b64encode(png).decode() for font, png in (sheets or {}).items()}
    values: dict[str, Any] = {
        **context(report),
        "queries": shown,
        "figures": figures,
        "sheets": encoded,
        # ids are of any characters, and make no names of classes
        "numbers": {font: number for number, font in enumerate(encoded)},
        "with_sheets": sheets is not None,
        "fonts_shown": MAX_FONTS,
        "graded": any(hit.grade and hit.grade > 1 for each in shown for hit in each.hits),
    }
    return made.get_template("report.html.j2").render(values)


def sweep(scope: Scope, results: Results) -> plots.Sweep | None:
    """The plot of alpha; None for a run without C."""
    choice = results.choice
    if choice is None:
        return None
    validated = plots.Mark(alpha=choice.usual, value=scope.main("C").mean)
    in_sample = plots.Mark(alpha=choice.in_sample, value=scope.sweep[choice.in_sample].mean)
    leg = scope.main(scope.best_single).mean if scope.best_single else None
    ends = scope.sweep[min(scope.sweep)].mean, scope.sweep[max(scope.sweep)].mean
    label = (
        f"{MAIN} of C by alpha, {scope.query_class or 'all queries'}: {ends[0]:.3f} at alpha "
        f"{alpha(min(scope.sweep))}, {ends[1]:.3f} at {alpha(max(scope.sweep))}, highest "
        f"{max(mean.mean for mean in scope.sweep.values()):.3f}"
    )
    return plots.Sweep(
        label=label, metric=MAIN, means=scope.sweep, validated=validated, in_sample=in_sample, leg=leg
    )  # fmt: skip


def _rankings(results: Results, dataset: Dataset) -> dict[str, Rankings]:
    """By variant, as they were scored."""
    found: dict[str, Rankings] = {
        name: results.run.rankings[name] for name in results.scores if name != "C"
    }
    if results.choice:
        found["C"] = rankings_of_c(results.run, results.choice)
    if results.judging.collapsed:
        standing = standing_of(dataset.fonts)
        found = {
            name: {
                query: collapse_ranking(ranking, {font: font for font in ranking} | standing)
                for query, ranking in ranked.items()
            }
            for name, ranked in found.items()
        }
    return {name: found[name] for name in results.scores}


def _foreign(font: str) -> str:
    return f"{font.removeprefix(FOREIGN)} (not of the dataset)"


def _note(variant: str, query: str, choice: AlphaChoice | None) -> str:
    return f"alpha {alpha(choice.by_query[query])}" if variant == "C" and choice else ""
