"""Another space serves: prepared beside the one that serves, switched in a moment, killed anywhere, run again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import psycopg
import pytest
from psycopg import sql

pytest.importorskip("psycopg_pool", reason="needs the extra serve")

from indexer import spaces, staging
from indexer.activate import activate, under_way
from indexer.database import schema
from indexer.database.connect import Connection, Database
from indexer.errors import UserError
from indexer.job.pending import EVERYTHING, pending
from indexer.job.store import Indexed, JobRun
from indexer.job.verify import verify
from indexer.serve.reading import Reader
from indexer.spaces import Space
from indexer.staging import NEXT_INDEX
from tests.fix_product import leave_invalid
from tests.fix_spaces import FONTS, Pair, add_candidate, asked, make_pair, signs, space

# the fonts' vectors, with those aside, and what search looks them up by
STATE = """
    select md5(string_agg(concat(f.id, embedding, embedding_vl, embedding_joint), '' order by f.id)),
           (select md5(string_agg(concat(font_id, space_id, embedding), '' order by space_id, font_id))
            from font_index.embeddings),
           (select string_agg(concat(leg, identity -> 'model' ->> 'name', state), ' ' order by id)
            from font_index.spaces)
    from fonts f
"""
LEFT = "select count(*) from fonts where num_nonnulls(embedding_next, embedding_vl_next, embedding_joint_next) > 0"
EIGHTH = np.eye(8, dtype=np.float32)[7]
NAMES = """
    select attname from pg_attribute where attrelid = 'fonts'::regclass and not attisdropped
    union all select indexrelid::regclass::text from pg_index where indrelid = 'fonts'::regclass and indisvalid
    union all select concat(pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger')) from pg_trigger where tgrelid = 'fonts'::regclass
    union all select 'comment ' || coalesce(col_description('fonts'::regclass, attnum), attname)
      from pg_attribute where attrelid = 'fonts'::regclass and attname ~ '^embedding'
    order by 1
"""


@pytest.fixture(params=["vl", "text"])
def pair(connection: Connection, request: pytest.FixtureRequest) -> Pair:
    return make_pair(connection, request.param)


@pytest.fixture
def looks(connection: Connection) -> Pair:
    return make_pair(connection, "vl")


def names(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute(NAMES)]


def state(connection: Connection) -> tuple[str, ...]:
    row = connection.execute(STATE).fetchone()
    assert row is not None
    return row


def nothing_is_left(connection: Connection) -> bool:
    return (
        under_way(connection) is None
        and connection.execute(LEFT).fetchone() == (0,)
        and connection.execute("select to_regclass(%s)", [NEXT_INDEX]).fetchone() == (None,)
        and verify(connection).findings == []
    )


def test_there_and_back_everything_is_as_it_was(connection: Connection, pair: Pair) -> None:
    names_before, before = names(connection), state(connection)
    activate(connection, pair.other.id[:10])
    assert spaces.active(connection, pair.leg) == pair.other
    assert signs(asked(connection, pair.leg)) == {-1}
    assert nothing_is_left(connection)
    assert names(connection) == names_before
    assert spaces.foreign_vectors(connection, pair.leg) == 0
    assert pending(connection, pair.other) == []
    activate(connection, pair.one.id)
    assert signs(asked(connection, pair.leg)) == {1}
    assert nothing_is_left(connection)
    # what has served is aside as it served: sight in half precision
    assert (names(connection), state(connection)[0]) == (names_before, before[0])


def test_a_leg_that_none_served_gets_its_first_space(connection: Connection, looks: Pair) -> None:
    connection.execute("update font_index.spaces set state = 'candidate' where leg = 'vl'")
    connection.execute("delete from font_index.embeddings where space_id = %s", [looks.one.id])
    connection.execute("update fonts set embedding_vl = null")
    activate(connection, looks.other.id)
    assert signs(asked(connection, "vl")) == {-1}
    assert nothing_is_left(connection)


@dataclass(kw_only=True)
class Seen:
    """By readers and writers while spaces are switched."""

    reads: int = 0
    longest_write: float = 0.0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def at_work(database: Database, pair: Pair) -> Iterator[Seen]:
    """An app that reads and one that writes, and a service, which knows what serves."""
    seen, ended = Seen(), threading.Event()

    def of_one_space(connection: Connection) -> None:
        found = signs(asked(connection, pair.leg))
        seen.reads += 1
        if len(found) != 1:
            seen.wrong.append(f"an answer has similarities of signs {found}")

    def of_what_serves(reader: Reader) -> None:
        with reader.owner() as connection:
            serving = spaces.active(connection, pair.leg)
            found = signs(asked(connection, pair.leg))
        seen.reads += 1
        if found != ({1} if serving == pair.one else {-1}):
            seen.wrong.append(f"{serving} serves, and similarities have signs {found}")

    def write(connection: Connection) -> None:
        begin = time.monotonic()
        connection.execute(
            "update fonts set license = now()::text where name = 'Font ' || (1 + floor(random() * 60))"
        )
        seen.longest_write = max(seen.longest_write, time.monotonic() - begin)

    def loop(act: Callable[[], None]) -> None:
        try:
            while not ended.is_set():
                act()
        except (UserError, psycopg.Error) as error:
            seen.wrong.append(str(error))

    with database.open() as app, database.open() as writing, Reader(database, None) as reader:
        acts = (lambda: of_one_space(app), lambda: of_what_serves(reader), lambda: write(writing))
        threads = [threading.Thread(target=loop, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def test_no_answer_mixes_two_spaces_and_no_writer_waits_a_second(
    database: Database, connection: Connection, pair: Pair
) -> None:
    longest = []
    for new in (pair.other, pair.one):
        with at_work(database, pair) as seen:
            activate(connection, new.id)
        assert seen.wrong == []
        assert seen.reads > 10
        longest.append(seen.longest_write)
    assert min(longest) < 1, "a busy machine may hold up one of them"


def test_what_is_written_meanwhile_is_kept(connection: Connection, looks: Pair) -> None:
    """Rows come, change and go before each part; so do vectors of the other leg."""
    parts: list[str] = []

    def write(part: str) -> None:
        parts.append(part)
        n = len(parts)
        connection.execute("insert into fonts (name) values (%s)", [f"New {n}"])
        connection.execute("delete from fonts where name = %s", [f"Font {n}"])
        connection.execute(
            "update fonts set description = 'Theirs.', embedding = null where name = %s",
            [f"Font {10 + n}"],
        )

    activate(connection, looks.other.id, say=write)
    assert len(parts) == 3
    count = "select count(*) filter (where name like 'New%'), count(*) filter (where name like 'Font%') from fonts"
    assert connection.execute(count).fetchone() == (3, FONTS - 3)
    theirs = "select count(*), count(embedding), count(embedding_vl) from fonts where description = 'Theirs.'"
    assert connection.execute(theirs).fetchone() == (3, 0, 3)
    # what the app has dropped is missing, and what search looks things up by is in step
    unexpected = [line for line in verify(connection).findings if "are missing" not in line]
    assert unexpected == []
    assert {font.name for font in pending(connection, looks.other)} == {"New 1", "New 2", "New 3"}


def test_a_vector_that_is_made_meanwhile_is_the_one_that_serves(
    connection: Connection, looks: Pair
) -> None:
    """After its older one was copied, by a job that fills the space which is to serve."""

    def embed_again(part: str) -> None:
        if not part.startswith("Building"):
            return
        connection.execute(
            "update font_index.embeddings set input_hash = '' where font_id = (select id from fonts"
            " where name = 'Font 7') and space_id = %s",
            [looks.other.id],
        )
        run = JobRun.start(connection, looks.other, {})
        [claim] = run.claim(pending(connection, looks.other), EVERYTHING)
        run.save([Indexed(claim=claim, vector=EIGHTH, traits=None, file=None)])

    activate(connection, looks.other.id, say=embed_again)
    made = "select embedding_vl::text like '[0,0,0,0,0,0,0,1,%' from fonts where name = 'Font 7'"
    assert connection.execute(made).fetchone() == (True,)
    assert nothing_is_left(connection)


class Killed(Exception):
    pass


@pytest.mark.parametrize("part", ["Copying", "Building", "Search uses"])
def test_killed_between_two_parts_it_is_run_again(
    connection: Connection, pair: Pair, part: str
) -> None:
    def kill(sentence: str) -> None:
        if sentence.startswith(part):
            raise Killed

    with pytest.raises(Killed):
        activate(connection, pair.other.id, say=kill)
    sign = -1 if part == "Search uses" else 1
    assert signs(asked(connection, pair.leg)) == {sign}
    assert any("indexer spaces activate" in line for line in verify(connection).findings)
    if part == "Building":
        connection.execute("update fonts set license = null where name = 'Font 1'")
        with suppress(Killed):
            activate(connection, pair.other.id, say=kill)
    activate(connection, pair.other.id)
    assert signs(asked(connection, pair.leg)) == {-1}
    assert nothing_is_left(connection)


def test_killed_at_random_points_it_ends_as_if_undisturbed(
    database: Database, connection: Connection, pair: Pair
) -> None:
    activate(connection, pair.other.id)
    undisturbed = state(connection)
    begin = time.monotonic()
    activate(connection, pair.one.id)
    takes = time.monotonic() - begin
    mine = connection.info.backend_pid
    kills = 0
    for _ in range(8):

        def once(new: Space) -> None:
            # the second where it was killed while it connected
            with suppress(psycopg.OperationalError, UserError), database.open() as own:
                activate(own, new.id)

        thread = threading.Thread(target=once, args=(random.choice([pair.one, pair.other]),))
        thread.start()
        time.sleep(random.uniform(0.05, takes))
        ended = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> %s"
            " and datname = current_database() and application_name = 'fontsight'",
            [mine],
        ).fetchone()
        thread.join()
        kills += bool(ended and ended[0])
        assert len(signs(asked(connection, pair.leg))) == 1
    assert kills
    activate(connection, pair.other.id)
    assert state(connection) == undisturbed
    assert nothing_is_left(connection)


def test_an_index_that_an_interrupted_build_has_left_is_built_anew(
    connection: Connection, looks: Pair
) -> None:
    leave_invalid(connection, NEXT_INDEX)
    activate(connection, looks.other.id)
    assert signs(asked(connection, "vl")) == {-1}
    assert under_way(connection) is None


def test_one_that_was_given_up_leaves_nothing_and_its_vectors_are_kept(
    connection: Connection, looks: Pair
) -> None:
    before = state(connection)

    def kill(sentence: str) -> None:
        if sentence.startswith("Building"):
            raise Killed

    with pytest.raises(Killed):
        activate(connection, looks.other.id, say=kill)
    activate(connection, looks.one.id)  # the one that serves
    assert nothing_is_left(connection)
    assert state(connection) == before
    with pytest.raises(Killed):
        activate(connection, looks.other.id, say=kill)
    third = space("vl", "another")
    add_candidate(connection, third, -1.0)
    activate(connection, third.id)
    assert spaces.active(connection, "vl") == third
    assert nothing_is_left(connection)
    activate(connection, looks.other.id)
    assert signs(asked(connection, "vl")) == {-1}


MADE_FOR = {
    "a view": ("create view seen as select name, embedding_vl from fonts", "drop view seen"),
    "a trigger": (
        "create trigger theirs before update of embedding_vl on fonts"
        " for each row execute function suppress_redundant_updates_trigger()",
        "drop trigger theirs on fonts",
    ),
    "an index": (
        "create index theirs on fonts (vector_dims(embedding_vl))",
        "drop index theirs",
    ),
    "a policy": (
        "create policy theirs on fonts using (embedding_vl is not null)",
        "drop policy theirs on fonts",
    ),
    "a default": (
        "alter table fonts alter embedding_vl set default null::halfvec",
        "alter table fonts alter embedding_vl drop default",
    ),
    "a publication": (
        "create publication theirs for table fonts (id, embedding_vl)",
        "drop publication theirs",
    ),
    "not null": (
        "alter table fonts alter embedding_vl set not null",
        "alter table fonts alter embedding_vl drop not null",
    ),
}


def test_what_was_made_for_a_column_is_named_before_anything_is_done(
    connection: Connection, looks: Pair
) -> None:
    before = names(connection)
    for kind, (made, dropped) in MADE_FOR.items():
        connection.execute(made.encode())
        with pytest.raises(UserError, match=r"theirs|seen|default value|not null"):
            activate(connection, looks.other.id)
        assert under_way(connection) is None, kind
        connection.execute(dropped.encode())
    assert names(connection) == before
    activate(connection, looks.other.id)


def test_rights_on_the_column_go_to_the_one_that_serves(
    connection: Connection, looks: Pair, api_roles: tuple[str, ...]
) -> None:
    connection.execute("grant select (id, embedding_vl) on fonts to anon")
    rights = """select array_agg(attname::text order by attname) from pg_attribute
        where attrelid = 'fonts'::regclass and has_column_privilege('anon', 'fonts', attname, 'select')
          and attname ~ 'embedding'"""
    connection.execute("revoke all on fonts from anon")
    connection.execute("grant select (id, embedding_vl) on fonts to anon")
    assert connection.execute(rights).fetchone() == (["embedding_vl"],)
    # one who may pass a right on has done so
    connection.execute("grant select (embedding_vl) on fonts to service_role with grant option")
    connection.execute("revoke select (embedding_vl) on fonts from anon")
    connection.execute(
        "set role service_role; grant select (embedding_vl) on public.fonts to anon; reset role"
    )
    activate(connection, looks.other.id)
    assert connection.execute(rights).fetchone() == (["embedding_vl"],)


def test_a_table_that_stays_locked_is_no_harm(
    database: Database, connection: Connection, looks: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PAUSES", (0.05, 0.05))
    monkeypatch.setattr(staging, "TRIES", 2)
    said: list[str] = []
    with database.connect(autocommit=False) as app:
        app.execute("select from fonts where name = 'Font 3' for update")
        with pytest.raises(UserError, match="stays busy"):
            activate(connection, looks.other.id, say=said.append)
    assert said[-2:] == ["Another transaction holds a lock. Trying again in 0.05 s."] * 2
    assert signs(asked(connection, "vl")) == {1}
    activate(connection, looks.other.id, say=said.append)
    assert nothing_is_left(connection)


def test_who_does_not_own_the_table_is_refused(
    database: Database, connection: Connection, looks: Pair
) -> None:
    role = sql.Identifier(f"job_{connection.info.dbname}")
    connection.execute(sql.SQL("create role {} bypassrls").format(role))
    try:
        connection.execute(sql.SQL("grant all on fonts to {}").format(role))
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("set local role {}").format(role))
            with pytest.raises(UserError, match="connect as its owner"):
                activate(connection, looks.other.id)
    finally:
        connection.execute(sql.SQL("drop owned by {}; drop role {}").format(role, role))


def test_going_back_is_refused_while_vectors_stand_nowhere_else(
    database: Database, connection: Connection, looks: Pair
) -> None:
    def kill(sentence: str) -> None:
        if sentence.startswith("Search uses"):
            raise Killed

    with pytest.raises(Killed):
        activate(connection, looks.other.id, say=kill)
    with pytest.raises(UserError, match="indexer spaces activate"):
        schema.downgrade(database.conninfo, "0007")
    activate(connection, looks.other.id)
    schema.downgrade(database.conninfo, "0007")
    schema.upgrade(database.conninfo)
    assert nothing_is_left(connection)
