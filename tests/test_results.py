"""From rankings to numbers: scores, comparisons, the gate and files for trec_eval. No database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eval.cli.finished import compare_command, export_command, gate_command
from eval.datasets.dataset import AboutDataset, Dataset, Font, Query, save
from eval.report import gate
from eval.report.compare import compare
from eval.report.trec import read_qrels, read_run
from eval.runs import record
from eval.runs.record import AboutRun, Run, Setting
from eval.scores.results import Estimate, Judging, judged_by, results
from indexer.errors import UserError

Lists = Mapping[str, Sequence[str]]
DOG, CAT = ("Dog", "Dog Greek", "Cat", "Cow"), ("Cat", "Cow", "Dog", "Dog Greek")
JUDGMENTS = {
    "serif": {"Dog": 2, "Cat": 0, "Cow": 0},  # Dog Greek: unjudged
    "heavy": {"Cat": 1, "Dog": 0, "Dog Greek": 0, "Cow": 1},
    "happy": {"Dog": 1, "Cat": 0},
    "nobody": {"Dog": 0},
}
CLASSES = {"serif": "structure", "heavy": "structure", "happy": "mood", "nobody": "mood"}


def dataset(queries: Sequence[str] = tuple(JUDGMENTS)) -> Dataset:
    """Four fonts: fewer than any metric looks at."""
    return Dataset(
        about=AboutDataset(
            name="zoo", version="1", description="Animals", license="CC0-1.0", made_by="a test"
        ),
        fonts=tuple(Font(id=name, name=name, source="Zoo") for name in DOG),
        queries=tuple(
            Query(
                id=query, text=f"a {query} font", query_class=CLASSES[query],
                split="test" if query == "happy" else "dev",
            )
            for query in queries
        ),
        judgments={query: JUDGMENTS[query] for query in queries},
    )  # fmt: skip


def a_run(rankings: Mapping[str, Lists], of: Dataset, **about: Any) -> Run:
    values: dict[str, Any] = {
        "dataset": {"name": "zoo", "version": "1", "hash": of.hash, "folder": "", "files": ""},
        "spaces": {}, "functions": {}, "schema_revision": "0005", "code": "abc", "versions": {},
        "parameters": {"split": None, "depth": 200}, "finished_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Run(
        about=AboutRun(**{**values, **about}),
        rankings={
            key: {query: tuple(fonts) for query, fonts in lists.items()}
            for key, lists in rankings.items()
        },
    )


def zoo_run(**about: Any) -> Run:
    """A finds dogs and B2 cats, whatever is asked; C does as the heavier leg."""
    dogs, cats = dict.fromkeys(JUDGMENTS, DOG), dict.fromkeys(JUDGMENTS, CAT)
    fused = {"C@0.00": cats, "C@0.50": {**cats, "serif": DOG, "happy": DOG}, "C@1.00": dogs}
    return a_run({"A": dogs, "B2": cats, **fused}, dataset(), **about)


def ndcg_of_cow_second() -> float:
    """Heavy asks for Cat and Cow, which Dog's ranking has at ranks 3 and 4."""
    return (1 / 2 + 0.43067655807339306) / (1 + 0.6309297535714575)


def test_variants_have_the_values_that_one_can_work_out_by_hand() -> None:
    found = results(zoo_run(), dataset())
    assert found.unanswerable == ("nobody",)
    assert found.values("A") == pytest.approx(
        {"serif": 1.0, "heavy": ndcg_of_cow_second(), "happy": 1.0}
    )
    assert found.values("B2") == pytest.approx({"serif": 0.5, "heavy": 1.0, "happy": 0.5})
    assert found.mean("B2", "structure", "MRR@10") == pytest.approx((1 / 3 + 1) / 2)
    # Dog Greek, unjudged, stands before nothing that is relevant here
    assert found.mean("A", "structure", "Judged@10") == pytest.approx((0.75 + 1) / 2)
    assert (
        found.estimates("A").condensed["nDCG@10"].mean == found.estimates("A").raw["nDCG@10"].mean
    )
    assert (found.classes, found.best_single(), found.best_single("structure")) == (
        ("mood", "structure"), "A", "A",
    )  # fmt: skip


