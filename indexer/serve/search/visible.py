"""Rows of public.fonts as a visitor sees them: a font that a policy hides is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from psycopg.rows import class_row

from indexer.database.connect import Connection
from indexer.regular_file import REGULAR_FILE
from indexer.serve.refusals import Refusal

FONT = f"""
    select f.id, f.name, f.category, f.description, f.tags, f.source, f.files, f.license, f.styles,
           f.traits, file.url
    from public.fonts f left join lateral ({REGULAR_FILE}) file on true
    where f.id = %(id)s
"""  # noqa: S608 - a constant, composed of constants


@dataclass(frozen=True, kw_only=True)
class VisibleFont:
    id: UUID
    name: str
    category: str | None
    description: str | None
    tags: list[str] | None
    source: str | None
    files: Any  # the app's: an object of weights and addresses, as a rule
    license: str | None
    styles: dict[str, Any] | None
    traits: dict[str, Any] | None
    url: str | None  # of the file that is drawn

    def __post_init__(self) -> None:
        for name in ("styles", "traits"):  # the columns hold any JSON
            object.__setattr__(self, name, object_or_none(getattr(self, name)))

    @property
    def addresses(self) -> dict[str, str]:
        """Of its files, by weight; what has another form is omitted."""
        given = self.files if isinstance(self.files, dict) else {}
        return {key: value for key, value in given.items() if _is_address(value)}


def object_or_none(value: object) -> dict[str, Any] | None:
    """What a column of jsonb holds, where that is an object."""
    return value if isinstance(value, dict) else None


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(urlsplit(value).scheme)
    except ValueError:  # square brackets that hold no IPv6 address
        return False


def visible_font(connection: Connection, font_id: UUID) -> VisibleFont:
    """Raises Refusal (404) for a font that does not exist, or that this reader may not see."""
    with connection.cursor(row_factory=class_row(VisibleFont)) as cursor:
        found = cursor.execute(FONT, {"id": font_id}).fetchone()
    if found is None:
        raise Refusal(404, "There is no font with this id.")
    return found
