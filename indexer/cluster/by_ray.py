"""`indexer backfill --engine ray`: workers as actors on the nodes of a Ray cluster."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from math import ceil
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from indexer.cluster.worker import Report, Worker, added_up
from indexer.database.connect import Connection
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job.backfill import STOPPED, BackfillOptions, ProgressBar, fill_families
from indexer.job.progress import Progress
from indexer.settings import Settings
from indexer.spaces import SERVING_COLUMN, Space

MAX_RESTARTS = 5  # of one worker: what kills it each time would do so for ever
POLL = 0.5  # seconds between two looks at the workers and nodes
STOP_SECONDS = 20.0  # for the batch in flight; then a worker is killed, and its leases expire

LOCAL = """select count(*) from public.fonts where files::text ilike '%"file:%'"""


def backfill_by_ray(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    *,
    workers: int | None,
    say: Callable[[str], None],
    progress_bar: ProgressBar,
) -> Iterator[tuple[Space, Progress]]:
    """As `backfill`, by several workers; what they did is added up.

    One for each GPU, also of nodes that join later, or for each node where there is no GPU; or so
    many as `workers` says, placed as there is room. Where one cannot go on the others do, and why
    is raised at the end. What a worker did in the moment before it was killed is in the database,
    and not in the sum. Raises as `backfill` does, and UserError for what cannot reach other hosts.
    """
    _refuse(settings, options)
    [local] = connection.execute(LOCAL).fetchone() or (0,)
    if local:
        say(
            f"{local} fonts have files of a host's own (file:). A host that lacks them, or their "
            "folder in its FONTSIGHT_FONT_DIRS, records them as failed."
        )
    fill_families(connection, settings, files, options, say)  # once, and not by each worker
    if options.limit:
        workers = 1  # each would take the oldest fonts
    crew = _Crew(settings, options, workers)
    with _connected(settings.ray_address, say), ExitStack() as bars:
        shown = _Shown(crew, say, lambda leg: bars.enter_context(progress_bar(leg)))
        try:
            for report in crew.reports():
                shown.show(report)
        except KeyboardInterrupt:
            say(STOPPED)
            raise
        finally:
            crew.stop()
    spaces = {space.leg: space for report in crew.latest.values() for space in report.done}
    for leg in SERVING_COLUMN:
        if leg in spaces:
            yield spaces[leg], crew.total(leg)
    if crew.errors:
        raise crew.errors[0]


class _Crew:
    """The workers. Ray places them and starts them again; this adds up, and adds some for new nodes."""

    def __init__(self, settings: Settings, options: BackfillOptions, count: int | None) -> None:
        self.latest: dict[str, Report] = {}  # of each life, the newest at the end
        self.errors: list[Exception] = []
        self._job = (settings, options)
        self._count = count
        self._places: set[tuple[str, int]] = set()
        self._runs: dict[Any, Any] = {}  # the worker of each reference
        self._asked: dict[Any, Any] = {}  # the same, for reports under way

    def reports(self) -> Iterator[Report]:
        """As they come, until every worker is done."""
        self._add()
        while self._runs:
            every = [*self._runs, *self._asked]
            ready, _ = ray.wait(every, num_returns=len(every), timeout=POLL)
            for reference in sorted(ready, key=self._runs.__contains__):  # a run's own is its last
                if report := self._received(reference):
                    yield report
            idle = [worker for worker in self._runs.values() if worker not in self._asked.values()]
            self._asked |= {worker.report.remote(): worker for worker in idle}
            if not any(report.done for report in self.latest.values()):
                self._add()

    def total(self, leg: str) -> Progress:
        return added_up([one.legs[leg] for one in self.latest.values() if leg in one.legs])

    def stop(self) -> None:
        for worker in self._runs.values():
            worker.stop.remote()
        if self._runs:
            ray.wait([*self._runs], num_returns=len(self._runs), timeout=STOP_SECONDS)
        for worker in self._runs.values():
            ray.kill(worker)

    def _received(self, reference: Any) -> Report | None:
        worker = self._runs.pop(reference, None)
        if worker is None:
            self._asked.pop(reference, None)
        try:
            report: Report = ray.get(reference)
        except RayActorError:
            if worker:
                why = f"A worker died {MAX_RESTARTS + 1} times. Ray's logs may tell why."
                self.errors.append(UserError(why))
            return None
        self.latest.pop(report.life, None)
        self.latest[report.life] = report
        if worker:
            self.errors += [report.error] if report.error else []
            self._asked = {asked: of for asked, of in self._asked.items() if of is not worker}
            ray.kill(worker)  # its GPU is free for one that waits for a place
        return report

    def _add(self) -> None:
        """A worker for each place that is new."""
        nodes = [node for node in ray.nodes() if node["Alive"]]
        gpus = {str(node["NodeID"]): int(node["Resources"].get("GPU", 0)) for node in nodes}
        most = max(gpus.values())
        if self._count is None:
            places = {
                (node, number) for node in gpus for number in range(gpus[node] or int(not most))
            }
        else:
            places = {("", number) for number in range(self._count)}
        sharing = most or ceil((self._count or 1) / len(nodes))
        for node, number in sorted(places - self._places):
            # softly: if the node goes, the worker is started again on another
            near = NodeAffinitySchedulingStrategy(node, soft=True) if node else "SPREAD"
            actor = ray.remote(
                max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS, max_concurrency=2,
                num_cpus=1, num_gpus=min(most, 1), scheduling_strategy=near,
            )(Worker)  # fmt: skip
            worker = actor.remote()
            # settings as an argument of a method, which Ray shows nowhere; it does show the
            # environment that it is told to give to actors
            self._runs[worker.run.remote(*self._job, sharing)] = worker
            self._places.add((node, number))


class _Shown:
    """What people see of all workers: each notice once, and one line for each leg."""

    def __init__(
        self,
        crew: _Crew,
        say: Callable[[str], None],
        open_bar: Callable[[str], Callable[[Progress], None]],
    ) -> None:
        self._crew = crew
        self._say = say
        self._open_bar = open_bar
        self._bars: dict[str, Callable[[Progress], None]] = {}
        self._done: dict[str, int] = {}
        self._said: set[str] = set()

    def show(self, report: Report) -> None:
        for notice in report.notices:
            if notice not in self._said:
                self._said.add(notice)
                self._say(notice)
        for leg in report.legs:
            total = self._crew.total(leg)
            if leg not in self._bars:
                self._bars[leg] = self._open_bar(leg)
            if self._done.get(leg) != total.done:
                self._done[leg] = total.done
                self._bars[leg](total)


def _refuse(settings: Settings, options: BackfillOptions) -> None:
    """Raises UserError for what cannot reach other hosts."""
    if settings.database_url is None:
        raise UserError(
            "--engine ray needs DATABASE_URL: the embedded Postgres serves this host alone."
        )
    devices = options.vl.or_from(settings).devices
    if options.vl.shard or (devices and devices != "cpu"):
        raise UserError("With --engine ray a worker has one GPU: omit --devices and --shard.")


@contextmanager
def _connected(address: str | None, say: Callable[[str], None]) -> Iterator[None]:
    """To the cluster at an address; else to that of this host, or a new one of this host alone."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address:
        say(f"Connecting to the Ray cluster at {address[:100]}.")
        # one attempt, of 40 seconds; by itself Ray makes twenty
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")
    at_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:100].rstrip(".")
        raise UserError(
            f"No Ray cluster can be used: {reason}. RAY_ADDRESS says which it is; "
            "ray start --head starts one."
        ) from None
    try:
        signal.signal(signal.SIGTERM, at_sigterm)  # Ray's own would not wait for the workers
        with redirect_stdout(
            sys.stderr
        ):  # where Ray tells of workers that died; results come later
            yield
    finally:
        ray.shutdown()
