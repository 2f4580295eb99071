"""What Supabase's linter (splinter) would say of a migrated database, and what else we promise of it.

Each query finds offenders; each has an offence beside it that it is shown to find.
"""

from __future__ import annotations

import pytest

from indexer.database import schema
from indexer.database.connect import Database

# As a Supabase project is before the first migration; what is made in public is everybody's by default.
SUPABASE = """
    create schema extensions;
    create extension vector with schema extensions;
    alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
"""
OURS = """
    with ours as (
      select oid, nspname from pg_namespace where nspname in ('public', 'font_index')
    ), relations as (
      select c.*, ours.nspname, format('%I.%I', ours.nspname, c.relname) as name
        from pg_class c join ours on ours.oid = c.relnamespace
    ), tables as (
      select * from relations where relkind in ('r', 'p')
    ), functions as (
      select p.*, ours.nspname, p.oid::regprocedure::text as name
        from pg_proc p join ours on ours.oid = p.pronamespace
       where not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    ), visitors as (
      select unnest(array['anon', 'authenticated']) as role
    )
"""
# name of the lint: (query for offenders, an offence)
LINTS = {
    "function_search_path_mutable": (
        """select name from functions
            where not exists (select from unnest(proconfig) c where c like 'search_path=%')""",
        "create function public.loose() returns int language sql as 'select 1'",
    ),
    "rls_disabled_in_public": (
        "select name from tables where nspname = 'public' and not relrowsecurity",
        "create table public.loose (id int primary key)",
    ),
    "policy_exists_rls_disabled": (
        "select name from tables where not relrowsecurity and oid in (select polrelid from pg_policy)",
        "alter table public.fonts disable row level security",
    ),
    "extension_in_public": (
        """select extname from pg_extension
            where extnamespace = 'public'::regnamespace and to_regnamespace('extensions') is not null""",
        "alter extension vector set schema public; create schema if not exists extensions",
    ),
    "security_definer_view": (
        """select name from relations where relkind = 'v'
              and not coalesce('security_invoker=true' = any (reloptions), false)""",
        "create view public.loose as select name from public.fonts",
    ),
    "security_definer_function": (
        # as splinter's lints 0028 and 0029: of a schema that the API exposes
        "select name from functions where prosecdef and name not like 'font_index.%'",
        "create function public.loose() returns int language sql security definer as 'select 1'",
    ),
    "materialized_view_in_api": (
        "select name from relations where relkind = 'm'",
        "create materialized view public.loose as select name from public.fonts",
    ),
    "foreign_table_in_api": (
        "select name from relations where relkind = 'f'",
        "create foreign data wrapper w; create server s foreign data wrapper w;"
        "create foreign table public.loose (id int) server s",
    ),
    "unindexed_foreign_keys": (
        """select conrelid::regclass::text || ' ' || conname from pg_constraint k
            where contype = 'f' and conrelid in (select oid from tables)
              and not exists (
                select from pg_index i where i.indrelid = k.conrelid and i.indpred is null
                   and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)""",
        "alter table font_index.files add run_id bigint references font_index.runs",
    ),
    "no_primary_key": (
        """select name from tables
            where oid not in (select conrelid from pg_constraint where contype = 'p')""",
        "create table font_index.loose (id int)",
    ),
    "duplicate_index": (
        """select min(indexrelid)::regclass::text from pg_index
            where indrelid in (select oid from tables)
            group by indrelid, indkey, indclass, indoption, indcollation, indexprs::text, indpred::text
           having count(*) > 1""",
        "create index loose on public.fonts (name)",
    ),
    "every relation has a comment": (
        """select name from relations
            where relkind <> 'i' and obj_description(oid) is null
              and oid not in (select objid from pg_depend where deptype = 'i')""",  # sequences of identities
        "create sequence public.loose",
    ),
    "every index has a comment": (
        """select name from relations
            where relkind = 'i' and obj_description(oid) is null
              and oid not in (select conindid from pg_constraint)""",
        "create index loose on public.fonts (license)",
    ),
    "every column that is added to the product's has a comment": (
        """select attname from pg_attribute
            where attrelid = 'public.fonts'::regclass and attnum > 0 and not attisdropped
              and attname not in ('id', 'name', 'category', 'description', 'license', 'embedding', 'created_at',
                                  'tags', 'source', 'files')
              and col_description(attrelid, attnum) is null""",
        "alter table public.fonts add column loose int",
    ),
    "every function has a comment": (
        "select name from functions where obj_description(oid) is null",
        "create function font_index.loose() returns int language sql as 'select 1'",
    ),
    "every type has a comment": (
        """select t.oid::regtype::text from pg_type t join ours on ours.oid = t.typnamespace
            where obj_description(t.oid) is null and t.typelem = 0 and t.typtype <> 'm'
              and (t.typrelid = 0 or (select relkind = 'c' from pg_class where oid = t.typrelid))
              and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')""",
        "create type font_index.loose as (id int)",
    ),
    "every trigger and policy has a comment": (
        """select tgname from pg_trigger
            where not tgisinternal and tgrelid in (select oid from tables) and obj_description(oid) is null
           union all select polname from pg_policy where obj_description(oid) is null""",
        'create policy "loose" on public.searches for select using (true)',
    ),
    "visitors write nothing": (
        """select role || ' ' || name from relations, visitors
            where relkind in ('r', 'p', 'v', 'm', 'f')
              and (has_any_column_privilege(role, oid, 'INSERT, UPDATE')
                   or has_table_privilege(role, oid, 'DELETE, TRUNCATE'))
           union all
           select role || ' ' || name from relations, visitors
            where relkind = 'S' and has_sequence_privilege(role, oid, 'USAGE, UPDATE')""",
        "grant update (description) on public.fonts to anon",
    ),
    "PUBLIC executes no function": (
        "select name from functions where has_function_privilege('public', oid, 'EXECUTE')",
        "create function public.loose() returns int language sql as 'select 1'",
    ),
    "visitors have no privilege on a private table": (
        """select role || ' ' || name from tables, visitors
            where nspname = 'font_index'
              and (has_any_column_privilege(role, oid, 'SELECT, INSERT, UPDATE, REFERENCES')
                   or has_table_privilege(role, oid, 'DELETE, TRUNCATE, TRIGGER'))""",
        "grant select (id) on font_index.runs to authenticated",
    ),
}


def test_a_migrated_supabase_database_is_clean(
    empty_database: Database, api_roles: tuple[str, ...]
) -> None:
    with empty_database.connect() as connection:
        connection.execute(SUPABASE)
    schema.upgrade(empty_database.conninfo)
    assert {name: found for name in LINTS if (found := offenders(empty_database, name))} == {}


@pytest.mark.parametrize("lint", LINTS)
def test_each_lint_finds_its_offence(
    database: Database, api_roles: tuple[str, ...], lint: str
) -> None:
    before = offenders(database, lint)
    with database.connect() as connection:
        connection.execute(LINTS[lint][1])
    assert set(offenders(database, lint)) > set(before)


def offenders(database: Database, lint: str) -> list[str]:
    with database.connect() as connection:
        return [name for (name,) in connection.execute(OURS + LINTS[lint][0]).fetchall()]
