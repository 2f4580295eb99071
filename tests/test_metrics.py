"""Every metric by hand on small rankings, and against scikit-learn on random ones."""

from __future__ import annotations

import random
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from eval.datasets.dataset import Judgments, Query
from eval.scores.metrics import CONDENSED, RAW, QueryScores, Rankings, descending, score


def query(name: str, query_class: str = "structure") -> Query:
    return Query(id=name, text=name, query_class=query_class)


def score_one(ranking: str | list[str], grades: dict[str, int]) -> QueryScores:
    """One query's; a string is a ranking of fonts of one letter."""
    [scores] = score([query("q")], {"q": grades}, {"q": list(ranking)}).queries
    return scores


def test_by_hand() -> None:
    """Ranked a b c d e f; b has grade 2, d 1, z 3 but is not found; a and e have 0; c and f no grade."""
    scores = score_one("abcdef", {"a": 0, "b": 2, "d": 1, "e": 0, "z": 3})
    assert scores.relevant == 3
    ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4)
    assert scores.raw == pytest.approx(
        {
            "Recall@10": 2 / 3,
            "Recall@20": 2 / 3,
            "MRR@10": 1 / 2,
            "nDCG@10": (2 / log2(3) + 1 / log2(5)) / ideal,
            "MAP": (1 / 2 + 2 / 4) / 3,
            "Judged@10": 4 / 6,
        }
    )
    # condensed: a b d e
    assert scores.condensed == pytest.approx(
        {
            "Recall@10": 2 / 3,
            "Recall@20": 2 / 3,
            "MRR@10": 1 / 2,
            "nDCG@10": (2 / log2(3) + 1 / log2(4)) / ideal,
            "MAP": (1 / 2 + 2 / 3) / 3,
        }
    )


def test_a_perfect_ranking_of_a_small_corpus_scores_1() -> None:
    scores = score_one("abc", {"a": 2, "b": 1, "c": 0})
    assert set(scores.raw.values()) == {1.0}
    assert set(scores.condensed.values()) == {1.0}


def test_a_corpus_of_one_font() -> None:
    assert set(score_one("a", {"a": 1}).raw.values()) == {1.0}


def test_the_eleventh_font_counts_for_what_looks_at_twenty() -> None:
    scores = score_one("abcdefghijk", {"k": 1, "a": 0})
    assert scores.raw == pytest.approx(
        {
            "Recall@10": 0,
            "Recall@20": 1,
            "MRR@10": 0,
            "nDCG@10": 0,
            "MAP": 1 / 11,
            "Judged@10": 1 / 10,
        }
    )
    # nine that nobody looked at stood in the way
    assert scores.condensed["MRR@10"] == 1 / 2


def test_recall_is_of_all_relevant_fonts_even_of_more_than_ten() -> None:
    fonts = [f"f{number}" for number in range(30)]
    scores = score_one(fonts, dict.fromkeys(fonts, 1))
    assert scores.raw["Recall@10"] == pytest.approx(1 / 3)
    assert scores.raw["Recall@20"] == pytest.approx(2 / 3)
    assert scores.raw["nDCG@10"] == pytest.approx(1)


def test_gains_are_grades() -> None:
    """Not 2^grade - 1, by which the better font would weigh seven times as much."""
    scores = score_one("ab", {"a": 1, "b": 3})
    assert scores.raw["nDCG@10"] == pytest.approx((1 + 3 / log2(3)) / (3 + 1 / log2(3)))


def test_an_empty_ranking_scores_0() -> None:
    scores = score_one("", {"a": 1})
    assert set(scores.raw.values()) == {0.0}
    assert set(scores.condensed.values()) == {0.0}


def test_a_ranking_of_unjudged_fonts_scores_0() -> None:
    scores = score_one("xy", {"a": 1})
    assert set(scores.raw.values()) == {0.0}
    assert set(scores.condensed.values()) == {0.0}


def test_names_of_all_kinds_are_told_apart() -> None:
    ranking = ["Noto Sans", "Noto  Sans", "noto sans", "나눔고딕", "M PLUS 1p", "1", "01"]
    for place, font in enumerate(ranking, 1):
        assert score_one(ranking, {font: 1}).raw["MRR@10"] == pytest.approx(1 / place)


@given(st.permutations("abcdefgh"))
def test_the_order_that_came_is_the_order_that_is_scored(ranking: list[str]) -> None:
    for place, font in enumerate(ranking, 1):
        scores = score_one(ranking, {font: 1})
        assert scores.raw["MRR@10"] == pytest.approx(1 / place)
        assert scores.raw["MAP"] == pytest.approx(1 / place)
        assert scores.raw["nDCG@10"] == pytest.approx(1 / log2(place + 1))


def test_scores_of_a_long_ranking_stay_apart_in_32_bits() -> None:
    scores = np.array(list(descending([str(n) for n in range(100_000)]).values()), dtype=np.float32)
    assert np.all(np.diff(scores) < 0)


