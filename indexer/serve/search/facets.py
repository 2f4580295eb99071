"""How many fonts each filter would leave, and how each measurement is spread: of the visible fonts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from psycopg import sql
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.serve.reading import DatabaseUnavailable, Reader
from indexer.serve.search.columns import Columns, Mask, Trait, Visible, number

BINS = 20
MAX_TAGS = 30

# Each as a condition; the first is the whole filter, which the database checks as such.
CONDITIONS = """
    select font_index.filter_condition(part)
      from unnest(%s::jsonb[]) with ordinality as given (part, place) order by place
"""

Facet = str  # a key of the filter, or "traits." and the name of one


def counted(connection: Connection, columns: Columns, filter: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the answer to POST /facets: each facet under all parts of the filter but its own.

    `collapse` changes no count. Raises psycopg.errors.InvalidParameterValue, with a sentence, for a
    filter that the database does not know.
    """
    _check(connection, filter)
    parts = dict(_parts(filter))
    conditions = _conditions(connection, list(parts.values()))
    with columns.lock:
        visible = columns.of(connection, conditions)
        passes = {facet: visible.flags[:, at] for at, facet in enumerate(parts)}
        everything = np.ones(len(visible.slots), dtype=bool)

        def under(own: Facet) -> Mask:
            passed = everything.copy()
            for facet, mask in passes.items():
                if facet != own:
                    passed &= mask
            return passed

        def values(name: str) -> list[dict[str, Any]]:
            return _ranked(columns.count(name, visible, under(name)))

        weights = columns.count("weights", visible, under("styles"))
        return {
            "total": int(under("").sum()),
            "category": values("category"),
            "subsets": values("subsets"),
            "tags": values("tags")[:MAX_TAGS],
            "license": values("license"),
            "source": values("source"),
            "styles": {
                **{
                    name: columns.count(name, visible, under("styles")).get(name, 0)
                    for name in ("italic", "variable")
                },
                "weights": [{"value": value, "count": weights[value]} for value in sorted(weights)],
            },
            "traits": {
                trait.name: _histogram(trait, visible, at, under(f"traits.{trait.name}"))
                for at, trait in enumerate(columns.traits)
            },
        }


def warm(reader: Reader, columns: Columns) -> None:
    """Read all rows once, so that the first visitor does not wait for it: 20,000 take a second."""
    with suppress(DatabaseUnavailable), reader.visitor() as connection, columns.lock:
        columns.of(connection, [])


def percentiles(
    connection: Connection, columns: Columns, traits: Mapping[str, Any]
) -> dict[str, float]:
    """Where each measurement of a font stands among the visible fonts': the share below it, ties half."""
    with columns.lock:
        visible = columns.of(connection, [])
        places = {}
        for at, trait in enumerate(columns.traits):
            own, others = number(traits.get(trait.name)), visible.traits[:, at]
            known = others[~np.isnan(others)]
            if not math.isnan(own) and known.size:
                below, ties = (known < own).sum(), (known == own).sum()
                places[trait.name] = round(float((below + ties / 2) / known.size), 4)
    return places


def _parts(filter: Mapping[str, Any]) -> Iterator[tuple[Facet, Mapping[str, Any]]]:
    for key, value in filter.items():
        if key == "traits":
            for name, comparison in value.items():
                yield f"traits.{name}", {"traits": {name: comparison}}
        elif key != "collapse":
            yield key, {key: value}


def _check(connection: Connection, filter: Mapping[str, Any]) -> None:
    _conditions(connection, [filter])


def _conditions(connection: Connection, filters: list[Mapping[str, Any]]) -> list[sql.SQL]:
    rows = connection.execute(CONDITIONS, [[Jsonb(part) for part in filters]]).fetchall()
    # quoted by the database that made them; with nothing bound, a percent sign is not a placeholder
    return [sql.SQL(condition) for (condition,) in rows]


def _ranked(counts: Mapping[Any, int]) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"value": value, "count": count} for value, count in ordered]


def _histogram(trait: Trait, visible: Visible, at: int, mask: Mask) -> dict[str, Any]:
    """Values beyond the range count in the outer bins."""
    values = visible.traits[mask, at]
    share = (values[~np.isnan(values)] - trait.low) / (trait.high - trait.low)
    bins = np.clip(share * BINS, 0, BINS - 1).astype(np.intp)
    return {
        "low": trait.low,
        "high": trait.high,
        "unit": trait.unit,
        "meaning": trait.meaning,
        "counts": np.bincount(bins, minlength=BINS).tolist(),
    }
