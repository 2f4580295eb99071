"""The demo, from nothing to a page, on real families and on a machine that reaches nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from eval.fonts.parametric import ParametricFont
from indexer.settings import Settings
from tests.fix_servers import free_port
from tests.fix_waiting import until


def demo(
    home: Path, data: Path, *arguments: str, expect: int = 0, **environment: str
) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "demo", *arguments],
        cwd=home,
        env={
            **os.environ,
            "HOME": str(home),
            "FONTSIGHT_DATA_DIR": str(data),
            "FONTSIGHT_CACHE_DIR": str(home / "cache"),
            "FONTSIGHT_FONT_DIRS": "",  # it remembers what it has imported
            # the demo must not touch it
            "DATABASE_URL": "postgresql://me@127.0.0.1:9/production",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def check(page: str) -> None:
    assert page.count("<section") == 12
    assert page.count('role="img"') >= 12 * 2
    # each sheet stands in the page once, and nothing is loaded from elsewhere
    assert len(re.findall(r"data:image/png;base64,", page)) <= page.count('role="img"')
    assert not re.search(r'(src|href)="(?!#)', page)


@pytest.mark.slow
@pytest.mark.network
def test_the_demo_serves_and_opens_the_page(
    tmp_path: Path, data_folder: Path, npm_registry_answers: None
) -> None:
    pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {opened}\n")
    browser.chmod(0o755)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "indexer", "demo", "--fonts", "5", "--serve"],
        cwd=tmp_path,
        env={
            **os.environ, "FONTSIGHT_DATA_DIR": str(data_folder), "BROWSER": str(browser),
            "FONTSIGHT_CACHE_DIR": str(Settings().cache_dir), "FONTSIGHT_SERVE_PORT": str(port),
        },
        stdin=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        try:
            until(lambda: opened.exists() or running.poll() is not None, 120)
            assert opened.read_text() == f"http://127.0.0.1:{port}\n"
            page = httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
            assert page.headers["content-type"].startswith("text/html")
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0


@pytest.mark.slow
@pytest.mark.network
def test_the_demo_leaves_a_page_and_does_no_work_twice(
    tmp_path: Path, data_folder: Path, npm_registry_answers: None
) -> None:
    cache = str(Settings().cache_dir)  # what was fetched once is not fetched again
    out, said = demo(tmp_path, data_folder, "--fonts", "10", FONTSIGHT_CACHE_DIR=cache)
    assert "families: 10 imported" in said
    assert "20 vectors embedded, 0 failures" in out
    check((tmp_path / "demo" / "index.html").read_text(encoding="utf-8"))
    out, said = demo(tmp_path, data_folder, "--fonts", "10", FONTSIGHT_CACHE_DIR=cache)
    assert "families: 0 imported" in said
    assert "0 vectors embedded" in out


@pytest.mark.slow
def test_where_nothing_can_be_downloaded_the_system_fonts_are_offered_and_work(
    tmp_path: Path, data_folder: Path
) -> None:
    folder = tmp_path / ".local/share/fonts"
    folder.mkdir(parents=True)
    (folder / "one.ttf").write_bytes(ParametricFont(serifs=0.5).build())
    (tmp_path / ".npmrc").write_text("registry=http://127.0.0.1:9/\nfetch-retries=0\n")
    offline = {
        "NPM_CONFIG_USERCONFIG": str(tmp_path / ".npmrc"),
        "npm_config_registry": "http://127.0.0.1:9/",
    }
    _, said = demo(tmp_path, data_folder, "--fonts", "5", expect=1, **offline)
    assert "are installed on this system: indexer demo --source system" in said
    out, _ = demo(tmp_path, data_folder, "--fonts", "5", "--source", "system", **offline)
    assert "0 failures" in out
    page = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    assert page.count("<section") == 12
