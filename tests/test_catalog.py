"""Where families come from: Fontsource's list, and folders of font files."""

from __future__ import annotations

import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.ttCollection import TTCollection
from hypothesis import given
from hypothesis import strategies as st

from indexer.bounded import FontProcesses
from indexer.catalog.directory import Found, read_directory
from indexer.catalog.family import CATEGORIES
from indexer.catalog.fontsource import CatalogEntry, read_listing
from indexer.catalog.licenses import spdx
from indexer.catalog.scripts import LETTERS, covered_scripts
from indexer.catalog.selection import Chosen, choose, chosen_families, with_licenses
from indexer.errors import UserError
from indexer.fetch import Downloader, FileCache, FontFiles, HttpLimits, Npm
from indexer.fetch.folders import FontFolders
from tests.fix_servers import Registry, Web, page, status

ABEL = {
    "id": "abel", "family": "Abel", "subsets": ["latin"], "weights": [400], "styles": ["normal"],
    "defSubset": "latin", "variable": False, "lastModified": "2025-05-30",
    "category": "sans-serif", "license": "OFL-1.1", "type": "google",
}  # fmt: skip


def item(**changes: Any) -> dict[str, Any]:
    return ABEL | changes


def entry(id_: str, category: str = "serif") -> CatalogEntry:
    return CatalogEntry.from_api(item(id=id_, family=id_.title(), category=category))


CATALOG = [
    entry(f"{category}-{number}", category)
    for category, size in zip(CATEGORIES, (700, 340, 460, 350, 48), strict=True)
    for number in range(size)
]


# --- choosing --------------------------------------------------------------------------------


def test_every_category_gets_an_equal_share() -> None:
    shares = Counter(chosen.category for chosen in choose(CATALOG, limit=52))
    assert shares == dict(zip(CATEGORIES, (11, 11, 10, 10, 10), strict=True))


def test_a_category_that_runs_out_leaves_its_share_to_the_others() -> None:
    shares = Counter(chosen.category for chosen in choose(CATALOG, limit=400))
    assert shares["monospace"] == 48
    assert {shares[name] for name in CATEGORIES[:4]} == {88}


@given(st.data())
def test_a_smaller_choice_begins_a_bigger_one_whatever_the_order_of_the_list(
    data: st.DataObject,
) -> None:
    limit = data.draw(st.integers(1, 60))
    shuffled = data.draw(st.permutations(CATALOG[::20]))
    assert choose(shuffled, limit=limit) == choose(CATALOG[::20])[:limit]


def test_categories_narrow_the_choice() -> None:
    assert {one.category for one in choose(CATALOG, categories=["display"])} == {"display"}
    assert choose(CATALOG, limit=3, categories=["display", "serif"])[2].category == "serif"


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"categories": ["san-serif"]}, r"san-serif \(did you mean sans-serif.*categories are"),
        ({"categories": ["monospace"]}, "No family fits"),
        ({"limit": 0}, "must be 1 or more"),
    ],
)
def test_a_choice_that_cannot_be_made_says_what_to_do(kwargs: Any, says: str) -> None:
    entries = [entry("open-sans", "sans-serif"), entry("abel", "sans-serif"), entry("lora")]
    with pytest.raises(UserError, match=says):
        choose(entries, **kwargs)


# --- Fontsource's list -----------------------------------------------------------------------


def test_a_row_has_the_form_that_the_product_stores() -> None:
    family = CatalogEntry.from_api(
        item(subsets=["latin-ext", "latin"], weights=[700, 400], styles=["normal", "italic"])
    ).to_family()
    base = "https://cdn.jsdelivr.net/fontsource/fonts/abel@latest"
    assert family.files == {
        "400": f"{base}/latin-400-normal.ttf", "700": f"{base}/latin-700-normal.ttf"
    }  # fmt: skip
    assert (family.name, family.tags, family.source) == (
        "Abel", ("latin", "latin-ext"), "Google Fonts"
    )  # fmt: skip
    assert family.license == "OFL-1.1"


def test_a_family_without_its_default_subset_takes_one_it_has() -> None:
    family = CatalogEntry.from_api(item(subsets=["greek", "greek-ext"])).to_family()
    assert family.files["400"].endswith("/abel@latest/greek-400-normal.ttf")