def test_c_is_scored_at_alphas_chosen_without_the_query_and_the_best_in_hindsight_beside_it() -> (
    None
):
    found = results(zoo_run(), dataset())
    assert found.choice is not None
    assert found.choice.by_query == dict.fromkeys(("serif", "heavy", "happy"), 0.5)
    assert found.values("C") == {"serif": 1.0, "heavy": 1.0, "happy": 1.0}
    assert found.in_sample is not None
    assert found.in_sample.means().raw["nDCG@10"] == 1.0
    assert list(found.curve()) == [0.0, 0.5, 1.0]
    assert found.curve("mood") == pytest.approx({0.0: 0.5, 0.5: 1.0, 1.0: 1.0})
    assert list(found.scores) == ["A", "B2", "C"]


def test_every_pair_is_compared_and_corrected_for() -> None:
    found = results(zoo_run(), dataset())
    comparisons = found.comparisons()
    assert [(c.first, c.second) for c in comparisons] == [("A", "B2"), ("A", "C"), ("B2", "C")]
    for comparison in comparisons:
        assert comparison.test.queries == 3
        assert comparison.p_adjusted >= comparison.test.p_value
    assert comparisons[2].difference.mean == pytest.approx(-1 / 3)
    assert comparisons[2].test.p_value == 0.5  # two that differ, both one way: 2 of 4
    assert comparisons[2].p_adjusted == 1.0


def test_how_many_were_judged_is_not_told_of_queries_whose_labels_are_assumed() -> None:
    known = dataset()
    some = replace(
        known,
        queries=[replace(q, assumed=q.query_class == "structure") for q in known.queries],
    )
    found = results(zoo_run(), some)
    assert "Judged@10" not in found.estimates("A", "structure").raw
    assert found.estimates("A").raw["Judged@10"] == found.estimates("A", "mood").raw["Judged@10"]
    lines = [line for line in str(found).splitlines() if line.startswith("| A, structure |")]
    assert [" assumed " in line for line in lines] == [True]
    assert found.values("A") == results(zoo_run(), known).values("A")


def test_fonts_that_the_dataset_does_not_have_are_unjudged() -> None:
    others = [f"{record.FOREIGN}{n}" for n in range(12)]
    asked = dataset(["serif"])
    found = results(a_run({"A": {"serif": [*others, "Dog"]}}, asked), asked)
    assert found.mean("A") == 0
    assert found.mean("A", metric="Judged@10") == 0
    assert found.mean("A", reading="condensed") == 1
    collapsed = results(
        a_run({"A": {"serif": [*others, "Dog"]}}, asked), asked, Judging(collapsed=True)
    )
    assert collapsed.mean("A", reading="condensed") == 1


def test_near_duplicates_count_once_when_collapsed() -> None:
    asked = dataset(["heavy"])
    run = a_run({"A": {"heavy": DOG}}, asked)
    assert results(run, asked).values("A", metric="MRR@10") == pytest.approx({"heavy": 1 / 3})
    collapsed = results(run, asked, Judging(collapsed=True))
    assert collapsed.values("A", metric="MRR@10") == {"heavy": 1 / 2}
    assert [font.id for font in collapsed.dataset.fonts] == ["Dog", "Cat", "Cow"]


def test_a_half_of_the_queries() -> None:
    assert set(results(zoo_run(), dataset(), Judging(split="test")).values("A")) == {"happy"}
    of_dev = zoo_run(parameters={"split": "dev", "depth": 200})
    assert set(results(of_dev, dataset()).values("A")) == {"serif", "heavy"}
    with pytest.raises(UserError, match="of dev only"):
        results(of_dev, dataset(), Judging(split="test"))


