"""Which fonts need work in a space, and why: decided in SQL, by comparing hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from indexer.database.connect import Connection
from indexer.job.look import Look, written
from indexer.regular_file import REGULAR_FILE
from indexer.spaces import NEXT_COLUMN, SERVING_COLUMN, Space
from indexer.text import schema_of

Reason = Literal[
    "new", "changed text", "changed file", "lost", "retry", "waiting", "quarantined", "leased"
]
WORKABLE: frozenset[Reason] = frozenset({"new", "changed text", "changed file", "lost", "retry"})

# Every font with the inputs of its vector. The hash covers what the text schema uses, and the file's
# address; the file's bytes are compared by their own hash, which is known once they were fetched. Tags
# may hold nulls and arrays: what is read of them is a list of strings. What is longer than any font's
# is read in part, for jsonb takes no more than 256 MB: no model reads even that.
LONG = 500_000  # bytes
NAME, CATEGORY, DESCRIPTION = (
    f"case when octet_length(f.{column}) > {LONG} then left(f.{column}, {LONG}) else f.{column} end as {column}"
    for column in ("name", "category", "description")
)
TAGS = f"array(select left(tag, {LONG}) from unnest(f.tags) tag where tag is not null)"  # noqa: S608
INPUTS = f"""
    select f.id as font_id, coalesce(f.name, '') as name, f.category, f.description, f.created_at,
           {TAGS} as tags,
           file.url, files.sha256 as file_sha256,
           sha256(convert_to(jsonb_build_array(
             case when %(uses_text)s then jsonb_build_array(f.name, f.category, f.tags) end,
             case when %(uses_description)s then f.description end,
             case when %(uses_sheet)s then file.url end)::text, 'UTF8')) as input_hash
    from (
      select f.id, f.created_at, f.files, {NAME}, {CATEGORY}, {DESCRIPTION},
             case when pg_column_size(f.tags) > {LONG} then array[repeat('x', {LONG})] else f.tags end as tags
      from public.fonts f
    ) f
    left join lateral ({REGULAR_FILE}) file on %(uses_sheet)s
    left join font_index.files on files.url = file.url
"""  # noqa: S608 - a constant, composed of constants
# In the serving space a vector stands in public.fonts, else in font_index.embeddings. One in the
# text column that no run of ours wrote is the product's, and stays.
# What served before a switch is on its way there from the next columns, for as long as that takes.
LOST = """case when s.state = 'active' then f.{column} is null
               else e.embedding is null and (f.{next} is null or not exists (
                 select from font_index.switches where space_id = s.id and phase = 'leaving')) end"""
OURS = "%(overwrite)s or e.font_id is not null or f.{column} is null or s.state <> 'active'"
PENDING = sql.SQL(f"""
    with inputs as ({INPUTS})
    select i.font_id, i.name, i.category, i.tags, i.description, i.url, i.file_sha256, i.input_hash,
           case
             when l.expires_at > now() then 'leased'
             when x.font_id is not null and x.input_hash = i.input_hash
                  and x.file_sha256 is not distinct from i.file_sha256 then
               case when x.next_try_at <= now() or %(retry_failed)s then 'retry'
                    when x.next_try_at is null then 'quarantined' else 'waiting' end
             when e.font_id is null then 'new'
             when e.input_hash <> i.input_hash then 'changed text'
             when e.file_sha256 is distinct from i.file_sha256 then 'changed file'
             else 'lost'
           end as reason
    from inputs i
    join public.fonts f on f.id = i.font_id
    left join font_index.spaces s on s.id = %(space_id)s
    left join font_index.embeddings e on e.space_id = %(space_id)s and e.font_id = i.font_id
    left join font_index.failures x on x.space_id = %(space_id)s and x.font_id = i.font_id
    left join font_index.leases l on l.space_id = %(space_id)s and l.font_id = i.font_id
    where (e.font_id is null or e.input_hash <> i.input_hash
           or %(uses_sheet)s and e.file_sha256 is distinct from i.file_sha256
           or {LOST})
      and ({OURS})
      and (%(ids)s::uuid[] is null or f.id = any(%(ids)s))
      and (%(only)s::text[] is null or f.name = any(%(only)s) or f.id::text = any(%(only)s))
    order by i.created_at, i.font_id
