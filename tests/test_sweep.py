"""What deleted fonts have left is swept late and little; a font that comes back finds it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from indexer import spaces
from indexer.cli import main
from indexer.database.connect import Connection, Database
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Model
from indexer.fetch.files import FontFiles
from indexer.job.pending import pending
from indexer.job.revalidate import revalidate
from indexer.job.run import index
from indexer.job.sweep import FEW, sweep
from indexer.spaces import Space

SERVING, OTHER = HashedNgrams(), type("OtherNgrams", (HashedNgrams,), {
    "model": Model(name="other-ngrams", revision="1", dimension=1024)
})()  # fmt: skip
KEEP = "create table kept as select * from public.fonts; truncate public.fonts"
RELOAD = "insert into public.fonts select * from kept; drop table kept"


def fill(connection: Connection, count: int) -> tuple[Space, Space]:
    """Fonts with a serving vector each, and one in a candidate space."""
    connection.execute(
        "insert into fonts (name, tags) select 'Font ' || n, '{latin}' from generate_series(1, %s) n",
        [count],
    )
    found = []
    for embedder in (SERVING, OTHER):
        space = spaces.text_space(embedder)
        spaces.register(connection, space)
        index(connection, space, embedder, None)
        found.append(space)
    return found[0], found[1]


def a_day_passes(connection: Connection) -> None:
    connection.execute(
        "update font_index.missing_fonts set first_missed_at = first_missed_at - interval '1 day'"
    )


def count(connection: Connection, table: str, column: str = "*") -> Any:
    row = connection.execute(f"select count({column}) from {table}").fetchone()  # type: ignore[call-overload]
    return row[0]


def test_a_deleted_font_is_swept_a_day_after_it_was_first_missed(connection: Connection) -> None:
    fill(connection, 3)
    connection.execute("delete from fonts where name = 'Font 2'")
    assert sweep(connection) is None
    assert sweep(connection) is None  # twice in a day is not a day
    assert count(connection, "font_index.embeddings") == 6
    a_day_passes(connection)
    assert sweep(connection) is None
    assert count(connection, "font_index.embeddings") == 4
    assert count(connection, "font_index.missing_fonts") == 0


def test_a_table_that_is_emptied_and_loaded_again_loses_nothing(connection: Connection) -> None:
    serving, candidate = fill(connection, 5)
    connection.execute(KEEP)
    sweep(connection)
    a_day_passes(connection)
    connection.execute(RELOAD)
    sweep(connection)
    a_day_passes(connection)
    sweep(connection)
    assert pending(connection, serving) == []
    assert pending(connection, candidate) == []
    assert count(connection, "font_index.missing_fonts") == 0
    # being missed counts anew
    connection.execute("delete from fonts where name = 'Font 2'")
    sweep(connection)
    assert count(connection, "font_index.embeddings") == 10


def test_fonts_that_come_back_without_their_vectors_lack_just_these(
    connection: Connection,
) -> None:
    serving, candidate = fill(connection, 3)
    connection.execute(KEEP)
    sweep(connection)
    connection.execute("update kept set embedding = null, embedding_joint = null")
    connection.execute(RELOAD)
    assert {font.reason for font in pending(connection, serving)} == {"lost"}
    assert pending(connection, candidate) == []
    assert index(connection, serving, SERVING, None).embedded == 3


def test_more_than_a_tenth_is_swept_only_when_told(connection: Connection) -> None:
    fill(connection, FEW + 1)
    connection.execute("delete from fonts")
    sweep(connection)
    a_day_passes(connection)
    said = sweep(connection)
    assert said is not None
    assert "21 of 21 fonts" in said
    assert "42 records and 21 vectors" in said
    assert "indexer backfill --prune" in said
    assert count(connection, "font_index.embeddings", "embedding") == FEW + 1
    assert sweep(connection, prune=True) is None
    assert count(connection, "font_index.embeddings") == 0


def test_a_tenth_of_many_is_swept_untold(connection: Connection) -> None:
    connection.execute(
        "insert into fonts (name) select 'Font ' || n from generate_series(1, 220) n"
    )
    connection.execute(
        "insert into font_index.facts (font_id, version, input_hash) select id, '1', '' from fonts"
    )
    connection.execute("delete from fonts where name like 'Font 1_'")  # ten, and twelve more
    connection.execute(
        "delete from fonts where name like 'Font 20_' or name in ('Font 3', 'Font 4')"
    )
    sweep(connection)
    a_day_passes(connection)
    assert sweep(connection) is None
    assert count(connection, "font_index.facts") == 198


def test_the_commands_say_what_they_keep_and_end_well(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    fill(connection, FEW + 1)
    connection.execute("delete from fonts")
    sweep(connection)
    a_day_passes(connection)
    monkeypatch.setenv("DATABASE_URL", database.conninfo)
    monkeypatch.setenv("FONTSIGHT_CACHE_DIR", str(tmp_path))
    arguments = ["--text-embedder", "none", "--vl-embedder", "measured-traits"]
    told = CliRunner().invoke(main, ["backfill", *arguments])
    assert (told.exit_code, "--prune" in told.stderr) == (0, True)
    assert count(connection, "font_index.embeddings") == 2 * (FEW + 1)
    done = CliRunner().invoke(main, ["sync", "--prune", *arguments])
    assert (done.exit_code, "--prune" in done.stderr) == (0, False)
    assert count(connection, "font_index.embeddings") == 0


def test_what_is_known_of_files_outlasts_an_empty_table(
    connection: Connection, files: FontFiles
) -> None:
    fill(connection, 2)
    connection.execute(
        "update fonts set files = jsonb_build_object('400', 'https://fonts.example/' || name)"
    )
    connection.execute(
        "insert into font_index.files (url, sha256, size, origin)"
        " select files ->> '400', md5(name), 1, 'web' from fonts"
    )
    connection.execute(
        "update font_index.embeddings set file_sha256 = md5(name) from fonts where id = font_id"
    )
    connection.execute(
        "insert into font_index.files (url, sha256, size, origin) values ('file:///unused', '0', 1, 'file')"
    )
    connection.execute(KEEP)
    assert revalidate(connection, files, timedelta(0)).checked == 0
    assert count(connection, "font_index.files") == 2  # the unused one is gone
    connection.execute(RELOAD)
    connection.execute("update fonts set files = '{}' where name = 'Font 1'")
    revalidate(connection, files, timedelta(days=1))
    assert count(connection, "font_index.files") == 1


def test_a_font_deleted_while_it_is_embedded_keeps_what_is_known_of_it(
    connection: Connection,
) -> None:
    serving, _ = fill(connection, 2)
    connection.execute("update fonts set description = 'new'")

    class Late(HashedNgrams):
        def embed_documents(self, documents: Any) -> Any:
            connection.execute("delete from fonts where name = 'Font 1'")
            return super().embed_documents(documents)

    assert index(connection, serving, Late(), None).embedded == 1
    assert count(connection, "font_index.embeddings") == 4
