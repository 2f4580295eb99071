"""The pieces of match_fonts_hybrid, each by itself, and all of them against the function that was there before."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgvector import HalfVector, Vector
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.functions import match
from indexer.spaces import padded
from indexer.traits import Traits
from tests.fix_crowd import Crowd
from tests.fix_rows import add, axis

SQL = Path(__file__).parent.parent / "sql"


def value(connection: Connection, expression: str, *values: Any) -> Any:
    row = connection.execute(f"select {expression}", values).fetchone()  # type: ignore[call-overload]
    return row[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("elegant serifs for books", "'book' | 'eleg' | 'serif'"),
        ("the and of", None),
        ("", None),
        (None, None),
        ("it's \\ 'quoted'", "'\\\\' | 'quot'"),
        (
            " ".join(f"w{n}" for n in (1, 1, *range(99, 0, -1))),
            " | ".join(f"'w{n}'" for n in (1, *range(85, 100))),
        ),
    ],
)
def test_any_word_is_enough(connection: Connection, text: str | None, words: str | None) -> None:
    found = value(connection, "font_index.any_word(%s)::text", text)
    assert found == words or (words is not None and found.replace("'\\\\' | ", "") == "'quot'")


@pytest.mark.parametrize(
    ("normalization", "sample", "scale"),
    [
        ("raw", [0.2, 0.6], (0, 1)),
        ("min_max", [0.2, None, 0.6], (0.2, 0.4)),
        ("z_score", [0.2, 0.6], (0.4, 0.28284271247461906)),
        ("min_max", [0.5, 0.5], (0.5, 1)),  # no spread
        ("z_score", [], (0, 1)),
    ],
)
def test_a_leg_is_scaled_by_a_sample(
    connection: Connection, normalization: str, sample: list[Any], scale: tuple[float, float]
) -> None:
    found = connection.execute(
        "select zero, unit from font_index.leg_scale(%s, %s::float[])", [normalization, sample]
    ).fetchone()
    assert found == pytest.approx(scale)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_direction_mirrors_the_column(connection: Connection, alpha: float) -> None:
    """The joint column's product with the direction orders fonts as the weighted sum of the cosines."""
    random = np.random.default_rng(5)
    text, vl = random.standard_normal((2, 9, 1024)).astype(np.float32)
    for number in range(8):
        has_text, has_vl = number != 6, number != 7
        add(
            connection, str(number),
            text=padded(text[number]) if has_text else None, vl=padded(vl[number]) if has_vl else None,
        )  # fmt: skip
    query = "font_index.weigh(%s, %s, null, %s, 0, 'convex', 'raw', 200, 60)"
    rows = connection.execute(
        "select %(a)s * coalesce(1 - (embedding <=> %(t)s), 0)"
        " + (1 - %(a)s) * coalesce(1 - (embedding_vl <=> %(v)s), 0),"
        f" -(embedding_joint <#> font_index.joint_direction({query.replace('%s', '{}')}, %(a)s, 1 - %(a)s))"
        " from fonts".format("%(t)s", "%(v)s", "%(a)s"),
        {"a": alpha, "t": Vector(padded(text[8])), "v": HalfVector(padded(vl[8]))},
    ).fetchall()  # fmt: skip
    scores, products = np.array(rows, dtype=float).T
    assert products * max(alpha, 1 - alpha) == pytest.approx(scores, abs=2e-3)


@pytest.mark.parametrize(
    ("similarity", "best", "share"),
    [(0.6, None, 0.857), (0.1, None, 0.5), (0.0, None, 0.0), (0.3, 0.6, 0.5), (None, None, None)],
)
def test_words_are_worth_as_much_as_a_cosine(
    connection: Connection, similarity: float | None, best: float | None, share: float | None
) -> None:
    found = value(connection, "font_index.words_share(1, %s, %s)", similarity, best)
    assert found == (share if share is None else pytest.approx(share, abs=1e-3))


