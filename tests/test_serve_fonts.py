"""Fonts for visitors: their pictures, parts, counts and failures, and nothing of those that are hidden."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
from PIL import Image
from psycopg.types.json import Jsonb

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

from fastapi import FastAPI
from fastapi.testclient import TestClient
from fontTools.ttLib import TTFont
from httpx import Response

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.bounded import MAX_PROCESS_BYTES
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.errors import FontError, UserError
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.fetch.folders import FontFolders
from indexer.fontfile import NO_RAQM, open_font
from indexer.machine import stopped
from indexer.serve.http import errors
from indexer.serve.http.routes.facets import facets_router
from indexer.serve.http.routes.fonts import fonts_router
from indexer.serve.reading import Reader
from indexer.serve.search import facets
from indexer.serve.search.columns import Columns
from indexer.serve.service import Service, ServiceOptions
from indexer.serve.specimens import fetching, specimens
from indexer.serve.specimens.opened import Face
from indexer.serve.specimens.specimens import Specimens, Wanted
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec, render_sheet
from tests.fix_visitors import HIDDEN, hide
from tests.test_sheet import build, letters

CDN = "https://cdn.jsdelivr.net/fontsource/fonts"
ROWS = [
    {"name": "Font 00", "category": "serif", "tags": ["latin", "elegant"], "license": "OFL-1.1",
     "traits": {"x_height": 0.5, "weight": 0.1, "is_text": True},
     "styles": {"weights": [400, 700], "italic": True, "axes": []}},
    {"name": HIDDEN, "category": "secret", "tags": ["latin", "hidden"], "license": "OFL-1.1",
     "traits": {"x_height": 0.6, "weight": 0.2, "is_text": True},
     "styles": {"weights": [950], "italic": True, "axes": ["wdth"]}},
    {"name": "Font 02", "category": "serif", "tags": ["latin", "greek"], "license": "Proprietary",
     "traits": {"x_height": 0.7, "weight": 0.9},
     "styles": {"weights": [], "italic": False, "axes": ["wght"], "weight": [100, 900]}},
    {"name": "Font 03", "category": "display", "tags": ["greek"], "license": None, "traits": None,
     "styles": None},
]  # fmt: skip
INSERT = """
    insert into public.fonts (name, category, tags, license, files, traits, styles)
    values (%s, %s, %s, %s, %s, %s, %s) returning id::text
"""


class Page:
    """What a visitor asks, of an application with these routes alone."""

    def __init__(self, http: TestClient, made: Specimens, reader: Reader) -> None:
        self.http, self.specimens, self.reader = http, made, reader

    def get(self, path: str, status: int = 200, **headers: str) -> Response:
        answer: Response = self.http.get(path, headers=headers)
        assert answer.status_code == status, answer.text[:300]
        return answer

    def refused(self, path: str, status: int) -> str:
        """The sentence."""
        error = self.get(path, status).json()["error"]
        assert error["message"].endswith(".") and len(error["message"]) < 400
        return str(error["message"])

    def facets(self, filter: dict[str, Any] | None = None, status: int = 200) -> Any:
        answer = self.http.post("/facets", json={"filter": filter})
        assert answer.status_code == status, answer.text[:300]
        return answer.json()


@contextmanager
def page(database: Database, made: Specimens) -> Iterator[Page]:
    reader = Reader.from_settings(Settings(), database, lambda sentence: None)
    service = Service(reader, Settings(), ServiceOptions(), lambda sentence: None)
    app = FastAPI()
    errors.install(app)
    columns = Columns()
    app.include_router(fonts_router(reader, made, columns))
    app.include_router(facets_router(service, columns))
    with reader, TestClient(app) as http:
        yield Page(http, made, reader)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimens]:
    """One for all tests that need none of their own: its process takes a second to start."""
    cache = FileCache(tmp_path_factory.mktemp("cache"))
    folders = FontFolders([tmp_path_factory.getbasetemp()])
    with Specimens(FontFiles(cache, mode="npm", folders=folders), processes=1) as made:
        yield made


def add(connection: Connection, path: Path | None, **row: Any) -> str:
    """The new font's id."""
    files = {"400": path.as_uri()} if path else {}
    values = [
        row.get("category"),
        row.get("tags"),
        row.get("license"),
        Jsonb(row.get("files", files)),
    ]
    json = [Jsonb(value) if value else None for value in (row.get("traits"), row.get("styles"))]
    found = connection.execute(INSERT, [row["name"], *values, *json]).fetchone()
    assert found is not None
    return str(found[0])


