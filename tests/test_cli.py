"""The commands as a person runs them: exit codes, where output goes, what errors say."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.cli import main
from indexer.database import schema
from indexer.database.advice import database_advice
from indexer.database.connect import Connection, Database
from indexer.embed.ngrams import HashedNgrams
from indexer.job.heartbeat import Heartbeat
from indexer.job.pending import EVERYTHING, pending
from indexer.job.store import JobRun
from tests.fix_cli import Indexer, font_folder, process_runner, runner
from tests.fix_embedding_service import Answer, Script, Service
from tests.fix_fonts import AddFonts


@pytest.fixture(autouse=True)
def by_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sheets are embedded offline; tests/test_qwen_cli.py is about the others."""
    monkeypatch.setenv("FONTSIGHT_VL_EMBEDDER", "measured-traits")


@pytest.fixture
def indexer(database: Database, tmp_path: Path) -> Indexer:
    """Runs a command on this test's database."""
    return runner(tmp_path, DATABASE_URL=database.conninfo)


@pytest.mark.slow
def test_from_a_folder_to_an_answer(
    database: Database, tmp_path: Path, connection: Connection
) -> None:
    indexer = process_runner(tmp_path, DATABASE_URL=database.conninfo)
    folder = font_folder(tmp_path / "fonts")
    assert "5 new" in indexer("import", "directory", str(folder)).stdout
    assert "0 new" in indexer("import", "directory", str(folder)).stdout
    assert "would embed 5 fonts" in indexer("backfill", "--dry-run").stdout
    assert connection.execute("select count(embedding_vl) from fonts").fetchone() == (0,)
    first = indexer("backfill")
    assert "vl: 5 embedded, 0 failed" in first.stdout
    assert "text: 5 embedded, 0 failed" in first.stdout
    assert "hashed-ngrams, offline" in first.stderr
    second = indexer("backfill")
    assert "vl: 0 embedded" in second.stdout
    assert "text: 0 embedded" in second.stdout
    hits = json.loads(indexer("search", "high contrast", "--no-collapse", "--json").stdout)
    assert hits[0]["name"] == "Family 4"
    assert hits[0]["vl_rank"] == 1
    assert hits[0]["text_rank"] is not None
    assert hits[0]["vocabulary"] in indexer("doctor", "--quick").stdout, "what queries are read by"
    table = indexer("search", "high contrast", "--limit", "2").stdout
    assert "Family 4" in table
    assert len(table.splitlines()) == 2, "Family 0 to 4 are one design by their names"


@pytest.mark.slow
def test_status_in_json_agrees_with_the_rows(
    indexer: Indexer, tmp_path: Path, connection: Connection
) -> None:
    indexer("import", "directory", str(font_folder(tmp_path / "fonts")))
    indexer("backfill", "--limit", "3")
    found = json.loads(indexer("status", "--json").stdout)
    counted = connection.execute("select count(*), count(embedding_vl) from fonts").fetchone()
    assert (found["fonts"], found["legs"]["vl"]["vectors"]) == counted == (5, 3)
    assert found["legs"]["vl"]["pending"] == {"new": 2}
    assert "measured-traits" in indexer("status").stdout


@pytest.mark.slow
def test_a_run_with_a_failure_says_why_and_exits_with_3(
    indexer: Indexer, tmp_path: Path, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 3)[1].write_bytes(b"wOF2 and then nothing")
    done = indexer("backfill", expect=3)
    assert "vl: 2 embedded, 1 failed" in done.stdout
    assert "  1 failed (open): The font cannot be read" in done.stdout
    assert "failed: Font 01 (vl, open, next try 2" in indexer("status").stdout
    assert "0 failed" in indexer("backfill").stdout  # it waits for its next try


