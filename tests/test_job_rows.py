"""Whatever a row of the product holds, the worst it does is one recorded failure."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pgvector import Vector as FullVector
from psycopg.types.json import Jsonb

from indexer import spaces
from indexer.catalog.rows import FACTS_INPUT
from indexer.database.connect import Connection
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Embedder, Model, Vector
from indexer.errors import FontError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.cost import Cost
from indexer.job.facts import fill_facts
from indexer.job.foreign import require_same_model
from indexer.job.pending import pending
from indexer.job.prepare import PreparedCache
from indexer.job.progress import Progress
from indexer.job.run import index
from indexer.job.status import read
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT, MAX_CHARACTERS
from tests.fix_fonts import AddFonts

Row = dict[str, Any]

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TEXT = st.none() | TEXTS | st.sampled_from(["x" * (MAX_CHARACTERS + 1), "\ud7ff. Name: ", "%s{}\\"])
TAG = st.none() | TEXTS
TAGS = (
    st.none()
    | st.lists(TAG, max_size=3)
    | st.integers(1, 3).flatmap(
        lambda size: st.lists(st.lists(TAG, min_size=size, max_size=size), min_size=1, max_size=2)
    )
)
# none that reaches a network
ADDRESSES = st.sampled_from([
    "", "file:", "file:///nowhere.ttf", "file:///dev/zero", "file:///%00", "http://[", "http://10.0.0.1/a.ttf",
    "https://", "https://user:pass@127.0.0.1/a", "ftp://host/a", "//host/a.ttf", "a b", "http://\u2028", "\U0001f600",
    "file:///" + "long" * 2000, "file://host/share.ttf",
])  # fmt: skip
KEYS = TEXTS | st.sampled_from(
    ["400", "700italic", "9" * 200_000, "-1", "1e9", "\u0664\u0660\u0660"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
FILES = st.dictionaries(KEYS, ADDRESSES | SCALARS | TEXTS, max_size=4) | st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
# of vectors that are in use: others embed them all anew
HASHES = "ac5180057a57ce38f318f6f2672c0b416cc4456cec2c72ad35caf820fbd75273"
FACTS = "6824563285526086c4c96643b6893da938d65b758085fbee0159faf6675521ce"
DOCUMENTS = [
    Document(text=text)
    for text in (
        "Name: Nulls. Tags: latin",
        "Name: Nested. Tags: latin",
        "Name: Refused",
        "Name: Long",
    )
]
ROWS = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "category": TEXT,
        "tags": TAGS,
        "description": TEXT,
        "source": TEXT,
        "files": FILES,
    }
)
PLAIN: Row = {
    "name": "",
    "category": None,
    "tags": None,
    "description": None,
    "source": None,
    "files": {},
}
INSERT = """
    insert into fonts (name, category, tags, description, source, files)
    values (%(name)s, %(category)s, %(tags)s::text[], %(description)s, %(source)s, %(files)s)
