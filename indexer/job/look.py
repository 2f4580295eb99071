"""The last look at all fonts: what was up to date then and was not written since need not be compared again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from indexer.database.connect import Connection

MANY = 10_000  # fonts: to compare all is as quick then as to pick them out

# Each version of a row carries the transaction that made it, in 32 bits: it may take an old version for a new
# one, which costs a comparison, never a new one for an old one while `since` is less than 2^31 transactions ago.
# The digest of all files holds no time: that one was looked at again, and is the same, changes nothing.
#
# What a look relies on beside the rows: the query that compared them; this server, for a dump carries numbers of
# another's transactions; the table and its columns, for a table may take the place of another, and a column that
# is added with a default writes no row. In a dump of a copy of this server, the row of the look itself tells.
LAST = """
    with basis as (
      select pg_current_snapshot() as now, sha256(convert_to(concat_ws(' ',
        %(question)s::text,
        (select system_identifier from pg_control_system()),
        'public.fonts'::regclass::oid,
        (select array_agg((attname, attnum, atttypid) order by attnum) from pg_attribute
         where attrelid = 'public.fonts'::regclass and attnum > 0 and not attisdropped)), 'UTF8')) as basis
    )
    select basis.basis, pg_snapshot_xmin(now)::text::bigint, x.since::text::bigint, x.files,
           coalesce(x.unsettled, '{}')
    from basis left join font_index.looks x on x.subject = %(subject)s and x.basis = basis.basis
      and x.xmin::text::bigint = x.written_by::text::bigint & 4294967295
      and pg_snapshot_xmax(now)::text::bigint - x.since::text::bigint between 0 and 1073741824
"""
KEEP = """
    insert into font_index.looks (subject, basis, since, files, unsettled)
    values (%(subject)s, %(basis)s, %(begun)s::text::xid8, %(files)s, %(unsettled)s)
    on conflict (subject) do update set
      basis = excluded.basis, since = excluded.since, files = excluded.files,
      unsettled = excluded.unsettled, written_by = excluded.written_by
"""


def written(row: str) -> str:
    """The condition that a row, by its alias, was written since a look; its parameter is `since`."""
    return f"(({row}.xmin::text::bigint - %(since)s::bigint) & 4294967295) < 2147483648"


FILES = f"""
    select coalesce(bit_xor(digest), 0), coalesce(bit_xor(digest) filter (where not new), 0)
    from (select hashtextextended(url || ' ' || sha256, 0) as digest, coalesce({written("x")}, true) as new
          from font_index.files x) files
"""  # noqa: S608 - a constant, composed of constants


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look that begins, and what is known from the one before it."""

    subject: str
    basis: bytes
    begun: int  # transactions below it had ended when this look began
    since: int | None  # the same of the look before; None: all fonts are to be compared
    unsettled: Sequence[UUID]  # fonts that were not up to date at the look before
    files: int = 0  # the digest of all files

    @classmethod
    def begin(
        cls, connection: Connection, subject: str, question: str, *, by_files: bool = False
    ) -> Look:
        """To be called before rows are read: what is written from then on is the next look's.

        subject: what it is for, a space's id or "facts". question: the query by which rows are
        compared, and all else that the answer hangs on. by_files: it hangs on font_index.files too.
        """
        values = {"subject": subject, "question": question}
        row = connection.execute(LAST, values).fetchone()
        assert row is not None
        basis, begun, since, known_files, unsettled = row
        files = 0
        if by_files:
            files, files_before = connection.execute(FILES, {"since": since}).fetchone() or (0, 0)
            if known_files not in (files, files_before):
                since = None
        return cls(
            subject=subject, basis=basis, begun=begun, since=since, unsettled=unsettled, files=files
        )

    def candidates(
        self, connection: Connection, query: str | sql.Composed, values: Mapping[str, object]
    ) -> tuple[Sequence[UUID] | None, bool]:
        """The fonts that are to be compared, None for all; and whether any row of them is new.

        query: answers both, by `written` of its rows and the parameter `unsettled`.
        """
        if self.since is None:
            return None, True
        known = {"since": self.since, "unsettled": self.unsettled}
        row = connection.execute(query, {**values, **known}).fetchone()
        assert row is not None
        fonts, new = row
        return fonts if len(fonts) <= MANY else None, new

    def keep(self, connection: Connection, unsettled: Collection[UUID], *, new: bool) -> None:
        """From now on all fonts but these count as up to date, for as long as nothing is written.

        Writes nothing where nothing is `new` and these are the same as before.
        """
        if len(unsettled) > MANY or (not new and set(unsettled) == set(self.unsettled)):
            return
        values = {
            "subject": self.subject, "basis": self.basis, "begun": self.begun, "files": self.files,
            "unsettled": list(unsettled),
        }  # fmt: skip
        connection.execute(KEEP, values)