def settled(
    connection: Connection,
    cosines: list[float],
    with_words: Sequence[tuple[float, float]] = (),
    *,
    horizon: int = 2,
    threshold: float | None = None,
) -> Any:
    """At fonts that the index brought in this order, and others that have words: cosine and ts_rank."""
    return value(
        connection,
        "font_index.is_settled("
        " font_index.weigh(null, array_fill(1, array[4096])::halfvec, 'x', 0, %s, 'convex', 'raw', 200, 60),"
        " array(select row(gen_random_uuid(), null, c, null)::font_index.scored_font from unnest(%s::float[]) c),"
        " array(select row(gen_random_uuid(), null, c, w)::font_index.scored_font"
        "  from unnest(%s::float[], %s::float[]) as t (c, w)),"
        " '{}', %s, %s)",
        0.5 if with_words else 0.0, cosines, [c for c, _ in with_words], [w for _, w in with_words],
        horizon, threshold,
    )  # fmt: skip


def test_a_lead_over_what_came_later_settles_it(connection: Connection) -> None:
    cosines = [0.9, 0.8, 0.5, 0.4, 0.3]
    assert settled(connection, cosines)  # the second is at .8, and .5 may still come
    assert not settled(connection, cosines, horizon=3)  # the third is at .5 itself
    assert settled(connection, cosines, horizon=3, threshold=0.6)
    assert not settled(connection, cosines, horizon=9)  # there are fewer


def test_fonts_with_words_that_are_to_come_keep_it_open(connection: Connection) -> None:
    cosines = [0.9, 0.8, 0.1, 0.1, 0.1]  # of which half counts: the second is at .4
    # the best of those with words that came later is at .05 + .25
    assert settled(connection, cosines, [(0.2, 0.1), (0.1, 0.1), (0.1, 0.1)])
    # at .2 + .25
    assert not settled(connection, cosines, [(0.4, 0.1), (0.4, 0.1), (0.4, 0.1)])


def test_the_traits_have_names_units_and_ranges(connection: Connection) -> None:
    rows = connection.execute("select name, unit, low, high, meaning from font_index.traits()")
    found = {name: rest for name, *rest in rows.fetchall()}
    assert list(found) == [field.name for field in fields(Traits)]
    for unit, low, high, meaning in found.values():
        assert unit and meaning
        assert low < high


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_code_points_are_those_of_the_text(crowd: Crowd, text: str) -> None:
    ranges = value(crowd.connection, "font_index.code_points(%s)", text)
    found = {point for r in ranges for point in range(r.lower, r.upper)}
    wanted = {ord(character) for character in text}
    assert found <= wanted
    assert all(
        chr(point).isspace() or chr(point) in "\x1c\x1d\x1e\x1f\x85" for point in wanted - found
    )


def rows_of(connection: Connection, function: str, **options: Any) -> list[Any]:
    named = ", ".join(f"{name} => %({name})s" for name in options)
    return connection.execute(
        f"select * from public.{function}({named})",  # type: ignore[call-overload]
        options,
    ).fetchall()


@pytest.fixture(scope="session")
def landed(crowd: Crowd) -> str:
    """The function of revision 0005 under a name of its own, beside the one of head."""
    text = (SQL / "0005_filter_condition.sql").read_text() + (
        SQL / "0005_match_fonts_hybrid.sql"
    ).read_text().partition("create function public.similar_fonts")[0]
    text = text.replace("match_fonts_hybrid", "landed").replace(
        "font_index.filter_condition", "public.landed_filter"
    )
    with crowd.connection.transaction():
        crowd.connection.execute("set local transaction_read_only = off")
        crowd.connection.execute(text.encode())
    return "landed"


GRID = list(
    itertools.product(
        ["both", "text", "vl", "none"], [None, "an elegant serif for books"], [0.0, 0.3, 1.0],
        ["convex", "rrf"], ["raw", "min_max", "z_score"], [None, 0.4],
    )
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "filter", [None, {"category": "serif"}, {"license": "OFL", "tags": {"any": ["loud"]}}]
)
def test_exact_answers_are_those_of_the_released_function(
    crowd: Crowd, landed: str, filter: Any
) -> None:
    """Over a grid of options, wherever both have scored every font."""
    compared = 0
    for seed, (legs, words, alpha, fusion, normalization, threshold) in enumerate(GRID):
        if legs == "none" and (words is None or (fusion, normalization) == ("convex", "raw")):
            continue
        text, vl = crowd.query(seed)
        options = {
            "query_embedding": Vector(padded(text)) if legs in ("both", "text") else None,
            "query_embedding_vl": HalfVector(padded(vl)) if legs in ("both", "vl") else None,
            "match_threshold": threshold, "match_count": 30, "query_text": words, "alpha": alpha,
            "fusion": fusion, "candidates": 1000, "filter": Jsonb(filter) if filter else None,
            "match_offset": seed % 3 * 10, "normalization": normalization,
            # of words as they are, revision 0005 had another scale
            "full_text_weight": 0.0 if (fusion, normalization) == ("convex", "raw") else 0.3,
            "strategy": "exact",
        }  # fmt: skip
        before = rows_of(crowd.connection, landed, **options)
        after = rows_of(crowd.connection, "match_fonts_hybrid", **options)
        assert after == before, options
        assert all(row[-1] == "scanned" for row in after)
        compared += len(after)
    assert compared > 2000