def test_on_a_terminal_a_bar_shows_rate_and_time_left(
    database: Database, connection: Connection, add_fonts: AddFonts, tmp_path: Path
) -> None:
    add_fonts(connection, 3)
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (24, 120))
    done = subprocess.Popen(
        [sys.executable, "-m", "indexer", "backfill"],
        env={
            **os.environ,
            "DATABASE_URL": database.conninfo,
            "FONTSIGHT_CACHE_DIR": str(tmp_path / "cache"),
        },
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the process is
        while part := os.read(leader, 4096):
            shown += part
    os.close(leader)
    done.communicate(timeout=60)
    assert done.returncode == 0, shown
    assert re.search(r"vl: 100%.*3/3 \[00:0\d<00:00, .*font.*failed=0\]", shown.decode())


@pytest.mark.slow
def test_sync_finds_a_changed_file(
    indexer: Indexer, connection: Connection, add_fonts: AddFonts
) -> None:
    paths = add_fonts(connection, 3)
    indexer("sync")
    paths[2].write_bytes(ParametricFont(weight=0.2).build())
    done = indexer("sync", "--max-age", "0")
    assert "files: 3 looked at, 1 changed" in done.stdout
    assert "vl: 1 embedded" in done.stdout


@pytest.mark.slow
def test_the_products_text_vectors_are_not_mixed_with_offline_ones(
    indexer: Indexer, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 2)
    connection.execute(
        "insert into fonts (name, embedding, files)"
        " select 'Theirs', array_fill(1, array[4096])::vector, files from fonts limit 1"
    )
    done = indexer("backfill")
    assert "text leg: left alone: 1 vectors are your app's" in done.stderr
    assert connection.execute("select count(embedding) from fonts").fetchone() == (1,)
    indexer("backfill", "--text-embedder", "hashed-ngrams")
    # told to, it embeds them beside the serving vectors, not among them
    assert connection.execute("select count(embedding) from fonts").fetchone() == (1,)
    assert connection.execute("select count(embedding) from font_index.embeddings").fetchone() == (
        3,
    )
    found = indexer("search", "bold serif")
    assert "text leg omitted: The text vectors are your app's" in found.stderr


@pytest.mark.slow
def test_a_configured_service_fills_the_text_leg_and_answers_queries(
    database: Database,
    connection: Connection,
    add_fonts: AddFonts,
    tmp_path: Path,
    service: Service,
) -> None:
    add_fonts(connection, 3)
    service.scripts = [with_dimension(64)]
    run = runner(
        tmp_path,
        DATABASE_URL=database.conninfo,
        TEXT_EMBEDDING_URL=service.url,
        TEXT_EMBEDDING_API_KEY="hush-hush",
        TEXT_EMBEDDING_MODEL="test-embedding",
        TEXT_EMBEDDING_DIMENSION="64",
    )
    done = run("backfill")
    assert "text: 3 embedded" in done.stdout
    assert "text leg: test-embedding by http://127.0.0.1" in done.stderr
    assert "hush-hush" not in done.stdout + done.stderr
    # the product's own text of a font, and the service knows us by the key
    assert service.requests[0]["input"][0] == "Name: Font 00. Category: serif. Tags: latin"
    assert service.headers[0]["authorization"] == "Bearer hush-hush"
    text = json.loads(run("search", "bold", "--alpha", "1", "--no-collapse", "--json").stdout)
    assert [hit["text_rank"] for hit in text] == [1, 2, 3]
    # without the key, the leg is omitted and the reason reported; the other goes on
    found = runner(tmp_path, DATABASE_URL=database.conninfo)("search", "bold")
    assert "text leg omitted" in found.stderr
    assert "Font 0" in found.stdout


def with_dimension(dimension: int) -> Script:
    def answer(request: dict[str, Any]) -> Answer:
        data = [
            {
                "index": index,
                "embedding": [float(n) for n in hashlib.sha512(text.encode()).digest()[:dimension]],
            }
            for index, text in enumerate(request["input"])
        ]
        return 200, {}, {"data": data}

    return answer


def test_only_picks_fonts_by_name(
    indexer: Indexer, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 3)
    assert "vl: 1 embedded" in indexer("backfill", "--only", "Font 02").stdout
    [name] = (
        connection.execute("select name from fonts where embedding_vl is not null").fetchone() or ()
    )
    assert name == "Font 02"


@pytest.mark.slow
def test_a_database_that_is_not_set_up_is_refused_with_the_command_to_run(
    empty_database: Database, tmp_path: Path
) -> None:
    run = runner(tmp_path, DATABASE_URL=empty_database.conninfo)
    for command in (["backfill"], ["status"], ["search", "serif"], ["sync"], ["spaces", "list"]):
        assert "Run: indexer migrate" in run(*command, expect=1).stderr
    assert "Migrated from nothing" in run("migrate").stdout
    assert "Already at revision" in run("migrate").stdout
    assert "fonts: 0" in run("status").stdout


def test_the_printed_migration_is_sql_alone(indexer: Indexer) -> None:
    text = indexer("migrate", "--sql").stdout
    assert text.startswith("--")
    assert "create schema if not exists font_index;" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_a_run_that_is_stopped_ends_soon_and_the_next_does_the_rest(
    how: signal.Signals,
    database: Database,
    connection: Connection,
    add_fonts: AddFonts,
    indexer: Indexer,
    tmp_path: Path,
) -> None:
    add_fonts(connection, 80)
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer", "backfill", "--text-embedder", "none"],
        env={
            **os.environ,
            "DATABASE_URL": database.conninfo,
            "FONTSIGHT_CACHE_DIR": str(tmp_path / "cache"),
        },
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C reaches the whole group
    )
    done = 0
    while not done:
        time.sleep(0.05)
        assert process.poll() is None
        [done] = connection.execute("select count(embedding_vl) from fonts").fetchone() or (0,)
    os.killpg(process.pid, how)
    said = process.communicate(timeout=15)[1]
    assert process.returncode != 0
    if how is not signal.SIGKILL:
        assert "What is done is kept" in said
        assert connection.execute("select count(*) from font_index.leases").fetchone() == (0,)
    # a killed run's fonts are free when its heartbeat has been missed for half a minute
    connection.execute("update font_index.leases set expires_at = now()")
    again = indexer("backfill", "--text-embedder", "none")
    assert "vl: 0 embedded" not in again.stdout
    assert connection.execute("select count(embedding_vl) from fonts").fetchone() == (80,)
    assert connection.execute("select count(*) from font_index.leases").fetchone() == (0,)


