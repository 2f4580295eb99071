"""Embedding spaces: everything that a vector depends on, and which space search compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.embed.protocol import Embedder, Model, Vector
from indexer.settings import OPENROUTER_MODEL
from indexer.sheet.render import SheetSpec
from indexer.text import PRODUCT, TextSchema

Leg = Literal["text", "vl"]
State = Literal["candidate", "active", "retired"]
SERVING_COLUMN: dict[Leg, sql.Identifier] = {
    "text": sql.Identifier("embedding"),
    "vl": sql.Identifier("embedding_vl"),
}
# Null, but during a switch: of a space that is to serve, or that served (sql/0008_switches.sql).
NEXT_COLUMN: dict[Leg, sql.Identifier] = {
    "text": sql.Identifier("embedding_next"),
    "vl": sql.Identifier("embedding_vl_next"),
}

# Vectors in the serving column that no run of ours wrote: the product's.
FOREIGN_VECTORS = sql.SQL("""
    select count(*) from public.fonts f
    where f.{column} is not null and not exists (
      select from font_index.embeddings e join font_index.spaces s on s.id = e.space_id
      where e.font_id = f.id and s.leg = %s and s.state = 'active')
""")
REGISTER = """
    insert into font_index.spaces (id, leg, identity, state, activated_at)
    select %(id)s, %(leg)s, %(identity)s, case when serve then 'active' else 'candidate' end,
           case when serve then now() end
    from (select %(may_serve)s and not exists (
            select from font_index.spaces where leg = %(leg)s and state = 'active') as serve) s
    on conflict (id) do nothing
"""
# First in a transaction, before its snapshot: a switch exchanges columns, which no snapshot hides.
NO_SWITCH = "lock table public.fonts in access share mode"
STATE = "select state from font_index.spaces where id = %s"
ACTIVE = "select leg, identity from font_index.spaces where state = 'active'"
LIST = """
    select s.id, s.leg, s.identity, s.state, s.created_at, count(e.font_id) as fonts
    from font_index.spaces s left join font_index.embeddings e on e.space_id = s.id
    group by s.id order by s.leg, s.created_at
"""
# What we wrote into the product's text column, to be told from what the product writes there.
STAMP = """
    update font_index.embeddings e set vector_md5 = md5(f.embedding::text)
    from public.fonts f
    where e.space_id = %(space_id)s and f.id = e.font_id
      and (%(ids)s::uuid[] is null or f.id = any(%(ids)s))
"""

SERVING_DIMENSION = 4096


@dataclass(frozen=True, kw_only=True)
class Space:
    leg: Leg
    model: Model
    sheet_spec: str | None  # None: the vector does not depend on a sheet
    text_schema: str | None  # None: nor on a text

    def identity(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def id(self) -> str:
        """sha256 of the canonical JSON of the identity, in hexadecimal."""
        canonical = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def from_identity(cls, identity: dict[str, Any]) -> Space:
        return cls(**{**identity, "model": Model(**identity["model"])})

    def __str__(self) -> str:
        return f"{self.model.name} [{self.id[:12]}]"


Serving = Mapping[Leg, Space | None]  # of each leg the active space, whose vectors search compares


@dataclass(frozen=True, kw_only=True)
class SpaceRecord:
    """A row of `indexer spaces`."""

    space: Space
    state: State
    fonts: int


def text_space(embedder: Embedder) -> Space:
    return Space(leg="text", model=embedder.model, sheet_spec=None, text_schema=PRODUCT.identity)


def vl_space(embedder: Embedder, spec: SheetSpec, text: TextSchema | None) -> Space:
    return Space(
        leg="vl",
        model=embedder.model,
        sheet_spec=spec.identity,
        text_schema=text.identity if text else None,
    )


def padded(vector: Vector) -> Vector:
    """To the serving columns' width with zeros, which leaves cosines unchanged."""
    wide = np.zeros(SERVING_DIMENSION, dtype=np.float32)
    wide[: vector.size] = vector
    return wide


def register(connection: Connection, space: Space, *, may_serve: bool = True) -> State:
    """Make a space known and return its state. The first of its leg serves, where it may."""
    values = {
        "id": space.id,
        "leg": space.leg,
        "identity": Jsonb(space.identity()),
        "may_serve": may_serve,
    }
    connection.execute(REGISTER, values)
    row = connection.execute(STATE, [space.id]).fetchone()
    assert row is not None
    state: State = row[0]
    return state


def serving(connection: Connection) -> Serving:
    found = {leg: Space.from_identity(identity) for leg, identity in connection.execute(ACTIVE)}
    return {leg: found.get(leg) for leg in SERVING_COLUMN}


def active(connection: Connection, leg: Leg) -> Space | None:
    return serving(connection)[leg]


def foreign_vectors(connection: Connection, leg: Leg) -> int:
    """How many vectors of the serving column are the product's own."""
    row = connection.execute(FOREIGN_VECTORS.format(column=SERVING_COLUMN[leg]), [leg]).fetchone()
    assert row is not None
    return int(row[0])


def may_serve(connection: Connection, space: Space) -> bool:
    """Whether a space may become the active one of a leg that has none.

    Vectors of the product's own are taken for the product's model, so only that one joins them.
    """
    product = (OPENROUTER_MODEL, 4096)
    if space.leg == "vl" or (space.model.name, space.model.dimension) == product:
        return True
    return not foreign_vectors(connection, space.leg)


def all_spaces(connection: Connection) -> list[SpaceRecord]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [
            SpaceRecord(
                space=Space.from_identity(row["identity"]), state=row["state"], fonts=row["fonts"]
            )
            for row in cursor.execute(LIST)
        ]
