"""`from indexer.search import Fonts`: search from Python, and `indexer embed`, which prints its vector."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from indexer import choose
from indexer.database.connect import Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.functions import match
from indexer.search import Fonts
from indexer.settings import Settings
from indexer.spaces import Space
from tests.fix_cli import runner
from tests.fix_database import end_connections
from tests.fix_pictures import letters
from tests.fix_service import Running

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
QUERY = "high contrast serif"
HEAVY = ("torch", "transformers", "fastapi", "uvicorn", "mcp", "prometheus_client", "jinja2")


def test_three_lines_search_and_find_neighbours(filled: Database) -> None:
    with Fonts(filled.conninfo) as fonts:
        hits = fonts.search(QUERY, count=3, filter={"category": "serif"})
        alike = fonts.similar(hits[0].id, count=2)
    assert [hit.category for hit in hits] == ["serif"] * 3
    with filled.open() as connection:
        text, vl = HashedNgrams().embed_query(QUERY), MeasuredTraits().embed_query(QUERY)
        assert hits == match(
            connection,
            text=text,
            vl=vl,
            query_text="high contrast",
            alpha=0,
            count=3,
            filter={"category": "serif"},
        )
    assert len(alike) == 2
    assert hits[0].id not in [hit.id for hit in alike]


def test_the_readmes_lines_work(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", filled.conninfo)
    lines = README.partition("```python\n")[2].partition("```")[0]
    done: dict[str, Any] = {}
    exec(lines, done)
    assert len(done["hits"]) == 5
    assert done["alike"] and done["vector"].shape == (256,)


def test_it_goes_on_when_the_server_has_ended_its_connection(filled: Database) -> None:
    with Fonts(filled.conninfo) as fonts, filled.connect() as admin:
        before = [hit.id for hit in fonts.search("serif")]
        assert end_connections(admin) == 1
        assert [hit.id for hit in fonts.search("serif")] == before
        end_connections(admin)
        assert fonts.similar(before[0])
        assert fonts.embed("serif").size


def test_neighbours_are_found_by_name_too(filled: Database) -> None:
    with Fonts(filled.conninfo) as fonts:
        by_name = fonts.similar("Family 1")
        assert by_name == fonts.similar(by_id := fonts.search("Family 1", words=1)[0].id)
        assert by_id not in [hit.id for hit in by_name]
        for nothing in ("Nobody", uuid4()):
            with pytest.raises(UserError, match=f"There is no font '{nothing}'"):
                fonts.similar(nothing)


def test_embedders_are_loaded_once_and_follow_the_space(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    real = choose.for_queries

    def counted(space: Space, settings: Settings) -> Embedder:
        loaded.append(f"{space.leg}: {space.model.name}")
        return real(space, settings)

    monkeypatch.setattr(choose, "for_queries", counted)
    said: list[str] = []
    with Fonts(filled.conninfo, say=said.append) as fonts:
        for query in (QUERY, "bold", QUERY):
            fonts.search(query)
        fonts.embed(QUERY)
        assert sorted(loaded) == ["text: hashed-ngrams", "vl: measured-traits"]
        assert said == []
        with filled.connect() as admin:
            admin.execute(
                "update font_index.spaces set identity = jsonb_set(identity, '{model,name}', '\"x\"')"
                " where leg = 'text'"
            )
        hits = fonts.search(QUERY)
    assert {hit.text_rank for hit in hits} == {None}
    assert (
        len(said) == 1
        and said[0].startswith("text leg omitted: ")
        and "not available here" in said[0]
    )


def test_what_is_left_out_is_logged_by_default(
    filled: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with Fonts(filled.conninfo) as fonts:
        fonts.search("xyzzy")
    assert "vl leg omitted: 'xyzzy' has no word that the lexicon knows" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_spelling_does_not_rank_where_only_looks_shall_count(filled: Database) -> None:
    said: list[str] = []
    with Fonts(filled.conninfo, say=said.append) as fonts:
        assert fonts.search("xyzzy", alpha=0) == []
        assert "text leg omitted: It has no weight at alpha 0." in said
        assert "only words are searched" in said[-1]
        # what has the words may be found by them
        assert fonts.search("Family 3 xyzzy", alpha=0)[0].name == "Family 3"


def test_a_picture_that_cannot_be_read_is_refused(filled: Database) -> None:
    with Fonts(filled.conninfo) as fonts:
        for query in (None, QUERY):
            with pytest.raises(UserError, match="The picture cannot be read"):
                fonts.search(query, image=b"png")
        with pytest.raises(UserError, match="cannot be read"):
            fonts.embed(QUERY, image=b"png")


def test_it_says_what_is_missing(filled: Database, empty_database: Database) -> None:
    with pytest.raises(UserError, match="indexer migrate"):
        Fonts(empty_database.conninfo)
    with Fonts(filled.conninfo) as fonts:
        for search in (fonts.search, fonts.embed):
            with pytest.raises(UserError, match=r"empty|nothing to embed"):
                search(" ")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown key: colour"):
            fonts.search(QUERY, filter={"colour": "red"})
        assert fonts.search(QUERY), "the connection is as good as before"


def test_without_vectors_words_are_searched_and_nothing_is_embedded(database: Database) -> None:
    with database.connect() as admin:
        admin.execute("insert into public.fonts (name) values ('Lora'), ('Inter')")
    said: list[str] = []
    with Fonts(database.conninfo, say=said.append) as fonts:
        assert [hit.name for hit in fonts.search("lora")] == ["Lora"]
        with pytest.raises(UserError, match=r"no vl vectors yet.*indexer backfill"):
            fonts.embed("lora")
    assert [line.split(":")[0] for line in said[:2]] == ["vl leg omitted", "text leg omitted"]


def test_it_writes_nothing(filled: Database) -> None:
    with Fonts(filled.conninfo) as fonts:
        fonts.search(QUERY)
        with fonts._connection.transaction(), pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            fonts._connection.execute("delete from public.fonts")


def test_importing_it_imports_nothing_heavy() -> None:
    script = (
        "import sys, indexer.search; print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *HEAVY, "indexer.choose"], check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['indexer.choose']"


def test_indexer_embed_prints_the_vector_that_the_service_gives(
    running: Running, filled: Database, tmp_path: Path
) -> None:
    indexer = runner(tmp_path, DATABASE_URL=filled.conninfo)
    printed = json.loads(indexer("embed", QUERY).stdout)
    assert printed == running.post("/embed", text=QUERY).json()["embedding"][: len(printed)]
    assert np.array_equal(np.float32(printed), MeasuredTraits().embed_query(QUERY))
    (tmp_path / "letters.png").write_bytes(b"png")
    said = indexer("embed", QUERY, "--image", "letters.png", expect=1).stderr
    assert "The picture cannot be read" in said
    assert "nothing to embed" in indexer("embed", expect=1).stderr


def test_indexer_search_takes_a_picture(filled: Database, tmp_path: Path) -> None:
    indexer = runner(tmp_path, DATABASE_URL=filled.conninfo)
    (tmp_path / "letters.png").write_bytes(b"png")
    said = indexer("search", "--image", "letters.png", expect=1).stderr
    assert "The picture cannot be read: it is damaged" in said
    (tmp_path / "letters.png").write_bytes(letters(weight=0.2))
    found = indexer("search", "--image", "letters.png")
    assert "Read of the picture: " in found.stderr
    assert re.search(r"black \(0\.\d\d\)", found.stderr)
    assert "Family " in found.stdout
    assert "does not exist" in indexer("search", "--image", "no.png", expect=2).stderr