@pytest.mark.slow
def test_fonts_that_another_run_holds_are_said(
    connection: Connection, add_fonts: AddFonts, indexer: Indexer
) -> None:
    add_fonts(connection, 2)
    indexer("backfill", "--limit", "1")
    space = spaces.active(connection, "vl")
    assert space
    other = JobRun.start(connection, space, {})
    other.claim(pending(connection, space), EVERYTHING)
    with Heartbeat(connection, other.id):
        assert "vl: 0 embedded, 0 failed, 1 leased" in indexer("backfill").stdout


def test_a_service_that_is_down_does_not_stop_the_other_leg(
    database: Database,
    connection: Connection,
    add_fonts: AddFonts,
    tmp_path: Path,
    service: Service,
) -> None:
    add_fonts(connection, 2)
    service.scripts = [lambda request: (401, {}, {"error": {"message": "no such key"}})]
    run = runner(
        tmp_path,
        DATABASE_URL=database.conninfo,
        TEXT_EMBEDDING_URL=service.url,
        TEXT_EMBEDDING_API_KEY="hush-hush",
    )
    done = run("backfill", expect=1)
    assert "vl: 2 embedded" in done.stdout
    assert "no such key" in done.stderr
    assert "hush-hush" not in done.stderr


def test_a_file_cut_short_in_a_folder_is_said_and_the_rest_imported(
    indexer: Indexer, tmp_path: Path, connection: Connection
) -> None:
    folder = font_folder(tmp_path / "fonts")
    for path in sorted(folder.iterdir())[:3]:  # one of each container
        path.write_bytes(path.read_bytes()[:-40])
    done = indexer("import", "directory", str(folder), expect=3)
    assert "files: 3 of 5 skipped" in done.stdout
    assert done.stderr.count("cut short") == 2  # the third is refused by brotli
    assert connection.execute("select count(*) from fonts").fetchone() == (2,)


