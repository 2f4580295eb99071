"""match_fonts_hybrid on a table that is large enough for the indexes, against an oracle in NumPy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.database.connect import Connection
from indexer.functions import Hit, Normalization, match
from indexer.spaces import padded
from indexer.weights import Fusion
from tests.fix_crowd import DIMENSION, FONTS, Crowd, Floats, unit
from tests.fix_rows import add

WINDOW = 200  # ranks that count in rrf, by default
SAMPLED = 200  # fonts that zero and unit of a leg are taken from
NORMALIZATIONS: tuple[Normalization, ...] = ("raw", "min_max", "z_score")
QUERIES = range(12)
WORDS = "an elegant serif for books"
INDEX_FINDS = 0.97  # HNSW draws lots when it is built; on average it finds .99 and more


def similarities(crowd: Crowd, seed: int, words: str | None) -> dict[str, Floats]:
    """Leg to the similarity of every font; NaN where the words do not match."""
    text, vl = crowd.query(seed)
    ranks = crowd.connection.execute(
        "select case when fts @@ q then ts_rank(fts, q) end from fonts f,"
        " (select string_agg(quote_literal(lexeme), ' | ')::tsquery q"
        "  from unnest(to_tsvector('english', %s::text))) w"
        " join unnest(%s::uuid[]) with ordinality as i (id, n) on true where f.id = i.id order by n",
        [words, crowd.ids],
    ).fetchall()
    return {
        "text": crowd.text @ text,
        "vl": unit(crowd.vl) @ unit(vl.astype(np.float16).astype(np.float64)),
        "words": np.array([row[0] if row[0] is not None else np.nan for row in ranks]),
    }


def oracle(
    crowd: Crowd,
    legs: dict[str, Floats],
    weights: dict[str, float],
    fusion: Fusion,
    normalization: Normalization,
    rrf_k: int = 60,
) -> Floats:
    """The fused score of every font, from the definition."""
    by_id = sorted(range(FONTS), key=lambda number: crowd.ids[number])[:SAMPLED]
    score = np.zeros(FONTS)
    for leg, values in legs.items():
        if fusion == "rrf":
            known = ~np.isnan(values)
            share = np.zeros(FONTS)
            rank = ranks(values[known])
            share[known] = np.where(rank <= WINDOW, 1 / (rrf_k + rank), 0)
        elif leg == "words":
            best = values + 0.1 if normalization == "raw" else np.nanmax(values)
            share = np.nan_to_num(values / best)
        else:
            sample = values[by_id]
            zero, unit = {
                "raw": (0.0, 1.0),
                "min_max": (sample.min(), sample.max() - sample.min()),
                "z_score": (sample.mean(), sample.std(ddof=1)),
            }[normalization]
            share = (values - zero) / unit
        score += weights[leg] * share
    return score


def ranks(values: Floats) -> Any:
    """From 1 for the largest; equal values share the best of their ranks."""
    return 1 + np.searchsorted(np.sort(-values), -values, side="left")


def ranked(crowd: Crowd, score: Floats) -> list[int]:
    return sorted(range(FONTS), key=lambda number: (-score[number], crowd.ids[number]))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("fusion", ["convex", "rrf"])
@pytest.mark.parametrize("words", [None, WORDS])
def test_the_answer_is_that_of_the_definition(
    crowd: Crowd, fusion: Fusion, normalization: Normalization, words: str | None
) -> None:
    text, vl = crowd.query(3)
    legs = similarities(crowd, 3, words)
    weights = {"text": 0.7 * 0.3, "vl": 0.7 * 0.7, "words": 0.3}
    if words is None:
        legs.pop("words")
        weights = {"text": 0.3, "vl": 0.7}
    score = oracle(crowd, legs, weights, fusion, normalization)
    hits = match(
        crowd.connection, text=text, vl=vl, query_text=words, alpha=0.3, full_text_weight=0.3,
        fusion=fusion, normalization=normalization, strategy="exact", count=50,
    )  # fmt: skip
    assert [hit.score for hit in hits] == pytest.approx(np.sort(score)[::-1][:50], rel=1e-3)
    # neighbours may change places where single precision cannot tell their scores apart
    assert overlap(hits, [crowd.ids[n] for n in ranked(crowd, score)[:50]]) >= 0.96
    row = crowd.ids.index(hits[0].id)
    assert hits[0].text_similarity == pytest.approx(legs["text"][row], abs=1e-4)
    assert hits[0].vl_rank == 1 + np.sum(legs["vl"] > legs["vl"][row])


def overlap(hits: list[Hit], ids: list[Any]) -> float:
    return len({hit.id for hit in hits} & set(ids)) / len(ids)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["convex", "rrf"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("words", [None, WORDS])
def test_the_indexes_give_the_exact_answer_and_say_so(
    crowd: Crowd, fusion: Fusion, normalization: Normalization, words: str | None
) -> None:
    shares, likely = [], 0
    for seed in QUERIES:
        text, vl = crowd.query(seed)
        exact, found = (
            match(
                crowd.connection, text=text, vl=vl, query_text=words, fusion=fusion,
                normalization=normalization, count=20, strategy=strategy,
            )
            for strategy in ("exact", "index")
        )  # fmt: skip
        shares.append(overlap(found, [hit.id for hit in exact]))
        scores = {hit.id: hit.score for hit in exact}
        for hit in found:
            assert hit.score == pytest.approx(scores.get(hit.id, hit.score))
        likely += found[0].exactness == "likely"
        assert exact[0].exactness == "scanned"
    assert np.mean(shares) >= INDEX_FINDS
    assert likely >= len(QUERIES) // 2


def test_a_small_limit_of_candidates_is_admitted(crowd: Crowd) -> None:
    told = []
    for seed in QUERIES:
        text, vl = crowd.query(seed)
        hits = match(crowd.connection, text=text, vl=vl, count=20, candidates=20, strategy="index")
        assert len(hits) == 20
        told.append(hits[0].exactness)
    assert set(told) == {"unproven"}


def test_the_table_decides_whether_it_is_scanned(crowd: Crowd) -> None:
    text, vl = crowd.query(0)
    [hit] = match(crowd.connection, text=text, vl=vl, count=1)
    assert hit.exactness == "likely"
    [hit] = match(crowd.connection, text=text, vl=vl, count=1, filter={"source": "Fontshare"})
    assert hit.exactness == "scanned"


@pytest.mark.parametrize("strategy", ["exact", "index"])
def test_pages_are_parts_of_one_list(crowd: Crowd, strategy: Any) -> None:
    text, vl = crowd.query(5)
    pages = [
        match(crowd.connection, text=text, vl=vl, count=20, match_offset=offset, strategy=strategy)
        for offset in (40, 60)
    ]
    whole = match(crowd.connection, text=text, vl=vl, count=80, strategy=strategy)
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in whole[40:]]


def test_more_rows_are_returned_than_hnsw_gives_by_itself(crowd: Crowd) -> None:
    _, vl = crowd.query(4)
    assert len(match(crowd.connection, text=None, vl=vl, count=200, strategy="index")) == 200
    last = match(crowd.connection, text=None, vl=vl, count=200, match_offset=2000, strategy="index")
    assert len(last) == 200


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"category": "serif"}, lambda row: row["category"] == "serif"),
    ({"category": ["serif", "display"]}, lambda row: row["category"] in ("serif", "display")),
    ({"source": "Fontshare"}, lambda row: row["source"] == "Fontshare"),
    ({"license": ["OFL"]}, lambda row: row["license"] == "OFL"),
    ({"subsets": ["latin"]}, lambda row: True),
    ({"tags": {"any": ["loud", "quiet"]}}, lambda row: {"loud", "quiet"} & set(row["tags"])),
    ({"tags": {"all": ["loud", "quiet"]}}, lambda row: {"loud", "quiet"} <= set(row["tags"])),
    (
        {"traits": {"x_height": {"gte": 0.7, "lt": 0.75}, "is_text": {"eq": True}}},
        lambda row: 0.7 <= row["traits"]["x_height"] < 0.75,
    ),
    (
        {"category": "serif", "traits": {"x_height": {"gt": 0.6}}, "tags": {"any": ["elegant"]}},
        lambda row: (
            row["category"] == "serif" and row["traits"]["x_height"] > 0.6 and "elegant" in row["tags"]
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("strategy", ["auto", "index"])
@pytest.mark.parametrize(("wanted", "passes"), FILTERS, ids=[str(f[0]) for f in FILTERS])
def test_a_filter_keeps_what_it_says_and_misses_nothing(
    crowd: Crowd, wanted: dict[str, Any], passes: Any, strategy: Any
) -> None:
    keep = np.array([bool(passes(row)) for row in crowd.rows])
    shares = []
    for seed in QUERIES:
        text, vl = crowd.query(seed)
        legs = similarities(crowd, seed, None)
        score = np.where(keep, 0.5 * legs["text"] + 0.5 * legs["vl"], -np.inf)
        best = [crowd.ids[n] for n in ranked(crowd, score)[: min(20, keep.sum())]]
        hits = match(crowd.connection, text=text, vl=vl, count=20, filter=wanted, strategy=strategy)
        assert len(hits) == len(best)
        shares.append(overlap(hits, best))
    assert np.mean(shares) >= INDEX_FINDS


def test_all_that_match_are_returned_where_they_are_few(crowd: Crowd) -> None:
    text, vl = crowd.query(0)
    few = {"traits": {"x_height": {"gte": 0.7, "lt": 0.71}}}
    count = sum(0.7 <= row["traits"]["x_height"] < 0.71 for row in crowd.rows)
    assert 0 < count < 200
    for strategy in ("auto", "exact", "index"):
        hits = match(
            crowd.connection, text=text, vl=vl, count=200, filter=few,
            strategy=strategy,  # type: ignore[arg-type]
        )  # fmt: skip
        assert len(hits) == count


def statements(crowd: Crowd, **arguments: Any) -> list[str]:
    """What the function sends to the table for its candidates, with the query's vector in place."""
    said: list[str] = []
    crowd.connection.execute("set client_min_messages = debug1")
    crowd.connection.add_notice_handler(handler := lambda note: said.append(note.message_primary))
    try:
        match(crowd.connection, **arguments)
    finally:
        crowd.connection.remove_notice_handler(handler)
        crowd.connection.execute("reset client_min_messages")
    return [text for text in said if text.startswith("select ")]


