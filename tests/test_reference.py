"""sql/README.md says what the database does, and its SQL works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from indexer.database import schema
from indexer.database.connect import Connection, Database

SQL = Path(__file__).parents[1] / "sql"
README = (SQL / "README.md").read_text(encoding="utf-8")
TYPES = (SQL / "types.ts").read_text(encoding="utf-8")
VECTOR, NEAR = "[1" + ",0" * 4095 + "]", "[1,.2" + ",0" * 4094 + "]"  # at a cosine of .98


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = README.split(f"# {heading}\n", 1)[1]
    [rows] = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[:1]
    return [line.strip("| ").split(" | ") for line in rows.splitlines()[2:]]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_reference_is_short() -> None:
    reference, programs = README.split("\n## A search from your app's server\n")
    assert len(reference.splitlines()) < 200
    assert "\n## " not in programs, "what is to be copied stands last"


def test_the_arguments_are_all_there_with_their_defaults(connection: Connection) -> None:
    [[text]] = connection.execute(
        "select pg_get_function_arguments(oid) from pg_proc where proname = 'match_fonts_hybrid'"
    ).fetchall()
    defaults = dict(re.findall(r"(\w+) [\w ]+ DEFAULT '?(\w+)", text))
    told = {words(name)[0]: cell for name, cell, _ in table("Arguments of `match_fonts_hybrid`")}
    assert {name: re.findall(r"\w+", cell)[0].lower() for name, cell in told.items()} == {
        name: default.lower() for name, default in defaults.items()
    }


def test_the_columns_are_all_there(connection: Connection) -> None:
    answer = connection.execute("select * from match_fonts_hybrid(query_text => 'none')")
    told = [name for cell, _ in table("A row of the answer") for name in words(cell)]
    assert sorted(told) == sorted(column.name for column in answer.description or ())


def test_the_traits_are_those_of_the_database(connection: Connection) -> None:
    rows = connection.execute("select name, unit, low, high, meaning from font_index.traits()")
    assert table("Traits") == [
        [f"`{name}`", unit, f"{low:g} to {high:g}", meaning]
        for name, unit, low, high, meaning in rows
    ]


def test_each_key_of_a_filter_has_an_example_that_works(connection: Connection) -> None:
    examples = table("Filter")
    [body] = re.findall(r"type FontFilter = {\n(.*?)\n};", TYPES, re.DOTALL)
    assert [words(name)[0] for name, *_ in examples] == re.findall(
        r"^  (\w+)\?", body, re.MULTILINE
    )
    for name, _, example in examples:
        assert example.startswith(f'`{{"{words(name)[0]}": ')
        connection.execute(
            "select * from match_fonts_hybrid(query_text => 'a word', filter => %s::jsonb)",
            [example.strip("`")],
        )


def test_the_sql_for_another_role_is_all_that_it_needs(database: Database) -> None:
    [grants] = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    search = "select * from public.match_fonts_hybrid(query_text => 'word', filter => '{}')"
    similar = "select * from public.similar_fonts(gen_random_uuid())"
    with database.connect() as admin:
        admin.execute("create role reader nologin")
        try:
            with as_role(admin, "reader"), pytest.raises(psycopg.errors.InsufficientPrivilege):
                admin.execute(search)
            admin.execute(grants)
            with as_role(admin, "reader"):
                admin.execute(search)
                with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no font"):
                    admin.execute(similar)
        finally:
            admin.execute("drop owned by reader; drop role reader")


@contextmanager
def as_role(connection: Connection, role: str) -> Iterator[None]:
    connection.execute(f"set role {role}".encode())
    try:
        yield
    finally:
        connection.execute("reset role")


@pytest.fixture
def app(empty_database: Database, api_roles: tuple[str, ...]) -> Iterator[Connection]:
    """A database with Supabase's roles, a pair of serving spaces and one search."""
    schema.upgrade(empty_database.conninfo)
    with empty_database.connect() as admin:
        admin.execute("alter role service_role bypassrls")
        for leg in "text", "vl":
            for state in "active", "candidate":
                admin.execute(
                    "insert into font_index.spaces (id, leg, identity, state) values (%s, %s, '{}', %s)",
                    [f"{leg}-{state}", leg, state],
                )
        remember(admin, "large x-height", VECTOR)
        yield admin


def remember(admin: Connection, query: str, vector: str) -> None:
    """Stores an answer as the app does."""
    with as_role(admin, "service_role"):
        admin.execute(
            "insert into public.searches (query_text, embedding, response_json) values (%s, %s, %s)",
            [query, vector, Jsonb(query)],
        )


def found(admin: Connection, vector: str = VECTOR) -> list[str]:
    with as_role(admin, "service_role"):
        rows = admin.execute(
            "select response_json from match_searches(%s, .95)", [vector]
        ).fetchall()
    return [answer for (answer,) in rows]


def activate(admin: Connection, leg: str, new: str, old: str) -> None:
    """As indexer.spaces does."""
    with admin.transaction():
        for state, name in ("retired", old), ("active", new):
            admin.execute(
                "update font_index.spaces set state = %s where id = %s", [state, f"{leg}-{name}"]
            )


def deploy(admin: Connection, alpha: float) -> None:
    admin.execute(
        """insert into font_index.deployed_weights
             (text_space, vl_space, alpha, fusion, full_text_weight, evidence)
           values ('text-active', 'vl-active', %s, 'convex', 0, '{}')""",
        [alpha],
    )


def test_the_cache_confuses_near_texts_and_forgets_nothing(app: Connection) -> None:
    assert found(app, NEAR) == ["large x-height"]
    activate(app, "vl", "candidate", "active")
    deploy(app, 0.1)
    assert found(app) == ["large x-height"]


def test_the_cleared_cache_is_empty_after_a_switch(app: Connection) -> None:
    with app.transaction():
        app.execute(schema.read_sql("searches_cleared.sql"))
    assert found(app) == ["large x-height"]
    app.execute(
        "insert into font_index.spaces (id, leg, identity, state) values ('new', 'vl', '{}', 'candidate')"
    )
    assert found(app) == ["large x-height"]  # a space that is being filled serves nothing yet
    activate(app, "vl", "candidate", "active")
    assert found(app) == []
    remember(app, "small x-height", VECTOR)
    deploy(app, 0.1)
    assert found(app) == []


def test_the_keyed_cache_finds_what_the_serving_pair_has_answered(app: Connection) -> None:
    with app.transaction():
        app.execute(schema.read_sql("searches_keyed.sql"))
    assert found(app) == []  # nobody knows what made it
    remember(app, "serif", VECTOR)
    assert found(app) == ["serif"]
    activate(app, "vl", "candidate", "active")
    assert found(app) == []
    remember(app, "serif", NEAR)  # the same text again, of another pair
    assert found(app) == ["serif"]
    activate(app, "vl", "active", "candidate")
    assert found(app) == ["serif"]
    deploy(app, 0.1)
    assert found(app) == []
    [[anon]] = app.execute(
        "select has_function_privilege('anon', 'public.serving_search()', 'execute')"
    ).fetchall()
    assert not anon