def test_what_a_command_has_done_is_told_in_json_too(
    indexer: Indexer, tmp_path: Path, connection: Connection
) -> None:
    def told(*arguments: str, expect: int = 0) -> Any:
        return json.loads(indexer(*arguments, "--json", expect=expect).stdout)

    folder = font_folder(tmp_path / "fonts", 2)
    (folder / "0.ttf").write_bytes(b"no font")
    done = told("import", "directory", str(folder), expect=3)
    assert (done["new"], done["updated"], done["unchanged"], done["files"]) == (1, 0, 0, 2)
    assert [problem["path"] for problem in done["skipped"]] == ["0.ttf"]

    text = spaces.text_space(HashedNgrams())
    other = replace(text, text_schema="another")
    for space in (text, other):
        spaces.register(connection, space)
    assert {one["id"]: (one["state"], one["fonts"]) for one in told("spaces", "list")} == {
        text.id: ("active", 0), other.id: ("candidate", 0),
    }  # fmt: skip
    switched = told("spaces", "activate", other.id[:10])
    assert (switched["id"], switched["space"]["text_schema"]) == (other.id, "another")
    assert spaces.active(connection, "text") == other

    connection.execute(
        "insert into font_index.failures (font_id, space_id, input_hash, stage, error, attempts)"
        " select id, %s, '', 'fetch', 'it is away', 1 from fonts", [text.id],
    )  # fmt: skip
    assert told("retry", "--stage", "embed") == {"due": 0}
    assert told("retry", "--stage", "fetch") == {"due": 1}
    head = schema.revisions()[-1]
    advice = list(database_advice(connection))
    assert told("migrate") == {"before": head, "revision": head, "advice": advice}
    before = schema.revisions()[-2]
    assert told("migrate", "--down-to", before)["revision"] == before
    found = told("uninstall")
    assert found["removed"] is False and any("font_index" in line for line in found["found"])


@pytest.mark.slow
def test_mistakes_get_a_sentence(
    indexer: Indexer, tmp_path: Path, connection: Connection, add_fonts: AddFonts
) -> None:
    path = add_fonts(connection, 1)[0]
    assert "no font 'Nosuch'" in indexer("backfill", "--only", "Nosuch", expect=1).stderr
    assert "The query is empty" in indexer("search", " ", expect=1).stderr
    nowhere = str(tmp_path / "no" / "sheet.png")
    assert "No such file" in indexer("render", str(path), "-o", nowhere, expect=1).stderr
    third = indexer("render", str(path), "-o", "s.png", "--face", "3", expect=1)
    assert "has 1 faces" in third.stderr


@pytest.mark.slow
def test_errors_of_the_database_are_sentences(
    empty_database: Database, database: Database, tmp_path: Path
) -> None:
    with empty_database.connect() as connection:
        connection.execute("create table public.fonts (id int)")
    run = runner(tmp_path, DATABASE_URL=empty_database.conninfo)
    said = run("migrate", expect=1).stderr
    assert "not the table that this project indexes" in said
    assert "Point DATABASE_URL at the font database" in said
    assert "create table" not in said
    with database.connect() as connection:
        connection.execute("update font_index.alembic_version set version_num = '9999'")
    run = runner(tmp_path, DATABASE_URL=database.conninfo)
    assert "Upgrade fontsight" in run("migrate", expect=1).stderr
    assert "There is no revision 9999" in run("migrate", "--sql", "--from", "9999", expect=1).stderr
    wrong = runner(tmp_path, DATABASE_URL=database.conninfo, TEXT_EMBEDDING_DIMENSION="many")
    assert "TEXT_EMBEDDING_DIMENSION" in wrong("status", expect=1).stderr