@pytest.fixture
def ids(visited: Database, tmp_path: Path) -> dict[str, str]:
    """ROWS with a file each, read as anon."""
    with visited.connect() as admin:
        found = {}
        for number, row in enumerate(ROWS):
            path = tmp_path / f"{number}.ttf"
            path.write_bytes(ParametricFont(x_height=0.5 + 0.1 * number).build())
            found[str(row["name"])] = add(admin, path, **row)
    return found


@pytest.fixture
def shown(visited: Database, ids: dict[str, str], maker: Specimens) -> Iterator[Page]:
    with page(visited, maker) as shown:
        yield shown


def picture(answer: Response) -> Image.Image:
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return image


# --- pictures


def test_a_text_is_drawn_in_the_font_and_told(shown: Page, ids: dict[str, str]) -> None:
    answer = shown.get(f"/fonts/{ids['Font 00']}/text?text=Hamburg&size=40&scale=2")
    image = picture(answer)
    assert (image.mode, image.height) == ("LA", 128)
    assert answer.headers["x-specimen"] == "text"
    assert "drawing;dur=" in answer.headers["server-timing"]
    partial = shown.get(f"/fonts/{ids['Font 00']}/text?text=HamЯ")
    assert partial.headers["x-specimen"] == "partial"
    sample = shown.get(f"/fonts/{ids['Font 00']}/text?text=Привет")
    assert sample.headers["x-specimen"] == "sample"


def test_the_sheet_is_the_one_that_embedders_see(
    shown: Page, ids: dict[str, str], tmp_path: Path
) -> None:
    answer = shown.get(f"/fonts/{ids['Font 02']}/sheet")
    assert answer.content == render_sheet(open_font((tmp_path / "2.ttf").read_bytes()), SheetSpec())


def test_the_file_that_is_drawn_is_the_one_that_the_job_draws(
    shown: Page, visited: Database, tmp_path: Path
) -> None:
    light, bold = tmp_path / "light.ttf", tmp_path / "bold.ttf"
    light.write_bytes(ParametricFont(weight=0.05).build())
    bold.write_bytes(ParametricFont(weight=0.2).build())
    names = {"300": light.as_uri(), "900": bold.as_uri(), "400italic": bold.as_uri()}
    with visited.connect() as admin:
        several = add(admin, None, name="Several", files=names)
        alone = add(admin, light, name="Alone")
    assert (
        shown.get(f"/fonts/{several}/sheet").content == shown.get(f"/fonts/{alone}/sheet").content
    )


