"""Reading as the app's visitors do: a bounded pool, and transactions that can neither write nor leak a role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Self, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from indexer.database.connect import Connection, Database, register_vectors
from indexer.database.options import options
from indexer.errors import UserError
from indexer.serve import visitors
from indexer.settings import Settings
from indexer.spaces import NO_SWITCH

LOG = logging.getLogger("indexer.serve")
T = TypeVar("T")

MAX_CONNECTIONS = 8
MAX_WAIT_SECONDS = 5.0
MAX_ASKING = 256  # requests that read, or wait to
# of all that a request reads; the server's own limits need a server that lives
MAX_ANSWER_SECONDS = 15.0
MAX_STATEMENT_SECONDS = 3  # as long as Supabase lets anon

# All of it is one message to the server, and a pooler keeps its connection from begin to rollback.
# One snapshot for all of it, so that what serves is what was just read to serve; and before it, a lock
# that every reader has: a switch to another space exchanges columns, which no snapshot hides.
BEGIN = sql.SQL(
    f"begin isolation level repeatable read, read only; set local statement_timeout = {{}}; {NO_SWITCH}"
)
AS_ROLE = sql.SQL("{begin}; set local role {role}")


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
            kwargs={**options(database.conninfo, "fontsight serve"), "autocommit": True},
            configure=register_vectors,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            # no max_waiting: those who waited in vain count too, until there is a connection, and
            # nobody whom it refuses begins another attempt to connect
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
            return cls(database, visitors.role(connection, settings.serve_role, say))

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    async def answer(self, read: Callable[[], T], *, seconds: float | None = None) -> T:
        """The result of a function that reads, run in one of the reader's own threads, so that a
        database that hangs holds up nothing else. Belongs to one event loop.

        seconds: for the wait and the function, MAX_ANSWER_SECONDS if omitted. Raises ReaderBusy beyond
        them, and where too many ask; and what the function raises.
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
        these, where it takes too long; UserError for new policies that would not bind the reader.
        """
        with self._reading(self._as_visitor) as connection:
            if self.role is None:
                visitors.refuse_unheeded_policies(connection)
            yield connection

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """The same as the connecting role, for the bookkeeping in font_index. Never for fonts."""
        with self._reading(self._as_owner) as connection:
            yield connection

    def become_visitor(self, connection: Connection) -> None:
        """See what visitors see until the end of the transaction, which began as the owner's."""
        if self.role is None:
            visitors.refuse_unheeded_policies(connection)
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
        # connections die when a server restarts, or by a pooler's idle timeout
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
        except PoolTimeout:
            if self._in_use >= MAX_CONNECTIONS:
                raise ReaderBusy("The database is busy. Try again.") from None
            raise self._unreachable() from None

    def _unreachable(self) -> DatabaseUnavailable:
        # the log says which database; callers need not know
        LOG.warning("%s cannot be reached.", self._database.label)
        return DatabaseUnavailable("The database cannot be reached. Try again later.")
