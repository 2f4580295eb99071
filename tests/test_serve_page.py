"""The search page in a real browser: what a visitor does, by mouse and by keyboard, on every screen."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")
pytest.importorskip("playwright", reason="needs the extra test: pip install -e '.[test]'")

import psycopg
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from psycopg import conninfo

from indexer.database.connect import Database
from tests.fix_database import create_database
from tests.fix_pictures import letters
from tests.fix_postgrest import NpmPackages
from tests.fix_service import KEY, Running, fill, service_on

AXE = "axe-core@4.11.0"
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast"],  # nothing else differs
}
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 780}
FONTS = 12
NETWORK_CHANGED = (
    "ERR_NETWORK_CHANGED"  # of this machine, as by a container that starts; the page asks again
)
QUERY = "?q=high+contrast+serif"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def fonts(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    name = create_database(server, "page", template)
    database = Database(conninfo=conninfo.make_conninfo(server, dbname=name), label=name)
    fill(database, tmp_path_factory.mktemp("fonts"), FONTS)
    yield database
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("drop database page with (force)")


@pytest.fixture(scope="module")
def served(fonts: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service_on(fonts, cache_dir=tmp_path_factory.mktemp("cache")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on the PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(served: Running, browser: Browser) -> Iterator[Open]:
    """Opens an address of the page. In the end nothing failed, and nothing came from elsewhere."""
    wrong: list[str] = []
    contexts = []

    def say(told: str) -> None:
        if NETWORK_CHANGED not in told:
            wrong.append(told)

    def visited(
        address: str = "",
        *,
        base: str = served.url,
        ready: Callable[[Page], object] = lambda page: None,
        **context: Any,
    ) -> Page:
        contexts.append(browser.new_context(**{"viewport": DESK, **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda told: told.type in ("error", "warning") and say(told.text))
        page.on("pageerror", lambda error: say(str(error)))
        page.on(
            "request",
            lambda asked: asked.url.startswith((base, "data:", "blob:")) or say(asked.url),
        )
        ready(page)
        go(page, f"{base}/{address}")
        page.locator('#found[aria-busy="false"]').wait_for()
        page.locator(".filters fieldset").first.wait_for(state="attached")
        return page

    yield visited
    for context in contexts:
        context.close()
    assert wrong == []


def go(page: Page, address: str) -> None:
    try:
        page.goto(address)
    except PlaywrightError as error:
        if NETWORK_CHANGED not in str(error):
            raise
        page.goto(address)


def names(page: Page) -> list[str]:
    return page.locator("#found > .rows h3").all_inner_texts()


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


# --- as files


def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(served: Running) -> None:
    shell = served.http.get("/")
    assert shell.status_code == 200
    assert shell.headers["content-type"] == "text/html; charset=utf-8"
    policy = shell.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert shell.headers["x-content-type-options"] == "nosniff"
    etag = shell.headers["etag"]
    for known in (etag, f'"another", {etag}', etag.removeprefix("W/"), "*"):
        again = served.http.get("/", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    head = served.http.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == etag
    assert head.headers["content-length"] == shell.headers["content-length"]


def test_the_page_comes_as_its_reader_takes_it_and_says_so(served: Running) -> None:
    plain = served.http.get("/", headers={"Accept-Encoding": "identity"})
    zipped = served.http.get("/", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["index.html", "main.js", "..%2fapp.py", "__init__.py"])
def test_nothing_else_is_served(served: Running, name: str) -> None:
    answer = served.http.get(f"/page/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.slow
def test_the_first_row_waits_for_nothing_but_the_page_the_search_and_its_picture(
    visit: Open, served: Running
) -> None:
    asked: list[str] = []

    def watch(page: Page) -> None:
        page.on(
            "request",
            lambda request: (
                request.url.startswith(served.url) and asked.append(urlsplit(request.url).path)
            ),
        )

    page = visit(QUERY, ready=watch)
    first = page.locator("#found img").first.get_attribute("src")
    assert first is not None
    assert asked[:3] == ["/", "/search", urlsplit(first).path]


# --- looking


@pytest.mark.slow
def test_before_anything_is_asked_there_are_examples_with_fonts(visit: Open) -> None:
    page = visit()
    examples = page.locator(".examples section")
    expect(examples).to_have_count(3)
    for example in examples.all():
        assert example.locator(".row").count() > 0
        example.locator("img").first.evaluate("image => image.decode()")
    examples.nth(0).get_by_role("link").click()
    expect(page.locator("#query")).to_have_value("elegant, high contrast, small x-height")
    expect(page.locator("#found > .rows .row")).not_to_have_count(0)


@pytest.mark.slow
def test_typed_words_find_fonts_and_stand_in_the_address(visit: Open) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("high contrast serif")
    expect(page.get_by_role("button", name="Drop high contrast")).to_be_visible()
    assert state(page)["q"] == ["high contrast serif"]
    expect(page.locator("#count")).to_contain_text(f"{FONTS} fonts")
    first = page.locator("#found > .rows .row").first
    assert first.locator(".why").inner_text().startswith("contrast .")
    assert re.search(r"sight #\d+ −?\.\d\d", first.locator(".scores").inner_text())
    found = names(page)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert names(page) == found
    page.go_back()
    expect(page.locator(".examples")).to_be_visible()


@pytest.mark.slow
def test_words_are_dropped_and_replaced_by_a_click(visit: Open) -> None:
    page = visit("?q=high+contrast%2C+kontrast+serif")
    expect(page.locator("#said del")).to_have_text("kontrast")
    page.get_by_role("button", name="contrast instead of kontrast", exact=True).click()
    expect(page.locator("#query")).to_have_value("high contrast, contrast serif")
    page.get_by_role("button", name="Drop high contrast").click()
    expect(page.locator("#query")).to_have_value("contrast serif")


@pytest.mark.slow
def test_the_slider_orders_anew_and_keeps_the_images(visit: Open) -> None:
    page = visit("?q=Family+3+monoline")
    page.evaluate(
        "document.querySelectorAll('#found img').forEach(image => { image.kept = true; })"
    )
    page.locator("#blend").fill("0")
    expect(page.locator("#found > .rows h3").first).to_have_text("Family 3")
    said = names(page)
    page.locator("#blend").fill("1")
    expect(page.locator("#found > .rows h3").first).to_have_text("Family 0")
    assert sorted(names(page)) == sorted(said)
    assert page.evaluate("[...document.querySelectorAll('#found img')].every(image => image.kept)")
    assert state(page)["alpha"] == ["0"]


@pytest.mark.slow
def test_three_rankings_stand_side_by_side(visit: Open) -> None:
    page = visit(QUERY)
    page.get_by_label("side by side").check()
    columns = page.locator(".side-by-side section")
    expect(columns).to_have_count(3)
    assert [column.locator("h2").inner_text() for column in columns.all()] == [
        "how it looks", "fused", "what is said",
    ]  # fmt: skip
    for leg, column in (("sight", columns.nth(0)), ("text", columns.nth(2))):
        told = " ".join(column.locator(".scores").all_inner_texts())
        ranks = [int(rank) for rank in re.findall(rf"{leg} #(\d+)", told)]
        assert ranks == sorted(ranks)
        assert (ranks[0], len(ranks)) == (1, FONTS)


@pytest.mark.slow
def test_a_row_opens_to_its_sheet_and_measurements_and_leads_on(visit: Open) -> None:
    page = visit(QUERY, viewport={"width": 1440, "height": 500})
    row = page.locator(".row").nth(1)
    row.locator(".open").click()
    assert (
        row.locator(".glyphs").evaluate("image => image.decode().then(() => image.naturalWidth)")
        == 1024
    )
    expect(row.locator(".measurement", has_text="contrast").locator(".mark")).to_be_attached()
    row.get_by_role("button", name="heavier").click()
    expect(page.locator("#said")).to_contain_text("weight ≥")
    assert set(state(page)) == {"like", "t.weight"}
    assert page.evaluate("scrollY") == 0  # where the first of what is found stands
    page.go_back()
    page.go_back()
    expect(page.locator("#query")).to_have_value("high contrast serif")


@pytest.mark.slow
def test_specimens_are_set_in_the_visitors_text_and_size(visit: Open) -> None:
    page = visit(QUERY, device_scale_factor=2)
    page.locator("#text").fill("Hamburg")
    page.locator("#size").fill("72")
    image = page.locator("#found img").first
    expect(image).to_have_attribute("alt", re.compile("^Hamburg, set in "))
    expect(image).to_have_attribute("src", re.compile(r"text=Hamburg&size=72&scale=2$"))
    assert image.evaluate("image => image.decode().then(() => image.naturalHeight)") == round(
        1.6 * 72 * 2
    )


# --- filters


@pytest.mark.slow
def test_filters_narrow_count_and_are_removed(visit: Open) -> None:
    page = visit(QUERY)
    choice = page.locator("#side label", has_text=re.compile("^serif"))
    expect(choice.locator(".number")).to_have_text(str(FONTS // 2))
    choice.click()
    expect(page.locator("#count")).to_contain_text(f"{FONTS // 2} fonts")
    end = page.get_by_role("slider", name="contrast, at least")
    end.focus()
    for _ in range(3):
        end.press("PageUp")
    expect(page.locator("#said")).to_contain_text("contrast ≥ .30")
    assert 0 < len(names(page)) < FONTS // 2
    expect(page.locator("#side label", has_text="sans-serif").locator(".number")).not_to_have_text(
        str(FONTS // 2)
    )
    assert state(page) == {
        "q": ["high contrast serif"], "category": ["serif"], "t.contrast": ["0.3~"],
    }  # fmt: skip
    page.get_by_role("button", name="remove all filters").click()
    expect(page.locator("#count")).to_contain_text(f"{FONTS} fonts")


@pytest.mark.slow
def test_the_filters_begin_below_a_question_that_takes_two_lines(visit: Open) -> None:
    one, two = [
        visit(f"{QUERY}{chips}", viewport={"width": 1000, "height": 600}).evaluate(
            """() => {
              scrollTo(0, 200);
              const box = (css) => document.querySelector(css).getBoundingClientRect();
              return { head: box(".top").height, bottom: box(".top").bottom, side: box(".side").top };
            }"""
        )
        for chips in (
            "",
            "".join(f"&t.{trait}=0~" for trait in ("contrast", "width", "weight", "serifs")),
        )
    ]
    assert two["head"] > one["head"]
    for seen in (one, two):
        assert seen["side"] == pytest.approx(seen["bottom"], abs=0.1)


@pytest.mark.slow
def test_where_nothing_fits_the_filters_can_be_removed_one_by_one(visit: Open) -> None:
    page = visit(f"{QUERY}&category=serif&t.contrast=0.99~")
    nothing = page.locator(".state")
    expect(nothing).to_contain_text("No font fits")
    nothing.get_by_role("button", name="Remove the filter contrast ≥ .99").click()
    expect(page.locator(".row")).to_have_count(FONTS // 2)


@pytest.mark.slow
def test_on_a_phone_the_filters_are_a_sheet_and_nothing_is_wider_than_the_screen(
    visit: Open,
) -> None:
    page = visit(QUERY, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Filters").tap()
    sheet = page.locator("#filters-sheet")
    sheet.locator("label", has_text=re.compile("^serif")).tap()
    sheet.get_by_role("button", name=f"Show {FONTS // 2} fonts").tap()
    expect(sheet).not_to_be_visible()
    expect(page.get_by_role("button", name="Filters · 1")).to_be_visible()
    expect(page.locator(".row")).to_have_count(FONTS // 2)


# --- comparing, and what is behind it


@pytest.mark.slow
def test_fonts_are_pinned_and_compared_on_one_text(visit: Open) -> None:
    page = visit(QUERY)
    for row in (0, 2):
        page.locator(".row").nth(row).locator(".pin").click()
    expect(page.locator("#tray li")).to_have_count(2)
    page.get_by_role("button", name="compare on one text").click()
    comparison = page.locator("#comparison")
    expect(comparison.locator(".row")).to_have_count(2)
    comparison.get_by_label("Text to compare on").fill("Ag")
    expect(comparison.locator("img").nth(1)).to_have_attribute("alt", re.compile("^Ag, set in "))
    expect(comparison.locator("tbody tr").first).to_contain_text("contrast")
    shared = page.url
    page.keyboard.press("Escape")
    expect(comparison).not_to_be_visible()
    again = visit(shared.removeprefix(f"{urlsplit(shared).scheme}://{urlsplit(shared).netloc}/"))
    expect(again.locator("#comparison .row")).to_have_count(2)


@pytest.mark.slow
def test_the_panel_tells_what_is_behind_an_answer(visit: Open) -> None:
    page = visit(QUERY)
    page.locator("#count button").click()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("scanned: every font that passes the filter was scored")
    expect(panel).to_contain_text("measured-traits")
    expect(panel).to_contain_text("hashed-ngrams")
    expect(panel.locator("dt", has_text="database")).to_be_visible()


@pytest.mark.slow
def test_where_pictures_are_not_read_the_page_says_who_would(visit: Open) -> None:
    def reads_none(asked: Route) -> None:
        panel = asked.fetch().json()
        asked.fulfill(json=panel | {"embedder": panel["embedder"] | {"reads_images": False}})

    page = visit(ready=lambda page: page.route("**/panel", reads_none))
    expect(page.locator("#picture")).to_contain_text("Qwen3-VL")
    assert page.locator("#picture input").count() == 0


@pytest.mark.slow
def test_a_picture_is_searched_by_and_the_page_tells_what_was_read_of_it(visit: Open) -> None:
    drawn = io.BytesIO()
    with Image.open(io.BytesIO(letters(weight=0.2))) as image:
        image.resize((2048, 512)).save(drawn, "PNG")
    sent: list[dict[str, Any]] = []

    def taken(asked: Route) -> None:
        body = asked.request.post_data_json
        if "image" in body:
            sent.append(body)
        asked.continue_()

    page = visit(ready=lambda page: page.route("**/search", taken))
    page.locator("#picture input").set_input_files(
        {"name": "letters.png", "mimeType": "image/png", "buffer": drawn.getvalue()}
    )
    expect(page.locator("#found > .rows .row")).to_have_count(FONTS)
    expect(page.locator("#said")).to_contain_text("read of the picture")
    assert re.search(r"sans serif \.\d\d", page.locator("#said").inner_text())
    (body,) = sent
    assert "query" not in body
    kind, _, data = body["image"].partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (1024, 256)
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.locator(".examples")).to_be_visible()


# --- when something is missing


@pytest.mark.slow
def test_a_service_with_keys_asks_for_one_once(
    fonts: Database, browser: Browser, tmp_path: Path
) -> None:
    with service_on(fonts, keys=(KEY,), cache_dir=tmp_path) as locked:
        page = browser.new_page()
        go(page, f"{locked.url}/{QUERY}")
        page.get_by_role("textbox", name="Key", exact=True).fill("not one of the keys")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_have_text("That is not one of this server’s keys.")
        page.get_by_role("textbox", name="Key", exact=True).fill(KEY)
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#found > .rows .row")).to_have_count(FONTS)
        page.reload()
        expect(page.locator("#found > .rows .row")).to_have_count(FONTS)
        page.close()


@pytest.mark.slow
def test_words_that_nothing_understands_are_said_to_be_so(visit: Open) -> None:
    page = visit("?q=zzyzx&view=looks")
    expect(page.locator("#notices")).to_contain_text("has no word that the lexicon knows")
    page.get_by_label("fused").check()
    expect(page.locator("#notices")).to_contain_text("The search goes on by what is said.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "message"),
    [(503, "The database does not answer. Try again."), (0, "does not answer")],
)
def test_an_error_is_one_sentence_and_a_way_on(
    served: Running, browser: Browser, status: int, message: str
) -> None:
    page = browser.new_page()
    refusal = {"error": {"message": message, "code": "unavailable"}}
    page.route(
        "**/search",
        lambda asked: asked.fulfill(status=status, json=refusal) if status else asked.abort(),
    )
    go(page, f"{served.url}/{QUERY}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(message)
    page.unroute("**/search")
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator("#found > .rows .row")).to_have_count(FONTS)
    page.close()


# --- for everybody


def _opened(page: Page) -> None:
    page.locator(".open").nth(1).click()
    page.locator(".measurement").first.wait_for()


def _compared(page: Page) -> None:
    for row in (0, 1):
        page.locator(".pin").nth(row).click()
    page.get_by_role("button", name="compare on one text").click()
    page.locator("#comparison tbody").wait_for()


def _panel(page: Page) -> None:
    page.locator("#count button").click()
    page.locator("#panel table").wait_for()


def _filters(page: Page) -> None:
    page.locator("#open-filters").click()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "examples": ("", lambda page: None),
    "opened": (f"{QUERY}+kontrast&category=serif", _opened),
    "side by side": (f"{QUERY}&view=side", lambda page: None),
    "compared": (QUERY, _compared),
    "panel": (QUERY, _panel),
    "nothing": (f"{QUERY}&t.contrast=0.99~", lambda page: None),
}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Open, npm_packages: NpmPackages, scheme: str) -> None:
    axe = (npm_packages(AXE) / "node_modules/axe-core/axe.min.js").read_text()
    found = {}
    on_phones = {"filters": (QUERY, _filters), "opened": STATES["opened"]}
    on_desks = STATES if scheme == "light" else {name: STATES[name] for name in ("opened", "panel")}
    for size, states in ((DESK, on_desks), (PHONE, on_phones)):
        for name, (address, act) in states.items():
            # axe itself is a script that the page's policy would refuse
            page = visit(address, viewport=size, color_scheme=scheme, bypass_csp=True)
            act(page)
            page.evaluate(axe)
            told = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES[scheme])
            found |= {
                f"{name}, {size['width']}: {wrong['id']}": [
                    node["target"] for node in wrong["nodes"]
                ]
                for wrong in told["violations"]
            }
            page.close()
    assert found == {}


@pytest.mark.slow
def test_all_of_it_works_by_keyboard(visit: Open) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the fonts"
    page.keyboard.press("/")
    page.keyboard.type("high contrast serif")
    page.locator("#found > .rows .row").first.wait_for()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label') ?? document.activeElement.className"
            )
        )
        if "open" in reached:
            break
    assert {
        "From what is said to how it looks",
        "Drop high contrast",
        "contrast, at most",
        "open",
    } <= reached
    page.keyboard.press("Enter")
    expect(page.locator(".details")).to_be_visible()
    page.get_by_role("button", name="Drop high contrast").press("Enter")
    expect(page.get_by_role("button", name="Drop serif")).to_be_focused()
    page.locator(".open").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".details")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".details")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    assert page.evaluate(
        "document.activeElement.closest('.row') === document.querySelectorAll('.row')[1]"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#tray li")).to_have_count(1)


@pytest.mark.slow
def test_nothing_jumps(visit: Open) -> None:
    page = visit(QUERY)
    shift = page.evaluate(
        """() => new Promise(resolve => {
          let sum = 0;
          new PerformanceObserver(list => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
          }).observe({ type: "layout-shift", buffered: true });
          setTimeout(() => resolve(sum), 300);
        })"""
    )
    assert shift < 0.02


@pytest.mark.slow
def test_the_bench_visits_the_page_on_a_table_of_its_own(browser: Browser) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eval", "bench", "page", "--rows=60", "--rounds=1", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    times = json.loads(done.stdout)
    assert times["rows"] == 60
    assert times["typed"] > 150  # the pause after the last key is in it
    assert times["layout_shift"] < 0.02
