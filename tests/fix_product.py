"""A product's database as it may be found, and what migrations make of it."""

from __future__ import annotations

import psycopg
import pytest

from indexer.database.connect import Connection

PRODUCT = """
    create table public.fonts (
      id uuid primary key default gen_random_uuid(), name text not null unique, category text,
      description text, license text default 'OFL', embedding {vector}(4096),
      created_at timestamptz not null default now(), tags text[] default '{{}}',
      source text default 'Google Fonts', files jsonb default '{{}}');
    create table public.searches (
      id uuid primary key default gen_random_uuid(), query_text text not null unique,
      embedding {vector}(4096), response_json jsonb not null,
      created_at timestamptz not null default now());
    create function public.match_fonts(query_embedding {vector}(4096), match_threshold float, match_count int)
      returns table (name text, similarity float) language sql stable
      as $$ select 'the product''s own'::text, 1.0::float $$;
    insert into public.fonts (name, embedding, files)
      select 'Font ' || n, array_fill(n::real, array[4096])::{vector}, '{{"400": "https://fonts.example/a.ttf"}}'
      from generate_series(1, 20) n;
"""
FINGERPRINT = (
    "select md5(string_agg(f::text, '|' order by name)) from (select {columns} from public.fonts) f"
)
COLUMNS = "id, name, category, description, license, embedding, created_at, tags, source, files"
OBJECTS = """
    with ours as (
      select oid from pg_namespace where nspname in ('public', 'font_index')
    ), relations as (
      select c.* from pg_class c where relnamespace in (select oid from ours)
    )
    select 'relation', oid::regclass::text, relkind::text, relrowsecurity::text, obj_description(oid)
      from relations
    union all
    select 'column', c.oid::regclass::text, a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, a.attrelid)),
           col_description(c.oid, a.attnum)
      from relations c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not attisdropped
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select 'index', indexrelid::regclass::text, indisvalid::text, pg_get_indexdef(indexrelid), ''
      from pg_index where indrelid in (select oid from relations)
    union all
    select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
      from pg_constraint where conrelid in (select oid from relations)
    union all
    select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), obj_description(oid)
      from pg_trigger where tgrelid in (select oid from relations)
       and not tgisinternal
    union all
    select 'policy', polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid), obj_description(oid)
      from pg_policy
    union all
    select 'function', p.oid::regprocedure::text, p.proacl::text, pg_get_functiondef(p.oid),
           obj_description(p.oid)
      from pg_proc p where pronamespace in (select oid from ours)
       and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""


def product(connection: Connection, vector: str = "vector") -> None:
    connection.execute(PRODUCT.format(vector=vector))


def fingerprint(connection: Connection) -> object:
    return connection.execute(FINGERPRINT.format(columns=COLUMNS)).fetchone()


def one(connection: Connection, statement: str) -> object:
    row = connection.execute(statement).fetchone()
    return row[0] if row else None


def objects(connection: Connection) -> set[tuple[object, ...]]:
    """Everything that a migration can make, with its comment."""
    return set(connection.execute(OBJECTS).fetchall())


def leave_invalid(connection: Connection, name: str) -> None:
    """What an interrupted concurrent build leaves behind; here for want of uniqueness."""
    connection.execute(
        "insert into public.fonts (name) values ('Twin 1'), ('Twin 2') on conflict do nothing"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(f"create unique index concurrently {name} on public.fonts (license)")
