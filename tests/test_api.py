"""The API's contract, through a real PostgREST and a real client: what it answers, refuses and allows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer.database import schema
from tests.fix_database import API_ROLES
from tests.fix_postgrest import DEFAULTS, Answer, Api, Serve
from tests.fix_waiting import until

pytestmark = pytest.mark.network  # the client comes from npm, once

READERS = ("anon", "authenticated")
FUNCTIONS = ("match_fonts_hybrid", "similar_fonts")
ANTIQUA, GROTESK, SCRIPT, NOBODY = (f"00000000-0000-0000-0000-00000000000{n}" for n in range(4))


def axis(*weights: float) -> list[float]:
    """A vector whose first coordinates have these weights."""
    return [*map(float, weights), *[0.0] * (4096 - len(weights))]


FILES = {"400": "https://fonts.example/a.ttf"}
FONTS: list[dict[str, Any]] = [
    {"id": ANTIQUA, "name": "Antiqua", "category": "serif", "tags": ["latin", "elegant"],
     "description": "A book face", "traits": {"x_height": 0.65}, "license": "OFL", "files": FILES,
     "coverage": "{[32,127),[223,224)}", "design": "antiqua",
     "styles": {"weights": [400, 700], "italic": True, "axes": [], "weight": [400, 700]},
     "embedding": axis(1), "embedding_vl": axis(3, 4)},
    {"id": GROTESK, "name": "Grotesk", "category": "sans-serif", "tags": ["latin", "cyrillic"],
     "description": "For signs", "traits": {"x_height": 0.75}, "license": "OFL", "files": FILES,
     "coverage": "{[32,127)}", "design": "antiqua",
     "styles": {"weights": [], "italic": False, "axes": ["wght"], "weight": [100, 900]},
     "embedding": axis(4, 3), "embedding_vl": axis(1)},
    {"id": SCRIPT, "name": "Script", "category": "handwriting", "tags": ["latin"],
     "description": "A brush for wedding cards", "license": "Apache-2.0", "files": FILES,
     "embedding": axis(1, 7)},
]  # fmt: skip
SEARCH = {"query_text": "q", "response_json": {}, "embedding": axis(1)}
COLUMNS = ("name", "category", "description", "tags", "files")
ANTIQUA_ROW = {**{name: FONTS[0][name] for name in COLUMNS}, "source": "Google Fonts"}


@pytest.fixture(scope="module", params=DEFAULTS)
def api(request: pytest.FixtureRequest, serve: Serve) -> Iterator[Api]:
    """Three fonts and one search; every test leaves them as they are."""
    with serve(request.param) as api:
        for table, rows in ("fonts", FONTS), ("searches", SEARCH):
            assert api.call("service_role", ("from", table), ("insert", rows)).status == 201
        yield api


def search(api: Api, role: str = "anon", /, **arguments: Any) -> Answer:
    """The new call, with neither vector unless given."""
    needed = {"query_embedding": None, "query_embedding_vl": None, "match_threshold": -1}
    return api.rpc(role, "match_fonts_hybrid", **{**needed, "match_count": 10, **arguments})


def call(api: Api, role: str, function: str) -> Answer:
    if function == "similar_fonts":
        return api.rpc(role, function, font_id=ANTIQUA)
    return search(api, role, query_embedding=axis(1), query_embedding_vl=axis(1))


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.error
    return [row["name"] for row in answer.data]


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error.get("code", "no error")


@contextmanager
def changed(api: Api, do: str, undo: str) -> Iterator[None]:
    api.admin.execute(do)
    try:
        yield
    finally:
        api.admin.execute(undo)


def test_the_apps_call_of_match_fonts_works_as_before(api: Api) -> None:
    query = {"query_embedding": axis(1), "match_threshold": 0.7, "match_count": 5}
    answer = api.rpc("anon", "match_fonts", **query)
    assert names(answer) == ["Antiqua", "Grotesk"]
    assert answer.data[0] == {**ANTIQUA_ROW, "similarity": 1}


def test_a_vector_may_be_an_array_or_a_string(api: Api) -> None:
    query = {"query_embedding": axis(1, 0.5), "query_embedding_vl": axis(0.25, 1)}
    answer = search(api, **query)
    assert names(answer) == ["Antiqua", "Grotesk", "Script"]
    assert search(api, **{name: json.dumps(query[name]) for name in query}).data == answer.data


@pytest.mark.parametrize(
    ("query", "found", "missing"),
    [
        ({"query_embedding": axis(1)}, ["Antiqua", "Grotesk", "Script"], "vl"),
        ({"query_embedding_vl": axis(1)}, ["Grotesk", "Antiqua"], "text"),
        ({"query_text": "brushes for a wedding"}, ["Script"], "vl"),
    ],
)
def test_one_leg_is_enough(api: Api, query: dict[str, Any], found: list[str], missing: str) -> None:
    answer = search(api, **query)
    assert names(answer) == found
    assert [answer.data[0][f"{missing}_{value}"] for value in ("similarity", "rank")] == [None] * 2


TYPES = Path(__file__).parents[1] / "sql/types.ts"


@pytest.mark.parametrize(
    ("leg", "found"),
    [
        ({"query_embedding": axis(1)}, "Antiqua"),
        ({"query_embedding_vl": json.dumps(axis(1))}, "Grotesk"),
        ({"query_text": "brush"}, "Script"),
    ],
)
def test_everything_but_one_leg_may_be_omitted(api: Api, leg: dict[str, Any], found: str) -> None:
    answer = api.rpc("anon", "match_fonts_hybrid", **leg)
    assert names(answer)[0] == found
    others = {"query_embedding", "query_embedding_vl", "query_text"} - leg.keys()
    assert api.rpc("anon", "match_fonts_hybrid", **leg, **dict.fromkeys(others)).data == answer.data


@pytest.mark.parametrize(
    ("function", "needed", "types"),
    [
        ("match_fonts_hybrid", {"query_embedding": axis(1)}, "MatchFontsHybridArgs"),
        ("similar_fonts", {"font_id": ANTIQUA}, "SimilarFontsArgs"),
    ],
)
def test_null_is_an_omission_where_the_types_allow_it(
    api: Api, function: str, needed: dict[str, Any], types: str
) -> None:
    [body] = re.findall(rf"type {types} = {{(.*?)}};", TYPES.read_text("utf-8"), re.DOTALL)
    default = api.rpc("anon", function, **needed)
    assert default.data
    for name, kind in re.findall(r"(\w+)\??: (.*);", body):
        if name in needed:
            continue
        answer = api.rpc("anon", function, **needed, **{name: None})
        if "null" in kind:
            assert answer == default, name
        else:
            assert refusal(answer) == (400, "22023"), name


def test_options_have_names(api: Api) -> None:
    query = {"strategy": "exact", "rrf_k": 10, "normalization": "min_max", "fusion": "rrf",
             "full_text_weight": 0.5, "candidates": 50, "alpha": 0.1, "query_text": "sign",
             "query_embedding": axis(1), "query_embedding_vl": axis(1)}  # fmt: skip
    answer = search(api, **query)
    assert names(answer) == ["Grotesk", "Antiqua", "Script"]
    assert answer.data[0]["score"] == pytest.approx(0.5 / 11 + 0.45 / 11 + 0.05 / 12)
    assert search(api, match_offset=1, **query).data == answer.data[1:]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"category": ["serif", "handwriting"]}, ["Antiqua", "Script"]),
        ({"category": "serif", "source": "Google Fonts"}, ["Antiqua"]),
        ({"license": "Apache-2.0"}, ["Script"]),
        ({"subsets": ["latin", "cyrillic"]}, ["Grotesk"]),
        ({"tags": {"any": ["elegant", "cyrillic"], "all": ["latin"]}}, ["Antiqua", "Grotesk"]),
        ({"traits": {"x_height": {"gte": 0.7, "lt": 1}}}, ["Grotesk"]),
        ({"exclude": [ANTIQUA, SCRIPT]}, ["Grotesk"]),
        ({"covers": "Straße"}, ["Antiqua"]),
        ({"styles": {"weights": [700], "italic": True}}, ["Antiqua"]),
        ({"styles": {"weights": 550, "axes": "wght"}}, ["Grotesk"]),
        ({"collapse": True}, ["Antiqua", "Script"]),
    ],
)
def test_a_filter_is_an_object(api: Api, filter: dict[str, Any], found: list[str]) -> None:
    assert names(search(api, query_embedding=axis(1), filter=filter)) == found


def test_fonts_that_look_like_one_are_found_by_its_id(api: Api) -> None:
    answer = api.rpc("anon", "similar_fonts", font_id=ANTIQUA)
    assert names(answer) == ["Grotesk"]  # itself left out; Script has no looks
    assert answer.data[0].keys() == search(api, query_embedding=axis(1)).data[0].keys()


def test_a_row_has_the_types_of_json(api: Api) -> None:
    vectors = {"query_embedding": axis(2), "query_embedding_vl": axis(0.6, 0.8)}
    row = search(api, **vectors, query_text="book").data[0]
    numbers = {name: row.pop(name) for name in list(row) if name.endswith(("_similarity", "score"))}
    ranks = {"text_rank": 1, "vl_rank": 1, "full_text_rank": 1}
    assert row == {"id": ANTIQUA, **ANTIQUA_ROW, **ranks, "exactness": "scanned"}
    assert sorted(numbers) == ["full_text_similarity", "score", "text_similarity", "vl_similarity"]
    assert all(isinstance(number, int | float) for number in numbers.values())
    assert numbers["vl_similarity"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query_embedding": [1, 2, 3]}, "wrong dimension: 4096 is needed"),
        ({"query_embedding_vl": "[1,2,3]"}, "wrong dimension: 4096 is needed"),
        ({"query_embedding": axis()}, "all zeros"),
        ({}, "query_embedding, query_embedding_vl or"),
        ({"query_text": "brush", "match_count": 0}, "match_count must"),
        ({"query_text": "brush", "match_count": 100_000}, "match_count must"),
        ({"query_text": "brush", "match_offset": 2**31 - 1}, "match_offset must"),
        ({"query_text": "brush", "filter": {"colour": "red"}}, "unknown key: colour"),
        ({"query_text": "brush", "fusion": "magic"}, "convex or rrf"),
    ],
)
def test_a_bad_argument_gets_a_sentence(api: Api, arguments: dict[str, Any], message: str) -> None:
    answer = search(api, **arguments)
    assert refusal(answer) == (400, "22023")
    assert message in answer.error["message"]
    assert "hint" in answer.error


LONG = "wide " * 1000


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("match_fonts_hybrid", {"fusion": LONG}),
        ("match_fonts_hybrid", {"normalization": LONG}),
        ("match_fonts_hybrid", {"strategy": LONG}),
        ("match_fonts_hybrid", {"query_text": LONG}),
        ("match_fonts_hybrid", {"filter": LONG}),
        ("match_fonts_hybrid", {"filter": {LONG: 1}}),
        ("match_fonts_hybrid", {"filter": {"tags": {LONG: "a"}}}),
        ("match_fonts_hybrid", {"filter": {"category": {LONG: LONG}}}),
        ("match_fonts_hybrid", {"filter": {"traits": {LONG: {"gte": 1}}}}),
        ("match_fonts_hybrid", {"filter": {"traits": {"width": LONG}}}),
        ("match_fonts_hybrid", {"filter": {"traits": {"width": {LONG: 1}}}}),
        ("match_fonts_hybrid", {"filter": {"traits": {"width": {"gte": LONG}}}}),
        ("match_fonts_hybrid", {"filter": {"styles": {LONG: 1}}}),
        ("match_fonts_hybrid", {"filter": {"styles": {"axes": [LONG]}}}),
        ("match_fonts_hybrid", {"filter": {"styles": {"weights": [LONG]}}}),
        ("match_fonts_hybrid", {"filter": {"styles": {"italic": LONG}}}),
        ("match_fonts_hybrid", {"filter": {"covers": LONG}}),
        ("match_fonts_hybrid", {"filter": {"collapse": LONG}}),
        ("match_fonts_hybrid", {"filter": {"exclude": {LONG: LONG}}}),
        ("match_fonts_hybrid", {"filter": {"exclude": [NOBODY] * 1002}}),
        ("match_fonts_hybrid", {"filter": {"tags": {"any": ["a"] * 201}}}),
        ("match_fonts_hybrid", {"filter": {"license": "a" * 65536}}),
        ("similar_fonts", {"font_id": NOBODY, "filter": {LONG: 1}}),
        ("similar_fonts", {"font_id": ANTIQUA, "filter": {LONG: 1}}),
        ("similar_fonts", {"font_id": ANTIQUA, "filter": {"exclude": {LONG: 1}}}),
    ],
)
def test_an_error_repeats_at_most_100_characters_of_what_was_sent(
    api: Api, function: str, arguments: dict[str, Any]
) -> None:
    query = {"query_embedding": axis(1)} if function == "match_fonts_hybrid" else {}
    answer = api.rpc("anon", function, **query, **arguments)
    assert refusal(answer) == (400, "22023"), answer.error
    told = json.dumps(answer.error)
    assert LONG[:101] not in told
    assert "a" * 101 not in told
    assert len(told) < 1000


def test_a_long_name_of_a_font_is_cut_in_errors(api: Api) -> None:
    font = {"id": NOBODY, "name": LONG}
    with changed(api, "", f"delete from public.fonts where id = '{NOBODY}'"):
        assert api.call("service_role", ("from", "fonts"), ("insert", font)).status == 201
        answer = api.rpc("anon", "similar_fonts", font_id=NOBODY)
    assert refusal(answer) == (400, "22023")
    assert LONG[:101] not in json.dumps(answer.error)
    assert "has no appearance vector yet" in answer.error["message"]


@pytest.mark.parametrize(("role", "status"), [("anon", 401), ("service_role", 403)])
def test_scoring_each_of_many_fonts_is_for_who_owns_the_table(
    api: Api, role: str, status: int
) -> None:
    many = "insert into public.fonts (name) select 'Many ' || i from generate_series(1, 1001) i"
    exact = {"query_embedding": axis(1), "strategy": "exact"}
    with changed(api, many, "delete from public.fonts where name like 'Many %'"):
        answer = search(api, role, **exact)
        assert names(search(api, role, **exact, filter={"category": "serif"})) == ["Antiqua"]
    assert refusal(answer) == (status, "42501")
    assert answer.error["message"] == "this search would score more than 1000 fonts one by one"
    assert "filter" in answer.error["hint"]


def test_not_a_number_in_a_vector_is_refused(api: Api) -> None:
    answer = search(api, query_embedding=json.dumps([float("nan"), *axis()[1:]]))
    assert (answer.status, answer.error["message"]) == (400, "NaN not allowed in vector")


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ({"query_embedding": "no vector"}, (400, "22P02")),
        ({"query_embedding": json.dumps([float("nan"), *axis()[1:]])}, (400, "22000")),
        ({"query_embedding": axis(1), "strategy": "index"}, (500, "55000")),
    ],
)
def test_errors_have_the_codes_of_the_reference(
    api: Api, arguments: dict[str, Any], refused: tuple[int, str]
) -> None:
    away = "alter index public.fonts_embedding_joint_hnsw rename to away"
    back = "alter index public.away rename to fonts_embedding_joint_hnsw"
    with changed(api, away, back):
        assert refusal(search(api, **arguments)) == refused
    reference = (TYPES.parent / "README.md").read_text("utf-8")
    assert re.search(rf"^\|.*\b{refused[1]}\b.*\| {refused[0]} \|", reference, re.MULTILINE)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_unknown_argument_gets_postgrests_own_error(api: Api, function: str) -> None:
    answer = api.rpc("anon", function, query="serif")
    assert refusal(answer) == (404, "PGRST202")
    assert f"public.{function}(query)" in answer.error["message"]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("role", API_ROLES)
def test_every_role_may_search(api: Api, role: str, function: str) -> None:
    assert "Grotesk" in names(call(api, role, function))


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize(
    ("table", "new", "change"),
    [
        ("fonts", {"name": "New"}, {"license": "none"}),
        ("searches", {"query_text": "new", "response_json": {}}, {"response_json": [1]}),
    ],
)
def test_readers_cannot_write(
    api: Api, role: str, table: str, new: dict[str, Any], change: dict[str, Any]
) -> None:
    content = f"select array(select t::text from public.{table} t order by id)"
    before = api.admin.execute(content).fetchone()
    everything = ("neq", "id", NOBODY)
    for write in [("insert", new)], [("update", change), everything], [("delete",), everything]:
        assert refusal(api.call(role, ("from", table), *write))[1] == "42501"
    assert api.admin.execute(content).fetchone() == before


def test_searches_are_read_by_the_service_role_alone(api: Api) -> None:
    query = {"query_embedding": axis(1), "match_threshold": 0}
    for role in READERS:
        assert not api.call(role, ("from", "searches"), ("select", "query_text")).data
        assert not api.rpc(role, "match_searches", **query).data
    read = api.call("service_role", ("from", "searches"), ("select", "query_text"))
    assert read.data == [{"query_text": "q"}]
    found = api.rpc("service_role", "match_searches", **query)
    assert found.data == [{"response_json": {}, "similarity": 1}]


@pytest.mark.parametrize("role", API_ROLES)
def test_the_private_schema_is_out_of_reach(api: Api, role: str) -> None:
    read = api.call(role, ("from", "runs"), ("select",), schema="font_index")
    called = api.call(role, ("rpc", "filter_condition", {}), schema="font_index")
    assert refusal(read) == refusal(called) == (406, "PGRST106")
    # were it exposed by mistake: no table in it is theirs, and of what runs with other rights than
    # theirs one function, which tells the three weights that search would use
    theirs = """
        select array(select relname from pg_class where relnamespace = 'font_index'::regnamespace
                        and relkind = 'r'
                        and has_table_privilege(%(role)s, oid, 'select, insert, update, delete')),
               array(select proname from pg_proc where pronamespace = 'font_index'::regnamespace
                        and prosecdef and has_function_privilege(%(role)s, oid, 'execute'))
    """
    assert api.admin.execute(theirs, {"role": role}).fetchone() == ([], ["serving_weights"])


def test_the_service_role_writes_fonts_whose_words_are_found(api: Api) -> None:
    fonts = ("from", "fonts")
    with changed(api, "", "delete from public.fonts where name in ('Zebra', 'Okapi')"):
        assert api.call("service_role", fonts, ("insert", {"name": "Zebra"})).status == 201
        assert names(search(api, query_text="zebra")) == ["Zebra"]
        api.call("service_role", fonts, ("update", {"name": "Okapi"}), ("eq", "name", "Zebra"))
        assert names(search(api, query_text="okapi zebra")) == ["Okapi"]
        api.call("service_role", fonts, ("delete",), ("eq", "name", "Okapi"))
        assert names(search(api, query_text="okapi zebra")) == []


def test_who_may_write_fonts_needs_no_right_on_the_private_schema(api: Api) -> None:
    do = """
        grant insert on public.fonts to authenticated;
        create policy writing on public.fonts for insert to authenticated with check (true);
        revoke usage on schema font_index from authenticated
    """
    undo = """
        grant usage on schema font_index to authenticated;
        drop policy writing on public.fonts;
        delete from public.fonts where name = 'Zebra'
    """
    with changed(api, do, undo):
        written = api.call("authenticated", ("from", "fonts"), ("insert", {"name": "Zebra"}))
        assert written.status == 201, written.error
        assert names(search(api, query_text="zebra")) == ["Zebra"]


def test_a_row_that_a_policy_hides_is_found_by_no_function(api: Api) -> None:
    policy = "create policy hidden on public.fonts as restrictive to anon using (name <> 'Grotesk')"
    legs = {"query_embedding": axis(1), "query_embedding_vl": axis(1), "query_text": "sign"}
    with changed(api, policy, "drop policy hidden on public.fonts"):
        for role, visible in ("authenticated", True), ("anon", False):
            for leg, query in legs.items():
                assert ("Grotesk" in names(search(api, role, **{leg: query}))) is visible
            assert ("Grotesk" in names(call(api, role, "similar_fonts"))) is visible
            assert bool(api.rpc(role, "similar_fonts", font_id=GROTESK).data) is visible


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_call_that_takes_too_long_is_stopped(api: Api, function: str) -> None:
    [[migrated]] = api.admin.execute(
        "select split_part(setting, '=', 2) from pg_proc, unnest(proconfig) setting"
        " where proname = %s and setting like 'statement_timeout=%%'",
        [function],
    ).fetchall()
    timeout = f"alter function public.{function} set statement_timeout = '{{}}'; notify pgrst, 'reload schema'"
    with changed(api, timeout.format("1ms"), timeout.format(migrated)):
        until(lambda: refusal(call(api, "anon", function)) == (500, "57014"))
    until(lambda: call(api, "anon", function).status == 200)


def test_a_running_postgrest_learns_of_the_functions_from_the_migration(serve: Serve) -> None:
    with serve(revision="0002") as api:
        assert refusal(search(api, query_text="word")) == (404, "PGRST202")
        assert refusal(api.rpc("anon", "similar_fonts", font_id=NOBODY)) == (404, "PGRST202")
        schema.upgrade(api.owner)
        until(lambda: search(api, query_text="word").status == 200)
        assert refusal(api.rpc("anon", "similar_fonts", font_id=NOBODY)) == (400, "22023")
