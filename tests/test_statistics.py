"""Intervals and tests by hand, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from eval.scores.statistics import FLIPS, RESAMPLES, bootstrap_interval, holm, paired_test

SKEWED = np.random.default_rng(1).beta(0.4, 2.5, size=40)


def differing(*differences: float) -> tuple[dict[str, float], dict[str, float]]:
    """Values of two systems that differ by these."""
    first = {f"q{number}": 0.5 + value / 2 for number, value in enumerate(differences)}
    return first, {query: 1 - value for query, value in first.items()}


def signed_flips(differences: list[float], resamples: float) -> float:
    """SciPy's p-value: of pairs whose members are swapped at random."""
    result = scipy.stats.permutation_test(
        (np.array(differences), np.zeros(len(differences))),
        lambda first, second, axis: np.mean(first - second, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(5),
    )
    return float(result.pvalue)


@pytest.mark.parametrize(
    "values",
    [SKEWED, SKEWED[:12], SKEWED[:20] - 0.3, np.arange(10) / 9, np.array([*np.arange(14) / 50, 1])],
)
def test_scipy_finds_the_same_interval(values: np.ndarray) -> None:
    """It draws the same resamples from the same seed; where many are equal, rounding decides."""
    interval = bootstrap_interval(list(values))
    oracle = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert interval is not None
    assert interval.mean == pytest.approx(np.mean(values))
    assert interval.low == pytest.approx(oracle.low, abs=5e-4)
    assert interval.high == pytest.approx(oracle.high, abs=5e-4)


def test_the_interval_leans_to_where_values_are_spread() -> None:
    interval = bootstrap_interval([0.0] * 8 + [0.1, 1.0])
    assert interval is not None
    assert interval.high - interval.mean > 2 * (interval.mean - interval.low)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        interval = bootstrap_interval(list(1.0 / random.geometric(0.35, size=50)))
        assert interval is not None
        truth = -np.log(0.35) * 0.35 / 0.65  # the mean of 1/k, k geometric
        held += interval.low <= truth <= interval.high
    assert 0.92 <= held / 400 <= 0.98


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert bootstrap_interval(list(SKEWED)) == bootstrap_interval(list(SKEWED))
    assert bootstrap_interval(list(SKEWED)) != bootstrap_interval(list(SKEWED), seed=1)
    many = differing(*SKEWED)
    assert paired_test(*many) == paired_test(*many)


def test_one_query_has_no_interval() -> None:
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([0.5]) is None


def test_values_that_are_alike_have_an_interval_of_no_width() -> None:
    interval = bootstrap_interval([0.1] * 7)
    assert interval is not None
    assert interval.low == interval.mean == interval.high == pytest.approx(0.1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_the_mean_is_within_reach_of_the_interval(values: list[float]) -> None:
    interval = bootstrap_interval(values)
    assert interval is not None
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_the_exact_test_by_hand() -> None:
    """Of the eight ways to flip .3 .2 .1, the sums are ±.6 ±.4 ±.2 and 0 twice."""
    assert paired_test(*differing(0.3, 0.2, 0.1)).p_value == 2 / 8
    assert paired_test(*differing(0.3, 0.2, -0.1)).p_value == 4 / 8
    assert paired_test(*differing(0.3, -0.2, 0.1)).p_value == 6 / 8
    assert paired_test(*differing(0.3, -0.2, -0.1)).p_value == 1
    result = paired_test(*differing(-0.3, -0.2, -0.1))
    assert result.difference == pytest.approx(-0.2)
    assert (result.p_value, result.queries, result.exact) == (2 / 8, 3, True)


# sixteenths, whose sums are exact: scipy compares sums as they are rounded
@given(st.lists(st.sampled_from([-0.5, -0.1875, 0.0, 0.125, 0.3125, 1.0]), min_size=2, max_size=9))
def test_scipy_finds_the_same_exact_p_value(differences: list[float]) -> None:
    assert paired_test(*differing(*differences)).p_value == pytest.approx(
        signed_flips(differences, np.inf)
    )


def test_scipy_finds_the_same_p_value_by_sampling() -> None:
    for shift in (0.0, 0.03, 0.06):
        differences = list(SKEWED - SKEWED.mean() + shift)
        result = paired_test(*differing(*differences))
        assert not result.exact
        assert result.p_value == pytest.approx(signed_flips(differences, 100_000), abs=0.01)


def test_a_sampled_p_value_is_never_0() -> None:
    assert paired_test(*differing(*[0.5] * 60)).p_value == 1 / (FLIPS + 1)


def test_queries_that_do_not_differ_leave_the_p_value_as_it_is() -> None:
    few = paired_test(*differing(0.3, 0.2, 0.1))
    many = paired_test(*differing(0.3, 0.2, 0.1, *[0.0] * 50))
    assert (many.p_value, many.exact) == (few.p_value, True)
    assert many.difference == pytest.approx(0.6 / 53)
    assert paired_test(*differing(0, 0)).p_value == 1


def test_the_test_has_two_sides() -> None:
    first, second = differing(*SKEWED[:15] - 0.05)
    forth, back = paired_test(first, second), paired_test(second, first)
    assert forth.p_value == back.p_value
    assert forth.difference == -back.difference


def test_alike_systems_are_told_apart_as_seldom_as_it_says() -> None:
    random = np.random.default_rng(4)
    found = sum(
        paired_test(*differing(*random.normal(size=12))).p_value <= 0.05 for _ in range(600)
    )
    assert 0.025 <= found / 600 <= 0.075


def test_values_are_paired_by_query() -> None:
    with pytest.raises(ValueError, match="two values for each query"):
        paired_test({"a": 1, "b": 0}, {"a": 1, "c": 0})
    with pytest.raises(ValueError, match="and a query"):
        paired_test({}, {})
    assert paired_test({"a": 1, "b": 0.5}, {"b": 0.5, "a": 1}).p_value == 1


def test_holm_by_hand() -> None:
    """.01 counts four times, .02 three times; .03 twice is less than what came before; .04 likewise."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.05]) == [0.05]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    for p_value, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p_value <= adjusted <= min(1, p_value * len(p_values))
