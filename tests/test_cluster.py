"""indexer backfill --engine ray: the rows of an ordinary run, whatever happens to workers and nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import conninfo

from indexer.cli import main
from indexer.cli.commands import DONE_WITH_FAILURES
from indexer.cluster.worker import added_up
from indexer.database.connect import Connection, Database
from indexer.errors import FontError
from indexer.job.backfill import STOPPED
from indexer.job.progress import Progress
from tests.fix_cli import command_here
from tests.fix_database import temporary_database
from tests.fix_fonts import AddFonts

ray = pytest.importorskip("ray", reason="needs the extra ray, which has no wheel for this Python")

FONTS = 40  # more than a batch
PASSWORD = "of-nobody-3f6b"  # the server asks for none
BACKFILL = [
    "backfill", "--vl-embedder", "measured-traits", "--text-embedder", "hashed-ngrams",
    "--processes", "1", "--json",
]  # fmt: skip
COLUMNS = "public.fonts (id, name, category, tags, files, created_at)"
ROWS = """
    select f.name, f.embedding::text, f.embedding_vl::text, f.traits, f.styles, e.space_id, e.input_hash
    from public.fonts f join font_index.embeddings e on e.font_id = f.id order by f.name, e.space_id
"""
COPIES = """
    insert into public.fonts (name, category, tags, files)
    select 'Copy ' || n, 'serif', '{latin}', files from public.fonts, generate_series(1, %s) n
    where name = 'Font 01'