def plan(crowd: Crowd, statement: str) -> str:
    """As the function runs it: with its settings, and the values known to the planner."""
    values = {
        "$1": f"'{[1] + [0] * 4095}'::vector", "$2": f"'{[1] + [0] * 4095}'::halfvec(4096)",
        "$3": "'77'::tsquery", "$4": f"'{[1] + [0] * 2049}'::halfvec(2050)",
    }  # fmt: skip
    statement = re.sub(r"\$[1-4]", lambda found: values[found[0]], statement)
    with crowd.connection.transaction():
        crowd.connection.execute("set local enable_seqscan = off; set local enable_sort = off")
        rows = crowd.connection.execute("explain " + statement).fetchall()  # type: ignore[arg-type]
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("filter", [None, {"category": "serif"}, {"license": "OFL"}])
def test_explain_shows_the_indexes(crowd: Crowd, filter: Any) -> None:
    text, vl = crowd.query(0)
    asked = statements(
        crowd, text=text, vl=vl, query_text="serif", filter=filter, strategy="index", count=20
    )
    plans = [plan(crowd, statement) for statement in asked]
    assert re.search(r"Index Scan using fonts_embedding_joint_hnsw\b", plans[-1]), plans[-1]


def test_words_alone_use_their_index(crowd: Crowd) -> None:
    [asked] = statements(crowd, text=None, vl=None, query_text="Font 77 fraktur")
    assert "fonts_fts_gin" in plan(crowd, asked)


