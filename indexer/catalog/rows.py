"""Families into public.fonts. Rows that are there are the product's, and stay unless told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.types.json import Jsonb

from indexer.catalog.facts import FACTS_VERSION
from indexer.catalog.family import Family
from indexer.database.connect import Connection

INSERT = """
    insert into public.fonts
      (name, category, description, license, tags, source, files, coverage, styles, design)
    values
      (%(name)s, %(category)s, %(description)s, %(license)s, %(tags)s, %(source)s, %(files)s,
       %(coverage)s::int4multirange, %(styles)s::jsonb, %(design)s)
    on conflict (name) do nothing
    returning name
"""
# the description is never taken back: people wrote it
UPDATE = """
    update public.fonts f
    set category = %(category)s, license = %(license)s, tags = %(tags)s, files = %(files)s
    where f.name = %(name)s and f.source = %(source)s
      and (f.category, f.license, f.tags, f.files)
          is distinct from (%(category)s, %(license)s, %(tags)s::text[], %(files)s::jsonb)
"""
# What the facts about a family are made from. Not the file's bytes: most are of a list, by name. Of what is longer
# than any family's, a part: jsonb takes no more than 256 MB.
FACTS_INPUT = """sha256(convert_to(jsonb_build_array(left(f.name, 500000), left(f.source, 500000),
      case when pg_column_size(f.files) < 500000 then f.files end)::text, 'UTF8'))"""
SET_FACTS = """
    update public.fonts f
    set coverage = %(coverage)s::int4multirange, styles = %(styles)s::jsonb, design = %(design)s
    where f.name = %(name)s and f.source = %(source)s and (f.coverage, f.styles, f.design)
          is distinct from (%(coverage)s::int4multirange, %(styles)s::jsonb, %(design)s)
"""
RECORD_FACTS = f"""
    insert into font_index.facts (font_id, version, input_hash)
    select f.id, %(version)s, {FACTS_INPUT} from public.fonts f
    where f.name = %(name)s and f.source = %(source)s
    on conflict (font_id) do update
      set version = excluded.version, input_hash = excluded.input_hash, made_at = now()
"""  # noqa: S608 - a constant, composed of constants
NO_FACTS: dict[str, str | None] = {"coverage": None, "styles": None, "design": None}
NAMED = "select id from public.fonts where name = %(font)s or id::text = %(font)s"


@dataclass(frozen=True, kw_only=True)
class Added:
    new: int
    updated: int
    unchanged: int

    def __add__(self, other: Added) -> Added:
        return Added(
            new=self.new + other.new,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
        )

    def __str__(self) -> str:
        return f"fonts: {self.new} new, {self.updated} updated, {self.unchanged} unchanged"


def add(connection: Connection, families: Sequence[Family], *, update: bool = False) -> Added:
    """Insert the families that public.fonts does not have, in one transaction.

    With `update`, rows of the same name and source get the listing's category, license, tags and
    files as well. Facts about a family that the listing does not tell in full are left to the job:
    it may know a better one.
    """
    rows = [
        {
            "name": family.name,
            "category": family.category,
            "description": family.description,
            "license": family.license,
            "tags": list(family.tags),
            "source": family.source,
            "files": Jsonb(dict(family.files)),
            "version": FACTS_VERSION,
            **(family.facts.to_row() if family.facts else NO_FACTS),
        }
        for family in families
    ]
    with connection.transaction(), connection.cursor() as cursor:
        updated = 0
        if update:
            cursor.executemany(UPDATE, rows)
            updated = max(cursor.rowcount, 0)
        cursor.executemany(INSERT, rows, returning=True)
        inserted = {name for (name,) in _answers(cursor)}
        complete = {family.name for family in families if family.facts and family.facts.complete}
        known = [row for row in rows if row["name"] in complete]
        if update:
            cursor.executemany(SET_FACTS, known)
        else:
            known = [row for row in known if row["name"] in inserted]
        cursor.executemany(RECORD_FACTS, known)
    new = len(inserted)
    return Added(new=new, updated=updated, unchanged=len(rows) - new - updated)


def _answers(cursor: Cursor[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows that all statements of the last executemany returned."""
    more: bool | None = cursor.pgresult is not None
    while more:
        yield from cursor
        more = cursor.nextset()


def font_id(connection: Connection, font: str) -> UUID | None:
    """The id of the font that a user names, by its name or its id."""
    row = connection.execute(NAMED, {"font": font}).fetchone()
    return row[0] if row else None
