"""Deployed weights: chosen by a run, kept for a pair of spaces, switched with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eval.cli import main
from eval.datasets.dataset import AboutDataset, Dataset, Font, Query, save
from eval.runs import record
from eval.runs.record import ALPHAS, AboutRun, Setting
from eval.scores.chosen import chosen
from eval.scores.results import judged_by, results
from indexer import spaces
from indexer.activate import activate
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.errors import UserError
from indexer.job.status import read
from indexer.sheet.render import SheetSpec
from indexer.text import DESCRIBED, LIGHT
from indexer.weights import Weights, deploy, fitting, serving, undo

TEXT = spaces.text_space(HashedNgrams())
SIGHT = spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT)
OTHER = spaces.vl_space(MeasuredTraits(), SheetSpec(), DESCRIBED)
MIDDLE = Weights(alpha=0.5, fusion="convex", full_text_weight=0.2)
SPELT = Weights(alpha=0.0, fusion="convex", full_text_weight=0.2)
SEEN = Weights(alpha=0.0, fusion="convex", full_text_weight=0.1)


@pytest.fixture
def pair(connection: Connection) -> Connection:
    for space in (TEXT, SIGHT):
        assert spaces.register(connection, space) == "active"
    return connection


def deployed(connection: Connection, weights: Weights, vl: spaces.Space = SIGHT) -> None:
    deploy(connection, weights, text_space=TEXT.id, vl_space=vl.id, evidence={"why": "a test"})


def test_the_last_ones_count_and_can_be_taken_back(pair: Connection) -> None:
    assert serving(pair) == SPELT
    deployed(pair, Weights(alpha=1.0, fusion="rrf", full_text_weight=0.0))
    deployed(pair, SEEN)
    assert serving(pair) == SEEN == read(pair).weights
    undo(pair)
    assert serving(pair).fusion == "rrf"
    undo(pair)
    assert serving(pair) == SPELT
    with pytest.raises(UserError, match="No weights are deployed"):
        undo(pair)


def test_spelling_has_no_weight_until_an_evaluation_gives_it_one(pair: Connection) -> None:
    assert serving(pair) == SPELT
    deployed(pair, MIDDLE)
    assert serving(pair) == MIDDLE
    undo(pair)
    assert serving(pair) == SPELT


def test_who_types_the_name_of_a_font_has_it_by_its_spelling(pair: Connection) -> None:
    pair.execute("insert into public.fonts (name, files) values ('Open Sans', '{}')")
    for query, alpha in (("open sans ", 0.5), ("open", 0.0), ("sans", 0.0), (None, 0.0)):
        assert fitting(pair, serving(pair), query).alpha == alpha, query
    deployed(pair, SEEN)
    assert fitting(pair, serving(pair), "Open Sans") == SEEN


def test_a_text_model_counts_as_much_as_sight(connection: Connection) -> None:
    theirs = replace(TEXT, model=replace(TEXT.model, name="qwen/qwen3-embedding-8b"))
    for space in (theirs, SIGHT):
        spaces.register(connection, space)
    assert serving(connection) == MIDDLE


def test_activating_a_space_switches_them_in_the_same_transaction(pair: Connection) -> None:
    spaces.register(pair, OTHER)
    deployed(pair, SEEN, OTHER)
    assert serving(pair) == SPELT
    activate(pair, OTHER.id)
    assert serving(pair) == SEEN
    activate(pair, SIGHT.id)
    assert serving(pair) == SPELT


def test_an_unknown_space_is_refused(pair: Connection) -> None:
    with pytest.raises(UserError, match=f"no space {OTHER.id[:12]}.*indexer backfill"):
        deployed(pair, SEEN, OTHER)
    with pytest.raises(UserError, match="no space"):  # of the other leg
        deployed(pair, SEEN, TEXT)


def finished_run(
    folder: Path, good_alpha: float, *, rrf_is_right: bool = False, words: float = 0.1
) -> Path:
    """A run on two queries whose answer comes first at one alpha only, and with RRF if told."""
    fonts = [Font(id=name, name=name, source="x") for name in ("right", "wrong")]
    queries = [Query(id=f"q{n}", text=f"q {n}", query_class="structure") for n in range(2)]
    about = AboutDataset(
        name="two", version="1", description="d", license="CC0-1.0", made_by="hand"
    )
    judgments = {query.id: {"right": 1, "wrong": 0} for query in queries}
    dataset = Dataset(about=about, fonts=fonts, queries=queries, judgments=judgments)
    save(dataset, folder / "data")
    run = AboutRun(
        dataset={"name": "two", "version": "1", "hash": dataset.hash, "folder": str(folder / "data")},
        spaces={"A": {"id": TEXT.id}, "B2": {"id": SIGHT.id}},
        functions={}, schema_revision="0006", code="abc", versions={},
        parameters={"split": None, "words": words}, finished_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    record.start(run, folder / "run")
    for query in queries:
        rankings: dict[Setting, list[str]] = {
            Setting(variant="C", alpha=alpha): ["right", "wrong"]
            if alpha == good_alpha
            else ["wrong", "right"]
            for alpha in ALPHAS
        }
        rankings[Setting(variant="RRF")] = (
            ["right", "wrong"] if rrf_is_right else ["wrong", "right"]
        )
        record.append(folder / "run", query.id, rankings)
    return folder / "run"


def eval_(database: Database, *arguments: Any) -> Result:
    environment = {"DATABASE_URL": database.conninfo}
    return CliRunner().invoke(main, ["apply", *map(str, arguments)], env=environment)


def test_a_run_chooses_the_weights_that_search_then_uses(
    pair: Connection, database: Database, tmp_path: Path
) -> None:
    run = finished_run(tmp_path, 0.25)
    dry = eval_(database, run, "--dry-run")
    assert "The run chooses alpha 0.25, fusion convex, words 0.1." in dry.stdout
    assert serving(pair) == SPELT
    assert eval_(database, run).exit_code == 0
    assert serving(pair) == Weights(alpha=0.25, fusion="convex", full_text_weight=0.1)
    [(why,)] = pair.execute("select evidence from font_index.deployed_weights").fetchall()
    assert why["dataset"]["name"] == "two"
    assert why["nDCG@10"]["C"] == 1.0
    assert "--dry-run goes with RUN" in eval_(database, "--undo", "--dry-run").stderr
    assert serving(pair).alpha == 0.25
    assert eval_(database, "--undo").exit_code == 0
    assert serving(pair) == SPELT
    assert "Give either RUN or --undo" in eval_(database).stderr


def test_a_run_without_words_leaves_their_share(
    pair: Connection, database: Database, tmp_path: Path
) -> None:
    run = finished_run(tmp_path, 0.25, words=0.0)
    assert eval_(database, run).exit_code == 0
    assert serving(pair) == Weights(alpha=0.25, fusion="convex", full_text_weight=0.2)


def test_ranks_are_chosen_where_they_are_better(tmp_path: Path) -> None:
    run = record.load(finished_run(tmp_path, 0.33, rrf_is_right=True))  # no alpha is right
    found = results(run, judged_by(run))
    assert chosen(found) == Weights(alpha=0.5, fusion="rrf", full_text_weight=0.1)


def test_a_run_on_another_scale_chooses_nothing_for_search(tmp_path: Path) -> None:
    run = record.load(finished_run(tmp_path, 0.25))
    about = replace(run.about, parameters={**run.about.parameters, "normalization": "z_score"})
    with pytest.raises(UserError, match="ranked with normalization z_score"):
        chosen(results(replace(run, about=about), judged_by(run)))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            "alter table public.fonts disable trigger fonts_set_fts",
            "fonts_set_fts of public.fonts is disabled",
        ),
        (
            "drop trigger fonts_set_embedding_joint on public.fonts",
            "create or replace trigger fonts_set_embedding_joint",
        ),
    ],
)
def test_a_trigger_that_does_not_work_is_named_with_its_cure(
    connection: Connection, harm: str, told: str
) -> None:
    of_server = read(connection).warnings  # that its pgvector is old, say
    connection.execute(harm)  # type: ignore[call-overload]
    connection.execute(
        "insert into fonts (name, embedding) values ('A', array_fill(1, array[4096])::vector)"
    )
    first, second = (line for line in read(connection).warnings if line not in of_server)
    assert told in first
    assert second.startswith("1 fonts lack what search looks them up by")
    for warning in (first, second):
        connection.execute(warning.partition("un: ")[2])  # type: ignore[call-overload]
    assert read(connection).warnings == of_server