def test_italic_stands_in_only_where_nothing_is_upright() -> None:
    family = CatalogEntry.from_api(item(styles=["italic"], defSubset="khmer")).to_family()
    assert family.files["400"].endswith("/abel@latest/khmer-400-italic.ttf")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../evil"}, {"id": "a b"}, {"id": 7}, {"family": " "}, {"family": "A\0b"},
        {"family": None}, {"defSubset": "../x"}, {"subsets": ["a/b"]}, {"weights": []},
        {"weights": ["bold"]},
        {"styles": ["oblique"]}, {"category": None},
    ],
)  # fmt: skip
def test_an_item_of_another_form_is_no_entry(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="form"):
        CatalogEntry.from_api(item(**changes))


def fetcher(tmp_path: Path, env: dict[str, str] | None = None) -> FontFiles:
    limits = HttpLimits(total_seconds=5, connect_seconds=1, read_seconds=1, first_wait=0.01)
    return FontFiles(
        FileCache(tmp_path / "cache"),
        downloader=Downloader(allow_private=True, limits=limits),
        npm=Npm(env=env or {"PATH": ""}),
    )


def test_the_api_gives_googles_families_and_nothing_else(web: Web, tmp_path: Path) -> None:
    items = [
        item(), item(id="material-icons", family="Material Icons", type="icons"),
        item(id="other", family="Other", type="other"), item(id="no/good"),
    ]  # fmt: skip
    web.pages["/v1/fonts"] = page(json.dumps(items).encode())
    listing = read_listing(fetcher(tmp_path), api=web.url("/v1/fonts"))
    assert [family.id for family in listing.families] == ["abel"]
    assert listing.origin == "Fontsource API"
    assert listing.note == "1 of 2 items were skipped: not in the expected form."


@pytest.mark.parametrize(
    "answer", [status(500), page(b"<html>"), page(b"{}"), page(b"[]"), page(b'[{"type": "icons"}]')]
)
def test_an_api_that_gives_no_list_is_an_error_that_says_what_to_do(
    web: Web, tmp_path: Path, answer: Any
) -> None:
    web.pages["/v1/fonts"] = answer
    with pytest.raises(UserError, match="take the list from npm"):
        read_listing(fetcher(tmp_path), source="api", api=web.url("/v1/fonts"))


def publish_metadata(registry: Registry) -> None:
    families = {
        "abel": {key: ABEL[key] for key in ABEL if key not in ("license", "type", "variable")}
        | {"unicodeRange": {"latin": "U+0000-00FF,U+0131", "[0]": "U+00FF-0101"}},
        "lato": item(id="lato", family="Lato", license=None, unicodeRange={"latin": "U+20-7e"}),
        "material-symbols": item(id="material-symbols", family="Material Symbols"),
    }
    axes = {
        "ital": {"default": "0", "min": "0", "max": "1", "step": "1"},
        "wght": {"default": "400", "min": "300", "max": "1000", "step": "1"},
        "wdth": {"default": "100", "min": "62.5", "max": "100", "step": "0.1"},
    }
    licenses = {"abel": {"id": "abel", "license": {"type": "SIL Open Font License, 1.1"}}}
    registry.publish(
        "google-font-metadata", "6.0.8",
        {
            "data/google-fonts-v2.json": json.dumps(families).encode(),
            "data/licenses.json": json.dumps(licenses).encode(),
            "data/variable.json": json.dumps({"lato": {"id": "lato", "axes": axes}}).encode(),
        },
    )  # fmt: skip


def test_without_the_api_the_list_comes_from_npm_and_the_note_says_why(
    web: Web, registry: Registry, tmp_path: Path
) -> None:
    publish_metadata(registry)
    api = web.url("/v1/fonts")  # answers 404
    listing = read_listing(fetcher(tmp_path, registry.env), api=api)
    assert listing.origin == "google-font-metadata 6.0.8 (npm)"
    assert listing.note is not None
    assert re.search(r"Fontsource API gives no list: .* answers 404.*comes from", listing.note)
    assert [(one.id, one.license) for one in listing.families] == [
        ("abel", "OFL-1.1"), ("lato", None),
    ]  # fmt: skip
    again = read_listing(fetcher(tmp_path, {"PATH": ""}), source="npm")  # from the cache
    assert again.families == listing.families
    assert again.note is None


