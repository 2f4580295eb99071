"""Facts about families brought up to date: those of a list by the list, those of this machine by their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from psycopg.rows import class_row

from indexer.catalog.facts import FACTS_VERSION, Facts
from indexer.catalog.fontsource import API, CatalogEntry, Listing, Source, family_id, read_listing
from indexer.catalog.rows import FACTS_INPUT
from indexer.database.connect import Connection
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.job.ahead import Preparer
from indexer.job.look import Look, written
from indexer.job.pending import EVERYTHING, Selection
from indexer.job.store import REFUSED, refusal

BATCH = 200  # families of a transaction
OF_GOOGLE = "Google Fonts"

# recorded of a family whose files are not to be had, so that no run of the next day looks for them
TRIED = f"{FACTS_VERSION}, without files"
URLS = """array(select value from jsonb_each_text(case jsonb_typeof(f.files) when 'object' then f.files end)
                 where value is not null order by key)"""
PENDING = f"""
    select f.id as font_id, coalesce(f.name, '') as name, f.source, {FACTS_INPUT} as input_hash,
           {URLS} as urls
    from public.fonts f
    left join font_index.facts x on x.font_id = f.id
    where (x.version is distinct from %(version)s or x.input_hash <> {FACTS_INPUT})
      and (%(ids)s::uuid[] is null or f.id = any(%(ids)s))
      and (%(again)s or x.version is distinct from %(tried)s or x.input_hash <> {FACTS_INPUT}
           or x.made_at < now() - interval '1 day'
           or exists (select from font_index.files s
                      where s.url = any({URLS}) and s.checked_at > x.made_at))
      and (%(only)s::text[] is null or f.name = any(%(only)s) or f.id::text = any(%(only)s))
    order by f.created_at, f.id
"""  # noqa: S608 - a constant, composed of constants
# Families that may be pending, by what costs no hash; and whether any row of them is new since the last look.
CANDIDATES = f"""
    select coalesce(array_agg(f.id), '{{}}'), coalesce(bool_or({written("f")} or {written("x")}), false)
    from public.fonts f
    left join font_index.facts x on x.font_id = f.id
    where x.version is distinct from %(version)s or {written("f")} or {written("x")}
          or f.id = any(%(unsettled)s)
"""  # noqa: S608 - a constant, composed of constants
# Not those that another transaction is writing: waiting for them could be one half of a deadlock.
FREE = "select id from public.fonts where id = any(%s) for no key update skip locked"
# These columns wake no trigger and are in no space's hash: nothing is embedded for them.
WRITE = """
    update public.fonts f
    set coverage = %(coverage)s::int4multirange, styles = %(styles)s::jsonb, design = %(design)s
    where f.id = %(font_id)s and (f.coverage, f.styles, f.design)
          is distinct from (%(coverage)s::int4multirange, %(styles)s::jsonb, %(design)s)
"""
WRITE_DESIGN = """
    update public.fonts set design = %(design)s
    where id = %(font_id)s and design is distinct from %(design)s
"""
RECORD = """
    insert into font_index.facts (font_id, version, input_hash)
    values (%(font_id)s, %(version)s, %(input_hash)s)
    on conflict (font_id) do update
      set version = excluded.version, input_hash = excluded.input_hash, made_at = now()
"""


@dataclass(frozen=True, kw_only=True)
class FamilyRow:
    """A font whose facts are missing or out of date, with what they are made from."""

    font_id: UUID
    name: str
    source: str | None
    input_hash: bytes
    urls: Sequence[str]

    @property
    def local(self) -> list[str]:
        return [url for url in self.urls if is_local(url)]

    @property
    def listed(self) -> bool:
        """Whether it is one of Fontsource's, so that a list tells more than its files."""
        return not self.local and (self.source == OF_GOOGLE or self.fontsource_id is not None)

    @property
    def fontsource_id(self) -> str | None:
        return next(filter(None, map(family_id, self.urls)), None)


@dataclass(frozen=True, kw_only=True)
class Found:
    row: FamilyRow
    facts: Facts
    final: bool = True  # False: another run may find more
    tried: bool = False  # not final, and in vain for a day, unless its files are seen before


def is_local(url: str) -> bool:
    return url.lower().startswith("file:")


def fill_facts(
    connection: Connection,
    files: FontFiles,
    preparer: Callable[[], Preparer],
    *,
    selection: Selection = EVERYTHING,
    limit: int | None = None,
    say: Callable[[str], None],
    api: str = API,
) -> int:
    """Write what is missing or out of date, and return of how many families; at most `limit`.

    Each batch is one transaction. Families whose list or files cannot be had get their design alone, and
    `say` is told. The next run tries a list again; files, once a run has seen one of them, after a day,
    and where the selection names the family or what failed. `preparer` is made where files are to be opened.
    """
    rows = _outstanding(connection, selection)
    lists, written, left = _Lists(files, api), 0, 0
    with ExitStack() as stack:
        opener = stack.enter_context(preparer()) if any(row.local for row in rows) else None
        # those that are left count for no limit, or they would keep the others waiting for ever
        while rows and (limit is None or written < limit):
            size = BATCH if limit is None else min(BATCH, limit - written)
            found = list(_facts(rows[:size], lists, opener))
            written += _save(connection, found, say)
            left += sum(not one.final for one in found)
            rows = rows[size:]
    if left:
        say(f"Characters and styles of {left} families are left to a later run. {lists.trouble}")
    return written


