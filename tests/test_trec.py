"""TREC files say what our records say, to us and to the programs that others use."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, nDCG

from eval.datasets.dataset import Judgments, Query
from eval.report.trec import read_qrels, read_run, write_qrels, write_run
from eval.scores.metrics import Rankings, score
from indexer.errors import UserError

RANKINGS: Rankings = {
    "calm": ["Noto Sans", "100% Sans", "나눔고딕", "A+B/C", "Abel"],
    "two words": ["Abel", "Noto%20Sans"],
}
JUDGMENTS: Judgments = {
    "calm": {"Abel": 2, "Noto Sans": 0, "나눔고딕": 1},
    "two words": {"Noto%20Sans": 1},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(RANKINGS, tmp_path / "run.txt", tag="C alpha .4")
    return tmp_path / "run.txt"


@pytest.fixture
def qrels(tmp_path: Path) -> Path:
    write_qrels(JUDGMENTS, tmp_path / "qrels.txt")
    return tmp_path / "qrels.txt"


def test_lines_are_those_of_trec(run: Path, qrels: Path) -> None:
    assert run.read_text("ascii").splitlines()[:2] == [
        "calm Q0 Noto%20Sans 1 5 C%20alpha%20.4",
        "calm Q0 100%25%20Sans 2 4 C%20alpha%20.4",
    ]
    assert qrels.read_text("ascii").splitlines()[0] == "calm 0 Abel 2"


def test_what_is_written_comes_back(run: Path, qrels: Path) -> None:
    assert read_run(run) == RANKINGS
    assert read_qrels(qrels) == JUDGMENTS


@given(st.lists(st.text(min_size=1), unique=True, min_size=1))
def test_every_name_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("trec") / "run.txt"
    write_run({names[0]: names}, path, tag="t")
    assert read_run(path) == {names[0]: names}


def test_ir_measures_reads_them_and_scores_the_same(run: Path, qrels: Path) -> None:
    read_judgments = list(ir_measures.read_trec_qrels(str(qrels)))
    read_ranking = list(ir_measures.read_trec_run(str(run)))
    assert [line.relevance for line in read_judgments] == [2, 0, 1, 1]
    assert [line.score for line in read_ranking] == [5, 4, 3, 2, 1, 2, 1]
    means = ir_measures.calc_aggregate([nDCG @ 10, AP], read_judgments, read_ranking)
    queries = [Query(id=name, text=name, query_class="mood") for name in RANKINGS]
    ours = score(queries, JUDGMENTS, RANKINGS).means().raw
    assert means[nDCG @ 10] == pytest.approx(ours["nDCG@10"])
    assert means[AP] == pytest.approx(ours["MAP"])


def test_a_run_of_others_is_ordered_as_trec_eval_orders_it(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("q Q0 a 1 0.5 t\nq\tQ0\tb 2 0.5 t\n\nq Q0 c 3 0.75 t\n")
    assert read_run(path) == {"q": ["c", "b", "a"]}


@pytest.mark.parametrize(
    ("read", "line", "problem"),
    [
        (read_run, "q Q0 Noto Sans 2 1 t", "is not of the form 'query Q0 font rank score tag'"),
        (read_run, "q Q0 b 2 high t", "'high' is no number"),
        (read_run, "q Q0 b 2 nan t", "'nan' cannot be ordered"),
        (read_run, "q Q0 a 2 1 t", "'a' stands above already"),
        (read_qrels, "q 0 b", "is not of the form 'query 0 font grade'"),
        (read_qrels, "q 0 b 1.5", "'1.5' is no number"),
        (read_qrels, "q 0 a 1", "'a' stands above already"),
        (read_qrels, "q 0 %D1 1", "'%D1' is not percent-encoded UTF-8"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(
    tmp_path: Path, read: Callable[[Path], object], line: str, problem: str
) -> None:
    path = tmp_path / "file.txt"
    first = "q Q0 a 1 2 t" if read is read_run else "q 0 a 1"
    path.write_text(f"{first}\n{line}\n")
    with pytest.raises(UserError, match=re.escape(f"{path} line 2: {problem}")):
        read(path)