"""


class Lasting(Preparer):
    """Goes on after a `with`: its processes take a second to start."""

    def __exit__(self, *error: object) -> None:
        pass

    def close(self) -> None:
        super().__exit__(None, None, None)


@pytest.fixture
def preparer(tmp_path: Path, files: FontFiles) -> Iterator[Lasting]:
    spec = SheetSpec()
    lasting = Lasting(files, spec, PreparedCache(tmp_path / "prepared", spec), processes=1)
    yield lasting
    lasting.close()


@contextmanager
def emptied(connection: Connection) -> Iterator[None]:
    """Afterwards. Not rolled back: the job saves over connections of its own."""
    try:
        yield
    finally:
        connection.execute(
            "truncate fonts, font_index.embeddings, font_index.failures, font_index.leases, "
            "font_index.files, font_index.facts"
        )


def both_legs(connection: Connection, preparer: Preparer) -> list[Progress]:
    text, sheets = HashedNgrams(), MeasuredTraits()
    spaces.register(connection, spaces.text_space(text))
    spaces.register(connection, vl_space(sheets))
    return [
        index(connection, spaces.text_space(text), text, None),
        index(connection, vl_space(sheets), sheets, preparer),
    ]


def scalar(connection: Connection, statement: str) -> Any:
    row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
    return row[0]


def vl_space(embedder: Embedder) -> spaces.Space:
    return spaces.vl_space(embedder, SheetSpec(), LIGHT)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROWS, max_size=4))
@example(rows=[{**PLAIN, "tags": [None, "latin"]}])
@example(rows=[{**PLAIN, "tags": [["latin", None], ["greek", "a"]]}])
@example(
    rows=[{**PLAIN, "files": {"9" * 200_000: "file:///nowhere.ttf", "400": "file:///nowhere.ttf"}}]
)
@example(rows=[{**PLAIN, "files": [None]}, {**PLAIN, "files": {"400": None}}])
@example(rows=[{**PLAIN, "description": "x" * 300_000}])
def test_whatever_a_row_holds_every_other_font_is_embedded(
    connection: Connection,
    add_fonts: AddFonts,
    preparer: Lasting,
    files: FontFiles,
    rows: list[Row],
) -> None:
    with emptied(connection):
        add_fonts(connection, 1)
        connection.execute("update fonts set source = 'Directory'")
        for number, row in enumerate(rows):
            values = {**row, "name": f"{number} {row['name']}", "files": Jsonb(row["files"])}
            connection.execute(INSERT, values)
        add_late = "insert into fonts (name, files, source) select 'Last', files, source from fonts where name = 'Font 00'"
        connection.execute(add_late)
        # those whose files cannot be had now are left to a later run
        told: list[str] = []
        assert fill_facts(connection, files, lambda: preparer, say=told.append) >= 2
        done = both_legs(connection, preparer)
        assert [leg.embedded + leg.failed for leg in done] == [len(rows) + 2] * 2
        assert scalar(connection, "select count(*) from font_index.failures") == sum(
            leg.failed for leg in done
        )
        good = "select count(embedding), count(embedding_vl), count(coverage) from fonts where name in ('Font 00', 'Last')"
        assert connection.execute(good).fetchone() == (2, 2, 2)
        assert fill_facts(connection, files, lambda: preparer, say=told.append) == 0


def test_a_vector_that_the_database_refuses_is_a_failure_of_its_font(
    connection: Connection,
) -> None:
    class Immeasurable(HashedNgrams):
        def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
            vectors = super().embed_documents(documents)
            for document, vector in zip(documents, vectors, strict=True):
                if "bad" in (document.text or "") and not isinstance(vector, FontError):
                    vector[0] = np.nan
            return vectors

    for name in ("bad 1", "good 1", "good 2", "bad 2", "good 3"):
        connection.execute("insert into fonts (name) values (%s)", [name])
    embedder = Immeasurable()
    space = spaces.text_space(embedder)
    spaces.register(connection, space)
    progress = index(connection, space, embedder, None)
    assert (progress.embedded, progress.failed) == (3, 2)
    failures = read(connection).failures
    assert {failure["name"] for failure in failures} == {"bad 1", "bad 2"}
    assert all("refused its vector" in failure["error"] for failure in failures)
    assert scalar(connection, "select count(*) from font_index.leases") == 0


def test_an_address_too_long_to_be_noted_is_a_failure_of_its_font(
    connection: Connection, add_fonts: AddFonts, preparer: Lasting
) -> None:
    [path, _] = add_fonts(connection, 2)
    long = f"{path.as_uri()}#{secrets.token_hex(3000)}"
    connection.execute("update fonts set files = %s where name = 'Font 00'", [Jsonb({"400": long})])
    embedder = MeasuredTraits()
    spaces.register(connection, vl_space(embedder))
    progress = index(connection, vl_space(embedder), embedder, preparer)
    assert (progress.embedded, progress.failed) == (1, 1)
    [failure] = read(connection).failures
    assert failure["stage"] == "fetch"
    assert "more than 2,600 bytes" in failure["error"]


def test_what_an_error_says_can_always_be_recorded(connection: Connection) -> None:
    class Rude(HashedNgrams):
        def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
            raise ValueError("it holds \0 and \udc80")

    connection.execute("insert into fonts (name) values ('A')")
    embedder = Rude()
    spaces.register(connection, spaces.text_space(embedder))
    assert index(connection, spaces.text_space(embedder), embedder, None).failed == 1


def test_a_row_that_may_not_be_written_keeps_no_other_from_its_vector_and_facts(
    connection: Connection, files: FontFiles
) -> None:
    for name in ("good 1", "bad", "good 2"):
        connection.execute("insert into fonts (name, source) values (%s, 'Directory')", [name])
    # as a product adds it to a table that breaks it already
    connection.execute("alter table fonts add check (name <> 'bad') not valid")
    said: list[str] = []
    unused = cast(Callable[[], Preparer], pytest.fail)
    assert fill_facts(connection, files, unused, say=said.append) == 2
    [sentence] = said
    assert "'bad'" in sentence
    embedder = HashedNgrams()
    spaces.register(connection, spaces.text_space(embedder))
    progress = index(connection, spaces.text_space(embedder), embedder, None)
    assert (progress.embedded, progress.failed) == (2, 1)
    [failure] = read(connection).failures
    assert "violates check constraint" in failure["error"]


def test_ordinary_rows_have_the_hashes_that_they_had(connection: Connection) -> None:
    for number, tags in enumerate((None, [], ["latin", "greek"])):
        connection.execute(
            "insert into fonts (name, category, tags, description, files) values (%s, 'serif', %s, 'A face.', %s)",
            [f"Font {number}", tags, Jsonb({"400": "https://fonts.example/a.ttf", "700": "b"})],
        )
    spaces_of = (spaces.text_space(HashedNgrams()), vl_space(MeasuredTraits()))
    found = [font.input_hash for space in spaces_of for font in pending(connection, space)]
    assert hashlib.sha256(b"".join(found)).hexdigest() == HASHES
    facts = connection.execute(f"select {FACTS_INPUT} from fonts f order by name").fetchall()
    assert hashlib.sha256(b"".join(value for (value,) in facts)).hexdigest() == FACTS


def test_what_is_paid_for_and_what_mixes_is_told_whatever_a_row_holds(
    connection: Connection,
) -> None:
    class Service(HashedNgrams):
        @property
        def model(self) -> Model:
            return Model(name="service", revision="1", dimension=1024)

        def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
            if any("Refused" in (document.text or "") for document in documents):
                raise ValueError("not this one")
            return super().embed_documents(documents)

    embedder = Service()
    space = spaces.text_space(embedder)
    rows: list[Row] = [
        {**PLAIN, "name": "Nulls", "tags": [None, "latin"]},
        {**PLAIN, "name": "Nested", "tags": [["latin", None]]},
        {**PLAIN, "name": "Refused"},
        {**PLAIN, "name": "Long", "description": "x" * (MAX_CHARACTERS + 1)},
    ]
    for row in rows:
        connection.execute(INSERT, {**row, "files": Jsonb({})})
    fonts = pending(connection, space)
    cost = Cost.of(space, fonts, Settings())
    assert cost is not None
    assert cost.texts == 3
    for font, vector in zip(fonts, HashedNgrams().embed_documents(DOCUMENTS), strict=True):
        assert not isinstance(vector, FontError)
        connection.execute(
            "update fonts set embedding = %s where id = %s",
            [FullVector(spaces.padded(vector)), font.font_id],
        )
    require_same_model(connection, space, embedder)