"""
RUNNING = "select process_id from font_index.runs where finished_at is null order by id"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Of one node, whose workers have the files and sheets of this process."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray") as folder:
        patch.setenv(
            "RAY_TMPDIR", folder
        )  # short, for sockets; and no other cluster's address is lost
        patch.setenv("FONTSIGHT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 100 * 2**20}
        made = Cluster(initialize_head=True, head_node_args=node)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture
def backfill_by_ray(
    cluster: Any, database: Database, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts the command in a process of its own."""
    address = conninfo.make_conninfo(database.conninfo, password=PASSWORD)
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "indexer", *BACKFILL, "--engine", "ray"]
        started.append(
            subprocess.Popen(
                command, env={**os.environ, "DATABASE_URL": address}, cwd=tmp_path, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def waited_for(connection: Connection, running: int) -> list[Any]:
    """The processes of so many runs, once there are."""
    until = time.monotonic() + 60
    while len(found := connection.execute(RUNNING).fetchall()) < running:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


@contextmanager
def nothing_can_be_saved(database: Database) -> Iterator[Connection]:
    """Until this connection is rolled back: runs hold fonts, and wait."""
    with psycopg.connect(database.conninfo) as holding:
        holding.execute("select from public.fonts for update")
        yield holding


def rows_of_an_ordinary_run(
    connection: Connection, server: str, template: str, tmp_path: Path
) -> list[Any]:
    with contextmanager(temporary_database)(server, template) as database, database.open() as other:
        with (
            connection.cursor().copy(f"copy {COLUMNS} to stdout") as fonts,
            other.cursor().copy(f"copy {COLUMNS} from stdin") as into,
        ):
            for part in fonts:
                into.write(part)
        environment = {**os.environ, "DATABASE_URL": database.conninfo}
        done = command_here(main, "indexer", BACKFILL, tmp_path, environment)
        assert done.returncode == DONE_WITH_FAILURES, done.stderr
        return other.execute(ROWS).fetchall()


@pytest.mark.slow
def test_a_cluster_that_gains_and_loses_a_node_and_a_worker_leaves_the_rows_of_an_ordinary_run(
    cluster: Any,
    database: Database,
    connection: Connection,
    backfill_by_ray: Callable[[], subprocess.Popen[str]],
    server: str,
    template: str,
    add_fonts: AddFonts,
    tmp_path: Path,
) -> None:
    add_fonts(connection, 2)[0].write_bytes(b"no font")
    connection.execute(COPIES, [FONTS - 2])
    expected = rows_of_an_ordinary_run(connection, server, template, tmp_path)
    assert Counter(row[0] for row in expected).most_common()[-1] == ("Font 00", 1)  # its text alone

    with nothing_can_be_saved(database):
        command = backfill_by_ray()
        waited_for(connection, 1)
        node = cluster.add_node(num_cpus=2)
        [first], _ = waited_for(connection, 2)  # the new node has a worker of its own
        seen = [
            text
            for process in psutil.Process().children(recursive=True)
            for text in [*process.cmdline(), *process.environ().values()]
            if process.pid != command.pid
        ]
        os.kill(first, signal.SIGKILL)
        cluster.remove_node(node)
        connection.execute("update font_index.leases set expires_at = now()")  # as in half a minute
    output, errors = command.communicate(timeout=60)
    assert connection.execute(ROWS).fetchall() == expected
    assert command.returncode == DONE_WITH_FAILURES, errors
    text, vl = map(json.loads, output.splitlines())
    assert (text["leg"], text["embedded"], text["failed"], text["held"]) == ("text", FONTS, 0, {})
    assert (vl["leg"], vl["embedded"], vl["failed"], vl["held"]) == ("vl", FONTS - 1, 1, {})
    assert [failure["stage"] for failure in vl["failures"]] == ["open"]
    assert "40 fonts have files of a host's own" in errors
    assert errors.count("vl leg: measured-traits") == 1

    # the workers had the password in their hands
    logs = Path(cluster.head_node.get_logs_dir_path()).rglob("*")
    seen += [path.read_text(errors="replace") for path in logs if path.is_file()]
    assert any("Worker" in text for text in seen)
    assert not [text for text in [output, errors, *seen] if PASSWORD in text]


@pytest.mark.slow
def test_interrupted_the_workers_end_and_give_their_fonts_back(
    database: Database,
    connection: Connection,
    backfill_by_ray: Callable[[], subprocess.Popen[str]],
    add_fonts: AddFonts,
) -> None:
    add_fonts(connection, 2)
    connection.execute(COPIES, [FONTS - 2])
    with nothing_can_be_saved(database):
        command = backfill_by_ray()
        waited_for(connection, 1)
        command.send_signal(signal.SIGINT)
        assert command.stderr
        while STOPPED not in command.stderr.readline():
            assert command.poll() is None
    errors = command.communicate(timeout=60)[1]
    assert command.returncode == 1, errors
    assert connection.execute("select count(*) from font_index.leases").fetchone() == (0,)
    ended = connection.execute("select outcome from font_index.runs order by id desc limit 1")
    assert ended.fetchone() == ("interrupted",)


def test_the_work_of_several_is_added_up_and_what_failed_for_others_is_not_called_waiting() -> None:
    first = Progress(
        pending=10, embedded=4, failures=[FontError("open", "Bad.")], failed_at_first=1
    )
    last = Progress(pending=6, embedded=5, held=Counter(waiting=3, leased=1))
    last.seconds["embed"] = 2.0
    total = added_up([first, last])
    assert (total.pending, total.embedded, total.failed, total.failed_at_first) == (10, 9, 1, 1)
    assert total.held == {"waiting": 2, "leased": 1}
    assert total.seconds == {"prepare": 0.0, "embed": 2.0, "save": 0.0}
    total = added_up([last])
    assert (total.pending, total.held) == (6, last.held)


@pytest.mark.parametrize(
    ("arguments", "database_url", "reason"),
    [
        (["--engine", "ray"], None, "needs DATABASE_URL"),
        (["--engine", "ray", "--devices", "cuda:0"], "", "omit --devices and --shard"),
        (["--engine", "ray", "--shard"], "", "omit --devices and --shard"),
        (["--workers", "2"], "", "--workers is for --engine ray"),
    ],
)
def test_what_cannot_reach_other_hosts_is_refused(
    arguments: list[str],
    database_url: str | None,
    reason: str,
    database: Database,
    data_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {**os.environ, "DATABASE_URL": database.conninfo}
    if database_url is None:
        monkeypatch.setattr("indexer.database.local.start", lambda folder: database.conninfo)
        del environment["DATABASE_URL"]
    done = command_here(main, "indexer", ["backfill", *arguments], data_folder, environment)
    assert done.returncode in (1, 2)
    assert reason in done.stderr


def test_a_cluster_that_cannot_be_used_is_named(database: Database, tmp_path: Path) -> None:
    environment = {
        **os.environ, "DATABASE_URL": database.conninfo, "RAY_ADDRESS": "nowhere",
        "RAY_gcs_server_port_wait_time_s": "1",  # as it sets itself, and taken back afterwards
    }  # fmt: skip
    done = command_here(main, "indexer", ["backfill", "--engine", "ray"], tmp_path, environment)
    assert done.returncode == 1
    assert "No Ray cluster can be used: Invalid address format: nowhere." in done.stderr


def test_without_the_extra_it_is_named(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "indexer.cluster.by_ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    environment = {**os.environ, "DATABASE_URL": database.conninfo}
    done = command_here(main, "indexer", ["backfill", "--engine", "ray"], tmp_path, environment)
    assert done.returncode == 1
    assert "pip install 'fontsight[ray]'" in done.stderr