@pytest.mark.slow
def test_without_database_url_the_embedded_postgres_is_used_and_said(
    tmp_path: Path, data_folder: Path
) -> None:
    run = process_runner(tmp_path, DATABASE_URL="", FONTSIGHT_DATA_DIR=str(data_folder))
    done = run("migrate")
    assert "embedded Postgres" in done.stderr
    assert "Migrated" in done.stdout
    assert json.loads(run("status", "--json").stdout)["fonts"] == 0


def test_a_password_stays_out_of_what_is_printed(tmp_path: Path) -> None:
    run = runner(tmp_path, DATABASE_URL="postgresql://me:hush-hush@127.0.0.1:9/fonts")
    done = run("status", expect=1)
    assert "cannot be reached" in done.stderr
    assert "hush-hush" not in done.stderr + done.stdout


@pytest.mark.slow
def test_render_writes_a_sheet_and_prints_traits(tmp_path: Path, indexer: Indexer) -> None:
    (tmp_path / "font.ttf").write_bytes(ParametricFont(x_height=0.75).build())
    done = indexer("render", "font.ttf", "-o", "sheet.png", "--traits")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    traits = json.loads(done.stdout)
    assert traits["x_height"] == pytest.approx(0.75, abs=0.01)
    assert "sans serif" in traits["words"]
    (tmp_path / "broken.ttf").write_bytes(b"\x00\x01\x00\x00broken")
    assert (
        "broken.ttf: The font cannot be read"
        in indexer("render", "broken.ttf", "-o", "s.png", expect=1).stderr
    )


def test_a_query_that_no_leg_understands_gets_a_sentence(
    indexer: Indexer, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 1)
    indexer("backfill")
    done = indexer("search", "???", expect=1)
    assert "query_text with words in it" in done.stderr


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize(
    ("path", "command"),
    commands(main),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_has_help_with_an_example(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert command.help
    # \b keeps the lines of the example apart
    assert f"\b\n    Example:  indexer {path[0]}" in command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("limit", "fonts"):
            assert parameter.help, f"{parameter.name} is not explained"


@pytest.mark.slow
def test_search_filters_pages_and_finds_neighbours(
    indexer: Indexer, tmp_path: Path, connection: Connection
) -> None:
    indexer("import", "directory", str(font_folder(tmp_path / "fonts")))
    indexer("backfill")

    def found(*arguments: str) -> list[str]:
        return [
            hit["name"] for hit in json.loads(indexer(*arguments, "--no-collapse", "--json").stdout)
        ]

    everything = found("search", "high contrast")
    assert len(everything) == 5
    assert found("search", "high contrast", "--limit", "2", "--offset", "2") == everything[2:4]
    high = ["--filter", '{"traits": {"contrast": {"gte": 0.5}}}']
    assert set(found("search", "high contrast", *high)) < set(everything)
    assert found("search", "family 3", "--words", "1")[0] == "Family 3"
    neighbours = found("similar", "Family 3")
    assert sorted([*neighbours, "Family 3"]) == sorted(everything)
    assert "There is no font 'Nobody'" in indexer("similar", "Nobody", expect=1).stderr
    assert "must be a JSON object" in indexer("search", "x", "--filter", "[1]", expect=2).stderr
    said = indexer("search", "x", "--filter", '{"colour": "red"}', expect=1).stderr
    assert "filter has an unknown key: colour" in said


def test_words_are_searched_where_no_leg_has_vectors(
    indexer: Indexer, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 3)
    [name] = connection.execute("select name from fonts order by name").fetchone() or ("",)
    done = indexer("search", name)
    assert "only words are searched" in done.stderr
    assert name in done.stdout
