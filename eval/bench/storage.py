"""How many bytes a font takes in a table that the job has filled, by what they are for."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb

from eval.bench.bookkeeping import record_all
from eval.bench.idle import FILES
from eval.bench.search import own_database
from eval.bench.search_table import Truth, fill
from eval.bench.vectors import NOISE, SyntheticFonts
from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.catalog.facts import FACTS_VERSION
from indexer.database.connect import Connection
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.job.prepare import prepare
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT

# As after a first run: each row was written once more, and the space of its first version is free again.
WRITE_THE_REST = """
    update public.fonts set
      tags = '{latin,latin-ext}', traits = %(traits)s, coverage = '{[32,127),[160,384),[8192,8250)}',
      styles = '{"weights": [400, 700], "italic": false, "axes": {}}', design = name,
      files = jsonb_build_object(
        '400', 'https://fonts.example/' || split_part(name, ' ', 2) || '.ttf',
        '700', 'https://fonts.example/b')
"""
FACTS = """
    insert into font_index.facts (font_id, version, input_hash)
    select id, %s, sha256(name::bytea) from public.fonts
"""
SIZES = """
    select case when c.oid = 'public.fonts'::regclass then 'rows'
                when n.nspname = 'pg_toast' then 'vectors'
                when n.nspname = 'font_index' then 'bookkeeping'
                when a.amname = 'hnsw' then 'graph'
                else 'other indexes' end,
           sum(case when n.nspname = 'font_index' then pg_total_relation_size(c.oid)
                    when c.relkind = 'i' then pg_relation_size(c.oid)
                    when n.nspname = 'pg_toast' then pg_total_relation_size(c.oid)
                    else pg_relation_size(c.oid) end)::bigint
    from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_am a on a.oid = c.relam
    where c.oid = 'public.fonts'::regclass
       or c.oid = (select reltoastrelid from pg_class where oid = 'public.fonts'::regclass)
       or c.oid in (select indexrelid from pg_index where indrelid = 'public.fonts'::regclass)
       or n.nspname = 'font_index' and c.relkind = 'r'
    group by 1
"""


@dataclass(frozen=True, kw_only=True)
class Storage:
    rows: int
    bytes: Mapping[str, int]  # rows, vectors, graph, other indexes, bookkeeping
    graph_seconds: float  # to build it on the loaded table

    def __str__(self) -> str:
        lines = [
            f"{what:14} {size / 2**20:9.1f} MiB {size / self.rows:9.0f} bytes a font"
            for what, size in sorted(self.bytes.items())
        ]
        built = f"the graph was built in {self.graph_seconds:.1f} s"
        return "\n".join([f"{self.rows} fonts; {built}", *lines])


def bench_storage(rows: int) -> Storage:
    """Fill a table as the job does, vectors on both legs, on an embedded Postgres of its own."""
    fonts = SyntheticFonts(rows)
    with (
        tempfile.TemporaryDirectory() as folder,
        own_database(Path(folder)) as database,
        database.open() as connection,
    ):
        traits = Jsonb(prepare(ParametricFont().build(), 0, SheetSpec()).traits.to_json())
        built = fill(
            connection, fonts, Truth.of(fonts, 1, NOISE),
            before_indexes=lambda: _as_the_job(connection, rows, traits),
        )  # fmt: skip
        sizes: dict[str, int] = dict(connection.execute(SIZES).fetchall())
    graph = max(index.seconds for index in built.indexes.values())
    return Storage(rows=rows, bytes=sizes, graph_seconds=graph)


def _as_the_job(connection: Connection, rows: int, traits: Jsonb) -> None:
    connection.execute(WRITE_THE_REST, {"traits": traits})
    connection.execute(FILES, [rows])
    connection.execute(FACTS, [FACTS_VERSION])
    record_all(connection, spaces.vl_space(MeasuredTraits(), SheetSpec(), LIGHT))
    record_all(connection, spaces.text_space(HashedNgrams()))
