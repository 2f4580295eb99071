"""Which role fonts are read as, and the refusal where it would see fonts that policies hide from visitors."""

from __future__ import annotations

from collections.abc import Callable

from psycopg import errors, sql

from indexer.database.connect import Connection
from indexer.errors import UserError

ANONYMOUS = "anon"  # the role of Supabase's API for visitors who are not signed in

ROLE_EXISTS = "select exists (select from pg_roles where rolname = %s), current_user"
# Which of what a visitor needs is missing. A schema that may not be used is an error of its own.
LACKS = """
    select concat_ws(', ',
      case when not has_table_privilege('public.fonts', 'select') then 'select on public.fonts' end,
      case when not has_schema_privilege('font_index', 'usage') then 'usage on the schema font_index' end,
      (select 'execute on ' || string_agg(p.oid::regprocedure::text, ', ') from pg_proc p
        where p.oid in ('public.match_fonts_hybrid'::regproc, 'public.similar_fonts'::regproc)
          and not has_function_privilege(p.oid, 'execute')))
"""
# Whether policies may hide fonts that the connecting role sees all the same, as the table's owner does.
UNHEEDED_POLICIES = """
    select c.relrowsecurity and not row_security_active(c.oid) and (
      not exists (select from pg_policy p
                   where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
                     and p.polroles = '{0}' and pg_get_expr(p.polqual, p.polrelid) = 'true')
      or exists (select from pg_policy p
                  where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('r', '*')))
      from pg_class c where c.oid = 'public.fonts'::regclass
"""


def refuse_unheeded_policies(connection: Connection) -> None:
    """Raises UserError where row security would hide fonts from others than the connecting role."""
    if connection.execute(UNHEEDED_POLICIES).fetchone() == (True,):
        raise UserError(
            "public.fonts has row security, the database has no role anon, and the connecting role "
            "is not bound by policies. Set FONTSIGHT_SERVE_ROLE to the role that visitors read as."
        )


def role(connection: Connection, chosen: str | None, say: Callable[[str], None]) -> str | None:
    """The role to read as, having read as it; None where the connecting role is all there is.

    chosen: by the operator. Raises UserError where nobody could read by the rules.
    """
    wanted = chosen or ANONYMOUS
    row = connection.execute(ROLE_EXISTS, [wanted]).fetchone()
    assert row is not None
    exists, me = row
    if not exists and chosen:
        raise UserError(
            f"The database has no role {wanted[:100]!r}. Set FONTSIGHT_SERVE_ROLE to the role that "
            "visitors read as."
        )
    if not exists:
        refuse_unheeded_policies(connection)
        say(f"The database has no role {ANONYMOUS}: fonts are read as {me}, the connecting role.")
        return None
    with connection.transaction(force_rollback=True):
        try:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(wanted)))
        except errors.InsufficientPrivilege:
            raise UserError(
                f"{me} may not read as the role {wanted[:100]!r}. Run: "
                f'grant "{wanted[:100]}" to "{me}"; or set FONTSIGHT_SERVE_ROLE to another role.'
            ) from None
        try:
            lacks = connection.execute(LACKS).fetchone()
        except errors.InsufficientPrivilege:
            lacks = ("usage on the schema public",)
    if lacks and lacks[0]:
        raise UserError(
            f"The role {wanted[:100]!r} cannot search: it lacks {lacks[0]}. sql/README.md lists what "
            "it needs; or set FONTSIGHT_SERVE_ROLE to another role."
        )
    return wanted