def test_one_query_has_numbers_without_intervals() -> None:
    found = results(zoo_run(), dataset(), Judging(split="test"))
    assert found.estimates("A").raw["nDCG@10"] == Estimate(mean=1.0, low=None, high=None)
    assert found.choice is not None and found.choice.by_query == {"happy": 0.5}
    assert "unknown" in str(found)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UserError, match="goes on where it was"):
        results(zoo_run(finished_at=None), dataset())
    nobody = dataset(["nobody"])
    with pytest.raises(UserError, match="No query has a relevant font"):
        results(a_run({"A": {"nobody": DOG}}, nobody), nobody)
    split = replace(dataset(), queries=tuple(replace(q, split=None) for q in dataset().queries))
    with pytest.raises(UserError, match="of the split dev"):
        results(zoo_run(), split, Judging(split="dev"))


def test_an_estimate_of_values_all_alike_claims_no_certainty() -> None:
    assert Estimate.of([0.7, 0.7, 0.7]) == Estimate(mean=pytest.approx(0.7), low=None, high=None)
    spread = Estimate.of([0.1, 0.9, 0.4, 0.6])
    assert spread.low is not None and spread.low < 0.5 < (spread.high or 0)


def written(folder: Path, run: Run, of: Dataset) -> Path:
    """The run in a folder, beside its dataset."""
    save(of, folder.parent / "zoo")
    about = {**run.about.dataset, "folder": str(folder.parent / "zoo")}
    record.start(replace(run.about, dataset=about), folder)
    for query in of.queries:
        lists = {Setting.from_key(key): lists[query.id] for key, lists in run.rankings.items()}
        record.append(folder, query.id, lists)
    return folder


