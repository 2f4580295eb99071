"""indexer watch: what is written is found by search within seconds, whatever happens to its connection."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.fonts.parametric import ParametricFont
from indexer.database.connect import Connection, Database
from indexer.search import Fonts
from tests.fix_database import end_connections
from tests.fix_fonts import AddFonts

SECONDS = 5.0
MAX_CONNECTIONS = 5  # of a job


def seconds_until_found(
    connection: Connection, database: Database, folder: Path, name: str
) -> float:
    (folder / f"{name}.ttf").write_bytes(ParametricFont(contrast=3.0).build())
    connection.execute(
        "insert into fonts (name, files) values (%s, jsonb_build_object('400', %s::text))",
        [name, (folder / f"{name}.ttf").as_uri()],
    )
    begin = time.monotonic()
    with Fonts(database.conninfo) as fonts:
        while not any(hit.name == name for hit in fonts.search("high contrast", alpha=0, count=20)):
            assert time.monotonic() - begin < 60, f"{name} was not found in a minute"
            time.sleep(0.1)
    return time.monotonic() - begin


@pytest.mark.slow
def test_a_new_row_is_found_within_seconds_also_after_the_server_ended_the_connection(
    database: Database, connection: Connection, add_fonts: AddFonts, tmp_path: Path
) -> None:
    [path] = add_fonts(connection, 1)
    job = subprocess.Popen(
        [sys.executable, "-m", "indexer", "watch", "--vl-embedder", "measured-traits"],
        env={
            **os.environ,
            "DATABASE_URL": database.conninfo,
            "FONTSIGHT_CACHE_DIR": str(tmp_path / "cache"),
        },
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert job.stdout
        for line in job.stdout:
            if line.startswith("vl: 1 embedded"):
                break
        # on a busy machine one of them may take longer
        took = [
            seconds_until_found(connection, database, path.parent, f"New {n}") for n in range(2)
        ]
        assert min(took) < SECONDS
        assert 1 <= end_connections(connection) <= MAX_CONNECTIONS
        seconds_until_found(connection, database, path.parent, "After")
    finally:
        job.send_signal(signal.SIGTERM)
        said = job.communicate(timeout=20)[0]
    assert job.returncode == 0, said
    assert "The database ended the connection." in said
    assert said.endswith("Stopped. What is done is kept.\n")
