"""Reading as the app's visitors do: a bounded pool, and transactions that can neither write nor leak a role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from indexer.database.connect import OPTIONS, Connection, Database, register_vectors
from indexer.errors import UserError
from indexer.settings import Settings

LOG = logging.getLogger("indexer.serve")
T = TypeVar("T")

ANONYMOUS = "anon"  # the role of Supabase's API for visitors who are not signed in
MAX_CONNECTIONS = 8
MAX_WAITING = 64
MAX_WAIT_SECONDS = 5.0
MAX_ASKING = 256  # requests that read, or wait to
MAX_ANSWER_SECONDS = (
    15.0  # of all that a request reads; the server's own limits need a server that lives
)
MAX_STATEMENT_SECONDS = 3  # as long as Supabase lets anon

# All of it is one message to the server, and a pooler keeps its connection from begin to rollback.
# One snapshot for all of it, so that what serves is what was just read to serve.
BEGIN = sql.SQL(
    "begin isolation level repeatable read, read only; set local statement_timeout = {}"
)
AS_ROLE = sql.SQL("{begin}; set local role {role}")
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


class DatabaseUnavailable(UserError):
    """The database does not answer now: what was asked may be asked again."""


class ReaderBusy(DatabaseUnavailable):
    """All connections were in use for too long, or a statement took too long."""


class Reader:
    """Connections for requests, each in a transaction that reads only and ends in a rollback.

    role: the one that fonts are read as; None reads as the connecting role. Thread-safe.
    """

    def __init__(self, database: Database, role: str | None) -> None:
        self.role = role
        self._database = database
        self._counting = Lock()
        self._in_use = 0  # tells a busy database from one that is gone
        self._asking = 0
        self._threads = ThreadPoolExecutor(2 * MAX_CONNECTIONS, thread_name_prefix="read")
        begin = BEGIN.format(sql.Literal(f"{MAX_STATEMENT_SECONDS}s"))
        self._as_owner = begin
        self._as_visitor = AS_ROLE.format(begin=begin, role=sql.Identifier(role)) if role else begin
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            database.conninfo,
            kwargs={**OPTIONS, "autocommit": True},
            configure=register_vectors,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            max_waiting=MAX_WAITING,
            timeout=MAX_WAIT_SECONDS,
            # an attempt's pauses double; the next request begins a new attempt at once
            reconnect_timeout=MAX_WAIT_SECONDS,
            name="reader",
            open=False,
        )

    @classmethod
    def from_settings(
        cls, settings: Settings, database: Database, say: Callable[[str], None]
    ) -> Self:
        """Not open yet: use it in a with block. Raises UserError where nobody could read by the rules.

        `say` gets a sentence where no role was chosen and the database has none for visitors.
        """
        with database.open() as connection:
            return cls(database, _role(connection, settings.serve_role, say))

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    async def answer(self, read: Callable[[], T], *, seconds: float | None = None) -> T:
        """What a function comes to that reads, in threads of their own: a database that hangs, without
        an end of its connections, holds up nothing else. Belongs to one event loop.

        seconds: for all of it, MAX_ANSWER_SECONDS if omitted. Raises ReaderBusy beyond them, and where
        too many ask; and what the function raises.
        """
        if self._asking >= MAX_ASKING:
            raise ReaderBusy("Too many requests wait for the database. Try again.")
        self._asking += 1
        try:
            async with asyncio.timeout(MAX_ANSWER_SECONDS if seconds is None else seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        except TimeoutError:
            raise ReaderBusy("The database did not answer in time. Try again.") from None
        finally:
            self._asking -= 1

    @contextmanager
    def visitor(self) -> Iterator[Connection]:
        """A connection that sees what the app's visitors see, for at most a few seconds.

        Raises DatabaseUnavailable where the database cannot be reached, and ReaderBusy, one of
        these, where it takes too long; UserError where policies came that could not be respected.
        """
        with self._reading(self._as_visitor) as connection:
            if self.role is None:
                refuse_unheeded_policies(connection)
            yield connection

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """The same as the connecting role, for the bookkeeping in font_index. Never for fonts."""
        with self._reading(self._as_owner) as connection:
            yield connection

    def become_visitor(self, connection: Connection) -> None:
        """See what visitors see until the end of the transaction, which began as the owner's."""
        if self.role is None:
            refuse_unheeded_policies(connection)
        else:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(self.role)))

    @contextmanager
    def _reading(self, begin: sql.Composed) -> Iterator[Connection]:
        connection = self._begun(begin)
        with self._counting:
            self._in_use += 1
        try:
            try:
                yield connection
            except errors.QueryCanceled:
                raise ReaderBusy(
                    f"The database took more than {MAX_STATEMENT_SECONDS} seconds. "
                    "Try again, or narrow the filter."
                ) from None
            except psycopg.OperationalError:
                if connection.closed:
                    raise self._unreachable() from None
                raise
        finally:
            with suppress(psycopg.Error):  # a dead connection has nothing to roll back
                connection.rollback()
            with self._counting:
                self._in_use -= 1
            self._pool.putconn(connection)

    def _begun(self, begin: sql.Composed) -> Connection:
        # a restarted server, or a pooler that was tired of waiting, has left connections dead
        for _ in range(MAX_CONNECTIONS + 1):
            connection = self._connection()
            try:
                connection.execute(begin)
            except psycopg.OperationalError:
                dead = connection.closed
                self._pool.putconn(connection)
                if not dead:
                    raise
            except BaseException:
                self._pool.putconn(connection)
                raise
            else:
                return connection
        raise self._unreachable()

    def _connection(self) -> Connection:
        try:
            return self._pool.getconn()
        except TooManyRequests:
            raise ReaderBusy("Too many requests wait for the database. Try again.") from None
        except PoolTimeout:
            if self._in_use >= MAX_CONNECTIONS:
                raise ReaderBusy("The database is busy. Try again.") from None
            raise self._unreachable() from None

    def _unreachable(self) -> DatabaseUnavailable:
        # which database it is tells the log, not whoever asks
        LOG.warning("%s cannot be reached.", self._database.label)
        return DatabaseUnavailable("The database cannot be reached. Try again later.")