def test_pages_of_ranks_are_parts_of_one_list(crowd: Crowd) -> None:
    text, vl = crowd.query(3)
    asked: dict[str, Any] = {
        "query_embedding": Vector(padded(text)), "query_embedding_vl": HalfVector(padded(vl)),
        "query_text": "an elegant serif for books", "fusion": "rrf",
    }  # fmt: skip
    whole = [
        row[0]
        for start in (0, 200)
        for row in rows_of(
            crowd.connection, "match_fonts_hybrid", match_count=200, match_offset=start, **asked
        )
    ]
    paged = [
        row[0]
        for start in range(0, 400, 40)
        for row in rows_of(
            crowd.connection, "match_fonts_hybrid", match_count=40, match_offset=start, **asked
        )
    ]
    assert paged == whole
    assert len(set(whole)) == len(whole) > 300


def test_every_argument_may_be_omitted(connection: Connection) -> None:
    add(connection, "A", vl=axis(1))
    [row] = rows_of(connection, "match_fonts_hybrid", query_embedding_vl=HalfVector(axis(1)))
    assert row[1] == "A"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="needs query_embedding"):
        rows_of(connection, "match_fonts_hybrid")


def test_an_error_repeats_no_more_than_100_characters(connection: Connection) -> None:
    add(connection, "N" * 5000, text=axis(1))
    [(font,)] = connection.execute("select id from fonts").fetchall()
    long = "x" * 5000
    for call in (
        {"filter": Jsonb({long: 1})},
        {"filter": Jsonb({"traits": {long: {}}})},
        {"filter": Jsonb({"traits": {"x_height": {long: "a"}}})},
        {"filter": Jsonb({"styles": {long: 1}})},
        {"fusion": long},
        {"strategy": long},
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
            rows_of(connection, "match_fonts_hybrid", query_embedding=Vector(axis(1)), **call)
        assert len(str(refused.value.diag.message_primary)) < 250
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        rows_of(connection, "similar_fonts", font_id=font)
    assert len(str(refused.value.diag.message_primary)) < 250


def test_the_deployed_weights_are_those_of_the_serving_pair(connection: Connection) -> None:
    def weights() -> Any:
        return connection.execute("select * from font_index.serving_weights()").fetchone()

    assert weights() == (0.5, "convex", 0.2)
    connection.execute(
        "insert into font_index.spaces (id, leg, identity, state) values"
        " ('t', 'text', '{}', 'active'), ('v', 'vl', '{}', 'active'), ('w', 'vl', '{}', 'candidate')"
    )
    connection.execute(
        "insert into font_index.deployed_weights (text_space, vl_space, alpha, fusion, full_text_weight, evidence)"
        " values ('t', 'v', 0.9, 'convex', 0, '{}'), ('t', 'v', 0, 'convex', 0.1, '{}'), ('t', 'w', 1, 'rrf', 0, '{}'),"
        " (null, 'v', 0.7, 'rrf', 0, '{}')"
    )
    assert weights() == (0.0, "convex", 0.1)  # the last one for this pair
    add(connection, "Looks", text=axis(0, 1), vl=axis(1))
    add(connection, "Says", text=axis(1), vl=axis(0, 1))
    asked = {"text": axis(1), "vl": axis(1)}
    assert match(connection, **asked)[0].name == "Looks"
    assert match(connection, alpha=1.0, **asked)[0].name == "Says"  # an explicit argument wins
    connection.execute("update font_index.spaces set state = 'retired' where id = 'v'")
    connection.execute("update font_index.spaces set state = 'active' where id = 'w'")
    assert weights() == (1.0, "rrf", 0.0)