@st.composite
def judged_rankings(draw: st.DrawFn) -> tuple[list[str], dict[str, int]]:
    """All fonts of a corpus in some order, some of them judged, one or more relevant."""
    count = draw(st.integers(2, 40))
    fonts = [f"Font {number}" for number in range(count)]
    grades = draw(st.lists(st.sampled_from([None, 0, 1, 2, 3]), min_size=count, max_size=count))
    grades[draw(st.integers(0, count - 1))] = draw(st.integers(1, 3))
    judged = {font: grade for font, grade in zip(fonts, grades, strict=True) if grade is not None}
    random.Random(draw(st.integers(0, 1 << 32))).shuffle(fonts)
    return fonts, judged


def by_scikit_learn(ranking: list[str], grades: dict[str, int]) -> dict[str, float]:
    """Of a ranking that holds every judged font: it cannot know of others."""
    gains = np.array([grades.get(font, 0) for font in ranking])
    falling = -np.arange(len(ranking))
    if len(ranking) == 1:  # scikit-learn refuses to rank one, which cannot be wrong
        return {"nDCG@10": 1.0, "MAP": 1.0}
    return {
        "nDCG@10": ndcg_score([gains], [falling], k=10),
        "MAP": average_precision_score(gains > 0, falling),
    }


@given(judged_rankings())
def test_scikit_learn_agrees(case: tuple[list[str], dict[str, int]]) -> None:
    ranking, grades = case
    scores = score_one(ranking, grades)
    assert {name: scores.raw[name] for name in ("nDCG@10", "MAP")} == pytest.approx(
        by_scikit_learn(ranking, grades)
    )
    condensed = [font for font in ranking if font in grades]
    assert {name: scores.condensed[name] for name in ("nDCG@10", "MAP")} == pytest.approx(
        by_scikit_learn(condensed, grades)
    )


@given(judged_rankings(), st.integers(0, 40))
def test_definitions_agree_where_the_ranking_is_cut(
    case: tuple[list[str], dict[str, int]], depth: int
) -> None:
    """What scikit-learn has no function for, written as it is defined."""
    full, grades = case
    ranking = full[:depth]
    relevant = {font for font, grade in grades.items() if grade > 0}
    ranks = [rank for rank, font in enumerate(ranking, 1) if font in relevant]
    first = ranks[0] if ranks and ranks[0] <= 10 else np.inf
    head = ranking[:10]
    scores = score_one(ranking, grades).raw
    assert scores["Recall@10"] == pytest.approx(sum(rank <= 10 for rank in ranks) / len(relevant))
    assert scores["Recall@20"] == pytest.approx(sum(rank <= 20 for rank in ranks) / len(relevant))
    assert scores["MRR@10"] == pytest.approx(1 / first)
    assert scores["MAP"] == pytest.approx(
        sum(found / rank for found, rank in enumerate(ranks, 1)) / len(relevant)
    )
    judged = sum(font in grades for font in head)
    assert scores["Judged@10"] == pytest.approx(judged / len(head) if head else 0)


QUERIES = [query("s1"), query("m1", "mood"), query("none"), query("s2"), query("unjudged", "mood")]
JUDGMENTS: Judgments = {"s1": {"a": 1}, "s2": {"b": 1}, "m1": {"a": 1, "b": 1}, "none": {"a": 0}}
RANKINGS: Rankings = {each.id: ["a", "b"] for each in QUERIES}


def test_means_are_over_queries_and_by_class() -> None:
    scores = score(QUERIES, JUDGMENTS, RANKINGS)
    assert [each.query for each in scores.queries] == ["s1", "m1", "s2"]
    assert scores.means().queries == 3
    assert scores.means().raw["MRR@10"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    classes = scores.class_means()
    assert list(classes) == ["mood", "structure"]
    assert classes["structure"].queries == 2
    assert classes["structure"].raw["MRR@10"] == pytest.approx(3 / 4)
    assert classes["structure"].condensed["MRR@10"] == pytest.approx(1)
    assert classes["mood"].raw["Judged@10"] == pytest.approx(1)


def test_queries_without_a_relevant_font_are_told_not_scored() -> None:
    scores = score(QUERIES, JUDGMENTS, RANKINGS)
    assert scores.unanswerable == ("none", "unjudged")


def test_without_any_scored_query_there_is_no_mean() -> None:
    scores = score([query("none")], JUDGMENTS, RANKINGS)
    assert scores.class_means() == {}
    with pytest.raises(ValueError, match="no mean"):
        scores.means()


def test_every_metric_has_a_value_for_every_query() -> None:
    for scores in score(QUERIES, JUDGMENTS, RANKINGS).queries:
        assert list(scores.raw) == list(RAW)
        assert list(scores.condensed) == list(CONDENSED)


def test_a_query_without_a_ranking_is_no_zero() -> None:
    with pytest.raises(ValueError, match="'s2' has no ranking"):
        score(QUERIES, JUDGMENTS, {"s1": ["a"], "m1": ["a"]})


def test_a_font_stands_in_a_ranking_once() -> None:
    with pytest.raises(ValueError, match="'q' holds a font twice"):
        score_one("aba", {"a": 1})


def test_rankings_of_other_queries_are_passed_over() -> None:
    part = score(QUERIES[:1], JUDGMENTS, RANKINGS)
    assert part.queries == score(QUERIES, JUDGMENTS, RANKINGS).queries[:1]
