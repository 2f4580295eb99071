"""Families into public.fonts. Rows that are there are the product's, and stay unless told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb

from indexer.catalog.family import Family
from indexer.database.connect import Connection

INSERT = """
    insert into public.fonts (name, category, description, license, tags, source, files)
    values (%(name)s, %(category)s, %(description)s, %(license)s, %(tags)s, %(source)s, %(files)s)
    on conflict (name) do nothing
"""
# the description is never taken back: people wrote it
UPDATE = """
    update public.fonts f
    set category = %(category)s, license = %(license)s, tags = %(tags)s, files = %(files)s
    where f.name = %(name)s and f.source = %(source)s
      and (f.category, f.license, f.tags, f.files)
          is distinct from (%(category)s, %(license)s, %(tags)s::text[], %(files)s::jsonb)
"""
NAMED = "select id from public.fonts where name = %(font)s or id::text = %(font)s"


@dataclass(frozen=True, kw_only=True)
class Added:
    new: int
    updated: int
    unchanged: int


def add(connection: Connection, families: Sequence[Family], *, update: bool = False) -> Added:
    """Insert the families that public.fonts does not have, in one transaction.

    With `update`, rows of the same name and source get the listing's category, license, tags and
    files as well.
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
        }
        for family in families
    ]
    with connection.transaction(), connection.cursor() as cursor:
        updated = 0
        if update:
            cursor.executemany(UPDATE, rows)
            updated = max(cursor.rowcount, 0)
        cursor.executemany(INSERT, rows)
        new = max(cursor.rowcount, 0)
    return Added(new=new, updated=updated, unchanged=len(rows) - new - updated)


def font_id(connection: Connection, font: str) -> UUID | None:
    """The id of the font that a user names, by its name or its id."""
    row = connection.execute(NAMED, {"font": font}).fetchone()
    return row[0] if row else None
