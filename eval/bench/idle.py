"""How long a run takes that finds nothing to do: the usual night."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from psycopg import sql

from eval.bench.bookkeeping import record_all
from eval.bench.search_table import drop_indexes
from indexer import spaces
from indexer.database import local, schema
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.facts import fill_facts
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import SERVING_COLUMN, Space
from indexer.text import LIGHT

RUNS = 5
FONTS = """
    insert into public.fonts (name, category, tags, source, description, files)
    select 'Font ' || n, 'serif', '{latin,latin-ext}', 'made', repeat('A quiet face for long reading. ', 8),
           jsonb_build_object('400', 'https://fonts.example/' || n || '.ttf', '700', 'https://fonts.example/b')
    from generate_series(1, %s) n
"""
VECTORS = sql.SQL("update public.fonts set {column} = array_fill(1, array[4096])::{type}")
FILES = """
    insert into font_index.files (url, sha256, size, origin)
    select 'https://fonts.example/' || n || '.ttf', md5(n::text), 1, 'made' from generate_series(1, %s) n
"""


@dataclass(frozen=True, kw_only=True)
class Idle:
    """Seconds of wall clock of the whole command, start of the interpreter included."""

    rows: int
    first: float  # no look was noted yet: every font is compared
    median: float
    max: float


def bench_idle(rows: int) -> Idle:
    """Fill a table with `rows` fonts that are up to date on both legs, and time `indexer backfill`."""
    with tempfile.TemporaryDirectory() as folder:
        conninfo = local.start(Path(folder))
        try:
            _fill(conninfo, rows, Path(folder) / "cache")
            first = _timed_backfill(conninfo)
            seconds = [_timed_backfill(conninfo) for _ in range(RUNS)]
        finally:
            local.stop(Path(folder))
    return Idle(rows=rows, first=first, median=median(seconds), max=max(seconds))


def _fill(conninfo: str, rows: int, cache: Path) -> None:
    schema.upgrade(conninfo)
    with Database(conninfo=conninfo, label="bench").open() as connection:
        drop_indexes(connection)  # nothing searches here, and equal vectors make a slow graph
        connection.execute(FONTS, [rows])
        connection.execute(FILES, [rows])
        _up_to_date(connection, spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT))
        _up_to_date(connection, spaces.text_space(HashedNgrams()))
        files = FontFiles(FileCache(cache))
        # their design alone: these families are in no list, and no file of theirs is here
        fill_facts(connection, files, lambda: Preparer.from_settings(Settings(), files), say=print)
        connection.execute("vacuum analyze")


def _timed_backfill(conninfo: str) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "backfill", "--vl-embedder", "measured-traits"],
        env={**os.environ, "DATABASE_URL": conninfo},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - begin
    if done.stdout.count(" 0 embedded") != len(SERVING_COLUMN):
        raise RuntimeError(f"there was work to do: {done.stdout}")
    return seconds


def _up_to_date(connection: Connection, space: Space) -> None:
    """Make it look as if every font had been indexed: the job's own hashes, made-up vectors."""
    record_all(connection, space)
    column, kind = SERVING_COLUMN[space.leg], "vector" if space.leg == "text" else "halfvec"
    connection.execute(VECTORS.format(column=column, type=sql.Identifier(kind)))
