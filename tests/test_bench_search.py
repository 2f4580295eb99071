"""The search benchmark: its vectors, its truth, and that it runs. Not how fast anything is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from eval.bench import search_crowd
from eval.bench.search import SearchBench
from eval.bench.search_contest import ALONE, CONTENDERS, SearchTimes, Tally
from eval.bench.search_crowd import CALLERS, CLIENTS, CROWDS, ClientTimes, CrowdTimes
from eval.bench.search_table import EVERYWHERE, WORDS, BuiltIndex, Truth, descriptions, word
from eval.bench.vectors import CHUNK, LEGS, Floats, SyntheticFonts
from eval.cli import main


def drawn(fonts: SyntheticFonts) -> dict[str, Floats]:
    legs = [legs for _, legs in fonts.chunks()]
    return {leg: np.concatenate([part[leg] for part in legs]) for leg in LEGS}


@pytest.fixture(scope="module")
def fonts() -> SyntheticFonts:
    return SyntheticFonts(CHUNK + 200)


@pytest.mark.slow
def test_every_contender_answers_and_exact_answers_are_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_crowd, "CROWD_SECONDS", 0.5)
    done = CliRunner().invoke(
        main, ["bench", "search", "--rows=300", "--queries=5", "--crowd", "--json"]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["rows"], result["match_count"]) == (300, 20)
    assert any("hnsw" in name for name in result["indexes"])
    assert all(index["bytes"] > 0 and index["seconds"] > 0 for index in result["indexes"].values())
    assert result["indexes_fit"] is True
    contenders, alone = result["contenders"], result["alone"]
    assert (set(contenders), set(alone)) == (set(CONTENDERS), set(ALONE))
    for outcome in (*contenders.values(), *alone.values()):
        assert outcome["queries"] == 5
        assert 0 < outcome["p50_ms"] <= outcome["p95_ms"]
        assert outcome["cpu_ms"] >= 0
    for name in ("ours, exact", "ours, exact, 1 % filter"):
        assert contenders[name]["recall"] == 1
        assert contenders[name]["exactness"] == {"scanned": 5}
    assert sum(contenders["ours"]["exactness"].values()) == 5
    assert 0 < contenders["hybrid_search"]["recall"] <= 1
    assert contenders["two exact scans"]["recall"] is None
    assert alone["ours"]["recall"] == contenders["ours"]["recall"]
    assert alone["text, words: rrf"]["recall"] is None
    assert sum(alone["text, words: rrf"]["exactness"].values()) == 5
    together = result["together"]
    assert (together["clients"], together["queries"]) == (CLIENTS, 5 * CLIENTS)
    assert together["per_second"] > 0
    assert set(result["crowds"]) == set(CROWDS)
    for crowd in result["crowds"].values():
        assert crowd["callers"] == CALLERS
        assert crowd["calls"] > 0
        assert crowd["queries"] >= 5


SEARCHED = SearchTimes(
    queries=7,
    p50_ms=1.25,
    p95_ms=3.5,
    cpu_ms=0.75,
    recall=0.9912,
    exactness={"likely": 5, "unproven": 2},
    likely_and_exact=4,
)
RESULT = SearchBench(
    rows=300,
    match_count=20,
    noise=0.5,
    postgres="18.4",
    pgvector="0.8.5",
    shared_buffers="1GB",
    cpus=2,
    rank_correlation=0.345,
    load_seconds=1.5,
    indexes={"fonts_embedding_hnsw": BuiltIndex(bytes=2**20, seconds=0.5)},
    indexes_fit=True,
    contenders={"ours": SEARCHED},
    alone={"ours": replace(SEARCHED, recall=None, likely_and_exact=None)},
    together=ClientTimes(clients=8, queries=56, per_second=94.25, p50_ms=80.5, p95_ms=90.5),
    crowds={},
)


def test_a_table_says_what_the_json_says() -> None:
    index, fit, heading, ours, _, alone, _, together = str(RESULT).splitlines()[2:]
    assert index == "fonts_embedding_hnsw: 1.0 MB, built in 0.5 s"
    assert fit == "the indexes fit into shared buffers"
    assert heading.split()[0] == "queries"
    assert ours.split(maxsplit=6)[:6] == ["ours", "7", "1.2", "3.5", "0.8", "0.9912"]
    assert ours.endswith("5 likely, 2 unproven (4 of the likely exact)")
    assert alone.split(maxsplit=5) == ["ours", "7", "1.2", "3.5", "0.8", "5 likely, 2 unproven"]
    assert together.split() == ["8", "clients", "56", "80.5", "90.5", "94.2", "queries/s"]


def test_a_table_says_who_made_the_crowd_and_that_an_index_is_too_large() -> None:
    crowd = CrowdTimes(
        callers=20, calls=123, call_cpu_ms=250.4, queries=9, p50_ms=40.5, p95_ms=50.5
    )
    table = str(replace(RESULT, indexes_fit=False, crowds={"match_fonts": crowd})).splitlines()
    assert table[3] == "the indexes do not fit into shared buffers"
    assert table[-1].split(maxsplit=7)[:7] == ["one", "in", "a", "crowd", "9", "40.5", "50.5"]
    assert table[-1].endswith("20 others call match_fonts: 123 answers, 250 ms CPU each")


def test_likely_answers_are_counted_as_exact_only_at_full_recall() -> None:
    tally = Tally(
        seconds=[0.01, 0.02, 0.03],
        cpu_seconds=[0.0, 0.01, 0.02],
        recalls=[1.0, 0.95, 1.0],
        exactness=["likely", "likely", "unproven"],
    )
    assert tally.outcome().likely_and_exact == 1
    assert tally.outcome().cpu_ms == pytest.approx(10)
    unjudged = replace(tally, recalls=[]).outcome()
    assert (unjudged.recall, unjudged.likely_and_exact) == (None, None)


def test_words_are_of_the_share_of_fonts_that_is_stated() -> None:
    described = descriptions(5000)
    for said, share in WORDS.items():
        assert sum(said in text.split() for text in described) / 5000 == pytest.approx(
            share, rel=0.3
        )
    assert {word(query) for query in range(10)} == set(WORDS)
    assert len(EVERYWHERE) == 1000  # what match_fonts_hybrid allows


def test_the_first_1024_coordinates_carry_most_of_a_vector(fonts: SyntheticFonts) -> None:
    for vectors in (*drawn(fonts).values(), *fonts.queries(10).values()):
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert 0.8 < np.mean(np.sum(vectors[:, :1024] ** 2, axis=1)) < 0.9


@pytest.mark.slow
def test_a_seed_draws_the_same_vectors_again(fonts: SyntheticFonts) -> None:
    again, other = SyntheticFonts(fonts.rows), SyntheticFonts(fonts.rows, seed=1)
    for leg in LEGS:
        assert np.array_equal(drawn(fonts)[leg], drawn(again)[leg])
        assert np.array_equal(fonts.queries(3)[leg], again.queries(3)[leg])
        assert not np.array_equal(fonts.queries(3)[leg], other.queries(3)[leg])


def test_chunks_differ_and_cover_all_fonts(fonts: SyntheticFonts) -> None:
    (first, full), (second, rest) = fonts.chunks()
    assert (first, len(full["vl"]), second, len(rest["vl"])) == (0, CHUNK, CHUNK, 200)
    assert np.max(full["text"] @ rest["text"].T) < 0.99


def test_the_legs_of_a_query_agree_in_part_and_queries_are_no_fonts(fonts: SyntheticFonts) -> None:
    cosines = {leg: fonts.queries(10)[leg] @ drawn(fonts)[leg].T for leg in LEGS}
    truth = Truth(queries={}, rare=np.ones(fonts.rows, dtype=bool), similarities=cosines)
    assert 0.3 < truth.rank_correlation() < 0.5
    assert all(0.4 < np.max(cosines[leg]) < 0.9 for leg in LEGS)


def test_recall_is_counted_by_hand() -> None:
    text = np.array([[0.9, 0.8, 0.1, 0.0]], dtype=np.float32)
    vl = np.array([[0.1, 0.4, 0.3, 0.8]], dtype=np.float32)
    rare = np.array([True, False, True, False])
    truth = Truth(queries={}, rare=rare, similarities={"text": text, "vl": vl})
    # fused: 0.5, 0.6, 0.2, 0.4
    assert truth.recall(0, [1, 0], 2, alpha=0.5, filtered=False) == 1
    assert truth.recall(0, [1, 3], 2, alpha=0.5, filtered=False) == 0.5
    assert truth.recall(0, [0], 2, alpha=0.5, filtered=False) == 0.5
    assert truth.recall(0, [0, 1], 3, alpha=0.5, filtered=True) == 0.5
    assert truth.recall(0, [0, 1], 2, alpha=1, filtered=False) == 1
