"""The report of a run says what its numbers say: in Markdown, in words, on the page and in plots."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eval.cli.report import report_command
from eval.datasets.dataset import AboutDataset, Dataset, Font, Query, save
from eval.fonts.parametric import ParametricFont
from eval.report.figures import alpha, counted, number, p_value, signed
from eval.report.page import page, shown_fonts, shown_queries, small
from eval.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Mark, Sweep, points
from eval.report.report import Report, commands, markdown, report_of
from eval.runs import record
from eval.runs.record import AboutRun, Run, Setting
from eval.scores.results import Estimate, Judging, results
from indexer.job.prepare import prepare
from indexer.sheet.render import SheetSpec

GOOD, BAD, UNSEEN = "good", "bad", "unseen"
NAME = '<script>alert("x")</script>'
ABOUT = AboutDataset(
    name="tiny",
    version="3",
    description="Judged by <hand>.\n\nTwo paragraphs.",
    license="CC0-1.0",
    made_by="by hand",
)
FONTS = (
    Font(id=GOOD, name=NAME, source="Directory", files={"400": "fonts/good.ttf"}),
    Font(id=BAD, name="Bad & Ugly", source="Directory", files={"400": "fonts/not-there.ttf"}),
    Font(id=UNSEEN, name="Unseen", source="Directory"),
)
SPACE = {
    "id": "0" * 64,
    "identity": {
        "leg": "vl",
        "model": {"name": "measured-traits", "revision": "1", "dimension": 256},
        "sheet_spec": "sheet/1",
        "text_schema": None,
    },
}
Ranks = Mapping[str, Sequence[int]]  # by setting, the rank of the one relevant font for each query


def tiny(count: int) -> Dataset:
    """Queries of two classes in turn, each with one relevant font, one that is not, one unjudged."""
    asked = [
        Query(id=f"q{n}", text=f"query | <b>{n}</b>", query_class=("mood", "structure")[n % 2])
        for n in range(1, count + 1)
    ]
    return Dataset(
        about=ABOUT,
        fonts=FONTS,
        queries=tuple(asked),
        judgments={query.id: {GOOD: 2, BAD: 0} for query in asked},
    )


def about(dataset: Dataset, **others: object) -> AboutRun:
    made = AboutRun(
        dataset={"name": "tiny", "version": "3", "hash": dataset.hash, "folder": "/data/tiny"},
        spaces={"A": SPACE, "B2": SPACE},
        functions={"public.match_fonts_hybrid": "f" * 64},
        schema_revision="0005",
        code="c" * 40 + "+",
        versions={"python": "3.11", "postgres": "17.6", "pgvector": "0.8.1"},
        parameters={
            "variants": ["A", "B2", "C"], "alphas": [0.5], "depth": 200, "words": 0.0,
            "normalization": "raw", "split": None, "fonts": 3,
        },
        started_at="2026-01-02T03:04:05+00:00",
        finished_at="2026-01-02T03:05:06+00:00",
    )  # fmt: skip
    return replace(made, **others)  # type: ignore[arg-type]


def ranking(rank: int) -> tuple[str, ...]:
    others = [BAD, UNSEEN]
    return (*others[: rank - 1], GOOD, *others[rank - 1 :])


def made(ranks: Ranks, **others: object) -> tuple[Report, Dataset]:
    dataset = tiny(len(next(iter(ranks.values()))))
    rankings = {
        setting: {f"q{n}": ranking(rank) for n, rank in enumerate(of_queries, 1)}
        for setting, of_queries in ranks.items()
    }
    run = Run(about=about(dataset, **others), rankings=rankings)
    return report_of(results(run, dataset)), dataset


def shown_page(found: tuple[Report, Dataset], sheets: Mapping[str, bytes] | None = None) -> str:
    report, dataset = found
    return page(report, shown_queries(report, dataset), sheets)


# of 12 queries, one sign on all: p = 2 / 2^12, by Holm three times that
WINS = {"A": [2] * 12, "B2": [3] * 12, "C@0.50": [1] * 12}
LOSES = {"A": [2] * 12, "B2": [3] * 12, "C@0.50": [3] * 12}
MIXED = {"A": [2] * 12, "B2": [3] * 12, "C@0.50": [3, 1] * 6}


def test_markdown_holds_the_numbers_as_computed_by_hand() -> None:
    # the relevant font second: 1 / log2(3) = .631; third: 1 / log2(4); condensed it is second at worst
    text = markdown(made(WINS)[0])
    header = "| variant | Recall@10 | Recall@20 | MRR@10 | nDCG@10 | MAP | Judged@10 |"
    assert header in text
    assert "| A | 1.000 | 1.000 | .500 | .631 | .500 | .667 |" in text
    assert "| B2 | 1.000 | 1.000 | .333 | .500 | .333 | .667 |" in text
    assert "| C, alpha cross-validated | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | .667 |" in text
    assert "| C, alpha in-sample best | 1.000* | 1.000* | 1.000* |" in text
    assert "| B2 | 1.000 | 1.000 | .500 | .631 | .500 |\n" in text
    assert "| C − A | +.369 | .001 | < .001 |" in text
    assert "- Queries: 6 mood, 6 structure" in text
    assert "- Judged pairs: 24, on average 2 of 3 fonts per query" in text
    assert "\n\n\n" not in text
    # six queries of .631 and six of 1: an interval around .815
    mixed = markdown(made({**WINS, "A": [2, 1] * 6})[0])
    assert re.search(r"\| A \| 1\.000 \| 1\.000 \| \.750 \[\.\d{3}, \.\d{3}\]", mixed)
    assert re.search(r"\.815 \[\.\d{3}, \.\d{3}\]", mixed)


def test_the_verdict_follows_the_numbers() -> None:
    def verdict(ranks: Ranks) -> str:
        return markdown(made(ranks)[0]).splitlines()[2]

    text, fused = "text alone (A)", "text and sight fused (C)"
    assert verdict(WINS) == (
        f"**Text and sight fused (C) won, beyond chance: nDCG@10 1.000 against .631 of {text}, +.369, p = .001.**"
    )
    assert verdict(LOSES) == (
        f"**Text alone (A) won, beyond chance: nDCG@10 .631 against .500 of {fused}, +.131, p = .001.**"
    )
    unsure = f"**Nobody won beyond chance: {fused} has nDCG@10 .750, {text} .631; +.119 ["
    assert verdict(MIXED).startswith(unsure)
    assert verdict(MIXED).endswith(", which may be luck.**")
    same = {**WINS, "C@0.50": [2] * 12}
    assert (
        verdict(same) == f"**Nobody won: on every query {fused} is equal to {text}, nDCG@10 .631.**"
    )
    alone = "The sheet alone (B1) won, beyond chance: nDCG@10 1.000 against .500 of text alone (A)"
    assert alone in verdict({"A": [3] * 12, "B1": [1] * 12})
    assert verdict({"B1": [1, 1]}) == "**Only the sheet alone (B1) was ranked: nDCG@10 1.000.**"
    assert "No single leg was ranked" in verdict({"RRF": [1, 2]})


def test_the_verdict_says_what_text_alone_is_worth_where_others_lead() -> None:
    ahead = {"A": [3] * 12, "B2": [2] * 12, "C@0.50": [2] * 12}
    assert "Text alone (A) is behind, beyond chance: .500, p = .001.**" in markdown(made(ahead)[0])
    near = {**ahead, "A": [2] * 11 + [3]}
    assert "Text alone (A), .620, is not worse beyond chance.**" in markdown(made(near)[0])


def test_the_page_shows_sheets_before_tables_and_names_each_cell() -> None:
    text = shown_page(made({**LOSES, "A": [1, *[2] * 11]}))
    assert text.index('<section id="queries">') < text.index("<table>")
    body = text[text.index("<tbody>") :]
    assert body.count("<td>") == 0  # on a narrow screen no row of headings stands above them
    assert 'data-label="nDCG@10"' in body and 'data-label="difference"' in body


def test_other_fusions_are_held_against_the_best_leg_too() -> None:
    text = markdown(made({**WINS, "RRF": [3] * 12})[0])
    assert "- RRF (A and B2 fused by their ranks) loses to A: .500, −.131, p = .003." in text


def test_how_sure_the_best_leg_is_stands_beside_it() -> None:
    text = markdown(made(WINS)[0])
    assert "The best single leg is A (text alone), with an nDCG@10 of .631; B2 has .500." in text
    assert "It is significantly better than B2 (p = .001)." in text
    close = markdown(made({**WINS, "B2": [2] * 11 + [3]})[0])
    assert "Its lead over B2 (p = 1) may be luck." in close
    equal = markdown(made({**WINS, "B2": [2] * 12})[0])
    assert "B2 has .631. On every query it is equal to B2." in equal


def test_too_few_queries_are_said_to_be_too_few() -> None:
    text = markdown(made({name: ranks[:5] for name, ranks in WINS.items()})[0])
    assert "- 5 queries are too few: in 3 comparisons not even a difference" in text
    assert "Nobody won beyond chance" in text
    assert "12 queries are too few" not in markdown(made(WINS)[0])


def test_losses_are_listed_with_both_values_the_worst_first() -> None:
    report, _ = made({**MIXED, "A": [1, *[2] * 11]})
    assert [asked.id for asked in report.losses] == ["q1", "q11", "q3", "q5", "q7", "q9"]
    lines = markdown(report).splitlines()
    at = lines.index("| query | class | A | C | difference |")
    assert lines[at + 2].endswith("| structure | 1.000 | .500 | −.500 |")
    assert lines[at + 3].endswith("| structure | .631 | .500 | −.131 |")
    assert "C is better than A on 6, worse on 6 and equal on 0." in "\n".join(lines)
    assert "On no query is it worse than A." in markdown(made(WINS)[0])


def test_the_alpha_in_hindsight_is_marked_as_such() -> None:
    # at .35 nine of twelve are best, at .40 the others; without one of the nine .35 still leads
    ranks = {
        "A": [3] * 12,
        "B2": [3] * 12,
        "C@0.35": [1] * 9 + [2] * 3,
        "C@0.40": [2] * 9 + [1] * 3,
    }
    text = markdown(made(ranks)[0])
    assert "best on all other queries: .35 for 12 of 12 queries." in text
    assert "The best alpha in hindsight is .35, with .908: flattered" in text  # (9 + 3 · .631) / 12
    ranks = {"A": [3] * 12, "B2": [2] * 12, "C@0.00": [2] * 12, "C@1.00": [3] * 12}
    assert "0 for 12 of 12 queries, which is B2 alone: nothing" in markdown(made(ranks)[0])
    text = markdown(made(ranks, unanswered={"vl": {"q1": "no known word"}})[0])
    assert "which is B2 alone, wherever that could embed the query: nothing" in text
    assert "A query that one leg could not embed is ranked by the other at every alpha." in text


def test_what_could_not_be_embedded_and_what_to_type_are_said() -> None:
    report, _ = made(
        WINS,
        unanswered={"vl": {"q1": "no known word", "q2": "none either"}},
        missing={f"Font {n}": "B2: render: broken" for n in range(12)},
    )
    text = markdown(report)
    assert "- The vl leg could not embed 2 queries: “query \\| &lt;b&gt;1&lt;/b&gt;”, “" in text
    assert "Of the first it says: no known word\n" in text
    assert "- Font 9 has no vector of B2: render: broken" in text
    assert "- and 2 fonts more, named in run.json" in text
    assert commands(report.results) == [
        f"git checkout {'c' * 40}",
        "python -m eval run --dataset tiny --out run --variants A,B2,C --depth 200 --words 0.0 "
        "--normalization raw",
        "python -m eval report run",
    ]


def test_the_judging_is_part_of_what_to_type() -> None:
    report, _ = made(WINS)
    judging = Judging(split="test", collapsed=True, folds=4)
    typed = commands(replace(report.results, judging=judging))
    assert typed[-1] == "python -m eval report run --split test --folds 4 --collapse"


# the page


class Tree(HTMLParser):
    """Fails on what is not closed; keeps what stands in each ranking."""

    VOID = ("meta", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.columns: list[list[tuple[str | None, str]]] = []  # class and text of each hit
        self.inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        classes = dict(attributes).get("class")
        if tag not in self.VOID:
            self.open.append(tag)
        if classes == "column":
            self.columns.append([])
        if tag == "li" and "ol" in self.open:
            self.columns[-1].append((classes, ""))
            self.inside = True

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in ("line", "circle", "polyline", "polygon"), tag

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.inside = self.inside and tag != "li"

    def handle_data(self, data: str) -> None:
        if self.inside:
            classes, text = self.columns[-1].pop()
            self.columns[-1].append((classes, " ".join(f"{text} {data}".split())))


def parsed(text: str) -> Tree:
    tree = Tree()
    tree.feed(text)
    tree.close()
    assert tree.open == []
    return tree


def test_judged_fonts_are_marked_and_unjudged_ones_are_not() -> None:
    columns = parsed(shown_page(made(MIXED))).columns
    assert len(columns) == 12 * 3
    bad = ("irrelevant", "Bad & Ugly ✗ not relevant")
    good = ("relevant", f"{NAME} ✓ grade 2")
    unseen = (None, "Unseen")

    def ranked(*hits: tuple[str | None, str]) -> list[tuple[str | None, str]]:
        return [(kind, f"{rank}. {text}") for rank, (kind, text) in enumerate(hits, 1)]

    assert columns[0] == ranked(bad, good, unseen)  # A puts it second
    assert columns[1] == ranked(bad, unseen, good)  # B2 third
    assert columns[2] == ranked(bad, unseen, good)  # C third for the first query
    assert columns[5] == ranked(good, bad, unseen)  # and first for the second


def test_the_page_is_self_contained_and_holds_each_sheet_once() -> None:
    sheet = small(prepare(ParametricFont().build(), 0, SheetSpec()).sheet)
    text = shown_page(made(WINS), {GOOD: sheet})
    assert len(sheet) < 20_000
    assert len(re.findall("data:image/png;base64,", text)) == 1
    assert not re.search(r'(src|href)="(?!#)', text)
    assert text.count('role="img" aria-label="Glyph sheet of ') == 12 * 3
    assert text.count("no sheet of Bad &amp; Ugly") == 12 * 3
    parsed(text)
    names_only = shown_page(made(WINS))
    assert 'class="sheet' not in names_only


def test_names_and_texts_are_escaped() -> None:
    found = made(WINS, missing={NAME: "B2: no vector"})
    text = shown_page(found)
    assert text.count("<script") == text.count("</script") == 1  # the page's own
    assert "<b>1</b>" not in text
    assert "<hand>" not in text
    written = markdown(found[0])
    assert "<script" not in written
    assert "query \\| &lt;b&gt;" in markdown(made(LOSES)[0])


def test_queries_say_how_they_differ_from_the_best_leg() -> None:
    text = shown_page(made(WINS))
    values = re.findall(r'data-values="([^"]+)"', text)
    assert len(values) == 12
    assert "&#34;C&#34;: 1.0" in values[0]
    assert '<b>C</b> 1.000 <span class="gain">+.369</span>' in text
    assert '<b>B2</b> .500 <span class="loss">−.131</span>' in text
    assert "C − A, losses first" in text


def test_fonts_beyond_the_dataset_and_unanswered_queries_are_shown_as_such() -> None:
    dataset = tiny(2)
    foreign = f"{record.FOREIGN}Product Font"
    run = Run(
        about=about(dataset, unanswered={"text": {"q2": "no words"}}),
        rankings={"A": {"q1": (foreign, GOOD), "q2": ()}, "B1": {"q1": (GOOD,), "q2": (BAD,)}},
    )
    report = report_of(results(run, dataset))
    text = shown_page((report, dataset), {})
    assert "Product Font (not of the dataset)" in text
    assert "The text leg could not embed it: no words" in text
    assert parsed(text).columns[2] == [("soft", "nothing was found")]
    assert shown_fonts(shown_queries(report, dataset)) == [foreign, GOOD, BAD]


def test_near_duplicates_stand_once_as_they_are_scored() -> None:
    thai = Font(id="thai", name="Noto Sans Thai", source="Directory")
    noto = Font(id="noto", name="Noto Sans", source="Directory")
    dataset = replace(tiny(2), fonts=(*FONTS, thai, noto))
    order = ("thai", "noto", GOOD)
    run = Run(about=about(dataset), rankings={"A": {"q1": order, "q2": order}})
    found = results(run, dataset, Judging(collapsed=True))
    [column, _] = parsed(shown_page((report_of(found), dataset))).columns
    assert [text for _, text in column] == ["1. Noto Sans", f"2. {NAME} ✓ grade 2"]


# plots


def test_points_of_the_sweep_lie_where_the_numbers_say() -> None:
    plot = Sweep(
        label="sweep",
        metric="nDCG@10",
        means={
            0.0: Estimate(mean=0.2, low=0.1, high=0.3),
            0.5: Estimate(mean=0.4, low=0.2, high=0.5),
            1.0: Estimate(mean=0.3, low=None, high=None),
        },
        validated=Mark(alpha=0.5, value=0.38),
        in_sample=Mark(alpha=0.5, value=0.4),
        leg=0.3,
    )
    left, right, bottom, top = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP
    middle = (left + right) / 2
    assert (plot.axes.low, plot.axes.high) == pytest.approx((0.1, 0.5))
    assert plot.axes.ticks == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    quarter = (bottom - top) / 4
    assert plot.line == [
        (left, bottom - quarter), (middle, bottom - 3 * quarter), (right, bottom - 2 * quarter),
    ]  # fmt: skip
    assert plot.band == [
        (left, bottom - 2 * quarter), (middle, top), (right, bottom - 2 * quarter),
        (right, bottom - 2 * quarter), (middle, bottom - quarter), (left, bottom),
    ]  # fmt: skip
    assert points(plot.line[:1]) == f"{left},{bottom - quarter:g}"


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_flat_sweep_has_axes_too(value: float) -> None:
    flat = Mark(alpha=0.5, value=value)
    means = {0.5: Estimate(mean=value, low=None, high=None)}
    plot = Sweep(label="", metric="", means=means, validated=flat, in_sample=flat, leg=None)
    assert 0 <= plot.axes.low < plot.axes.high <= 1
    assert TOP <= plot.axes.y(value) <= HEIGHT - BOTTOM


def test_a_plot_for_all_queries_and_for_each_class_is_on_the_page() -> None:
    text = shown_page(made({**WINS, "C@0.00": [3] * 12, "C@1.00": [2] * 12}))
    assert text.count('<svg class="sweep"') == 3
    assert "nDCG@10 of C by alpha, mood: 0.500 at alpha 0, 0.631 at 1, highest 1.000" in text
    assert '<svg class="sweep"' not in shown_page(made({"A": [1, 2], "B1": [2, 2]}))


# how numbers are written


def test_numbers_are_written_without_the_zero_in_front() -> None:
    assert [number(value) for value in (0.6124, 1, 0, -0.0434, -0.0001)] == [
        ".612", "1.000", ".000", "−.043", ".000",
    ]  # fmt: skip
    assert [signed(value) for value in (0.043, -0.043, 0.0001)] == ["+.043", "−.043", ".000"]
    assert [p_value(value) for value in (0.0009, 0.0123, 0.99951)] == ["< .001", ".012", "1"]
    assert [alpha(value) for value in (0.0, 0.05, 0.35, 0.5, 1.0)] == ["0", ".05", ".35", ".5", "1"]
    assert counted(1, "query", "queries") == "1 query"
    assert counted(1234, "font") == "1,234 fonts"


# the command


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished run on a dataset with one font that can be drawn and one that is not there."""
    dataset = tiny(3)
    folder = tmp_path / "data"
    save(dataset, folder)
    (folder / "fonts").mkdir()
    (folder / "fonts" / "good.ttf").write_bytes(ParametricFont().build())
    out = tmp_path / "run"
    facts = about(dataset)
    record.start(replace(facts, dataset={**facts.dataset, "folder": str(folder)}), out)
    for query in dataset.queries:
        record.append(
            out,
            query.id,
            {Setting.from_key(key): ranking(ranks[0]) for key, ranks in WINS.items()},
        )
    return out


@pytest.fixture
def invoke(tmp_path: Path) -> Callable[..., Result]:
    environment = {"FONTSIGHT_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(
            report_command, [str(argument) for argument in arguments], env=environment
        )

    return run


def test_the_command_leaves_both_files_and_says_what_has_no_sheet(
    run_folder: Path, invoke: Callable[..., Result]
) -> None:
    done = invoke(run_folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        str(run_folder / "report.md"), str(run_folder / "index.html"),
    ]  # fmt: skip
    assert "2 of 3 fonts have no sheet, such as bad." in done.stderr
    text = (run_folder / "index.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 1
    assert (run_folder / "report.md").read_text(encoding="utf-8").startswith("# tiny 3: ")


def test_without_sheets_no_font_file_is_touched(
    run_folder: Path, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    done = invoke(run_folder, "--no-sheets", "--out", tmp_path / "elsewhere")
    assert done.exit_code == 0, done.output
    assert "no sheet" not in done.stderr
    assert "data:image" not in (tmp_path / "elsewhere" / "index.html").read_text(encoding="utf-8")
    assert not (tmp_path / "cache").exists()
    assert not (run_folder / "report.md").exists()
