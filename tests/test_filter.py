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
from indexer.functions import match, similar
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
        ({"tags": ["latin"]}, "filter.tags must be an object"),
        ({"traits": 1}, "filter.traits must be an object"),
        ({"styles": []}, "filter.styles must be an object"),
        ({"styles": {"weights": ["bold"]}}, "filter.styles.weights must be numbers"),
        ({"styles": {"weights": [0]}}, "filter.styles.weights must be numbers"),
        ({"styles": {"weights": [[400]]}}, "filter.styles.weights must be numbers"),
        ({"styles": {"weights": [[]]}}, "filter.styles.weights must be numbers"),
        ({"styles": {"italic": "yes"}}, "filter.styles.italic must be true or false"),
        ({"styles": {"axes": ["weight"]}}, "filter.styles.axes must be tags"),
        ({"styles": {"axes": 1}}, "filter.styles.axes must be a string or a list"),
        ({"styles": {"slant": True}}, "filter has an unknown key: styles.slant"),
        ({"covers": ["a"]}, "filter.covers must be a string"),
        ({"covers": "a" * 201}, "filter.covers must be at most 200 characters"),
        ({"collapse": 1}, "filter.collapse must be true or false"),
        ({"tags": {"any": [["a"]]}}, "filter.tags.any must be a string or a list of strings"),
        ({"category": ["x"] * 201}, "filter must have at most 200 entries in a list"),
        ({"exclude": ["x"] * 1002}, "filter.exclude must have at most 1000 entries"),
        ({"category": "x" * 65536}, "filter must be at most 64 KB long"),
        ({"category": [[[[["x"]]]]]}, "filter must be at most 4 levels deep"),
        (
            {"traits": {name: {"gt": 0, "lt": 1} for name in list(Traits.__annotations__)[:9]}},
            "filter.traits must have at most 16 comparisons, not 18",
        ),
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


def test_covers_asks_for_every_character(connection: Connection) -> None:
    add(connection, "Latin", coverage="{[32,127),[160,384)}")
    add(connection, "Greek too", coverage="{[32,127),[880,1024)}")
    add(connection, "Unknown")
    assert names(connection, {"covers": "Sphinx of quartz"}) == {"Latin", "Greek too"}
    assert names(connection, {"covers": "Ærø"}) == {"Latin"}
    assert names(connection, {"covers": "aΩ"}) == {"Greek too"}
    assert names(connection, {"covers": "ÆΩ"}) == set()
    assert names(connection, {"covers": " \n\u3000"}) == {
        "Latin",
        "Greek too",
    }  # space is no letter
    assert names(connection, {"covers": ""}) == {
        "Latin",
        "Greek too",
    }  # what is unknown does not pass
    assert names(connection, {"covers": "\U0001f600"}) == set()


def test_styles_are_those_of_the_family(connection: Connection) -> None:
    static = {"weights": [400, 700], "italic": True, "axes": [], "weight": [400, 700]}
    variable = {"weights": [], "italic": False, "axes": ["wdth", "wght"], "weight": [200, 900]}
    add(connection, "Static", styles=Jsonb(static))
    add(connection, "Variable", styles=Jsonb(variable))
    add(connection, "Unknown")
    add(connection, "Odd", styles=Jsonb({"weights": "bold", "weight": [None], "axes": 3}))
    asked = {
        "Static": [
            {"weights": [700], "italic": True}, {"weights": 400}, {"italic": True}, {"weights": [400, 700]}
        ],
        "Variable": [
            {"weights": [550]}, {"axes": ["wdth"]}, {"axes": "wght", "weights": [700]}, {"italic": False}
        ],
    }  # fmt: skip
    for name, wanted in asked.items():
        for styles in wanted:
            assert name in names(connection, {"styles": styles}), styles
    assert names(connection, {"styles": {"weights": [550]}}) == {"Variable"}
    assert names(connection, {"styles": {"weights": [700, 950]}}) == set()
    assert names(connection, {"styles": {"italic": True, "axes": ["wdth"]}}) == set()
    assert names(connection, {"styles": {}}) == {"Static", "Variable", "Unknown", "Odd"}


