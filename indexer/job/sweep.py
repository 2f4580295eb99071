"""What deleted fonts have left behind: swept late and little, for they may come back.

A table that is emptied and loaded again has no fonts for a moment, and GPU-hours hang on its ids.
"""

from __future__ import annotations

from datetime import timedelta

from psycopg import sql

from indexer.database.connect import Connection

GRACE = timedelta(days=1)  # from the run that first misses a font to the one that may sweep it
SHARE, FEW = 0.1, 20  # of all fonts, or so many: what is swept without being told

# One sweep at a time: two that delete the same rows could each wait for the other.
LOCK = "select pg_advisory_xact_lock(hashtext('font_index.missing_fonts'))"
TABLES = ("embeddings", "failures", "facts", "leases")
KNOWN = " union all ".join(
    f"select font_id from font_index.{table} x where not exists (select from public.fonts where id = x.font_id)"  # noqa: S608 - a constant
    for table in TABLES
)
FOUND_AGAIN = """
    delete from font_index.missing_fonts x where exists (select from public.fonts where id = x.font_id)
"""
# A query of its own: several processes answer it, which they do not where rows are written.
MISSING = f"select array_agg(distinct font_id) from ({KNOWN}) missing"  # noqa: S608 - a constant
MISSED = """
    insert into font_index.missing_fonts (font_id) select unnest(%s::uuid[]) on conflict do nothing
"""
DUE = "select count(*) from font_index.missing_fonts where first_missed_at <= now() - %(grace)s"
FONTS = """
    select (select count(*) from font_index.missing_fonts) + (select count(*) from public.fonts)
"""
# Asked again: one may have come back since it was counted.
SWEEP = sql.SQL("""
    delete from font_index.{table} x using font_index.missing_fonts m
    where m.font_id = x.font_id and m.first_missed_at <= now() - %(grace)s
      and not exists (select from public.fonts where id = x.font_id)
""")
FORGET = "delete from font_index.missing_fonts where first_missed_at <= now() - %(grace)s"
STAKE = """
    select count(*), count(e.embedding)
    from font_index.embeddings e join font_index.missing_fonts m using (font_id)
    where m.first_missed_at <= now() - %(grace)s
"""


def sweep(connection: Connection, *, prune: bool = False) -> str | None:
    """Delete what fonts have left that were missing in two runs at least a day apart.

    Never that of more than a tenth of all fonts, or 20, whichever is more, unless `prune`: then
    nothing is deleted, and a sentence is returned that says what would be and how.
    """
    values = {"grace": GRACE}
    with connection.transaction():
        connection.execute(LOCK)
        connection.execute(FOUND_AGAIN)
        [missing] = connection.execute(MISSING).fetchone() or (None,)
        if missing:
            connection.execute(MISSED, [missing])
        [gone] = connection.execute(DUE, values).fetchone() or (0,)
        if gone > FEW and not prune:
            [fonts] = connection.execute(FONTS).fetchone() or (0,)
            records, vectors = connection.execute(STAKE, values).fetchone() or (0, 0)
            if gone > SHARE * fonts:
                return (
                    f"{gone} of {fonts} fonts have been missing from public.fonts for a day or longer. They may "
                    f"come back, so what the job has of them is kept: {records} records and {vectors} "
                    "vectors of spaces that do not serve. To delete it: indexer backfill --prune"
                )
        if gone:
            for table in TABLES:
                connection.execute(SWEEP.format(table=sql.Identifier(table)), values)
            connection.execute(FORGET, values)
    return None
