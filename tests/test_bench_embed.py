"""The benchmarks of embedding: that they run, and compare like with like. Not how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)
import torch
from click.testing import CliRunner

from eval.bench.embed import EmbedBench, EmbedTimes, bench_embed
from eval.bench.flops import ARCHITECTURES
from eval.bench.matrix_peak import Peak
from eval.bench.peers import Floats
from eval.bench.race import COMPILED, LOOP, OURS, PEER, Race, Subject, Work
from eval.bench.random_checkpoint import CONTROL, build, processor
from eval.cli import main
from eval.fonts.made import documents, made_font
from indexer.embed.protocol import Document, Model
from indexer.errors import UserError
from indexer.sheet.render import SheetSpec

pytestmark = pytest.mark.model

SMALL = SheetSpec(width=256, height=128)
CONTENDERS = {OURS, PEER, LOOP}


@pytest.fixture(scope="module")
def subject() -> Subject:
    identity = Model(
        name="tiny", revision="random", dimension=64, pooled_token=CONTROL.index("<|endoftext|>")
    )
    return Subject(model=build("tiny"), processor=processor(), identity=identity)


@pytest.fixture(scope="module")
def work(subject: Subject) -> Work:
    return Work.of(subject, documents(5, SMALL), SMALL)


def ran(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["bench", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_all_ways_to_embed_a_sheet_agree() -> None:
    result = ran("embed", "--model=tiny", "--random-weights", "--sheets=6", "--rounds=2",
                 "--width=256", "--height=128")  # fmt: skip
    assert (result["sheets"], result["width"], result["height"]) == (6, 256, 128)
    assert (result["dtype"], result["attention"], result["failed"]) == ("float32", "sdpa", {})
    assert result["peak"]["flops"] > 0
    assert set(result["contenders"]) == CONTENDERS
    assert result["unlike"] < 0.99, "or a cosine between the ways would say nothing"
    for outcome in result["contenders"].values():
        assert outcome["cosine"] >= 0.999
        assert len(outcome["rounds"]) == 2
        assert outcome["sheets"] == 6
        assert outcome["peak_bytes"] is None
        assert 0 < outcome["of_peak"] < 1
    assert result["contenders"][PEER]["over_peer"] == 1
    assert str(result["contenders"][PEER]["batch"]) in result["batches"]


def test_each_sheet_costs_what_its_own_text_makes_it(work: Work) -> None:
    assert len(set(work.tokens)) > 1
    for tokens, flops in zip(work.tokens, work.flops, strict=True):
        assert flops == ARCHITECTURES["tiny"].flops(128, 256, tokens - 32, pooled=True)


@pytest.mark.slow
def test_compiled_layers_are_a_contender_of_their_own(
    subject: Subject, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def compile(
        function: Any, **_: Any
    ) -> Any:  # which takes a quarter of a minute, and is tested elsewhere
        compiled.append(function.__name__)
        return function

    monkeypatch.setattr(torch, "compile", compile)
    race = Race(subject, work, lambda line: None)
    race.warm_up(compiled=True)
    race.round(0)
    assert set(race.entries) == {*CONTENDERS, COMPILED}
    assert all((race.cosine(name) or 0) >= 0.999 for name in race.entries)
    assert sorted(compiled) == ["text_layer", "vision_layer"]


def test_a_contender_that_fails_is_left_out(
    subject: Subject, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, documents: object) -> Floats:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr("eval.bench.peers.SentenceTransformers.__call__", fail)
    said: list[str] = []
    race = Race(subject, work, said.append)
    race.warm_up(compiled=False)
    race.round(0)
    assert set(race.entries) == {OURS, LOOP}
    assert race.failed == {PEER: "OutOfMemoryError: CUDA out of memory."}
    assert "Not 1 sheets at once: CUDA out of memory." in said


def test_a_batch_that_is_too_much_ends_the_search(
    subject: Subject, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.bench.peers import SentenceTransformers

    embed = SentenceTransformers.__call__

    def limited(self: SentenceTransformers, documents: list[Document]) -> Floats:
        if self.batch_size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return embed(self, documents)

    monkeypatch.setattr(SentenceTransformers, "__call__", limited)
    race = Race(subject, work, lambda line: None)
    race.warm_up(compiled=False)
    assert set(race.batches) == {1, 2}
    assert race.entries[PEER].batch in (1, 2)


def test_what_would_take_a_cpu_hours_is_refused_with_the_time() -> None:
    with pytest.raises(
        UserError, match=r"a sheet takes 8b about \d+ s, and this run up to [\d.]+ hours"
    ):
        bench_embed("8b", random_weights=True, sheets=256, spec=SheetSpec(), device="cpu")


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="Random weights are for the models tiny, 2b and 8b"):
        bench_embed("a/model", random_weights=True, sheets=2, spec=SMALL, device="cpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="torch sees no GPU"):
            bench_embed("tiny", random_weights=True, sheets=2, spec=SMALL, device="cuda:1")


def test_made_fonts_are_the_same_again_and_none_is_like_another() -> None:
    assert made_font(3) == made_font(3)
    assert len({made_font(number).data for number in range(20)}) == 20


def test_a_table_says_what_the_json_says() -> None:
    outcome = EmbedTimes(
        sheets=64, batch=16, sheets_per_second=51.5, rounds=[51.5], tokens_per_second=31_000.0,
        flops_per_second=5.5e14, of_peak=0.7, over_peer=2.5, cosine=0.9994, peak_bytes=20 * 2**30,
    )  # fmt: skip
    result = EmbedBench(
        model="8b", revision="random weights", sheets=64, height=512, width=1024, tokens=602.0,
        flops=1.07e13, device="NVIDIA H200", torch="2.13", transformers="5.23",
        sentence_transformers="6.2", dtype="bfloat16", attention="sdpa",
        peak=Peak(flops=7.88e14, shape=(8192, 8192, 8192)), load_seconds=20.0, warm_up_seconds=60.0,
        read_per_second=800.0, batches={1: 10.0, 2: 20.25}, unlike=0.9,
        contenders={OURS: outcome}, failed={PEER: "OutOfMemoryError: CUDA out of memory."},
    )  # fmt: skip
    *_, tried, _, _, ours, failed = str(result).splitlines()
    assert tried.endswith("1: 10, 2: 20.2")
    assert ours.split() == ["ours", "64", "16", "51.5", "31000", "550", "70.0%", "2.50", "0.99940", "20.0"]  # fmt: skip
    assert failed == f"{PEER} failed: OutOfMemoryError: CUDA out of memory."


@pytest.mark.slow
def test_the_job_is_timed_beside_embedding_alone(checkpoint_folder: Path) -> None:
    result = ran("job", f"--model={checkpoint_folder}", "--fonts=6", "--rounds=1", "--devices=cpu",
                 "--width=256", "--height=128")  # fmt: skip
    assert (result["model"], result["fonts"], result["width"]) == (checkpoint_folder.name, 6, 256)
    assert result["alone_sheets_per_second"] > 0
    for whole in (result["cold"], result["warm"]):
        assert whole["ratio"] == pytest.approx(
            whole["sheets_per_second"] / result["alone_sheets_per_second"]
        )
        assert whole["idle"] == pytest.approx(max(0, 1 - whole["ratio"]))
        assert set(whole["seconds"]) == {"prepare", "embed", "save"}
    assert result["cold"]["seconds"]["prepare"] > result["warm"]["seconds"]["prepare"]
    assert any("sheets/s" in line for line in result["cards"])