def test_the_callers_settings_are_as_they_were(crowd: Crowd) -> None:
    text, vl = crowd.query(0)
    names = ("hnsw.ef_search", "hnsw.iterative_scan", "hnsw.max_scan_tuples", "statement_timeout")
    with crowd.connection.transaction():
        crowd.connection.execute("set local hnsw.ef_search = 77")
        before = [crowd.connection.execute(f"show {name}").fetchone() for name in names]
        match(crowd.connection, text=text, vl=vl, strategy="index")
        assert [crowd.connection.execute(f"show {name}").fetchone() for name in names] == before


def test_without_valid_indexes_it_scans_or_says_so(crowd: Crowd) -> None:
    text, vl = crowd.query(0)
    with crowd.connection.transaction(force_rollback=True):
        crowd.connection.execute("set local transaction_read_only = off")
        crowd.connection.execute("drop index public.fonts_embedding_joint_hnsw")
        [hit] = match(crowd.connection, text=text, vl=vl, count=1)
        assert hit.exactness == "scanned"
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="indexer migrate"):
            match(crowd.connection, text=text, vl=vl, strategy="index")


@pytest.mark.parametrize("alpha", [0.0, 5e-324, 1e-300, 1e-9, 0.999_999_999_999, 1.0])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_smallest_weights_are_no_error(
    crowd: Crowd, alpha: float, normalization: Normalization
) -> None:
    text, vl = crowd.query(6)
    exact, found = (
        match(
            crowd.connection, text=text, vl=vl, alpha=alpha, normalization=normalization,
            count=20, strategy=strategy,
        )
        for strategy in ("exact", "index")
    )  # fmt: skip
    assert overlap(found, [hit.id for hit in exact]) >= 0.8


