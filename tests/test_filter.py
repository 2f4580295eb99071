"""filter of match_fonts_hybrid: what it refuses, and that nothing in it is ever run."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.search import match
from indexer.spaces import padded
from indexer.traits import Traits
from tests.fix_crowd import Crowd

NORTH: Any = np.array([1.0], dtype=np.float32)


def add(connection: Connection, name: str, **columns: Any) -> None:
    values = {"name": name, "embedding_vl": HalfVector(padded(NORTH)), **columns}
    connection.execute(
        f"insert into public.fonts ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",  # type: ignore[call-overload]
        list(values.values()),
    )


def names(connection: Connection, filter: Any) -> set[str]:
    return {hit.name for hit in match(connection, text=None, vl=NORTH, filter=filter)}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([1], "filter must be an object, not array"),
        ("serif", "filter must be an object, not string"),
        ({"colour": "red"}, "filter has an unknown key: colour"),
        ({"category": 1}, "filter.category must be a string or a list of strings"),
        ({"category": [["serif"]]}, "filter.category must be a string or a list of strings"),
        ({"category": None}, "filter.category must be a string or a list of strings"),
        ({"tags": ["latin"]}, "filter.tags and filter.traits must be objects"),
        ({"tags": {"none": ["latin"]}}, "filter has an unknown key: tags.none"),
        ({"traits": {"x-height": {"gte": 1}}}, "filter.traits has an unknown trait: x-height"),
        ({"traits": {"x_height": 0.7}}, "filter.traits.x_height must be an object"),
        ({"traits": {"x_height": {"above": 1}}}, "filter.traits.x_height must compare with a number"),
        ({"traits": {"x_height": {"gte": "1"}}}, "filter.traits.x_height must compare with a number"),
    ],
    ids=str,
)  # fmt: skip
def test_what_it_does_not_know_is_an_error(
    connection: Connection, wanted: Any, message: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message) as refused:
        connection.execute(
            "select match_fonts_hybrid(null, array_fill(1, array[4096])::halfvec, 0, 1, filter => %s)",
            [Jsonb(wanted)],
        )
    assert refused.value.diag.message_hint or "unknown" not in message


def test_every_trait_that_is_measured_can_be_asked_for(connection: Connection) -> None:
    for field in fields(Traits):
        kind = True if field.name == "is_text" else 0.5
        match(connection, text=None, vl=NORTH, filter={"traits": {field.name: {"eq": kind}}})


def test_a_font_that_lacks_the_trait_or_the_column_does_not_pass(connection: Connection) -> None:
    add(connection, "Measured", traits=Jsonb({"x_height": 0.7, "slant": -3}), category="serif")
    add(connection, "Unmeasured", traits=Jsonb({}))
    add(connection, "Bare", tags=None)
    assert names(connection, {"traits": {"x_height": {"lte": 1}}}) == {"Measured"}
    assert names(connection, {"traits": {"slant": {"lt": -2.5}}}) == {"Measured"}
    assert names(connection, {"category": ["serif", "slab"]}) == {"Measured"}
    assert names(connection, {"category": []}) == set()
    assert names(connection, {}) == {"Measured", "Unmeasured", "Bare"}
    assert names(connection, {"tags": {}}) == {"Measured", "Unmeasured", "Bare"}


def test_fonts_can_be_left_out_by_id(connection: Connection) -> None:
    add(connection, "A")
    add(connection, "B")
    [hit] = match(connection, text=None, vl=NORTH, count=1)
    assert hit.id not in [
        other.id
        for other in match(
            connection, text=None, vl=NORTH, filter={"exclude": [str(hit.id).upper()]}
        )
    ]


@pytest.mark.slow
@given(
    value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
)
def test_a_value_is_only_ever_compared(crowd: Crowd, value: str) -> None:
    for wanted in (
        {"category": value},
        {"source": ["x", value]},
        {"tags": {"any": [value], "all": [value]}},
        {"exclude": [value]},
    ):
        match(crowd.connection, text=None, vl=NORTH, count=1, filter=wanted)  # type: ignore[arg-type]


@given(
    key=st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30
    ),
    place=st.sampled_from(["key", "tags", "trait", "comparison"]),
)
def test_a_key_is_only_ever_refused(crowd: Crowd, key: str, place: str) -> None:
    wanted: dict[str, Any] = {
        "key": {f"~{key}": "x"},
        "tags": {"tags": {f"~{key}": ["x"]}},
        "trait": {"traits": {f"~{key}": {"gte": 1}}},
        "comparison": {"traits": {"x_height": {f"~{key}": 1}}},
    }[place]
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        match(crowd.connection, text=None, vl=NORTH, count=1, filter=wanted)