""")  # noqa: S608 - a constant, composed of constants
# Fonts that may be pending, by what costs no hash; and whether any row of them is new since the last look.
CANDIDATES = sql.SQL(f"""
    select coalesce(array_agg(f.id), '{{{{}}}}'), coalesce(bool_or({written("f")} or {written("e")}), false)
    from public.fonts f
    left join font_index.spaces s on s.id = %(space_id)s
    left join font_index.embeddings e on e.space_id = %(space_id)s and e.font_id = f.id
    where (e.font_id is null or {written("f")} or {written("e")} or f.id = any(%(unsettled)s)
           or %(uses_sheet)s and e.file_sha256 is null
           or {LOST})
      and ({OURS})
""")  # noqa: S608 - a constant, composed of constants
FILE_URLS = f"""
    with inputs as ({INPUTS})
    select font_id, url from inputs
    where url is not null and (%(ids)s::uuid[] is null or font_id = any(%(ids)s))
"""  # noqa: S608 - a constant, composed of constants


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A font that needs work, with the inputs as they were when it was looked at."""

    font_id: UUID
    name: str
    category: str | None
    tags: Sequence[str]
    description: str | None
    url: str | None
    file_sha256: str | None  # of what was last seen behind the URL, by any host
    input_hash: bytes
    reason: Reason

    @property
    def workable(self) -> bool:
        return self.reason in WORKABLE


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which fonts a command asks for."""

    only: tuple[str, ...] | None = None  # names or ids
    retry_failed: bool = False  # waiting and quarantined fonts too
    overwrite: bool = False  # vectors of the product's own too


EVERYTHING = Selection()


def pending(
    connection: Connection,
    space: Space,
    selection: Selection = EVERYTHING,
    ids: Sequence[UUID] | None = None,
) -> list[Claim]:
    """All fonts (or those of the ids) whose vector is missing or out of date, oldest first.

    Compares every font, whatever is known from before: see `outstanding`.
    """
    parameters = {
        **_parameters(space, selection),
        "retry_failed": selection.retry_failed,
        "only": list(selection.only) if selection.only is not None else None,
        "ids": list(ids) if ids is not None else None,
    }
    statement = PENDING.format(column=SERVING_COLUMN[space.leg], next=NEXT_COLUMN[space.leg])
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def outstanding(
    connection: Connection, space: Space, selection: Selection = EVERYTHING, *, keep: bool = True
) -> list[Claim]:
    """The same as `pending`, but only what was written since the last look is compared.

    With `keep`, this look is noted as the last one; not for a transaction that may be rolled back.
    """
    if selection.only is not None:
        return pending(connection, space, selection)
    parameters = _parameters(space, selection)
    question = f"{PENDING} {parameters['uses_text']} {parameters['uses_description']}"
    look = Look.begin(connection, space.id, question, by_files=space.sheet_spec is not None)
    candidates = CANDIDATES.format(column=SERVING_COLUMN[space.leg], next=NEXT_COLUMN[space.leg])
    ids, new = look.candidates(connection, candidates, parameters)
    found = pending(connection, space, selection, ids)
    if keep:
        # what the bookkeeping has no row of is a candidate in any case
        unsettled = [font.font_id for font in found if font.reason != "new"]
        look.keep(connection, unsettled, new=new)
    return found


def _parameters(space: Space, selection: Selection) -> dict[str, object]:
    schema = schema_of(space.text_schema) if space.text_schema else None
    return {
        "space_id": space.id,
        "uses_text": schema is not None,
        "uses_description": schema is not None and schema.description,
        "uses_sheet": space.sheet_spec is not None,
        "overwrite": selection.overwrite or space.leg == "vl",  # the vl column is ours alone
    }


def file_urls(connection: Connection, ids: Sequence[UUID] | None = None) -> dict[UUID, str]:
    """The address of the file that stands for each font; fonts without one are left out."""
    parameters = {
        "uses_text": False,
        "uses_description": False,
        "uses_sheet": True,
        "ids": list(ids) if ids is not None else None,
    }
    return dict(connection.execute(FILE_URLS, parameters).fetchall())
