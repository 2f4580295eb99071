"""What keeps a migrated database from finding all fonts, or from being safe, and what to do about it."""

from __future__ import annotations

from typing import Any

import psycopg

from indexer.database.schema import INDEXES

VECTOR_VERSION = """
    select extversion from pg_extension
    where extname = 'vector' and string_to_array(extversion, '.')::int[] < array[0, 8, 4]
"""
WRITABLE_BY_ANYONE = """
    select from pg_class c join pg_roles r on r.rolname = 'anon'
    where c.oid = 'public.fonts'::regclass and not c.relrowsecurity
      and (has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE')
           or has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE'))
"""
UNUSABLE_INDEXES = """
    select wanted, i.indexrelid is null
    from unnest(%s::text[]) as wanted
    left join pg_index i on i.indexrelid = to_regclass('public.' || wanted)
    where i.indisvalid is not true
"""

# of sql/0003_search_columns.sql: what search looks things up by is written by these
TRIGGERS = {
    "fonts_set_fts": "create or replace trigger fonts_set_fts before insert or update of name, category, "
    "tags, description, fts on public.fonts for each row execute function font_index.set_fts()",
    "fonts_set_embedding_joint": "create or replace trigger fonts_set_embedding_joint before insert or update "
    "of embedding, embedding_vl, embedding_joint on public.fonts "
    "for each row execute function font_index.set_embedding_joint()",
}
UNUSABLE_TRIGGERS = """
    select wanted, t.oid is null
    from unnest(%s::text[]) as wanted
    left join pg_trigger t on t.tgrelid = 'public.fonts'::regclass and t.tgname = wanted
    where t.tgenabled is null or t.tgenabled not in ('O', 'A')
"""
# of revision 0003: looked at only where its columns are
OUT_OF_STEP = """
    select count(*) from public.fonts
    where fts is null or embedding_joint is null and num_nonnulls(embedding, embedding_vl) > 0
"""
UNDER_WAY = """
    select w.leg, left(case w.phase when 'coming' then w.space_id else s.id end, 12)
    from font_index.switches w left join font_index.spaces s on s.leg = w.leg and s.state = 'active'
"""
BRING_IN_STEP = (
    "update public.fonts set fts = null, embedding_joint = null where fts is null "
    "or embedding_joint is null and num_nonnulls(embedding, embedding_vl) > 0;"
)


def database_advice(connection: psycopg.Connection[Any]) -> list[str]:
    """What a migrated database's owner should know, in sentences. Nothing of it stops the job."""
    found = []
    if row := connection.execute(VECTOR_VERSION).fetchone():
        found.append(
            f"pgvector {row[0]} is installed; 0.8.4 fixes HNSW indexes that overflow, or go wrong under "
            "vacuum. Upgrade the server's pgvector, then run: alter extension vector update"
        )
    if connection.execute(WRITABLE_BY_ANYONE).fetchone() is not None:
        found.append(
            "public.fonts may be written by everybody who has the API's public key: the role anon has the "
            "right, and row-level security is off. Your table was left as it is; to close it: "
            'alter table public.fonts enable row level security; create policy "Fonts are readable '
            'by everyone" on public.fonts for select using (true);'
        )
    return found + broken(connection)


def broken(connection: psycopg.Connection[Any]) -> list[str]:
    """Indexes, triggers and derived columns that are not as the migrations made them, in sentences."""
    found = []
    for name, missing in connection.execute(UNUSABLE_INDEXES, [list(INDEXES)]).fetchall():
        found.append(
            f"The index public.{name} is missing, so search may be slow. "
            "The statement that builds it is printed by: indexer migrate --sql --from 0003"
            if missing
            else f"The index public.{name} is not valid, so no query uses it: its build was "
            f"interrupted. Run: reindex index concurrently public.{name}"
        )
    for leg, space in connection.execute(UNDER_WAY).fetchall():
        found.append(
            f"A switch of the {leg} space is under way, or was interrupted. Unless it is still being done, "
            f"run: indexer spaces activate {space}"
        )
    for name, cure in broken_triggers(connection):
        state = "disabled" if cure.startswith("alter") else "missing"
        found.append(
            f"The trigger {name} of public.fonts is {state}, so search does not see what is written. "
            f"Run: {cure};"
        )
    row = connection.execute(OUT_OF_STEP).fetchone()
    if row and row[0]:
        found.append(
            f"{row[0]} fonts lack what search looks them up by (embedding_joint, fts). Once the triggers "
            f"work, run: {BRING_IN_STEP}"
        )
    return found


def broken_triggers(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Triggers of public.fonts that are missing or disabled, each with the statement that mends it."""
    return [
        (name, TRIGGERS[name] if missing else f"alter table public.fonts enable trigger {name}")
        for name, missing in connection.execute(UNUSABLE_TRIGGERS, [list(TRIGGERS)]).fetchall()
    ]