@pytest.mark.parametrize(
    "query",
    ["", "text=", f"text={'a' * 201}", "text=a&size=11", "text=a&size=161", "text=a&size=1.5",
     "text=a&scale=0.9", "text=a&scale=3.1", "text=a&scale=nan", "text=a&size=12abc"],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_in_a_sentence(
    shown: Page, ids: dict[str, str], query: str
) -> None:
    shown.refused(f"/fonts/{ids['Font 00']}/text?{query}", 422)


@pytest.mark.parametrize(
    "text", ["%00", "%F0%9F%A6%8A", "%20", "a%0D%0Ab", "%EF%BF%BF", "e%CC%81", "%ED%A0%80"]
)
def test_odd_texts_are_drawn(shown: Page, ids: dict[str, str], text: str) -> None:
    shown.get(f"/fonts/{ids['Font 00']}/text?text={text}")


def test_a_picture_is_made_once_and_a_browser_keeps_it(
    shown: Page, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/fonts/{ids['Font 00']}/text?text=Hamburg"
    first = shown.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    # whatever is drawn from here on is an error
    monkeypatch.setattr(shown.specimens, "_processes", None)
    assert shown.get(path).content == first.content
    again = shown.get(path, 304, **{"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert again.content == b"" and again.headers["etag"] == first.headers["etag"]


def test_what_is_kept_is_bounded(
    shown: Page, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimens, "MAX_KEPT_BYTES", 10_000)
    for size in range(40, 60):
        shown.get(f"/fonts/{ids['Font 00']}/text?text=Hamburg&size={size}")
    kept = shown.specimens._kept
    assert (
        0 < sum(len(made.data) for made in kept.values()) == shown.specimens._kept_bytes <= 10_000
    )


# --- parts


def test_a_subset_is_given_where_the_license_permits(shown: Page, ids: dict[str, str]) -> None:
    answer = shown.get(f"/fonts/{ids['Font 00']}/woff2?text=Hamburg")
    assert answer.headers["content-type"] == "font/woff2"
    with TTFont(io.BytesIO(answer.content)) as font:
        assert set(map(chr, font.getBestCmap())) == set("Hamburg")
    same = shown.get(f"/fonts/{ids['Font 00']}/woff2?text=grubmaHH")
    assert same.headers["etag"] == answer.headers["etag"]
    assert shown.get(f"/fonts/{ids['Font 00']}/woff2").content[:4] == b"wOF2"
    assert "none of the text" in shown.refused(f"/fonts/{ids['Font 00']}/woff2?text=Я", 422)


@pytest.mark.parametrize("name", ["Font 02", "Font 03"])
def test_a_license_that_is_not_known_to_permit_parts_forbids_them(
    shown: Page, ids: dict[str, str], name: str
) -> None:
    assert "license" in shown.refused(f"/fonts/{ids[name]}/woff2?text=H", 403)
    shown.get(f"/fonts/{ids[name]}/text?text=H")


# --- one font


def test_a_font_is_told_with_its_place_among_the_others(shown: Page, ids: dict[str, str]) -> None:
    font = shown.get(f"/fonts/{ids['Font 00']}").json()
    assert font["name"] == "Font 00" and font["subsets"] == ["latin"]
    # of x-heights .5, .6 and .7
    assert font["percentiles"]["x_height"] == pytest.approx(1 / 6, abs=1e-3)
    assert font["percentiles"]["is_text"] == 0.5
    assert font["install"] == {"fontsource": None, "css": None}
    assert shown.get(f"/fonts/{ids['Font 03']}").json()["percentiles"] == {}


def test_installing_is_a_line_of_npm_and_rules_of_css(shown: Page, visited: Database) -> None:
    files = {
        weight: f"{CDN}/abel@latest/latin-{weight[:3]}-normal.ttf"
        for weight in ("400", "700italic")
    }
    name = 'A"b\\c</style>\n'
    with visited.connect() as admin:
        font_id = add(admin, None, name=name, files=files)
    install = shown.get(f"/fonts/{font_id}").json()["install"]
    assert install["fontsource"] == "npm i @fontsource/abel"
    assert install["css"] == (
        '@font-face {\n  font-family: "A\\22 b\\5c c\\3c /style>\\a ";\n  font-style: normal;\n'
        f'  font-weight: 400;\n  font-display: swap;\n  src: url("{files["400"]}") format("truetype");\n}}\n'
        '@font-face {\n  font-family: "A\\22 b\\5c c\\3c /style>\\a ";\n  font-style: italic;\n'
        f'  font-weight: 700;\n  font-display: swap;\n  src: url("{files["700italic"]}") format("truetype");\n}}'
    )


@pytest.mark.parametrize("named", [{}, [], "x", {"400": None}, {"400": 7}, {"400": {"a": "b"}}])
def test_a_row_without_a_file_has_no_picture(shown: Page, visited: Database, named: Any) -> None:
    with visited.connect() as admin:
        font_id = add(admin, None, name="Odd", files=named, license="OFL")
    assert shown.get(f"/fonts/{font_id}").json()["name"] == "Odd"
    for path in ("text?text=a", "sheet", "woff2"):
        shown.refused(f"/fonts/{font_id}/{path}", 404)


def test_an_id_that_is_none_or_of_no_font_is_refused(shown: Page) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    for path in ("", "/text?text=a", "/sheet", "/woff2"):
        shown.refused(f"/fonts/{nobody}{path}", 404)
        shown.refused(f"/fonts/nobody{path}", 422)


# --- files that cannot be used


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"no font at all", 422), (ParametricFont().build()[:3000], 422), (b"", 404), (None, 404),
     (build(dict.fromkeys("Ham", letters("")[" "])), 422)],
    ids=["noise", "cut short", "empty", "missing", "blank"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_a_sentence(
    shown: Page, visited: Database, tmp_path: Path, data: bytes | None, status: int
) -> None:
    path = tmp_path / "bad.ttf"
    if data is not None:
        path.write_bytes(data)
    with visited.connect() as admin:
        font_id = add(admin, path, name="Bad", license="OFL")
    for route in ("text?text=a", "sheet"):
        sentence = shown.refused(f"/fonts/{font_id}/{route}", status)
        assert str(tmp_path) not in sentence


def test_answers_do_not_tell_which_files_this_host_has(shown: Page, visited: Database) -> None:
    sentences = set()
    for number, url in enumerate(("file:///etc/passwd", "file:///etc/none", "file:///proc/1/maps")):
        with visited.connect() as admin:
            files = {"400": url}
            font_id = add(admin, None, name=f"Spy {number}", license="OFL", files=files)
        for route in ("text?text=a", "sheet", "woff2?text=a"):
            sentences.add(shown.refused(f"/fonts/{font_id}/{route}", 404))
    (sentence,) = sentences
    assert "FONTSIGHT_FONT_DIRS" in sentence


def killed(face: Face, text: str) -> bytes:
    """As Linux does it where memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def crash(face: Face, text: str) -> bytes:
    os._exit(9)


def hang(face: Face, text: str) -> bytes:
    time.sleep(60)
    return b""


def dawdle(face: Face, text: str) -> bytes:
    time.sleep(0.5)
    return b""


def swell(face: Face, text: str) -> bytes:
    return bytes(MAX_PROCESS_BYTES)


def no_raqm(face: Face, text: str) -> bytes:
    raise UserError(NO_RAQM)


def test_a_machine_that_cannot_shape_is_no_fault_of_the_font(
    shown: Page, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimens, "cut_woff2", no_raqm)
    # of characters that no other test has asked for
    assert shown.refused(f"/fonts/{ids['Font 00']}/woff2?text=Qq", 503) == NO_RAQM


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bomb", "sentence"),
    [
        (crash, "crashed the renderer"),
        (hang, "not rendered within 2 seconds"),
        (swell, "more memory"),
    ],
)
def test_a_font_that_takes_its_process_along_takes_nothing_else(
    visited: Database, ids: dict[str, str], files: FontFiles, monkeypatch: pytest.MonkeyPatch,
    bomb: Callable[..., bytes], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(specimens, "MAX_SECONDS", 2)
    with Specimens(files, processes=1) as made, page(visited, made) as shown:
        monkeypatch.setattr(specimens, "cut_woff2", bomb)
        assert sentence in shown.refused(f"/fonts/{ids['Font 00']}/woff2", 422)
        shown.get(f"/fonts/{ids['Font 00']}/text?text=Ham")


@pytest.mark.slow
def test_a_font_that_exceeds_a_limit_is_not_tried_again_at_once(
    visited: Database, ids: dict[str, str], files: FontFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimens, "MAX_SECONDS", 1)
    with Specimens(files, processes=1) as made, page(visited, made) as shown:
        monkeypatch.setattr(specimens, "cut_woff2", hang)
        sentence = shown.refused(f"/fonts/{ids['Font 00']}/woff2?text=a", 422)
        began = time.monotonic()
        for letter in "bcd":  # each a picture of its own
            assert shown.refused(f"/fonts/{ids['Font 00']}/woff2?text={letter}", 422) == sentence
        assert time.monotonic() - began < 1
        shown.get(f"/fonts/{ids['Font 00']}/text?text=Ham")


@pytest.mark.slow
def test_an_idle_process_that_is_killed_is_replaced(
    visited: Database, ids: dict[str, str], files: FontFiles
) -> None:
    with Specimens(files, processes=1) as made, page(visited, made) as shown:
        shown.get(f"/fonts/{ids['Font 00']}/text?text=before")
        (process,) = made._processes.ids
        os.kill(process, signal.SIGKILL)
        for number in range(5):
            shown.get(f"/fonts/{ids['Font 00']}/text?text=after{number}")
            time.sleep(0.1)


@pytest.mark.slow
def test_a_process_that_is_killed_each_time_is_no_fault_of_the_font(
    visited: Database, ids: dict[str, str], files: FontFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Specimens(files, processes=1) as made, page(visited, made) as shown:
        with monkeypatch.context() as patched:
            patched.setattr(specimens, "cut_woff2", killed)
            assert "Try again" in shown.refused(f"/fonts/{ids['Font 00']}/woff2", 503)
        shown.get(f"/fonts/{ids['Font 00']}/woff2")


@pytest.mark.slow
def test_what_callers_left_behind_does_not_pile_up(
    ids: dict[str, str], tmp_path: Path, files: FontFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimens, "cut_woff2", dawdle)
    file = files.fetch((tmp_path / "0.ttf").as_uri())

    async def leave(made: Specimens, text: str) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(made.make(file, Wanted.woff2(text)), 0.05)

    async def seconds() -> float:
        with Specimens(files, processes=1) as made:
            await made.make(file, Wanted.woff2("."))  # its process has started
            for letter in ascii_letters[:20]:
                await leave(made, letter)
            began = time.monotonic()
            await made.make(file, Wanted.woff2("!"))
            return time.monotonic() - began

    assert asyncio.run(seconds()) < 2  # 20 of them take 10 s


class Slow(FontFiles):
    """A network that answers late, or not."""

    seconds, calls = 0.0, 0
    error: Exception | None = None

    def fetch(self, url: str, *, refresh: bool = False) -> FetchedFile:
        self.calls += 1
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        return super().fetch(url, refresh=refresh)


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(FileCache(tmp_path / "cache"), mode="npm", folders=FontFolders([tmp_path]))


def test_a_fetch_that_takes_long_is_said_and_goes_on(
    visited: Database, slow: Slow, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_WAIT_SECONDS", 0.1)
    slow.seconds, slow.error = 0.5, FontError("fetch", "The server has no such file.")
    with visited.connect() as admin:
        font_id = add(admin, None, name="Far", files={"400": "https://fonts.example/a.ttf"})
    with Specimens(slow, processes=1) as made, page(visited, made) as shown:
        answer = shown.get(f"/fonts/{font_id}/sheet", 503)
        assert "still being fetched" in answer.text and answer.headers["retry-after"] == "5"
        time.sleep(0.6)
        for _ in range(3):  # and one that failed is not asked again at once
            assert "no such file" in shown.refused(f"/fonts/{font_id}/sheet", 404)
        assert slow.calls == 1
        # what is at hand does not wait for it
        shown.get(f"/fonts/{ids['Font 00']}/sheet")


def test_files_that_nobody_can_have_are_no_fault_of_the_font(visited: Database, slow: Slow) -> None:
    slow.error = UserError("npm is not installed.")
    with visited.connect() as admin:
        font_id = add(
            admin, None, name="Far", files={"400": f"{CDN}/abel@latest/latin-400-normal.ttf"}
        )
    with Specimens(slow, processes=1) as made, page(visited, made) as shown:
        assert shown.refused(f"/fonts/{font_id}/sheet", 503) == "npm is not installed."
        slow.error = stopped(OSError(errno.ENOSPC, "No space left on device", "/var/cache/x"))
        said = shown.refused(f"/fonts/{font_id}/sheet", 503)
        assert "No space left on device" in said and "/var/cache" not in said
        slow.error = None


def test_more_than_can_be_drawn_is_refused_with_a_time_to_come_back(
    shown: Page, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimens, "MAX_WAITING", 0)
    answer = shown.get(f"/fonts/{ids['Font 00']}/sheet", 429)
    assert answer.headers["retry-after"] == "1"


# --- counts


def test_each_facet_counts_under_all_filters_but_its_own(shown: Page) -> None:
    everything = shown.facets()
    assert everything["total"] == 4
    assert everything["category"] == [
        {"value": "serif", "count": 2}, {"value": "display", "count": 1}, {"value": "secret", "count": 1}
    ]  # fmt: skip
    assert everything["subsets"] == [{"value": "latin", "count": 3}, {"value": "greek", "count": 2}]
    assert [tag["value"] for tag in everything["tags"]] == ["elegant", "hidden"]
    assert everything["styles"]["italic"] == everything["styles"]["variable"] == 2
    assert {"value": 700, "count": 2} in everything["styles"]["weights"]
    serif = shown.facets({"category": "serif", "traits": {"x_height": {"gte": 0.65}}})
    assert serif["total"] == 1
    assert serif["category"] == [{"value": "serif", "count": 1}]
    assert sum(serif["traits"]["x_height"]["counts"]) == 2
    assert sum(serif["traits"]["weight"]["counts"]) == 1
    assert shown.facets({"styles": {"weights": [700]}, "covers": "a"})["total"] == 0
    latin = shown.facets({"subsets": "latin", "license": "OFL-1.1", "collapse": True})
    assert latin["total"] == 2 and latin["license"][0] == {"value": "OFL-1.1", "count": 2}


def test_histograms_hold_what_lies_beyond_in_their_outer_bins(shown: Page) -> None:
    weight = shown.facets()["traits"]["weight"]  # .1, .2 and .9 of .01 to .6
    assert (weight["low"], weight["high"], weight["unit"]) == (0.01, 0.6, "cap heights")
    counts = [0] * facets.BINS
    counts[3] = counts[6] = counts[19] = 1
    assert weight["counts"] == counts
    assert shown.facets()["traits"]["is_text"]["counts"][-1] == 2


def test_counts_follow_the_rows(shown: Page, visited: Database) -> None:
    shown.facets()
    with visited.connect() as admin:
        admin.execute(
            "update public.fonts set category = 'mono', traits = null where name = 'Font 00'"
        )
        admin.execute("delete from public.fonts where name = 'Font 03'")
        add(admin, None, name="New", category="mono", traits={"x_height": 10**400, "weight": "x"})
    told = shown.facets()
    assert told["total"] == 4
    assert told["category"][0] == {"value": "mono", "count": 2}
    assert sum(told["traits"]["x_height"]["counts"]) == 2


@pytest.mark.parametrize(
    ("filter", "sentence"),
    [
        ({"colour": "red"}, "unknown key: colour"),
        ({"traits": {"x": {"gte": 1}}}, "unknown trait: x"),
        ({"traits": 1}, "traits must be an object"),
        ({"category": {"a": 1}}, "must be a string"),
        ({"styles": {"weights": ["a"]}}, "between 1 and 1000"),
        ({"tags": {"all": ["a"] * 201}}, "at most 200 entries"),
        ({"covers": "%s %(x)s '; drop table public.fonts --"}, None),
        ({"category": "%s {} '"}, None),
    ],
)
def test_a_filter_is_checked_by_the_database(
    shown: Page, filter: dict[str, Any], sentence: str | None
) -> None:
    told = shown.facets(filter, 400 if sentence else 200)
    assert sentence in told["error"]["message"] if sentence else told["total"] == 0


@pytest.mark.parametrize(
    "body",
    [b'{"filter": {"category": "a\\u0000"}}', b'{"filter": {"category": "\\ud800"}}',
     b'{"filter": {"traits": {"weight": {"gte": 1e999}}}}', b'{"filter": {"traits": {"weight": {"gte": NaN}}}}'],
)  # fmt: skip
def test_what_json_holds_and_the_database_does_not_is_the_askers_mistake(
    shown: Page, body: bytes
) -> None:
    answer = shown.http.post("/facets", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text


# --- how the index stands


def panel_rows(admin: Connection, ids: dict[str, str]) -> None:
    space = spaces.vl_space(MeasuredTraits(), SheetSpec(), None)
    spaces.register(admin, space)
    row = admin.execute(
        "insert into font_index.runs (space_id, host, process_id, versions, finished_at, outcome, counts)"
        " values (%s, 'h', 1, '{}', now() + interval '90 s', 'finished', '{\"embedded\": 4}') returning id",
        [space.id],
    ).fetchone()
    assert row is not None
    for name, font_id in ids.items():
        admin.execute(
            "insert into font_index.embeddings (font_id, space_id, input_hash, run_id) values (%s, %s, '', %s)",
            [font_id, space.id, row[0]],
        )
        number = int(name[-1])
        admin.execute(
            "insert into font_index.failures (font_id, space_id, input_hash, stage, error, attempts)"
            " values (%s, %s, '', 'open', %s, 1)",
            [
                font_id,
                space.id,
                f"The file has {number}00,000 bytes." if number != 1 else "Secret.",
            ],
        )
    admin.execute(
        "update public.fonts set embedding_vl = array_fill(1, array[4096])::vector::halfvec where name < 'Font 03'"
    )


def test_the_panel_tells_spaces_run_and_failures_by_reason(
    shown: Page, visited: Database, ids: dict[str, str]
) -> None:
    with visited.connect() as admin:
        panel_rows(admin, ids)
    panel = shown.get("/panel").json()
    assert (panel["fonts"], panel["with_vl"], panel["without_vl"]) == (4, 3, 1)
    assert [(s["leg"], s["model"], s["state"], s["fonts"]) for s in panel["spaces"]] == [
        ("vl", "measured-traits", "active", 4)
    ]
    assert panel["last_run"]["outcome"] == "finished" and panel["last_run"]["seconds"] == 90
    assert "counts" not in panel["last_run"]
    assert panel["failures"] == [
        {"leg": "vl", "stage": "open", "reason": "The file has 000,000 bytes.", "count": 3},
        {"leg": "vl", "stage": "open", "reason": "Secret.", "count": 1},
    ]
    assert panel["role"] == "anon" and panel["searches"] is False
    assert panel["embedder"] == {"model": None, "reads_images": False, "loaded": False}


def test_an_empty_database_has_a_panel_and_counts(visited: Database, maker: Specimens) -> None:
    with page(visited, maker) as shown:
        panel = shown.get("/panel").json()
        assert (panel["fonts"], panel["spaces"], panel["last_run"]) == (0, [], None)
        told = shown.facets()
        assert told["total"] == 0 and told["category"] == []
        assert told["traits"]["weight"]["counts"] == [0] * facets.BINS


# --- what visitors may not see


def test_a_font_that_a_policy_hides_appears_nowhere_also_after_it_was_cached(
    shown: Page, visited: Database, ids: dict[str, str]
) -> None:
    hidden = ids[HIDDEN]
    paths = [
        f"/fonts/{hidden}{path}" for path in ("", "/text?text=Ham", "/sheet", "/woff2?text=Ham")
    ]
    with visited.connect() as admin:
        panel_rows(admin, ids)
        seen = [shown.get(path) for path in paths]
        before = (
            shown.facets(),
            shown.get("/panel").json(),
            shown.get(f"/fonts/{ids['Font 00']}").json(),
        )
        assert "Secret." in str(before[1])
        hide(admin)
        for path, answer in zip(paths, seen, strict=True):
            assert shown.refused(path, 404) == "There is no font with this id."
            etag = answer.headers.get("etag", "*")
            assert shown.http.get(path, headers={"If-None-Match": etag}).status_code == 404
        told = shown.facets()
        assert told["total"] == 3
        assert not {"secret", "hidden", "950"} & {value for value in _values(told)}
        assert sum(told["traits"]["x_height"]["counts"]) == 2
        assert told["styles"]["italic"] == 1
        panel = shown.get("/panel").json()
        assert (panel["fonts"], panel["with_vl"], panel["spaces"][0]["fonts"]) == (3, 2, 3)
        assert "Secret." not in str(panel) and panel["failures"][0]["count"] == 3
        font = shown.get(f"/fonts/{ids['Font 00']}").json()
        assert font["percentiles"]["x_height"] == 0.25  # of two, no longer three
        admin.execute("drop policy hidden on public.fonts")
        assert shown.facets() == before[0]


def _values(told: Any) -> Iterator[str]:
    for name in ("category", "subsets", "tags", "license", "source"):
        yield from (entry["value"] for entry in told[name])
    yield from (str(entry["value"]) for entry in told["styles"]["weights"])


def test_no_route_writes(shown: Page, visited: Database, ids: dict[str, str]) -> None:
    state = "select sum(xmin::text::bigint), count(*) from public.fonts"
    with visited.connect() as admin:
        before = admin.execute(state).fetchone()
        for path in ("", "/text?text=a", "/sheet", "/woff2"):
            shown.get(f"/fonts/{ids['Font 00']}{path}")
        shown.facets({"category": "serif"})
        shown.get("/panel")
        assert admin.execute(state).fetchone() == before


def test_openapi_documents_every_route_and_refusal(shown: Page) -> None:
    paths = shown.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/fonts/{font_id}", "/fonts/{font_id}/text", "/fonts/{font_id}/sheet",
        "/fonts/{font_id}/woff2", "/facets", "/panel",
    }  # fmt: skip
    text = paths["/fonts/{font_id}/text"]["get"]["responses"]
    assert set(text["200"]["content"]) == {"image/png"}
    assert {"304", "404", "422", "429", "503"} <= set(text)


def test_the_key_of_a_picture_depends_on_all_that_it_is_made_of() -> None:
    def file(sha256: str = "a", face: int = 0) -> FetchedFile:
        return FetchedFile(
            path=Path("x"), sha256=sha256, size=1, face_index=face, origin="file", cached=True
        )

    wanted = [
        Wanted.text("a", size=12, scale=1), Wanted.text("b", size=12, scale=1),
        Wanted.text("a", size=13, scale=1), Wanted.text("a", size=12, scale=2),
        Wanted.sheet(), Wanted.woff2("a"),
    ]  # fmt: skip
    etags = [w.etag(f) for w in wanted for f in (file(), file("b"), file(face=1))]
    assert len(set(etags)) == len(etags)