def wanted(files: FontFiles, *words: str, limit: int | None = None) -> Chosen:
    return chosen_families(
        files, limit=limit, wanted=words, source="npm", say=lambda sentence: None
    )


def test_families_are_known_by_id_or_name_and_the_rest_is_reported(
    registry: Registry, tmp_path: Path
) -> None:
    publish_metadata(registry)
    files = fetcher(tmp_path, registry.env)
    chosen = wanted(files, "LATO", " Abel ", "lato", "Lata", "../evil")
    assert {family.name for family in chosen.families} == {"Abel", "Lato"}
    assert chosen.unknown.keys() == {"Lata", "../evil"}
    assert "google-font-metadata 6.0.8 (npm) nor as an npm package" in chosen.unknown["Lata"]
    assert "did you mean lato?" in chosen.unknown["Lata"]
    with pytest.raises(UserError, match=r"None of the families is known.* zzz: no family"):
        wanted(files, "zzz")


def test_a_family_that_is_newer_than_the_list_is_described_by_its_package(
    registry: Registry, tmp_path: Path
) -> None:
    publish_metadata(registry)
    for id_, type_ in (("so-new", "google"), ("so-other", "other")):
        about = item(
            id=id_, family=id_.replace("-", " ").title(), type=type_, license={"type": "MIT"}
        )
        registry.publish(
            f"@fontsource/{id_}", "5.0.0", {"metadata.json": json.dumps(about).encode()}
        )
    chosen = wanted(fetcher(tmp_path, registry.env), "So New", "so-other")
    (family,) = chosen.families
    assert (family.name, family.license, *chosen.unknown) == ("So New", "MIT", "so-other")


def test_without_npm_what_the_list_knows_is_imported_all_the_same(
    registry: Registry, tmp_path: Path
) -> None:
    publish_metadata(registry)
    read_listing(fetcher(tmp_path, registry.env), source="npm")
    chosen = wanted(fetcher(tmp_path, {"PATH": ""}), "abel", "zzz")
    assert [family.name for family in chosen.families] == ["Abel"]
    assert "Newer families were not looked for: npm is not installed" in chosen.unknown["zzz"]


def test_a_license_that_the_list_lacks_comes_from_the_familys_package(
    registry: Registry, tmp_path: Path
) -> None:
    about = {"license": {"type": "UFL-1.0", "url": "http://font.ubuntu.com/ufl/"}}
    registry.publish("@fontsource/lato", "5.0.0", {"metadata.json": json.dumps(about).encode()})
    lacking = [CatalogEntry.from_api(item(id=id_, license=None)) for id_ in ("lato", "nowhere")]
    filled = with_licenses(fetcher(tmp_path, registry.env), lacking)
    assert [one.license for one in filled] == ["UFL-1.0", None]


def test_neither_api_nor_npm_is_an_error_with_both_reasons(web: Web, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="npm is not installed"):
        read_listing(fetcher(tmp_path), api=web.url("/v1/fonts"))


@pytest.mark.parametrize(
    ("texts", "identifier"),
    [
        (("SIL Open Font License, 1.1",), "OFL-1.1"),
        (("", "https://openfontlicense.org"), "OFL-1.1"),
        (("Apache License, Version 2.0",), "Apache-2.0"),
        (("Ubuntu Font Licence, 1.0",), "UFL-1.0"),
        (("OFL-1.1",), "OFL-1.1"), (("MIT",), "MIT"),
        (("All rights reserved.",), "All rights reserved."),
        (("", None), None), (({"type": 1},), None),
    ],
)  # fmt: skip
def test_licenses_are_told_by_their_spdx_names(texts: Any, identifier: str | None) -> None:
    assert spdx(*texts) == identifier


def test_a_long_license_text_is_shortened() -> None:
    assert len(spdx("word " * 500) or "") <= 80


# --- scripts ---------------------------------------------------------------------------------


