"""How fast the search page is, as a visitor sees it: a real browser on a table of made-up fonts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from eval.bench.page_table import fill
from indexer.database import local, schema
from indexer.database.connect import Database
from indexer.errors import UserError

NO_BROWSER = (
    "The page is timed in a browser: pip install -e '.[test]', and put chromium on the PATH."
)
QUERIES = (
    "elegant high-contrast serif, small x-height",
    "wide rounded letters",
    "light condensed sans",
    "bold slab serif",
    "monoline with open apertures",
)
WINDOW = {"width": 1440, "height": 900}
SECONDS_TO_START = 60

# Runs before the page does. `first`: when the first specimen has been drawn, after the navigation began.
WATCH = """
window.seen = { first: null, shift: 0 };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
requestAnimationFrame(function look() {
  const image = document.querySelector("#found .row:not(.waiting) img");
  if (image?.complete && image.naturalWidth) seen.first = performance.now();
  else requestAnimationFrame(look);
});
"""
# From an event to the frame in which the rows stand in their new order.
UNTIL_NEW_ROWS = """
([id, value]) => new Promise((resolve) => {
  const list = document.querySelector("#found .rows"), input = document.getElementById(id);
  const began = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  }).observe(list, { childList: true });
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
})
"""


@dataclass(frozen=True, kw_only=True)
class PageTimes:
    """Medians, in milliseconds, and how busy the machine was: a busy one is slower."""

    rows: int
    rounds: int
    first_row: float  # from opening an address with a query in it to the first font drawn
    typed: float  # from the last key, the 150 ms that typing may take included, to new rows
    slider: float  # from a step of the slider to the new order
    layout_shift: float  # the largest sum of a visit
    load_average: float  # of the last minute
    cpus: int

    def __str__(self) -> str:
        return (
            f"{self.rows} fonts, medians of {self.rounds}: first row {self.first_row:.0f} ms, "
            f"typed {self.typed:.0f} ms, slider {self.slider:.0f} ms; layout shift at most "
            f"{self.layout_shift:.4f} (load {self.load_average:.1f} on {self.cpus} CPUs)"
        )


def bench_page(rows: int, rounds: int) -> PageTimes:
    """Fill a table, serve it by `indexer serve`, and visit the page. Raises UserError without a browser."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(NO_BROWSER) from error
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise UserError(NO_BROWSER)
    with _served(rows) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        _visit(browser, url, QUERIES[0])  # the server opens files and plans statements
        visits = [_visit(browser, url, QUERIES[at % len(QUERIES)]) for at in range(rounds)]
        typed, slider, shift = _use(browser, url, rounds)
        browser.close()
    return PageTimes(
        rows=rows,
        rounds=rounds,
        first_row=median(first for first, _ in visits),
        typed=median(typed),
        slider=median(slider),
        layout_shift=max(shift, *(moved for _, moved in visits)),
        load_average=os.getloadavg()[0],
        cpus=psutil.cpu_count() or 1,
    )


def _visit(browser: Any, url: str, query: str) -> tuple[float, float]:
    """The time of the first row and what moved, in a browser that has nothing in its cache."""
    with browser.new_context(viewport=WINDOW) as context:
        page = context.new_page()
        page.add_init_script(WATCH)
        _open(page, url, query)
        while (seen := page.evaluate("seen"))["first"] is None:
            page.wait_for_timeout(10)
        return float(seen["first"]), float(seen["shift"])


def _open(page: Any, url: str, query: str) -> None:
    from playwright.sync_api import Error  # noqa: PLC0415 - of an extra

    address = f"{url}/?{httpx.QueryParams(q=query)}"
    try:
        page.goto(address)
    except Error as error:
        if "ERR_NETWORK_CHANGED" not in error.message:  # as by a container that starts
            raise
        page.goto(address)
    page.wait_for_load_state("networkidle")


def _use(browser: Any, url: str, rounds: int) -> tuple[list[float], list[float], float]:
    with browser.new_context(viewport=WINDOW) as context:
        page = context.new_page()
        page.add_init_script(WATCH)
        _open(page, url, QUERIES[0])

        def timed(control: str, value: str) -> float:
            milliseconds = float(page.evaluate(UNTIL_NEW_ROWS, [control, value]))
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(100)
            return milliseconds

        typed = [timed("query", QUERIES[(at + 1) % len(QUERIES)]) for at in range(rounds)]
        slider = [timed("blend", f"{0.2 + 0.6 * at / rounds:.2f}") for at in range(rounds)]
        return typed, slider, float(page.evaluate("seen.shift"))


@contextmanager
def _served(rows: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        conninfo = local.start(home / "data")
        try:
            schema.upgrade(conninfo)
            (home / "fonts").mkdir()
            with Database(conninfo=conninfo, label="bench").open() as connection:
                fill(connection, home / "fonts", rows)
            with _serving(conninfo, home) as url:
                yield url
        finally:
            local.stop(home / "data")


@contextmanager
def _serving(conninfo: str, home: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (home / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "indexer", "serve", "--port", str(port)],
            env={
                **os.environ, "DATABASE_URL": conninfo, "FONTSIGHT_DATA_DIR": str(home / "service"),
                "FONTSIGHT_CACHE_DIR": str(home / "cache"), "FONTSIGHT_SERVE_KEYS": "",
                "FONTSIGHT_FONT_DIRS": str(home / "fonts"),
            },
            stderr=log,
        )  # fmt: skip
        try:
            _wait(url, process, home / "log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"indexer serve did not start: {log.read_text()[-500:]}")