def _outstanding(connection: Connection, selection: Selection) -> list[FamilyRow]:
    """Families whose facts are missing or out of date: of those that were written since the last look."""
    if selection.only is not None or selection.retry_failed:
        only = None if selection.only is None else list(selection.only)
        return _pending(connection, only=only, again=True)
    look = Look.begin(connection, "facts", PENDING)
    ids, new = look.candidates(connection, CANDIDATES, {"version": FACTS_VERSION})
    rows = _pending(connection, ids=ids)
    look.keep(connection, [row.font_id for row in rows], new=new)
    return rows


def _pending(
    connection: Connection,
    *,
    ids: Sequence[UUID] | None = None,
    only: Sequence[str] | None = None,
    again: bool = False,
) -> list[FamilyRow]:
    """again: also those that were tried in vain within a day."""
    parameters = {
        "version": FACTS_VERSION, "tried": TRIED, "again": again, "ids": ids, "only": only,
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(FamilyRow)) as cursor:
        return cursor.execute(PENDING, parameters).fetchall()


def _facts(rows: Sequence[FamilyRow], lists: _Lists, opener: Preparer | None) -> Iterator[Found]:
    local = [row for row in rows if row.local]
    if opener and local:
        families = opener.facts((row.name, row.local) for row in local)
        for row, facts in zip(local, families, strict=True):
            if isinstance(facts, FontError):
                lists.trouble = facts.message
                yield Found(row=row, facts=Facts.of_name(row.name), final=False, tried=True)
            else:
                yield Found(row=row, facts=_of_some_files(facts))
    for row in rows:
        if row.listed:
            yield lists.find(row)
        elif not row.local:
            yield Found(row=row, facts=Facts.of_name(row.name))


def _of_some_files(facts: Facts) -> Facts:
    """A row need not name all files of its family: that none is italic does not tell of the rest."""
    styles = facts.styles
    if styles is None or styles.italic:
        return facts
    return replace(facts, styles=replace(styles, italic=None))


def _save(connection: Connection, found: Sequence[Found], say: Callable[[str], None]) -> int:
    try:
        return _write(connection, found)
    except REFUSED as error:
        if len(found) == 1:
            name = found[0].row.name[:100]
            say(f"Facts about {name!r} are not written. The database refused: {refusal(error)}.")
            return 0
    middle = len(found) // 2
    return sum(_save(connection, half, say) for half in (found[:middle], found[middle:]))


def _write(connection: Connection, found: Sequence[Found]) -> int:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(FREE, [[one.row.font_id for one in found]])
        free = {font_id for (font_id,) in cursor.fetchall()}
        found = [one for one in found if one.row.font_id in free]
        cursor.executemany(WRITE, [_values(one) for one in found if _tells(one)])
        cursor.executemany(WRITE_DESIGN, [_values(one) for one in found if not _tells(one)])
        cursor.executemany(RECORD, [_values(one) for one in found if one.final or one.tried])
    return sum(one.final for one in found)


def _tells(found: Found) -> bool:
    return found.final or found.facts.styles is not None


def _values(found: Found) -> dict[str, object]:
    row = found.row
    version = TRIED if found.tried else FACTS_VERSION
    key = {"font_id": row.font_id, "version": version, "input_hash": row.input_hash}
    return {**key, **found.facts.to_row()}


class _Lists:
    """Fontsource's families, read when one is first asked for.

    npm's list before the API's: it alone has unicode ranges and axes. The API's has newer families.
    """

    def __init__(self, files: FontFiles, api: str) -> None:
        self._files = files
        self._api = api
        self.trouble = ""

    def find(self, row: FamilyRow) -> Found:
        entry = _entry(self._npm, row)
        final = entry is not None
        if entry is None:
            entry = _entry(self._newer, row)
            final = self._npm is not None and self._newer is not None
        facts = Facts.of_name(row.name)
        if entry is not None:
            facts = replace(entry.facts(), design=facts.design)
        return Found(row=row, facts=facts, final=final)

    @cached_property
    def _npm(self) -> _Families | None:
        return self._read("npm")

    @cached_property
    def _newer(self) -> _Families | None:
        return self._read("api")

    def _read(self, source: Source) -> _Families | None:
        try:
            return _Families(read_listing(self._files, source=source, api=self._api))
        except (FontError, UserError) as error:
            self.trouble = str(error)
            return None


class _Families:
    def __init__(self, listing: Listing) -> None:
        self.by_id = {entry.id: entry for entry in listing.families}
        self.by_name = {entry.family.casefold(): entry for entry in listing.families}


def _entry(index: _Families | None, row: FamilyRow) -> CatalogEntry | None:
    """By the address where it names a family, for a row may be called otherwise."""
    if index is None:
        return None
    if row.fontsource_id is not None:
        return index.by_id.get(row.fontsource_id)
    return index.by_name.get(row.name.casefold())
