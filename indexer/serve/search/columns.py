"""What counts and histograms read of each font, by column: decoded once for each version of a row.

Reading thirty measurements out of 20,000 JSON documents costs the database 200 ms; telling which rows
a visitor sees, in which versions, and which filters each passes costs 20 ms. So the database is asked
for these with every request, and a row is read when its version is new. Rows that are kept here but
hidden from the visitor are not counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import class_row

from indexer.catalog.scripts import LETTERS
from indexer.database.connect import Connection

CHUNK = 5_000  # rows that are read by one statement
SPARE = 10_000  # rows kept that were deleted or are hidden now, before all are dropped

ID, VERSION = 16, 10  # bytes
# One row of bytes per font: id, version (transaction and place), and whether each condition holds.
ROWS = sql.SQL("""
    select coalesce(string_agg(uuid_send(f.id) || xidsend(f.xmin) || tidsend(f.ctid){flags}, ''), '')
    from public.fonts f
""")
FLAG = sql.SQL(" || case when {} then '\\x01'::bytea else '\\x00' end")
READ = """
    select uuid_send(f.id),
           json_build_array(f.category, f.license, f.source, f.tags, f.styles, f.traits)::text
    from public.fonts f where f.id = any(%s)
"""
TRAITS = "select name, low, high, unit, meaning from font_index.traits()"

VALUES = ("category", "license", "source", "subsets", "tags", "weights", "italic", "variable")
HUNDREDS = range(100, 1000, 100)  # weights that a variable font's range is counted for

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Trait:
    """A row of font_index.traits()."""

    name: str
    low: float
    high: float
    unit: str
    meaning: str


class Bag:
    """Several values a font, such as its tags: which font has which."""

    def __init__(self) -> None:
        self._codes: dict[str | int, int] = {}
        self._of: dict[int, list[int]] = {}  # by slot
        self._flat: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None

    def put(self, slot: int, values: Sequence[str | int]) -> None:
        self._of[slot] = [self._codes.setdefault(value, len(self._codes)) for value in values]
        self._flat = None

    def count(self, slots: NDArray[np.intp], size: int) -> dict[str | int, int]:
        """How many of the fonts in these slots have each value; slots are below size."""
        if self._flat is None:
            lengths = [len(codes) for codes in self._of.values()]
            self._flat = (
                np.repeat(np.fromiter(self._of, np.intp, len(self._of)), lengths),
                np.fromiter(
                    (c for codes in self._of.values() for c in codes), np.intp, sum(lengths)
                ),
            )
        wanted = np.zeros(size, dtype=bool)
        wanted[slots] = True
        owners, codes = self._flat
        counts = np.bincount(codes[wanted[owners]], minlength=len(self._codes)).tolist()
        return {value: counts[code] for value, code in self._codes.items() if counts[code]}


@dataclass(frozen=True, kw_only=True)
class Visible:
    """The fonts that a visitor sees, in one order throughout."""

    slots: NDArray[np.intp]
    flags: Mask  # (fonts, conditions): whether each passes
    traits: NDArray[np.float64]  # (fonts, traits), NaN where it was not measured


def read_traits(connection: Connection) -> list[Trait]:
    with connection.cursor(row_factory=class_row(Trait)) as cursor:
        return cursor.execute(TRAITS).fetchall()


class Columns:
    """Thread-safe: look at what `of` gave, and count, within `lock`."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.traits: list[Trait] = []
        self._forget()

    def of(self, connection: Connection, conditions: Sequence[sql.Composable]) -> Visible:
        """As the connection's role sees the table. conditions: on a row f of public.fonts."""
        if not self.traits:
            self.traits = read_traits(connection)
        flags = sql.Composed([FLAG.format(condition) for condition in conditions])
        row = connection.execute(ROWS.format(flags=flags), binary=True).fetchone()
        assert row is not None
        width = ID + VERSION + len(conditions)
        rows = np.frombuffer(row[0], dtype=np.uint8).reshape(-1, width)
        ids = rows[:, :ID].tobytes()
        slots = self._slots([ids[at : at + ID] for at in range(0, len(ids), ID)])
        versions = rows[:, ID : ID + VERSION]
        changed = (self._versions[slots] != versions).any(axis=1)
        self._read(connection, slots[changed], versions[changed])
        return Visible(
            slots=slots,
            flags=rows[:, ID + VERSION :].astype(bool),
            traits=self._measured[slots],
        )

    def count(self, name: str, visible: Visible, mask: Mask) -> dict[Any, int]:
        """How many of the visible fonts under the mask have each value of a column of VALUES."""
        return self._bags[name].count(visible.slots[mask], len(self._versions))

    def _forget(self) -> None:
        self._slot_of: dict[bytes, int] = {}
        self._ids: list[bytes] = []
        self._versions = np.zeros((0, VERSION), dtype=np.uint8)
        self._measured = np.zeros((0, len(self.traits)))
        self._bags = {name: Bag() for name in VALUES}

    def _slots(self, ids: Sequence[bytes]) -> NDArray[np.intp]:
        if len(self._slot_of) > 2 * len(ids) + SPARE or self._measured.shape[1] != len(self.traits):
            self._forget()
        for font_id in ids:
            if font_id not in self._slot_of:
                self._slot_of[font_id] = len(self._ids)
                self._ids.append(font_id)
        missing = len(self._ids) - len(self._versions)
        if missing:  # a version of zeros is none that Postgres gives
            grown = max(missing, len(self._versions) // 2)
            self._versions = np.pad(self._versions, ((0, grown), (0, 0)))
            self._measured = np.pad(self._measured, ((0, grown), (0, 0)), constant_values=math.nan)
        return np.fromiter((self._slot_of[font_id] for font_id in ids), np.intp, len(ids))

    def _read(
        self, connection: Connection, slots: NDArray[np.intp], versions: NDArray[np.uint8]
    ) -> None:
        for first in range(0, len(slots), CHUNK):
            chunk = slots[first : first + CHUNK]
            wanted = [UUID(bytes=self._ids[slot]) for slot in chunk]
            found, measured = [], []
            for font_id, text in connection.execute(READ, [wanted], binary=True):
                slot, row = self._slot_of[bytes(font_id)], _decoded(text)
                self._put(slot, row)
                found.append(slot)
                traits = row[-1] if isinstance(row[-1], dict) else {}
                measured.append([number(traits.get(trait.name)) for trait in self.traits])
            if found:
                self._measured[found] = measured
            self._versions[chunk] = versions[first : first + CHUNK]

    def _put(self, slot: int, row: list[Any]) -> None:
        category, license_, source, tags, styles, _ = row
        tags = [tag for tag in tags or () if isinstance(tag, str)]
        values: Mapping[str, Sequence[str | int]] = {
            "category": [category] if category else [],
            "license": [license_] if license_ else [],
            "source": [source] if source else [],
            "subsets": sorted({tag for tag in tags if tag in LETTERS}),
            "tags": sorted({tag for tag in tags if tag not in LETTERS}),
            **_styles(styles if isinstance(styles, dict) else {}),
        }
        for name, bag in self._bags.items():
            bag.put(slot, values[name])


def _decoded(text: str) -> list[Any]:
    try:
        row: list[Any] = orjson.loads(text)
    except orjson.JSONDecodeError:  # jsonb may hold numbers that are too large for a float
        row = json.loads(text)
    return row


def _styles(styles: Mapping[str, Any]) -> dict[str, list[str | int]]:
    """As filter.styles of the database reads them."""
    weights = {int(w) for w in _list(styles.get("weights")) if not math.isnan(number(w))}
    axes, span = _list(styles.get("axes")), [number(w) for w in _list(styles.get("weight"))]
    if "wght" in axes and len(span) == 2:
        weights |= {weight for weight in HUNDREDS if span[0] <= weight <= span[1]}
    return {
        "weights": sorted(weights),
        "italic": ["italic"] if styles.get("italic") is True else [],
        "variable": ["variable"] if axes else [],
    }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def number(value: object) -> float:
    """NaN for what is not a number, or too large for a float; true is 1."""
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan
