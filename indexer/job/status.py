"""How the index stands: numbers that agree with a count of the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from indexer import spaces
from indexer.database import schema
from indexer.database.advice import database_advice
from indexer.database.connect import Connection
from indexer.job.pending import outstanding
from indexer.spaces import SERVING_COLUMN, Leg
from indexer.weights import Weights, serving

COUNTS = sql.SQL("select count(*) as fonts, count({column}) as vectors from public.fonts")
FAILURES = """
    select f.name, s.leg, x.stage, x.error, x.attempts, x.next_try_at
    from font_index.failures x
    join public.fonts f on f.id = x.font_id
    join font_index.spaces s on s.id = x.space_id and s.state <> 'retired'
    order by x.last_at desc, f.name
"""
LAST_RUN = """
    select id, started_at, finished_at, outcome, counts, timings from font_index.runs
    where space_id = %s order by id desc limit 1
"""


@dataclass(frozen=True, kw_only=True)
class Status:
    revision: str | None
    fonts: int
    legs: dict[Leg, dict[str, Any]]
    failures: list[dict[str, Any]]
    weights: Weights  # of searches that name none
    warnings: list[str]  # what keeps search from finding all, and what to do about it


def read(connection: Connection) -> Status:
    """One consistent picture: all of it from one snapshot."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        legs = {leg: _leg(connection, leg) for leg in SERVING_COLUMN}
        with connection.cursor(row_factory=dict_row) as cursor:
            failures = cursor.execute(FAILURES).fetchall()
        weights, warnings = serving(connection), database_advice(connection)
    return Status(
        revision=schema.current(connection),
        fonts=legs["vl"]["fonts"],
        legs=legs,
        failures=failures,
        weights=weights,
        warnings=warnings,
    )


def _leg(connection: Connection, leg: Leg) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(COUNTS.format(column=SERVING_COLUMN[leg])).fetchone()
        assert counts is not None
        foreign = {"foreign": spaces.foreign_vectors(connection, leg)}
        space = spaces.active(connection, leg)
        if space is None:
            state = {"space": None, "model": None, "last_run": None}
            return {
                **counts,
                **foreign,
                **state,
                "pending": {"new": counts["fonts"] - counts["vectors"]},
            }
        found = outstanding(connection, space, keep=False)
        work = dict(Counter(font.reason for font in found))
        last_run = cursor.execute(LAST_RUN, [space.id]).fetchone()
    return {
        **counts,
        **foreign,  # of the vectors, those that no run of ours made
        "space": space.id,
        "model": space.model.name,
        "pending": work,
        "last_run": last_run,
    }
