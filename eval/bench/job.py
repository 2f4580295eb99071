"""What the whole job costs beside embedding alone: how long the cards wait for the rest of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, median_low
from typing import Self

import psycopg
from psycopg import conninfo, sql
from psycopg.types.json import Jsonb

from eval.bench import random_checkpoint
from eval.fonts.made import MadeFont, documents, made_fonts
from indexer import spaces
from indexer.database import local, schema
from indexer.database.connect import Database
from indexer.embed.protocol import Document
from indexer.embed.qwen.cards import Cards, Plan
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.devices import look
from indexer.errors import FontError
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import FontFolders
from indexer.job import run
from indexer.job.ahead import Preparer
from indexer.job.prepare import PreparedCache
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT

FONTS = {"2b": 10_000, "8b": 3_000}  # a minute or more of a data-centre card
# the job takes the oldest first, so that its order is the same each time
INSERT = """
    insert into public.fonts (name, category, tags, files, created_at)
    values (%s, %s, %s, %s, now() + %s * interval '1 ms')
"""
MIGRATED = "migrated"  # the database that those of the runs are copies of


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The job from files on the disk to vectors in the database. The median of its runs."""

    sheets_per_second: float
    rounds: Sequence[float]  # sheets per second of each
    ratio: float  # sheets per second, over those of embedding alone
    idle: float  # the share of the job in which the cards had nothing to do
    seconds: Mapping[str, float]  # of the main thread, see indexer.job.Report


@dataclass(frozen=True, kw_only=True)
class JobBench:
    model: str
    revision: str
    fonts: int
    height: int  # of a sheet, px
    width: int
    cards: Sequence[str]  # what they said when they started
    rendering: int  # processes
    start_seconds: float  # of the cards: loading and tuning
    alone_sheets_per_second: float
    alone_rounds: Sequence[float]
    cold: Whole  # no sheet has been rendered before
    warm: Whole  # all sheets are in the cache

    def __str__(self) -> str:
        lines = [
            f"{self.model} ({self.revision}), {self.fonts} fonts, sheets of {self.width}x{self.height} px; "
            f"rendering processes: {self.rendering}; cards started in {self.start_seconds:.0f} s",
            *self.cards,
            f"embedding alone: {self.alone_sheets_per_second:.4g} sheets/s",
        ]
        for name, whole in (("cold", self.cold), ("warm", self.warm)):
            stages = ", ".join(f"{stage} {value:.1f} s" for stage, value in whole.seconds.items())
            lines.append(
                f"whole job, {name} cache: {whole.sheets_per_second:.4g} sheets/s, {whole.ratio:.3f} of embedding "
                f"alone, cards idle {whole.idle:.1%} ({stages})"
            )
        return "\n".join(lines)


