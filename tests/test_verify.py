"""indexer verify: it finds what is wrong, says what each column is made by, and mends what it can."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.job.verify import verify
from indexer.search import Fonts
from tests.fix_cli import Indexer, runner
from tests.fix_fonts import AddFonts
from tests.test_schema_sql import postgres

DIMENSION = MeasuredTraits().model.dimension


@pytest.fixture
def indexer(database: Database, tmp_path: Path) -> Indexer:
    return runner(tmp_path, DATABASE_URL=database.conninfo)


@pytest.fixture
def indexed(connection: Connection, add_fonts: AddFonts, indexer: Indexer) -> list[Path]:
    paths = add_fonts(connection, 3)
    indexer("backfill", "--vl-embedder", "measured-traits")
    return paths


def test_a_database_as_the_job_leaves_it_is_right(indexed: list[Path], indexer: Indexer) -> None:
    done = indexer("verify", "--sample", "2")
    assert "measured-traits" in done.stdout
    assert f"3 vectors of {DIMENSION} dimensions in fonts.embedding_vl" in done.stdout
    assert done.stdout.count("2 of 2 fonts embedded again are the same") == 2
    assert done.stdout.endswith("nothing is wrong\n")


def test_what_is_wrong_is_found_and_what_can_be_mended_is(
    indexed: list[Path], connection: Connection, indexer: Indexer
) -> None:
    connection.execute("update fonts set embedding_vl = null where name = 'Font 00'")
    connection.execute(
        "update fonts set embedding_vl = array_fill(0.5, array[4096])::halfvec where name = 'Font 01'"
    )
    connection.execute("alter table fonts disable trigger fonts_set_fts")
    connection.execute("drop trigger fonts_set_embedding_joint on fonts")
    connection.execute("update fonts set name = 'Renamed', embedding = null where name = 'Font 02'")
    found = json.loads(indexer("verify", "--json", "--sample", "3", expect=3).stdout)
    told = "\n".join(found["wrong"])
    for part in (
        "1 vectors are missing",
        "1 vectors are not of length 1",
        f"1 vectors have more than {DIMENSION} dimensions",
        "trigger fonts_set_fts of public.fonts is disabled",
        "trigger fonts_set_embedding_joint of public.fonts is missing",
        "What search looks 1 fonts up by",
        "have no cosine of 0.99",
    ):
        assert part in told, part
    assert found["repaired"] == []
    repaired = indexer("verify", "--repair", expect=3).stdout
    assert repaired.count("mended: ") == 3
    assert "trigger" not in repaired.split("wrong: ", 1)[1]
    assert connection.execute(
        "select fts @@ plainto_tsquery('english', 'renamed') from fonts where name = 'Renamed'"
    ).fetchone() == (True,)


def test_a_font_that_was_just_deleted_is_nothing_wrong(
    indexed: list[Path], connection: Connection, indexer: Indexer
) -> None:
    connection.execute("delete from fonts where name = 'Font 00'")
    told = indexer("verify").stdout
    assert "kept: 1 rows of font_index.facts are of fonts that are gone" in told
    assert told.endswith("nothing is wrong\n")


def test_verifying_changes_nothing(
    indexed: list[Path], connection: Connection, database: Database
) -> None:
    rows = "select md5(string_agg(f::text || f.xmin::text, '' order by id)) from fonts f"
    before = connection.execute(rows).fetchone()
    with database.open() as own:
        assert verify(own).findings == []
    assert connection.execute(rows).fetchone() == before


def test_a_dump_restored_elsewhere_is_right_and_answers_alike(
    indexed: list[Path], database: Database, empty_database: Database, tmp_path: Path
) -> None:
    dump = tmp_path / "dump"
    for program, *arguments in (
        ("pg_dump", "--format=custom", f"--file={dump}", database.conninfo),
        ("pg_restore", "--exit-on-error", f"--dbname={empty_database.conninfo}", dump),
    ):
        subprocess.run([postgres(program), *arguments], check=True, capture_output=True)
    with empty_database.open() as connection:
        assert verify(connection).findings == []
    answers = []
    for where in (database, empty_database):
        with Fonts(where.conninfo) as fonts:
            answers.append(fonts.search("bold serif") + fonts.similar("Font 01", alpha=0.5))
    assert answers[0] == answers[1] != []
