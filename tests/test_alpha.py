"""The choice of alpha: no query is scored at an alpha that it helped to choose."""

from __future__ import annotations

from statistics import fmean

import pytest

from eval.runs.record import ALPHAS
from eval.scores.alpha import best, choose

# means: .3667 at alpha .3, .3333 at .7
SWEEP = {
    0.3: {"q1": 0.9, "q2": 0.1, "q3": 0.1},
    0.7: {"q1": 0.2, "q2": 0.5, "q3": 0.3},
}


def test_leave_one_out_by_hand() -> None:
    found = choose(SWEEP)
    # without q1: .1 at .3, .4 at .7; without q2: .5 and .25; without q3: .5 and .35
    assert found.by_query == {"q1": 0.7, "q2": 0.3, "q3": 0.3}
    assert (found.folds, found.in_sample, found.usual) == (3, 0.3, 0.3)
    scored = fmean(SWEEP[alpha][query] for query, alpha in found.by_query.items())
    assert scored == pytest.approx(0.4 / 3)  # in sample it would have been 1.1 / 3


def test_two_folds_by_hand() -> None:
    sweep = {
        0.2: {"a": 1.0, "b": 0.0, "c": 0.9, "d": 0.0},
        0.8: {"a": 0.0, "b": 1.0, "c": 0.0, "d": 0.8},
    }
    found = choose(sweep, folds=2)
    # the folds are a, d and b, c: on b and c .8 is better by .5 to .45, on a and d .2 by .5 to .4
    assert found.by_query == {"a": 0.8, "d": 0.8, "b": 0.2, "c": 0.2}
    assert found.in_sample == 0.2


@pytest.mark.parametrize("folds", [None, 2, 3, 5])
def test_a_querys_own_values_do_not_move_its_alpha(folds: int | None) -> None:
    values = {
        alpha: {f"q{n}": ((n * 37 + round(alpha * 100) * 11) % 17) / 17 for n in range(9)}
        for alpha in ALPHAS
    }
    before = choose(values, folds=folds)
    for query in values[0.0]:
        changed = {
            alpha: {**of, query: 1.0 if alpha == 0.9 else 0.0} for alpha, of in values.items()
        }
        assert choose(changed, folds=folds).by_query[query] == before.by_query[query]


def test_folds_are_as_alike_as_can_be_and_the_same_every_time() -> None:
    sweep = {0.5: {f"q{n}": 0.0 for n in range(10)}}
    assert choose(sweep, folds=3) == choose(sweep, folds=3)
    assert choose(sweep, folds=3).folds == 3
    assert choose(sweep, folds=99).folds == 10  # never more than queries


def test_ties_go_to_the_middle_and_then_to_sight() -> None:
    flat = {alpha: {"q1": 0.5, "q2": 0.5} for alpha in ALPHAS}
    assert best(flat, ["q1"]) == 0.5
    ends = {alpha: {"q1": 1.0 if alpha in (0.45, 0.55, 0.9) else 0.0} for alpha in ALPHAS}
    assert best(ends, ["q1"]) == 0.45
    # a difference by rounding is none
    assert best({0.1: {"q": 0.1 + 0.2}, 0.4: {"q": 0.3}}, ["q"]) == 0.4


def test_one_query_has_no_others_to_choose_by() -> None:
    found = choose({0.0: {"q": 1.0}, 0.5: {"q": 0.0}, 1.0: {"q": 0.0}})
    assert (found.by_query, found.in_sample) == ({"q": 0.5}, 0.0)


@pytest.mark.parametrize("sweep", [{}, {0.5: {}}, {0.0: {"q": 1.0}, 0.5: {"other": 1.0}}])
def test_a_sweep_with_holes_is_refused(sweep: dict[float, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="a value for each query"):
        choose(sweep)
