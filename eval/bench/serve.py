"""How fast and how sure the query service answers, next to a bare server and its own parts."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from eval.bench import random_checkpoint
from eval.bench.search import own_database
from eval.bench.serve_contest import BARE, OURS, Contest, Crew, OneClient, contest, one_client
from eval.bench.serve_processes import Reference, bare_server, indexer_serve
from eval.bench.serve_search import SearchCost, fill_fonts, search_cost
from eval.bench.serve_trouble import Beside, Killed, Overload, beside_documents, killed, overload
from eval.fonts import made
from indexer.database.connect import Database
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.devices import look
from indexer.sheet.render import SheetSpec

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
TOO_MUCH = 2.0  # times the best rate
SHEETS = 64  # in flight, of a job
LONGER = 3  # times: a query alongside a job takes longer, and so do searches

HEADING = f"{'clients':>8}{'ours/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'bare/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>7}"


@dataclass(frozen=True, kw_only=True)
class ServeBench:
    model: str
    revision: str
    devices: Sequence[str]
    threads: int  # of torch, in each process that has it
    cpus: int | None
    sentence_transformers: str
    uvicorn: str
    contest: Contest
    one_client: OneClient
    overload: Overload
    beside: Beside
    killed: Killed
    search: SearchCost

    def __str__(self) -> str:
        one, much, job, died, found = (
            self.one_client, self.overload, self.beside, self.killed, self.search
        )  # fmt: skip
        cosines = ", ".join(f"{name} {value:.5f}" for name, value in self.contest.cosine.items())
        busy = max(
            rate.callers_busy for level in self.contest.levels for rate in (level.ours, level.bare)
        )
        away = (
            "never back at its full rate"
            if died.seconds_to_full_rate is None
            else f"at its full rate after {died.seconds_to_full_rate:.1f} s"
        )
        parts = ", ".join(f"{name} {value:.1f}" for name, value in found.parts.items())
        return "\n".join([
            f"{self.model} ({self.revision}) on {', '.join(self.devices)}, {self.threads} threads, "
            f"{self.cpus} CPUs; sentence-transformers {self.sentence_transformers}, uvicorn {self.uvicorn}",
            HEADING,
            *(
                f"{level.clients:8}{level.ours.per_second:9.0f}{level.ours.p50_ms:9.1f}{level.ours.p99_ms:9.1f}"
                f"{level.bare.per_second:9.0f}{level.bare.p50_ms:9.1f}{level.bare.p99_ms:9.1f}{level.ratio:7.2f}"
                for level in self.contest.levels
            ),
            f"least cosine with the model's own vectors: {cosines}; callers busy: {busy:.0%} of a core at most",
            f"one client: {one.p50_ms:.1f} ms, the model alone {one.model_p50_ms:.1f} ms, above {one.above_ms:.1f} ms "
            f"({one.requests} requests)",
            f"overload, {much.per_second:.0f}/s: {much.outcome}; {much.answered_per_second:.0f} vectors/s, "
            f"p50 {much.p50_ms:.0f} ms, p99 {much.p99_ms:.0f} ms; callers busy: {much.callers_busy:.0%}",
            f"alongside a job ({job.sheets_per_second:.1f} sheets/s): p50 {job.p50_ms:.1f} ms, "
            f"p95 {job.p95_ms:.1f} ms; without: p50 {job.alone_p50_ms:.1f} ms, "
            f"p95 {job.alone_p95_ms:.1f} ms; {job.outcome}",
            f"a card of {died.cards} killed at {died.per_second:.0f}/s: {away}; {died.outcome}",
            f"search of {found.fonts} fonts: {found.request_ms:.1f} ms, the function alone {found.rpc_ms:.1f} ms, "
            f"above {found.above_ms:.1f} ms (p95 {found.above_p95_ms:.1f} ms, {found.pairs} pairs); the service says: "
            f"{parts}",
        ])  # fmt: skip


def bench_serve(
    source: str = "tiny",
    *,
    random_weights: bool = False,
    devices: Sequence[str] = (),
    seconds: float = 5.0,
    rounds: int = 3,
    rows: int = 20_000,
    say: Callable[[str], None] = lambda line: None,
) -> ServeBench:
    """All of it in one run, on one checkpoint, by real processes that talk HTTP over loopback.

    `source`: "2b", "8b", a folder or a hub id, or "tiny", which has random weights always. `devices`:
    of ours; the bare server and the model alone use the first. `seconds` of each load. What is not
    measured at a time waits, and no text is asked for twice: the cache of query vectors has no part.
    """
    devices = devices or [card.device for card in look().cards] or ["cpu"]
    random_weights = random_weights or source == "tiny"
    # the tiny model's sums gain nothing by more; the other cores are the servers' and the callers'
    threads = max(1, (os.cpu_count() or 1) // 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"Loading {source} on {', '.join(devices)}.")
        if random_weights:
            source = random_checkpoint.saved(source, folder / source, devices[0])
        checkpoint = find(source)
        reference = Reference(folder=checkpoint.with_weights(), device=devices[0], threads=threads)
        arguments = ("--vl-embedder", str(reference.folder), "--devices", ",".join(devices))
        with (  # all start side by side
            _crew(reference) as crew,
            bare_server(reference.folder, devices[0], threads) as bare,
            own_database(folder) as database,
        ):
            with indexer_serve(database.conninfo, threads, arguments) as ours:
                for server in (bare, ours):
                    server.ready()
                crew.ready()
                say(f"In turn: {rounds} rounds of {2 * len(CLIENTS)} loads, {seconds:g} s each.")
                raced = contest(
                    crew, {OURS: ours, BARE: bare}, CLIENTS, seconds=seconds, rounds=rounds
                )
                say("One client, and the model alone.")
                one = one_client(crew, ours, seconds=seconds)
                say("Overload.")
                much = overload(crew, ours, per_second=TOO_MUCH * raced.best, seconds=seconds)
                say("Alongside a job.")
                sheets = [document.sheet for document in made.documents(SHEETS, SheetSpec())]
                beside = beside_documents(
                    crew, ours, [sheet for sheet in sheets if sheet], seconds=LONGER * seconds
                )
                say("A card is killed.")
                died = killed(crew, ours)
            say(f"Search of {rows} fonts.")
            found = _search(database, rows, threads, LONGER * seconds)
    return ServeBench(
        model=checkpoint.name,
        revision="random weights" if random_weights else checkpoint.revision,
        devices=devices,
        threads=threads,
        cpus=os.cpu_count(),
        sentence_transformers=version("sentence-transformers"),
        uvicorn=version("uvicorn"),
        contest=raced,
        one_client=one,
        overload=much,
        beside=beside,
        killed=died,
        search=found,
    )


@contextmanager
def _crew(reference: Reference) -> Iterator[Crew]:
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as callers,
        ProcessPoolExecutor(1, mp_context=context) as knowing,
    ):
        knowing.submit(reference.vectors, ["regular serif"])  # it loads while others do
        yield Crew(callers=callers, knowing=knowing, reference=reference)


def _search(database: Database, rows: int, threads: int, seconds: float) -> SearchCost:
    with database.open() as connection:
        fill_fonts(connection, rows)
    with indexer_serve(database.conninfo, threads) as server:
        server.ready()
        return search_cost(database, server, rows, seconds=seconds)
