"""Where the database is, how to connect, and the refusal of a schema that this version does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from pgvector.psycopg.halfvec import register_halfvec_info
from pgvector.psycopg.vector import register_vector_info
from psycopg import conninfo, sql
from psycopg.types import TypeInfo

from indexer.database import local, schema
from indexer.errors import UserError
from indexer.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

# For a transaction pooler too: no prepared statements, no SET outside a transaction.
OPTIONS: Mapping[str, Any] = {
    "prepare_threshold": None,
    "connect_timeout": 10,
    "application_name": "fontsight",
}
EXTENSION_SCHEMA = """
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'vector'
"""


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
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # the driver's message quotes the whole URL, password and all
            raise UserError(
                "DATABASE_URL is not a Postgres address. "
                "It looks like postgresql://user:password@host:5432/database."
            ) from None
        if any("@" in str(parts.get(part, "")) for part in ("host", "dbname", "port")):
            # part of the password was read as something else, which would be printed
            raise UserError(
                "DATABASE_URL has a character in its password that must be percent-encoded: "
                "@ as %40, / as %2F, : as %3A, # as %23, ? as %3F."
            )
        host = parts.get("host", "localhost")
        return cls(conninfo=url, label=f"database {parts.get('dbname', 'postgres')!r} on {host}")

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A connection that works through a transaction pooler too: no prepared statements, no SET."""
        try:
            return psycopg.connect(self.conninfo, autocommit=autocommit, **OPTIONS)
        except psycopg.OperationalError as error:
            reason = str(error).splitlines()[0].strip().rstrip(".") if str(error) else "no answer"
            raise UserError(
                f"{self.label} cannot be reached: {reason}. Check DATABASE_URL."
            ) from None

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


def reconnected(connection: Connection) -> Connection:
    """A new connection in place of one that takes no further query, which is closed.

    Raises psycopg.OperationalError.
    """
    address, password = connection.info.dsn, connection.info.password or None
    autocommit = connection.autocommit
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=5)  # closing alone lets the query, and its locks, go on
    connection.close()
    return psycopg.connect(address, password=password, autocommit=autocommit, **OPTIONS)


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
