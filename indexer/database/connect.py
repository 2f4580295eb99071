"""Where the database is, how to connect, and the refusal of a schema that this version does not know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from pgvector.psycopg.halfvec import register_halfvec_info
from pgvector.psycopg.vector import register_vector_info
from psycopg import conninfo, sql
from psycopg.types import TypeInfo

from indexer.database import local, schema
from indexer.database.options import options
from indexer.errors import UserError
from indexer.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

RESTART = timedelta(minutes=1)  # so long a server may take to start, or to start again
EXTENSION_SCHEMA = """
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'vector'
"""


# Supabase prints its addresses for Prisma with these; libpq refuses what it does not know.
PRISMAS = (
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "statement_cache_size",
    "schema",
    "supa",
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """An address; connecting is cheap and happens where it is needed."""

    conninfo: str = field(repr=False)  # holds the password
    label: str  # for people: host and name, or the embedded server's folder

    @classmethod
    def from_settings(cls, settings: Settings) -> Database:
        """DATABASE_URL, or the embedded server, which this starts."""
        if settings.database_url is None:
            return cls(
                conninfo=local.start(settings.data_dir),
                label=f"the embedded Postgres in {settings.data_dir} (DATABASE_URL is not set)",
            )
        return cls.from_url(settings.database_url.get_secret_value())

    @classmethod
    def from_url(cls, url: str) -> Database:
        """Of a URL or a conninfo string. Raises UserError, which never repeats any part of it."""
        url = _without_prismas(url)
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # the driver's message quotes the whole URL, password and all
            raise UserError(
                "DATABASE_URL is not a Postgres address. "
                "It looks like postgresql://user:password@host:5432/database."
            ) from None
        ports = str(parts.get("port", ""))
        if any("@" in str(parts.get(part, "")) for part in ("host", "dbname")) or ports.strip(
            "0123456789,"
        ):
            # part of the password was read as something else, which would be printed
            raise UserError(
                "DATABASE_URL has a character in its password that must be percent-encoded: "
                "@ as %40, / as %2F, : as %3A, # as %23, ? as %3F; or a port that is no number."
            )
        host = parts.get("host", "localhost")
        return cls(conninfo=url, label=f"database {parts.get('dbname', 'postgres')!r} on {host}")

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A connection that works through a transaction pooler too: no prepared statements, no SET."""
        try:
            connection = _patiently(
                self.conninfo, lambda reason: "the database system is" in reason
            )
        except psycopg.OperationalError as error:
            reason = str(error).splitlines()[0].strip().rstrip(".") if str(error) else "no answer"
            raise UserError(
                f"{self.label} cannot be reached: {reason}. Check DATABASE_URL."
            ) from None
        connection.autocommit = autocommit
        return connection

    def open(self) -> Connection:
        """A connection for the commands: at head, and fluent in vectors."""
        connection = self.connect()
        try:
            schema.require_head(connection)
            register_vectors(connection)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def opened(
    settings: Settings, say: Callable[[str], None], *, writes: bool = False
) -> Iterator[Connection]:
    """A connection to the database at head; `say` is told which database it is.

    One that `writes` has to see every font: UserError for a role that row-level security binds.
    """
    database = Database.from_settings(settings)
    say(f"Using {database.label}.")
    with database.open() as connection:
        if writes:
            schema.require_all_rows(connection)
        yield connection


def _without_prismas(url: str) -> str:
    """A URL without the parameters that only Prisma reads."""
    address, mark, query = url.rpartition("?")
    if not mark or "@" in query:  # the question mark is the password's
        return url
    kept = [part for part in query.split("&") if part.partition("=")[0] not in PRISMAS]
    return f"{address}?{'&'.join(kept)}" if kept else address


class Session:
    """A connection that can be made anew, where the server restarts or ends it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = self._given = connection
        self._address = address_of(connection)

    @property
    def lost(self) -> bool:
        return self.connection.closed

    def reconnect(self) -> None:
        """Tried for a minute; then raises psycopg.OperationalError."""
        end(self.connection)
        self.connection = _patiently(self._address, lambda reason: True)
        register_vectors(self.connection)

    def close(self) -> None:
        """The connection that was given stays open."""
        if self.connection is not self._given:
            self.connection.close()


def address_of(connection: Connection) -> str:
    """Where a connection leads, with its password: not to be printed."""
    info = connection.info
    return conninfo.make_conninfo(info.dsn, password=info.password or None)


def connect_again(address: str) -> Connection:
    """Raises psycopg.OperationalError."""
    return psycopg.connect(address, autocommit=True, **options(address))


def _patiently(address: str, passes: Callable[[str], bool]) -> Connection:
    """Tried for a minute where the reason of a failure passes; then raises psycopg.OperationalError."""
    until, pause = time.monotonic() + RESTART.total_seconds(), 0.25
    while True:
        try:
            return connect_again(address)
        except psycopg.OperationalError as error:
            if not passes(str(error)) or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def end(connection: Connection) -> None:
    """Close a connection and what it is doing, which closing alone lets go on, locks and all."""
    if not connection.closed:
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=5)
        connection.close()


def register_vectors(connection: Connection) -> None:
    """Teach a connection pgvector's types, in whichever schema the extension stands."""
    row = connection.execute(EXTENSION_SCHEMA).fetchone()
    if row is None:
        raise UserError("The database lacks the extension pgvector. Run: indexer migrate")
    for name, register in (("vector", register_vector_info), ("halfvec", register_halfvec_info)):
        info = TypeInfo.fetch(connection, sql.Identifier(str(row[0]), name))
        if info is None:
            raise UserError(
                "pgvector is older than 0.7 and has no halfvec; 0.8.4 or later is right."
            )
        register(connection, info)
