"""A real Postgres, one migrated template in it, and a clone of that for every test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from indexer.database import local, schema
from indexer.database.connect import Connection, Database

numbers = count(1)
API_ROLES = ("anon", "authenticated", "service_role")


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """For an embedded Postgres.

    Not in pytest's: they are deep, and a socket's path is at most 107 bytes long; and as root,
    another pytest would close them to the server's user.
    """
    with tempfile.TemporaryDirectory(prefix="fontsight") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The conninfo of a superuser on a server that only these tests use."""
    db = str(request.config.getoption("--db"))
    if db != "testcontainers":
        # not in pytest's folder: as root, another pytest would close it to the server's user
        with tempfile.TemporaryDirectory() as folder:
            yield hasty(local.start(Path(folder), version=16 if db == "embedded-16" else 18))
            local.stop(Path(folder))
        return
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer("pgvector/pgvector:pg17", driver=None) as container:
        yield hasty(container.get_connection_url())


def hasty(server: str) -> str:
    """Waits for no disk: hundreds of databases are made, and none outlives the machine."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("alter system set fsync = off")
        admin.execute("select pg_reload_conf()")
    return server


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a database at head."""
    name = create_database(server, "migrated", "template1")
    schema.upgrade(conninfo.make_conninfo(server, dbname=name))
    return name


@pytest.fixture
def database(server: str, template: str) -> Iterator[Database]:
    """A database at head, for this test alone."""
    yield from temporary_database(server, template)


@pytest.fixture
def empty_database(server: str) -> Iterator[Database]:
    """A database with nothing in it."""
    yield from temporary_database(server, "template1")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.open() as connection:
        yield connection


@pytest.fixture
def api_roles(server: str) -> Iterator[tuple[str, ...]]:
    """The roles of Supabase's API, for the length of a test: they belong to the whole server."""
    with psycopg.connect(server, autocommit=True) as admin:
        for role in API_ROLES:
            admin.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
        yield API_ROLES
        for (name,) in admin.execute(
            "select datname from pg_database where datname ~ '^test_'"
        ).fetchall():
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
        for role in API_ROLES:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def end_connections(admin: Connection, *kept: Connection, name: str = "fontsight") -> int:
    """Of this name to the admin's database, but for the admin's own and those kept; how many."""
    mine = [connection.info.backend_pid for connection in (admin, *kept)]
    row = admin.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> all(%s)"
        " and datname = current_database() and application_name = %s",
        [mine, name],
    ).fetchone()
    assert row is not None
    return int(row[0])


def temporary_database(server: str, template: str) -> Iterator[Database]:
    name = create_database(server, f"test_{next(numbers)}", template)
    yield Database(conninfo=conninfo.make_conninfo(server, dbname=name), label=name)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def create_database(server: str, name: str, template: str) -> str:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return name