def test_a_script_counts_when_its_letters_are_all_there() -> None:
    latin = set(map(ord, LETTERS["latin"]))
    assert covered_scripts(latin | set(map(ord, "πΩμΔ"))) == ("latin",)
    assert covered_scripts(latin | set(map(ord, LETTERS["greek"]))) == ("greek", "latin")


def test_a_font_of_one_rare_script_or_of_capitals_still_has_a_tag() -> None:
    assert covered_scripts(set(range(0x10380, 0x1039E))) == ("ugaritic",)
    assert covered_scripts(set(range(ord("A"), ord("Z") + 1))) == ("latin",)
    assert covered_scripts(set(map(ord, "0123456789!?"))) == ()


# --- a folder --------------------------------------------------------------------------------


def make_font(
    family: str | None = "Test Sans",
    *,
    weight: int = 400,
    italic: bool = False,
    width: int = 5,
    typographic: str | None = None,
    text: str = LETTERS["latin"],
    fixed_pitch: int = 0,
    advance_of_i: int = 600,
    names: dict[str, str] | None = None,
    family_class: int = 0,
    serif_style: int = 0,
) -> TTFont:
    builder = FontBuilder(1000, isTTF=True)
    glyphs = {".notdef": 0} | {f"u{ord(c):04X}": ord(c) for c in text}
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({code: name for name, code in glyphs.items() if code})
    pen = TTGlyphPen(None)
    for step, point in enumerate([(50, 0), (550, 0), (300, 700)]):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    advances = {name: advance_of_i if code == ord("i") else 600 for name, code in glyphs.items()}
    builder.setupHorizontalMetrics({name: (advances[name], 50) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    strings = {"styleName": "Italic" if italic else "Regular", **(names or {})}
    if family is not None:
        strings["familyName"] = family
    if typographic:
        strings["typographicFamily"] = typographic
    builder.setupNameTable(strings)
    builder.setupOS2(
        usWeightClass=weight, usWidthClass=width, fsSelection=1 if italic else 64,
        sFamilyClass=family_class << 8,
    )  # fmt: skip
    if serif_style:
        builder.font["OS/2"].panose.bFamilyType = 2
        builder.font["OS/2"].panose.bSerifStyle = serif_style
    builder.setupPost(isFixedPitch=fixed_pitch)
    return builder.font


def save(font: TTFont, path: Path, flavor: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    font.flavor = flavor
    font.save(path)
    return path


Read = Callable[[Path], Found]


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    """By one process for all tests, for it takes half a second to start."""
    with FontProcesses(1, seconds=20) as processes:
        yield lambda path: read_directory(path, processes)


def only(found: Found) -> Any:
    (family,) = found.families
    return family


def test_files_of_a_family_become_its_weights_upright_first(read: Read, tmp_path: Path) -> None:
    regular = save(make_font(), tmp_path / "b.TTF")
    bold = make_font("Test Sans Bold", weight=700, typographic="Test Sans")
    save(bold, tmp_path / "x.otf")
    save(make_font(italic=True), tmp_path / "a.ttf")
    save(make_font(width=3), tmp_path / "a-condensed.ttf")
    family = only(read(tmp_path))
    assert family.name == "Test Sans"
    assert family.files == {"400": regular.as_uri(), "700": (tmp_path / "x.otf").as_uri()}
    assert (family.source, family.tags, family.category) == ("Directory", ("latin",), None)


def test_a_family_of_italics_alone_keeps_them(read: Read, tmp_path: Path) -> None:
    path = save(make_font(italic=True), tmp_path / "a.ttf")
    assert only(read(tmp_path)).files == {"400": path.as_uri()}


def test_the_same_face_in_several_files_has_one_winner(read: Read, tmp_path: Path) -> None:
    save(make_font(), tmp_path / "a.woff2", "woff2")
    save(make_font(), tmp_path / "a.woff", "woff")
    save(make_font(), tmp_path / "z" / "copy.ttf")
    winner = save(make_font(), tmp_path / "y" / "font.ttf")
    assert only(read(tmp_path)).files == {"400": winner.as_uri()}


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_web_fonts_and_single_files_are_taken(read: Read, tmp_path: Path, flavor: str) -> None:
    path = save(make_font("Höhe & Breite"), tmp_path / f"ein Name.{flavor}", flavor)
    family = only(read(path))
    assert family.name == "Höhe & Breite"
    assert family.files["400"] == path.as_uri()
    assert "%20" in family.files["400"]


def test_each_face_of_a_collection_has_an_address_that_can_be_fetched(
    read: Read, tmp_path: Path
) -> None:
    collection = TTCollection()
    for name in ("First", "Second"):
        buffer = io.BytesIO()
        make_font(name).save(buffer)
        collection.fonts.append(TTFont(buffer))
    path = tmp_path / "both.ttc"
    collection.save(path)
    found = {family.name: family.files["400"] for family in read(tmp_path).families}
    assert found == {"First": f"{path.as_uri()}#face=0", "Second": f"{path.as_uri()}#face=1"}
    fetched = FontFiles(FileCache(tmp_path / "c"), folders=FontFolders([tmp_path])).fetch(
        found["Second"]
    )
    assert (fetched.path, fetched.face_index) == (path, 1)


@pytest.mark.parametrize(
    ("kwargs", "category"),
    [
        ({}, None),
        ({"fixed_pitch": 1}, "monospace"),
        ({"fixed_pitch": 1, "advance_of_i": 300}, None),  # the flag is wrong
        ({"family_class": 8}, "sans-serif"),
        ({"family_class": 10}, "handwriting"),
        ({"serif_style": 4}, "serif"),
        ({"family_class": 8, "serif_style": 4}, None),  # contradicts itself
    ],
)
def test_a_category_is_stated_only_when_the_font_is_sure(
    read: Read, tmp_path: Path, kwargs: Any, category: str | None
) -> None:
    assert only(read(save(make_font(**kwargs), tmp_path / "a.ttf"))).category == category


def test_the_license_is_read_from_the_font(read: Read, tmp_path: Path) -> None:
    names = {"licenseDescription": "This Font Software is under the SIL Open Font License."}
    assert only(read(save(make_font(names=names), tmp_path / "a.ttf"))).license == "OFL-1.1"


def test_names_are_fit_for_a_database_and_a_terminal(read: Read, tmp_path: Path) -> None:
    family = only(read(save(make_font("Evil\x00\x1b[31m\n  Name"), tmp_path / "a.ttf")))
    assert family.name == "Evil [31m Name"


def test_unreadable_files_are_reported_and_the_rest_goes_on(read: Read, tmp_path: Path) -> None:
    good = save(make_font(), tmp_path / "good.ttf")
    data = good.read_bytes()
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "cut.ttf").write_bytes(data[: len(data) // 3])
    (bad / "empty.otf").touch()
    (bad / "faces.ttc").write_bytes(b"ttcf\0\1\0\0\xff\xff\xff\xff")
    (bad / "gone.ttf").symlink_to(tmp_path / "nowhere.ttf")
    (bad / "page.woff2").write_bytes(b"<html>")
    (bad / "cut.woff2").write_bytes(b"wOF2" + data[4:200])
    os.mkfifo(bad / "pipe.ttf")
    save(make_font(None), bad / "nameless.ttf")
    found = read(tmp_path)
    assert [family.name for family in found.families] == ["Test Sans"]
    assert [problem.path for problem in found.problems] == sorted(
        f"bad/{path.name}" for path in bad.iterdir()
    )
    reasons = {problem.path: problem.reason for problem in found.problems}
    assert reasons["bad/nameless.ttf"] == "The font has no family name."
    assert reasons["bad/page.woff2"].startswith("The file is not a font")
    assert found.files == 9


def test_links_are_followed_once_and_never_in_circles(read: Read, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    save(make_font(), elsewhere / "a.ttf")
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    (fonts / "loop").symlink_to(fonts)
    (fonts / "up").symlink_to(tmp_path)
    (fonts / "link").symlink_to(elsewhere)
    found = read(fonts)
    assert (found.files, len(found.families)) == (1, 1)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_fonts_says_what_to_do(read: Read, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"give a folder with fonts|holds no font file"):
        read(tmp_path / name)
