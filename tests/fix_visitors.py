"""A database whose fonts visitors read as anon, under row security that hides one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from indexer.database.connect import Connection, Database

HIDDEN = "Font 01"
GRANTS = (
    "grant select on public.fonts to {role}",
    "grant usage on schema font_index to {role}",
    "grant execute on all functions in schema font_index to {role}",
    "grant execute on function public.match_fonts_hybrid, public.similar_fonts to {role}",
)


def grant(connection: Connection, role: str) -> None:
    """What sql/README.md says that a reading role needs."""
    for statement in GRANTS:
        connection.execute(sql.SQL(statement).format(role=sql.Identifier(role)))


def hide(connection: Connection, name: str = HIDDEN) -> None:
    """A policy that nobody who is bound by policies sees the font of that name through."""
    connection.execute(
        sql.SQL(
            "create policy hidden on public.fonts as restrictive for select using (name <> {})"
        ).format(sql.Literal(name))
    )


@pytest.fixture
def visited(database: Database, api_roles: tuple[str, ...]) -> Iterator[Database]:
    """A database at head with the API's roles, of which anon may read and search."""
    with database.connect() as connection:
        grant(connection, "anon")
    yield database