@pytest.mark.parametrize("weight", [0.0, 5e-324, 1e-9, 0.999_999, 1.0])
@pytest.mark.parametrize("strategy", ["exact", "index"])
def test_words_that_few_fonts_have_do_not_shorten_the_answer(
    crowd: Crowd, weight: float, strategy: Any
) -> None:
    text, vl = crowd.query(6)
    hits = match(
        crowd.connection, text=text, vl=vl, query_text="77", full_text_weight=weight, count=50,
        strategy=strategy,
    )  # fmt: skip
    assert len(hits) == 50
    assert (hits[0].name == "Font 77") is (weight > 0.9)


@given(components=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=6))
def test_any_direction_is_answered_or_refused_with_a_sentence(
    crowd: Crowd, components: list[float]
) -> None:
    vector = np.array(components, dtype=np.float32)
    try:
        hits = match(crowd.connection, text=vector, vl=None, count=5, strategy="index")
    except psycopg.errors.InvalidParameterValue as refused:
        assert "direction" in str(refused)
        assert np.linalg.norm(vector) < 1e-15
    else:
        assert len(hits) == 5


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("nearer", ["one leg", "two legs"])
def test_fonts_of_one_leg_and_of_two_stand_in_one_order(
    connection: Connection, nearer: str, normalization: Normalization
) -> None:
    """As in the middle of a backfill: the index must not favour either kind."""
    random = np.random.default_rng(3)

    def around(cosine: float) -> Any:
        noise = random.standard_normal(DIMENSION)
        noise[0] = 0
        cosines = cosine + 0.02 * random.random()
        return np.array([cosines, *(unit(noise)[1:] * np.sqrt(1 - cosines**2))], dtype=np.float32)

    few, many = (0.75, 0.40) if nearer == "one leg" else (0.75, 0.44)
    with connection.transaction():
        for number in range(600):
            text = around(few if number < 20 else few - 0.09)
            add(connection, f"One {number}", text=padded(text))
        for number in range(100 if nearer == "two legs" else 600):
            add(connection, f"Two {number}", text=padded(around(many)), vl=padded(around(many)))
    north = np.array([1.0], dtype=np.float32)
    exact, found = (
        match(
            connection, text=north, vl=north, count=10, strategy=strategy,
            normalization=normalization,
        )
        for strategy in ("exact", "index")
    )  # fmt: skip
    assert overlap(found, [hit.id for hit in exact]) >= 0.8


def test_a_deep_page_stays_within_the_time_that_the_api_gives(crowd: Crowd) -> None:
    text, vl = crowd.query(0)
    with crowd.connection.transaction():
        crowd.connection.execute("set local statement_timeout = '3s'")
        match(
            crowd.connection, text=text, vl=vl, query_text="latin", count=5, match_offset=2000,
            candidates=10_000,
        )  # fmt: skip
