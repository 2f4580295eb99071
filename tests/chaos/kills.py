"""Backfills killed at random moments: in the end every row is as after a run that nothing disturbed."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.chaos.crew import Crew, check, sandbox
from tests.chaos.sandbox import SECONDS, Command
from tests.fix_waiting import until

KILLS_OF_A_ROUND = (5, 10)
END_CONNECTIONS = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and application_name = 'fontsight' and pid <> pg_backend_pid()
"""

Say = Callable[[str], None]


def end_group(crew: Crew, command: Command, lot: random.Random) -> bool:
    return command.signal(signal.SIGKILL, group=True, code=-signal.SIGKILL)


def end_main(crew: Crew, command: Command, lot: random.Random) -> bool:
    return command.signal(signal.SIGKILL, code=-signal.SIGKILL)


def end_child(crew: Crew, command: Command, lot: random.Random) -> bool:
    """One that opens fonts; waits for it to be there."""
    until(lambda: not command.lives or bool(command.children()))
    with suppress(psutil.NoSuchProcess, IndexError):  # gone again
        lot.choice(command.children()).kill()
        return True
    return False


def terminate(crew: Crew, command: Command, lot: random.Random) -> bool:
    """As systemd and containers do."""
    return command.signal(signal.SIGTERM, code=1)


def interrupt(crew: Crew, command: Command, lot: random.Random) -> bool:
    """Ctrl-C, which a terminal sends to all processes of a command."""
    return command.signal(signal.SIGINT, group=True, code=1)


def end_connections(crew: Crew, command: Command, lot: random.Random) -> bool:
    """Of all who are at work; waits for one to be there."""
    for each in crew.at_work:
        each.may_end_with.add(1)
    ended: list[object] = []

    def connected() -> bool:
        with crew.database.connect() as connection:
            ended[:] = connection.execute(END_CONNECTIONS).fetchone() or ()
        return ended != [0]

    until(lambda: not command.lives or connected())
    return ended != [0]


def crash_server(crew: Crew, command: Command, lot: random.Random) -> bool:
    for each in crew.at_work:
        each.may_end_with.add(1)
    crew.sandbox.server.crash()
    time.sleep(lot.uniform(0, 0.3))
    crew.sandbox.server.start()
    return True


KINDS = {
    "SIGKILL of the group": end_group,
    "SIGKILL of the main process": end_main,
    "SIGKILL of a child": end_child,
    "SIGTERM": terminate,
    "SIGINT": interrupt,
    "connections ended": end_connections,
    "server stopped": crash_server,
}


def kill(folder: Path, kills: int, seed: int, say: Say) -> Counter[str]:
    """So many kills, some on each of several databases; returns how many of each kind.

    Raises AssertionError where a database differs in the end, or something is left behind.
    """
    lot, done, kinds = random.Random(seed), Counter[str](), list[str]()
    begin = time.monotonic()
    with sandbox(folder) as box:
        while done.total() < kills:
            box.lose_sheets(lot)
            wanted = min(lot.randint(*KILLS_OF_A_ROUND), kills - done.total())
            with box.server.database(box.template.label) as database:
                crew = Crew(sandbox=box, database=database, count=lot.choice((1, 1, 2)))
                try:
                    killed = _killed(crew, wanted, kinds, lot)
                    assert crew.wait(SECONDS), crew.at_work[0].said()
                finally:
                    crew.close()
                check(crew)
            done.update(killed)
            took = time.monotonic() - begin
            say(f"{took:.0f} s, {done.total()} kills: {', '.join(killed)}")
    return done


def _killed(crew: Crew, wanted: int, kinds: list[str], lot: random.Random) -> list[str]:
    """The kills that met a living command. `kinds`: those that are left until each had its turn."""
    killed: list[str] = []
    while len(killed) < wanted:
        fresh = crew.fill(lot)
        # over all of its life, start and end included; then soon again
        crew.wait(lot.uniform(0, crew.sandbox.life if fresh else crew.sandbox.life / 4))
        if crew.at_work:
            kinds += () if kinds else lot.sample(list(KINDS), len(KINDS))
            kind, command = kinds.pop(), lot.choice(crew.at_work)
            command.look_at_semaphores()
            if KINDS[kind](crew, command, lot):
                killed.append(kind)
            else:
                kinds.insert(0, kind)
        crew.look()
    return killed
