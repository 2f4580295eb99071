"""match_fonts_hybrid: what it returns, how it fuses, what it refuses."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from indexer.database.connect import Connection
from indexer.functions import Hit, match
from tests.fix_rows import DIMENSION, add, axis


def names(hits: list[Hit]) -> list[str]:
    return [hit.name for hit in hits]


def test_the_score_is_the_convex_combination_of_the_cosines(connection: Connection) -> None:
    add(connection, "A", text=axis(1, 0), vl=axis(3, 4))
    add(connection, "B", text=axis(4, 3), vl=axis(1, 0))
    hits = match(connection, text=axis(1), vl=axis(1), alpha=0.25)
    assert names(hits) == ["B", "A"]
    best, second = hits
    assert best.score == pytest.approx(0.25 * 0.8 + 0.75 * 1.0, abs=1e-3)
    assert second.score == pytest.approx(0.25 * 1.0 + 0.75 * 0.6, abs=1e-3)
    assert (best.text_rank, best.vl_rank) == (2, 1)
    assert best.text_similarity == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(("alpha", "first"), [(1.0, "A"), (0.0, "B")])
def test_alpha_at_its_ends_ranks_by_one_leg_alone(
    connection: Connection, alpha: float, first: str
) -> None:
    add(connection, "A", text=axis(1, 0), vl=axis(0, 1))
    add(connection, "B", text=axis(0, 1), vl=axis(1, 0))
    assert names(match(connection, text=axis(1), vl=axis(1), alpha=alpha))[0] == first


def test_a_leg_that_is_null_takes_no_weight(connection: Connection) -> None:
    add(connection, "A", text=axis(1, 0), vl=axis(0, 1))
    [hit] = match(connection, text=axis(1), vl=None, alpha=0.1)
    assert hit.score == pytest.approx(1.0)
    assert hit.vl_similarity is None
    assert hit.vl_rank is None


def test_a_font_without_a_vector_on_one_leg_is_found_by_the_other(connection: Connection) -> None:
    add(connection, "Only seen", vl=axis(1))
    add(connection, "Neither")
    [hit] = match(connection, text=axis(1), vl=axis(1), alpha=0.5)
    assert hit.name == "Only seen"
    assert hit.score == pytest.approx(0.5)
    assert (hit.text_rank, hit.vl_rank) == (None, 1)


def test_only_scores_above_the_threshold_are_returned(connection: Connection) -> None:
    add(connection, "Near", vl=axis(1))
    add(connection, "Far", vl=axis(1, 3))
    assert names(match(connection, text=None, vl=axis(1), threshold=0.5)) == ["Near"]


def test_ties_are_broken_by_id(connection: Connection) -> None:
    for number in range(20):
        add(connection, f"Twin {number}", vl=axis(1))
    hits = match(connection, text=None, vl=axis(1), count=20)
    assert [hit.id for hit in hits] == sorted(hit.id for hit in hits)
    first = match(connection, text=None, vl=axis(1), count=7)
    assert names(first) == names(hits)[:7]


def test_the_answer_has_the_products_columns(connection: Connection) -> None:
    add(connection, "A", vl=axis(1))
    [hit] = match(connection, text=None, vl=axis(1))
    assert (hit.category, hit.tags, hit.files) == ("serif", ["latin"], {"400": "u"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("null, null, 0, 10", "needs query_embedding, query_embedding_vl or query_text"),
        ("'[1,2,3]', null, 0, 10", "wrong dimension"),
        ("null, '[1,2,3]', 0, 10", "wrong dimension"),
        ("array_fill(0, array[4096])::vector, null, 0, 10", "all zeros"),
        ("null, array_fill(0, array[4096])::halfvec, 0, 10", "all zeros"),
        (
            "null, array_fill(1, array[4096])::halfvec, 0, 10, alpha => 1.5",
            "alpha must be between 0 and 1, not 1.5",
        ),
        (
            "null, array_fill(1, array[4096])::halfvec, 0, null",
            "match_count must be between 1 and 200, not null",
        ),
        (
            "null, array_fill(1, array[4096])::halfvec, 0, 0",
            "match_count must be between 1 and 200",
        ),
        (
            "null, array_fill(1, array[4096])::halfvec, 0, 100000",
            "match_count must be between 1 and 200",
        ),
    ],
)
def test_bad_arguments_get_a_sentence(connection: Connection, arguments: str, message: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        connection.execute(f"select * from match_fonts_hybrid({arguments})")  # type: ignore[call-overload]


def test_not_a_number_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DataError, match="NaN"):
        connection.execute(
            "select * from match_fonts_hybrid(array_fill('nan'::real, array[4096])::vector, null, 0, 1)"
        )


def test_a_stored_vector_of_zeros_is_found_by_nothing(connection: Connection) -> None:
    add(connection, "Zero", vl=np.zeros(DIMENSION, dtype=np.float32))
    add(connection, "Far", vl=axis(1, 3))
    assert names(match(connection, text=None, vl=axis(1))) == ["Far"]