def invoke(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_run_comes_back_from_its_folder(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", zoo_run(), dataset())
    found = record.load(folder)
    assert found.rankings == zoo_run().rankings
    assert found.alphas == (0.0, 0.5, 1.0)
    assert judged_by(found).hash == dataset().hash
    save(dataset(["serif"]), tmp_path / "zoo")
    with pytest.raises(UserError, match="is not the dataset of the run"):
        judged_by(found)


def test_a_line_cut_short_is_ranked_again_and_a_broken_one_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", zoo_run(), dataset())
    path = folder / record.RANKINGS
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert "nobody" not in record.load(folder).rankings["C@1.00"]
    record.go_on(folder)
    assert path.read_bytes() == whole[: whole[:-1].rindex(b"\n") + 1]
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(UserError, match="line 1 is not a ranking"):
        record.load(folder)
    with pytest.raises(UserError, match="holds no run"):
        record.load(tmp_path)


def test_the_gate_passes_what_it_was_written_from_and_stops_a_fall(tmp_path: Path) -> None:
    baseline, folder = tmp_path / "baseline.json", written(tmp_path / "run", zoo_run(), dataset())
    assert invoke(gate_command, "--baseline", baseline, "--write-baseline", folder).exit_code == 0
    passed = invoke(gate_command, "--baseline", baseline, folder)
    assert (passed.exit_code, passed.stdout.startswith("0 of ")) == (0, True)

    def verdict(ranking: Sequence[str]) -> Result:
        answers = dict.fromkeys(JUDGMENTS, tuple(ranking))
        run = replace(zoo_run(), rankings={**zoo_run().rankings, "A": answers})
        return invoke(gate_command, "--baseline", baseline, written(tmp_path / "x", run, dataset()))

    assert verdict(DOG[::-1]).exit_code == 0  # .62 was .86, but with three queries that is little
    failed = verdict(())
    assert failed.exit_code == 1
    assert "A nDCG@10 (raw, all queries): 0.0000, was 0.8569, must not fall" in failed.stdout
    assert "B2" not in failed.stdout  # only what fell


def test_a_small_fall_passes_and_a_fall_of_queries_that_were_all_alike_has_a_bound() -> None:
    spread = Estimate.of([0.1, 0.9, 0.4, 0.6])
    assert gate.least(spread, 4) == spread.low
    # the upper bound of a share that was 0 of 10 is 1 - .025^(1/10) = .308 (Clopper & Pearson)
    assert gate.least(Estimate.of([1.0] * 10), 10) == pytest.approx(0.6915, abs=1e-4)
    assert gate.least(Estimate.of([0.5]), 1) == pytest.approx(0.0125)
    assert gate.least(Estimate(mean=0.2, low=0.3, high=0.4), 9) == 0.2


def test_the_gate_refuses_what_cannot_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    gate.write_baseline(results(zoo_run(), dataset()), path)
    other = replace(dataset(), about=replace(dataset().about, version="2"))
    with pytest.raises(UserError, match="another dataset"):
        gate.check(results(a_run(zoo_run().rankings, other), other), path)
    with pytest.raises(UserError, match="another split"):
        gate.check(results(zoo_run(), dataset(), Judging(split="dev")), path)
    with pytest.raises(UserError, match="lacks what the baseline holds: B2, C"):
        gate.check(results(a_run({"A": zoo_run().rankings["A"]}, dataset()), dataset()), path)
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(UserError, match="another version"):
        gate.judging_of(path)
    path.write_text("[]")
    with pytest.raises(UserError, match="is no baseline"):
        gate.judging_of(path)
    refused = invoke(gate_command, "--baseline", path, "--split", "dev", tmp_path)
    assert refused.exit_code == 2
    assert "are as the baseline has them" in refused.stderr


def test_two_runs_are_compared_query_by_query(tmp_path: Path) -> None:
    before = zoo_run()
    better = {**before.rankings["B2"], "serif": DOG, "happy": DOG}
    after = replace(
        zoo_run(code="def", parameters={"split": None, "depth": 200, "words": 0.2}),
        rankings={**before.rankings, "B2": better},
    )
    found = compare(results(before, dataset()), results(after, dataset()))
    assert found.variants == ("A", "B2", "C")
    [of_b2] = [c for c in found.comparisons[None] if c.first == "B2"]
    assert of_b2.difference.mean == pytest.approx(1 / 3)
    assert [(d.query, d.change) for d in found.deltas["B2"]] == [
        ("heavy", 0.0), ("happy", 0.5), ("serif", 0.5),
    ]  # fmt: skip
    assert found.conditions == {"code": ("abc", "def"), "parameters.words": (None, 0.2)}
    folders = [written(tmp_path / name, run, dataset()) for name, run in
               (("before", before), ("after", after))]  # fmt: skip
    shown = invoke(compare_command, *folders).stdout
    assert "| B2 | 0.667 | 1.000 | +0.333 |" in shown
    assert "| a serif font | structure | 0.500 | 1.000 | +0.500 |" in shown
    assert "- code: abc → def" in shown


def test_runs_on_other_datasets_or_queries_are_not_compared() -> None:
    other = dataset(["serif"])
    first = results(zoo_run(), dataset())
    with pytest.raises(UserError, match="on other datasets"):
        compare(first, results(a_run({"A": {"serif": DOG}}, other), other))
    with pytest.raises(UserError, match="ranked other queries"):
        compare(first, results(zoo_run(), dataset(), Judging(split="dev")))
    with pytest.raises(UserError, match="no variant in common"):
        compare(first, results(a_run({"B1": zoo_run().rankings["A"]}, dataset()), dataset()))


def test_rankings_and_judgments_come_out_for_trec_eval(tmp_path: Path) -> None:
    folder, out = written(tmp_path / "run", zoo_run(), dataset()), tmp_path / "trec"
    done = invoke(export_command, folder, "--out", out)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        "qrels.txt", "A.run", "B2.run", "C.run", "C@0.00.run", "C@0.50.run", "C@1.00.run",
    }  # fmt: skip
    assert read_qrels(out / "qrels.txt") == JUDGMENTS
    assert read_run(out / "A.run") == {query: list(DOG) for query in JUDGMENTS}
    chosen = read_run(out / "C.run")  # a query that cannot be scored has no chosen alpha
    assert chosen == {"serif": list(DOG), "heavy": list(CAT), "happy": list(DOG)}