def test_a_long_list_costs_no_more_than_what_is_in_it(connection: Connection) -> None:
    """Everyone may ask, and each condition is tried on each font that the index brings."""

    def condition(filter: Any) -> str:
        found = connection.execute("select font_index.filter_condition(%s)", [Jsonb(filter)])
        return str(found.fetchone())

    for key, part, value in (("styles", "weights", 700), ("tags", "all", "a")):
        assert condition({key: {part: [value]}}) == condition({key: {part: [value] * 200}})
    many_weights = condition({"styles": {"weights": [900 - n / 1000 for n in range(200)]}})
    assert many_weights.count("==") == 1  # a path is slow: one for all of them


def test_collapse_shows_a_design_once_best_first(connection: Connection) -> None:
    def toward(cosine: float) -> HalfVector:
        return HalfVector(padded(np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float32)))

    for name, design, cosine in (
        ("Noto Sans Thai", "noto sans", 0.9), ("Noto Sans", "noto sans", 0.8), ("Abel", "abel", 0.7),
        ("Unknown 1", None, 0.6), ("Unknown 2", None, 0.5), ("Noto Sans JP", "noto sans", 0.95),
    ):  # fmt: skip
        add(connection, name, design=design, embedding_vl=toward(cosine))

    def answer(**options: Any) -> list[str]:
        hits = match(connection, text=None, vl=NORTH, filter={"collapse": True}, **options)
        return [hit.name for hit in hits]

    whole = ["Noto Sans JP", "Abel", "Unknown 1", "Unknown 2"]
    assert answer() == whole
    assert answer(count=2, match_offset=1) == whole[1:3]
    assert answer(threshold=0.65) == whole[:2]
    assert len(names(connection, {"collapse": False})) == 6


@pytest.mark.parametrize("strategy", ["exact", "index"])
def test_collapse_finds_as_many_designs_as_are_asked_for(crowd: Crowd, strategy: Any) -> None:
    text, vl = crowd.query(2)
    with crowd.connection.transaction(force_rollback=True):
        crowd.connection.execute("set local transaction_read_only = off")
        crowd.connection.execute("update fonts set design = split_part(name, ' ', 2)::int / 3")
        hits = match(
            crowd.connection,
            text=text,
            vl=vl,
            count=20,
            strategy=strategy,
            filter={"collapse": True},
        )
    designs = [int(hit.name.split()[1]) // 3 for hit in hits]
    assert len(designs) == len(set(designs)) == 20


def test_collapse_does_not_call_likely_what_one_design_has_crowded_out(crowd: Crowd) -> None:
    text, vl = crowd.query(2)

    def answer(strategy: Any) -> list[Any]:
        wanted = {"collapse": True}
        return match(crowd.connection, text=text, vl=vl, count=20, strategy=strategy, filter=wanted)

    with crowd.connection.transaction(force_rollback=True):
        crowd.connection.execute("set local transaction_read_only = off")
        near = [
            hit.id
            for start in (0, 200)
            for hit in match(crowd.connection, text=text, vl=vl, count=200, match_offset=start)
        ]
        crowd.connection.execute("update fonts set design = 'one' where id = any(%s)", [near])
        found, right = answer("index"), answer("exact")
    assert [hit.id for hit in found] != [hit.id for hit in right]
    assert {hit.exactness for hit in found} == {"unproven"}


def test_similar_fonts_may_exclude_a_thousand_and_itself(connection: Connection) -> None:
    add(connection, "A")
    add(connection, "B")
    font = connection.execute("select id from fonts where name = 'A'").fetchone()
    assert font
    none = [f"{number:08x}-0000-0000-0000-000000000000" for number in range(1000)]
    assert [hit.name for hit in similar(connection, font[0], filter={"exclude": none})] == ["B"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="at most 1000"):
        similar(connection, font[0], filter={"exclude": [*none, none[0]]})


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
