"""Fixtures by subject: the database here, servers and fonts in fix_*.py."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "tests.fix_database",
    "tests.fix_crowd",
    "tests.fix_fonts",
    "tests.fix_qwen",
    "tests.fix_servers",
    "tests.fix_embedding_service",
    "tests.fix_postgrest",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db",
        choices=("embedded", "testcontainers"),
        default="embedded",
        help="which Postgres the tests run on; testcontainers needs Docker",
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('--db')}"