def bench_job(
    source: str = "tiny",
    *,
    random_weights: bool = False,
    fonts: int,
    spec: SheetSpec,
    devices: Sequence[str] = (),
    rounds: int = 3,
    say: Callable[[str], None] = lambda line: None,
) -> JobBench:
    """Embedding alone, the job, and the job with a warm cache, in turn, on the same card processes.

    `source`: "2b", "8b", a folder or a hub id, or "tiny", which has random weights always. `devices`:
    all cards by default, or else the CPU. Cards that only embed are as busy as they can be, so what
    the job takes longer is time in which they wait. On a CPU they and the rendering share the cores,
    and the ratio says nothing of a host with a GPU.
    """
    devices = devices or [card.device for card in look().cards] or ["cpu"]
    random_weights = random_weights or source == "tiny"
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        say(line)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"Making {fonts} fonts.")
        made, ready = made_fonts(fonts), documents(fonts, spec)
        say(f"Loading {source} on {', '.join(devices)}.")
        if random_weights:
            source = random_checkpoint.saved(source, folder / source, devices[0])
        checkpoint = find(source)
        plan = Plan(
            checkpoint=checkpoint, identity=checkpoint.model(), devices=tuple(devices),
            sheet=(spec.height, spec.width),
        )  # fmt: skip
        files = FontFiles(FileCache(folder / "files"), folders=FontFolders([folder]))
        with _Server(folder, made) as server, Cards(plan, say=heard) as cards:
            begin = time.perf_counter()
            cards.start(fonts)
            start_seconds = time.perf_counter() - begin
            say("Embedding once to warm up.")
            _alone(cards, ready)
            alone: list[float] = []
            cold: list[_Run] = []
            warm: list[_Run] = []
            for number in range(rounds):
                say(f"Round {number + 1} of {rounds}.")
                cache = PreparedCache(folder / f"prepared-{number}", spec)
                alone.append(_alone(cards, ready))
                cold.append(_job(server.database(), cards, files, spec, cache))
                warm.append(_job(server.database(), cards, files, spec, cache))
    return JobBench(
        model=checkpoint.name,
        revision="random weights" if random_weights else checkpoint.revision,
        fonts=fonts,
        height=spec.height,
        width=spec.width,
        cards=said,
        rendering=cold[0].processes,
        start_seconds=start_seconds,
        alone_sheets_per_second=median(alone),
        alone_rounds=alone,
        cold=_whole(cold, median(alone)),
        warm=_whole(warm, median(alone)),
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    rate: float  # sheets per second
    seconds: Mapping[str, float]
    processes: int


class _Server:
    """An embedded Postgres of its own, with the fonts in a database of which each run gets a copy."""

    def __init__(self, folder: Path, fonts: Sequence[MadeFont]) -> None:
        self._folder = folder
        self._fonts = fonts
        self._conninfo = ""
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self._conninfo = local.start(self._folder)
        try:
            self._fill()
        except BaseException:
            local.stop(self._folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        local.stop(self._folder)

    def database(self) -> Database:
        """With all fonts and no vectors."""
        return self._copy(f"run_{next(self._numbers)}", of=MIGRATED)

    def _fill(self) -> None:
        database = self._copy(MIGRATED, of="template1")
        schema.upgrade(database.conninfo)
        rows = []
        for number, font in enumerate(self._fonts):
            path = self._folder / f"{number}.ttf"
            path.write_bytes(font.data)
            rows.append(
                (font.name, font.category, font.tags, Jsonb({"400": path.as_uri()}), number)
            )
        with database.open() as connection, connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)

    def _copy(self, name: str, *, of: str) -> Database:
        with psycopg.connect(self._conninfo, autocommit=True) as admin:
            admin.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(of)
                )
            )
        return Database(conninfo=conninfo.make_conninfo(self._conninfo, dbname=name), label=name)


def _alone(cards: Cards, ready: Sequence[Document]) -> float:
    """Sheets per second, asked for as the job does."""
    size = min(cards.batch_size, run.BATCH)
    batches = [ready[at : at + size] for at in range(0, len(ready), size)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(cards.parallel) as threads:
        for answer in threads.map(cards.embed_documents, batches):
            for vector in answer:
                if isinstance(vector, FontError):
                    raise vector
    return len(ready) / (time.perf_counter() - begin)


def _job(
    database: Database, cards: Cards, files: FontFiles, spec: SheetSpec, cache: PreparedCache
) -> _Run:
    """What `indexer backfill` does for the leg of sheets."""
    space = spaces.vl_space(cards, spec, LIGHT)
    with database.open() as connection, Preparer(files, spec, cache) as preparer:
        spaces.register(connection, space)
        preparer.warm_up()
        begin = time.perf_counter()
        report = run.index(connection, space, cards, preparer)
        seconds = time.perf_counter() - begin
        if report.embedded != report.pending:
            raise RuntimeError(f"not all fonts were embedded: {report}")
    return _Run(
        rate=report.embedded / seconds, seconds=report.seconds, processes=preparer.processes
    )


def _whole(runs: Sequence[_Run], alone: float) -> Whole:
    rate = median_low(run.rate for run in runs)
    return Whole(
        sheets_per_second=rate,
        rounds=[run.rate for run in runs],
        ratio=rate / alone,
        idle=max(0.0, 1 - rate / alone),
        seconds=next(run.seconds for run in runs if run.rate == rate),
    )
