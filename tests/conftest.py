"""How the tests are chosen, marked and summed up; the fixtures are in fix_*.py, by subject."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = [
    "tests.fix_database",
    "tests.fix_bounded",
    "tests.fix_crowd",
    "tests.fix_fonts",
    "tests.fix_qwen",
    "tests.fix_visitors",
    "tests.fix_servers",
    "tests.fix_embedding_service",
    "tests.fix_pooler",
    "tests.fix_postgrest",
    "tests.fix_service",
]
TAKE_A_MINUTE = ("commands_of_the_readme", "killed_backfills")
MARKED_BY_FIXTURE = {"server": pytest.mark.database, "checkpoint_folder": pytest.mark.model}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db",
        choices=("embedded", "embedded-16", "testcontainers"),
        default="embedded",
        help="which Postgres the tests run on: 18, 16, or 17, which needs Docker",
    )


@pytest.fixture(scope="session", autouse=True)
def font_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Rows may name files of the tests' own folders, and no other of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONTSIGHT_FONT_DIRS", str(tmp_path_factory.getbasetemp()))
        yield


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('--db')}"


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, mark in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
    # one that takes a minute must not be the last
    items.sort(key=lambda item: not any(name in item.name for name in TAKE_A_MINUTE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from tests.fix_postgrest import HOW_TO_GET_IT, NO_POSTGREST

    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_POSTGREST in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(
            f"{count} tests were skipped without PostgREST. {HOW_TO_GET_IT}"
        )