def refuse_unheeded_policies(connection: Connection) -> None:
    """Raises UserError where row security would hide fonts from others than the connecting role."""
    if connection.execute(UNHEEDED_POLICIES).fetchone() == (True,):
        raise UserError(
            "public.fonts has row security, the database has no role anon, and the connecting role "
            "is not bound by policies. Set FONTSIGHT_SERVE_ROLE to the role that visitors read as."
        )


def _role(connection: Connection, chosen: str | None, say: Callable[[str], None]) -> str | None:
    """The role to read as, having read as it."""
    role = chosen or ANONYMOUS
    row = connection.execute(ROLE_EXISTS, [role]).fetchone()
    assert row is not None
    exists, me = row
    if not exists and chosen:
        raise UserError(
            f"The database has no role {role[:100]!r}. Set FONTSIGHT_SERVE_ROLE to the role that "
            "visitors read as."
        )
    if not exists:
        refuse_unheeded_policies(connection)
        say(f"The database has no role {ANONYMOUS}: fonts are read as {me}, the connecting role.")
        return None
    with connection.transaction(force_rollback=True):
        try:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        except errors.InsufficientPrivilege:
            raise UserError(
                f"{me} may not read as the role {role[:100]!r}. Run: "
                f'grant "{role[:100]}" to "{me}"; or set FONTSIGHT_SERVE_ROLE to another role.'
            ) from None
        try:
            lacks = connection.execute(LACKS).fetchone()
        except errors.InsufficientPrivilege:
            lacks = ("usage on the schema public",)
    if lacks and lacks[0]:
        raise UserError(
            f"The role {role[:100]!r} cannot search: it lacks {lacks[0]}. sql/README.md lists what "
            "it needs; or set FONTSIGHT_SERVE_ROLE to another role."
        )
    return role
