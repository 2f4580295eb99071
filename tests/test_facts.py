"""Facts about families: read from fonts and lists, kept in rows, filled by the job without embedding."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.bounded import FontProcesses
from indexer.catalog import rows
from indexer.catalog.directory import read_directory
from indexer.catalog.facts import (
    FACTS_VERSION,
    Facts,
    Styles,
    merged,
    parse_unicode_range,
    ranges_of,
    union,
)
from indexer.catalog.family import Family
from indexer.catalog.fontsource import METADATA, CatalogEntry, family_id
from indexer.database.connect import Connection, Database
from indexer.embed.protocol import Document, Embedder, Model, Vector, normalised
from indexer.errors import FontError, UserError
from indexer.fetch import Downloader, FileCache, FontFiles, HttpLimits, Npm
from indexer.job.ahead import Preparer, seen
from indexer.job.backfill import BackfillOptions, backfill
from indexer.job.facts import fill_facts
from indexer.job.pending import EVERYTHING, Selection, pending
from indexer.job.revalidate import revalidate
from indexer.job.run import index
from indexer.job.store import saw_files
from indexer.job.sweep import sweep
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT
from tests.fix_fonts import AddFonts
from tests.fix_servers import Registry, Web, page

MakePreparer = Callable[[], Preparer]
LATIN = tuple(range(ord("a"), ord("z") + 1))
ADDRESS = "https://cdn.jsdelivr.net/fontsource/fonts/{}@latest/latin-400-normal.ttf"
CODES = st.sets(st.integers(0, 0x10FFFF) | st.integers(0x20, 0x60), max_size=60)


# --- from fonts, lists and rows --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("U+0000-00FF, U+0131", ((0, 256), (0x131, 0x132))),
        ("u+131,U+0-ff,U+100-130", ((0, 0x132),)),  # touching ranges are one
        ("U+4??", ((0x400, 0x500),)),
        ("U+??????,", None), ("U+10FFFF", ((0x10FFFF, 0x110000),)),
        ("", None), ("U+", None), ("U+110000", None), ("U+4?-500", None), ("U+20-10", None),
        ("U+1234567", None), ("0041", None), ("U+41 U+42", None),
    ],
)  # fmt: skip
def test_a_unicode_range_is_read_as_css_has_it(text: str, ranges: Any) -> None:
    if ranges is None:
        with pytest.raises(ValueError, match="no unicode range"):
            parse_unicode_range(text)
    else:
        assert parse_unicode_range(text) == ranges


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(codes=CODES, others=CODES)
def test_coverage_comes_back_from_postgres_as_it_went_in(
    connection: Connection, codes: set[int], others: set[int]
) -> None:
    row = Facts.of_name("Any", coverage=ranges_of(codes)).to_row()
    found = connection.execute(
        "select c::text, c = range_agg(one), not exists (select from unnest(%s::int4[]) o where not c @> o)"
        "       from (select %s::int4multirange c) c, (select int4range(n, n + 1) one from unnest(%s::int4[]) n) r"
        " group by c",
        [sorted(codes), row["coverage"], sorted(codes)],
    ).fetchone()
    if codes:
        assert found == (row["coverage"], True, True)
    assert Facts.from_row(row["coverage"], None, "any").coverage == ranges_of(codes)
    assert merged((*ranges_of(others), *ranges_of(codes))) == ranges_of(codes | others)


def made(
    characters: str = "abc",
    *,
    weight: int = 400,
    width: int = 5,
    italic: bool = False,
    axes: Sequence[tuple[str, float, float, float]] = (),
) -> bytes:
    font = TTFont(io.BytesIO(ParametricFont().build(characters=characters)))
    table: Any = font["OS/2"]
    table.usWeightClass, table.usWidthClass = weight, width
    table.fsSelection = 1 if italic else 64
    if axes:
        FontBuilder(font=font).setupFvar([(*axis, axis[0]) for axis in axes], [])
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def of(data: bytes, name: str = "Any") -> Facts:
    return Facts.from_font(TTFont(io.BytesIO(data)), name)


@pytest.mark.parametrize(
    ("font", "styles"),
    [
        (made(weight=700, width=3),
         {"weights": [700], "italic": False, "axes": [], "weight": [700, 700], "width": [75, 75]}),
        (made(weight=7, width=9, italic=True),
         {"weights": [700], "italic": True, "axes": [], "weight": [700, 700], "width": [200, 200]}),
        (made(axes=[("wght", 100, 400, 900), ("wdth", 62.5, 100, 100)]),
         {"weights": [], "italic": False, "axes": ["wdth", "wght"], "weight": [100, 900], "width": [62.5, 100]}),
        (made(axes=[("slnt", -10, 0, 0)]),
         {"weights": [400], "italic": True, "axes": ["slnt"], "weight": [400, 400], "width": [100, 100]}),
        (made(weight=0, width=0, axes=[("a\0\"b", 0, 0, 1)]),  # nothing that makes sense
         {"weights": [], "italic": False, "axes": []}),
    ],
)  # fmt: skip
def test_a_face_tells_its_weight_width_slant_and_axes(
    connection: Connection, font: bytes, styles: dict[str, Any]
) -> None:
    row = of(font).to_row()
    assert json.loads(row["styles"] or "") == styles
    kept = connection.execute("select %s::jsonb", [row["styles"]]).fetchone()
    assert kept == (styles,)
    assert Facts.from_row(row["coverage"], styles, row["design"] or "") == of(font)


def test_a_family_has_what_any_of_its_faces_has() -> None:
    faces = [of(made("abc")), of(made("xyz", weight=700, italic=True)), of(made(width=1))]
    family = union("Any Text", faces)
    assert family.coverage == ((ord("a"), ord("d")), (ord("x"), ord("z") + 1))
    assert family.styles == Styles(
        weights=(400, 700), italic=True, axes=(), weight=(400, 700), width=(50, 100)
    )
    assert family.design == "any"
    assert union("Any Text", reversed(faces)) == family == union("Any Text", [family, *faces])
    assert union("Unread", []) == Facts(coverage=None, styles=None, design="unread")


def test_a_folder_gives_the_union_of_all_files_of_a_family(tmp_path: Path) -> None:
    (tmp_path / "regular.ttf").write_bytes(made("abc"))
    (tmp_path / "italic.ttf").write_bytes(made("def", italic=True))
    with FontProcesses(1, seconds=20) as processes:
        [family] = read_directory(tmp_path, processes).families
    assert list(family.files) == ["400"]
    assert family.facts is not None
    assert family.facts.complete
    assert family.facts.coverage == ((ord("a"), ord("g")),)
    assert family.facts.styles is not None
    assert family.facts.styles.italic


def item(id_: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_, "family": name, "subsets": ["latin"], "weights": [400, 700], "styles": ["normal"],
        "defSubset": "latin", "category": "serif", "license": "OFL-1.1", "type": "google", **more,
    }  # fmt: skip


LORA = item("lora", "Lora", unicodeRange={"latin": "U+61-7a", "[0]": "U+7a,U+4E00"})
LORA_AXES = {"ital": {"min": "0", "max": "1"}, "wght": {"min": "400", "max": "900"}}
ABEL = item("abel", "Abel", unicodeRange={"latin": "U+61-7a"})
LORA_STYLES = {"weights": [400, 700], "italic": True, "axes": ["wght"], "weight": [400, 900]}


def test_a_list_tells_of_all_subsets_weights_and_axes() -> None:
    facts = CatalogEntry.from_api(LORA | {"axes": LORA_AXES}).to_family().facts
    assert facts is not None
    assert facts.complete
    assert facts.coverage == ((0x61, 0x7B), (0x4E00, 0x4E01))
    assert facts.styles is not None
    assert json.loads(facts.to_row()["styles"] or "") == LORA_STYLES  # of widths it tells nothing


@pytest.mark.parametrize(
    ("variable", "italic", "axes"),
    [(False, False, ()), (True, None, None), (None, None, None)],
)
def test_what_the_apis_list_does_not_tell_stays_unknown(
    variable: bool | None, italic: bool | None, axes: Any
) -> None:
    facts = CatalogEntry.from_api(item("abel", "Abel", variable=variable)).facts()
    assert facts.coverage is None
    assert not facts.complete
    assert facts.styles == Styles(
        weights=(400, 700), italic=italic, axes=axes, weight=(400, 700), width=None
    )


@pytest.mark.parametrize(
    "changes",
    [{"unicodeRange": {"latin": "x"}}, {"unicodeRange": ["x"]}, {"unicodeRange": {"latin": []}},
     {"axes": {"w\0": {"min": 1, "max": 2}}}, {"axes": {"wght": {}}}],
)  # fmt: skip
def test_ranges_or_axes_of_another_form_are_no_entry(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="form"):
        CatalogEntry.from_api(LORA | changes)


def test_an_address_names_its_family() -> None:
    assert family_id(ADDRESS.format("eb-garamond")) == "eb-garamond"
    assert family_id("https://cdn.jsdelivr.net/fontsource/fonts/inter:vf@latest/x.woff2") == "inter"
    assert family_id("https://fonts.example/fontsource/fonts/inter@latest/x.ttf") is None


def test_a_new_listing_has_a_new_version_of_the_facts() -> None:
    """Rows that the old one filled would keep what it told."""
    assert (FACTS_VERSION, METADATA) == ("1", ("google-font-metadata", "6.0.8"))


# --- rows that the importer writes -----------------------------------------------------------


def family(name: str, facts: Facts | None, **changes: Any) -> Family:
    return replace(
        Family(
            name=name, category="serif", tags=("latin",), source="Directory", license=None,
            files={"400": "https://fonts.example/a.ttf"}, facts=facts,
        ), **changes,
    )  # fmt: skip


def known(connection: Connection) -> dict[str, Any]:
    """Name to coverage, styles and design, as they stand in public.fonts."""
    query = "select name, coverage::text, styles, design from public.fonts"
    return {name: tuple(rest) for name, *rest in connection.execute(query).fetchall()}


def noted(connection: Connection) -> list[str]:
    query = "select f.name from font_index.facts x join fonts f on f.id = x.font_id order by 1"
    return [name for (name,) in connection.execute(query).fetchall()]


def test_an_import_writes_facts_and_leaves_those_that_it_does_not_know_to_the_job(
    connection: Connection,
) -> None:
    whole = of(made(), "Whole Display")
    part = CatalogEntry.from_api(item("part", "Part")).facts()
    families = [family("Whole Display", whole), family("Part", part), family("None", None)]
    assert rows.add(connection, families).new == 3
    found = known(connection)
    assert found["Whole Display"] == (
        "{[97,100)}",
        json.loads(whole.to_row()["styles"] or ""),
        "whole",
    )
    assert noted(connection) == ["Whole Display"]


def test_an_import_touches_no_facts_of_rows_that_are_there_unless_told(
    connection: Connection,
) -> None:
    first, second = of(made("a")), of(made("b"))
    rows.add(connection, [family("A", first), family("B", first), family("C", first)])
    connection.execute("update fonts set source = 'Theirs' where name = 'C'")
    rows.add(connection, [family("A", second)])
    assert known(connection)["A"][0] == "{[97,98)}"
    part = CatalogEntry.from_api(item("b", "B")).facts()
    again = [family("A", second), family("B", part), family("C", second)]
    assert rows.add(connection, again, update=True).unchanged == 3
    assert [known(connection)[name][0] for name in "ABC"] == [
        "{[98,99)}", "{[97,98)}", "{[97,98)}",
    ]  # fmt: skip


# --- the job ---------------------------------------------------------------------------------


def fetcher(tmp_path: Path, env: dict[str, str] | None = None) -> FontFiles:
    limits = HttpLimits(total_seconds=5, connect_seconds=1, read_seconds=1, first_wait=0.01)
    return FontFiles(
        FileCache(tmp_path / "lists"),
        downloader=Downloader(allow_private=True, limits=limits),
        npm=Npm(env=env or {"PATH": ""}),
    )


def no_preparer() -> Preparer:
    raise AssertionError("no file is to be opened")


def publish(registry: Registry, *items: dict[str, Any]) -> None:
    registry.publish(
        "google-font-metadata", "6.0.8",
        {
            "data/google-fonts-v2.json": json.dumps({one["id"]: one for one in items}).encode(),
            "data/licenses.json": b"{}",
            "data/variable.json": json.dumps({"lora": {"axes": LORA_AXES}}).encode(),
        },
    )  # fmt: skip


def insert(connection: Connection, name: str, *urls: str, source: str | None = None) -> None:
    files = Jsonb({str(400 + 100 * n): url for n, url in enumerate(urls)})
    connection.execute(
        "insert into fonts (name, files, source) values (%s, %s, %s)", [name, files, source]
    )


def test_families_of_googles_are_filled_by_the_list_and_others_get_their_design(
    connection: Connection, web: Web, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, LORA, ABEL)
    web.pages["/v1/fonts"] = page(json.dumps([item("newer", "Newer", variable=False)]).encode())
    insert(connection, "Lora Next", ADDRESS.format("lora"), source="Elsewhere")
    insert(connection, "abel", "https://fonts.example/a.ttf", source="Google Fonts")
    insert(connection, "Newer", ADDRESS.format("newer"), source="Google Fonts")
    insert(connection, "Unheard Of", source="Google Fonts")
    insert(connection, "Theirs 2", "https://fonts.example/b.ttf", source="Fontshare")
    connection.execute("insert into fonts (name, files) values ('Odd', '[1]'), ('', null)")
    said: list[str] = []
    files = fetcher(tmp_path, registry.env)

    def fill() -> int:
        return fill_facts(connection, files, no_preparer, say=said.append, api=web.url("/v1/fonts"))

    assert fill() == 7
    static = {"weights": [400, 700], "italic": False, "axes": [], "weight": [400, 700]}
    assert known(connection) == {
        "Lora Next": ("{[97,123),[19968,19969)}", LORA_STYLES, "lora"),
        "abel": ("{[97,123)}", static, "abel"),
        "Newer": (None, static, "newer"),
        "Unheard Of": (None, None, "unheard of"),
        "Theirs 2": (None, None, "theirs"),
        "Odd": (None, None, "odd"),
        "": (None, None, ""),
    }
    asked = len(web.paths())
    assert fill() == 0
    assert len(web.paths()) == asked
    assert said == []


def test_rows_whose_list_cannot_be_had_are_left_to_the_next_run(
    connection: Connection, web: Web, registry: Registry, tmp_path: Path
) -> None:
    api = web.url("/v1/fonts")  # answers 404
    insert(connection, "Lora", ADDRESS.format("lora"))
    insert(connection, "Theirs", "https://fonts.example/b.ttf")
    said: list[str] = []
    assert fill_facts(connection, fetcher(tmp_path), no_preparer, say=said.append, api=api) == 1
    assert "of 1 families are left to a later run. The Fontsource API gives no list" in said[0]
    assert known(connection)["Lora"] == (None, None, "lora")
    insert(connection, "Mine 2", source="me")
    assert (
        fill_facts(connection, fetcher(tmp_path), no_preparer, say=said.append, api=api, limit=1)
        == 1
    )
    assert known(connection)["Mine 2"] == (None, None, "mine")  # not kept waiting by one that waits
    del said[1:]
    web.pages["/v1/fonts"] = page(json.dumps([item("lora", "Lora", variable=True)]).encode())
    assert fill_facts(connection, fetcher(tmp_path), no_preparer, say=said.append, api=api) == 0
    assert "npm is not installed" in said[1]
    some = {"weights": [400, 700], "weight": [400, 700]}
    assert known(connection)["Lora"] == (None, some, "lora")  # what the API does tell
    publish(registry, LORA)
    files = fetcher(tmp_path, registry.env)
    assert fill_facts(connection, files, no_preparer, say=said.append, api=api) == 1
    assert known(connection)["Lora"][1] == LORA_STYLES
    assert len(said) == 2


def test_local_families_have_what_their_files_have_and_a_bad_file_harms_none(
    connection: Connection, tmp_path: Path, files: FontFiles, make_preparer: MakePreparer
) -> None:
    paths = [tmp_path / name for name in ("a.ttf", "b.ttf", "bad.ttf", "gone.ttf")]
    paths[0].write_bytes(made("abc"))
    paths[1].write_bytes(made("def", weight=700))
    paths[2].write_bytes(made()[:300])
    first, second, *bad = [path.as_uri() for path in paths]
    insert(connection, "Two", first, second, *bad, source="Google Fonts")
    insert(connection, "Bad", *bad)
    insert(connection, "Italic", "https://fonts.example/i.ttf", first)
    paths[3].unlink(missing_ok=True)

    def fill(preparer: MakePreparer = make_preparer) -> int:
        return fill_facts(connection, files, preparer, say=pytest.fail)

    assert fill() == 3
    # the row may not name all of its files, so whether there is an italic is unknown
    styles = {"weights": [400, 700], "axes": [], "weight": [400, 700], "width": [100, 100]}
    assert known(connection)["Two"] == ("{[97,103)}", styles, "two")
    assert known(connection)["Bad"] == (None, None, "bad")
    assert fill(no_preparer) == 0
    assert connection.execute("select count(*) from font_index.failures").fetchone() == (0,)


def test_a_family_whose_files_cannot_be_had_is_tried_again_once_they_are_seen_or_a_day_later(
    connection: Connection, tmp_path: Path, files: FontFiles, make_preparer: MakePreparer
) -> None:
    path = tmp_path / "later.ttf"
    insert(connection, "Later", path.as_uri())
    said: list[str] = []
    assert fill_facts(connection, files, make_preparer, say=said.append) == 0
    assert "left to a later run. The file later.ttf is not there" in said[0]
    path.write_bytes(made("abc"))
    assert fill_facts(connection, files, no_preparer, say=pytest.fail) == 0
    for elapse, selection in (("1 day 1 second", EVERYTHING), ("0", Selection(retry_failed=True))):
        with connection.transaction(force_rollback=True):
            connection.execute(
                "update font_index.facts set made_at = made_at - %s::interval", [elapse]
            )
            found = fill_facts(
                connection, files, make_preparer, selection=selection, say=pytest.fail
            )
            assert found == 1
    saw_files(connection, [seen(path.as_uri(), files.fetch(path.as_uri()))])
    assert fill_facts(connection, files, make_preparer, say=pytest.fail) == 1
    assert known(connection)["Later"][0] == "{[97,100)}"


@pytest.mark.slow
def test_a_change_of_name_files_or_version_is_filled_again_and_nothing_else(
    connection: Connection, tmp_path: Path, files: FontFiles, make_preparer: MakePreparer,
    add_fonts: AddFonts,
) -> None:  # fmt: skip
    paths = add_fonts(connection, 5)

    def fill(**options: Any) -> int:
        return fill_facts(connection, files, make_preparer, say=pytest.fail, **options)

    assert fill(limit=2) == 2
    assert fill(selection=Selection(only=("Font 04",))) == 1
    assert fill() == 2
    connection.execute("update fonts set name = 'Renamed Text' where name = 'Font 00'")
    connection.execute("update fonts set files = '{}', source = null where name = 'Font 01'")
    connection.execute("update fonts set description = 'Quiet.' where name = 'Font 02'")
    connection.execute(
        "update font_index.facts set version = '0' from fonts where id = font_id and name = 'Font 03'"
    )
    assert fill() == 3
    assert known(connection)["Renamed Text"][2] == "renamed"
    assert known(connection)["Font 01"] == (None, None, "font")
    run_of(connection, make_preparer)
    paths[2].write_bytes(made("xyz"))
    revalidate(connection, files, timedelta(0))
    assert fill() == 1
    assert known(connection)["Font 02"][0] == "{[120,123)}"


class Foreign(Embedder):
    """Of a model that no command can load."""

    @property
    def model(self) -> Model:
        return Model(name="some/foreign-model", revision="1", dimension=8)

    @property
    def batch_size(self) -> int:
        return 4

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        return [self.embed_query("") for _ in documents]

    def embed_query(self, text: str) -> Vector:
        return normalised(np.ones(8, dtype=np.float32))


def run_of(connection: Connection, make_preparer: MakePreparer) -> spaces.Space:
    embedder = Foreign()
    space = spaces.vl_space(embedder, SheetSpec(), LIGHT)
    spaces.register(connection, space)
    with make_preparer() as preparer:
        index(connection, space, embedder, preparer)
    return space


def test_facts_are_filled_without_an_embedder_and_make_nothing_pending(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer, files: FontFiles,
    tmp_path: Path,
) -> None:  # fmt: skip
    add_fonts(connection, 3)
    space = run_of(connection, make_preparer)
    vectors = (
        "select md5(string_agg(concat(embedding_vl, embedding_joint, fts, traits), '' order by name)),"
        "       (select md5(string_agg(x::text, '' order by font_id)) from font_index.embeddings x)"
        " from fonts"
    )
    before = connection.execute(vectors).fetchone()
    settings = Settings(FONTSIGHT_CACHE_DIR=tmp_path / "cache")
    # with torch, and without
    with pytest.raises(UserError, match=r"foreign-model|needs the extra vl"):
        list(
            backfill(
                connection, settings, files, BackfillOptions(text_embedder="none", processes=1),
                say=lambda line: None, progress_bar=pytest.fail,
            )
        )  # fmt: skip
    assert noted(connection) == ["Font 00", "Font 01", "Font 02"]
    assert all(coverage for coverage, *_ in known(connection).values())
    assert connection.execute(vectors).fetchone() == before
    assert pending(connection, space) == []


def test_a_row_that_another_transaction_writes_is_left_to_the_next_run(
    connection: Connection, database: Database, files: FontFiles
) -> None:
    for name in ("Free", "Held"):
        insert(connection, name)
    with database.connect(autocommit=False) as other:
        other.execute("update fonts set category = 'serif' where name = 'Held'")
        assert fill_facts(connection, files, no_preparer, say=pytest.fail) == 1
    assert noted(connection) == ["Free"]
    assert fill_facts(connection, files, no_preparer, say=pytest.fail) == 1


def test_bookkeeping_of_deleted_fonts_is_swept(connection: Connection, files: FontFiles) -> None:
    insert(connection, "Gone")
    fill_facts(connection, files, no_preparer, say=pytest.fail)
    connection.execute("delete from fonts")
    sweep(connection)
    connection.execute(
        "update font_index.missing_fonts set first_missed_at = now() - interval '1 day'"
    )
    sweep(connection)
    assert connection.execute("select count(*) from font_index.facts").fetchone() == (0,)
