"""A real transaction pooler, as between a Supabase database and its clients."""

from __future__ import annotations

import getpass
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from indexer.database.connect import Database
from tests.fix_servers import free_port

SETTINGS = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
user = {user}
"""


@pytest.fixture
def pooled(database: Database, tmp_path: Path) -> Iterator[Database]:
    """The test's database behind PgBouncer: a session has another connection in each transaction."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    server = conninfo.conninfo_to_dict(database.conninfo)
    port = free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            server=conninfo.make_conninfo(**{**server, "client_encoding": "UTF8"}),
            port=port,
            user=_unprivileged(),
        )
    )
    settings.chmod(0o644)
    address = conninfo.make_conninfo(
        host="127.0.0.1", port=port, dbname="any", user="postgres", connect_timeout=2
    )
    process = subprocess.Popen([program, "--quiet", settings])
    try:
        for _ in range(100):
            try:
                psycopg.connect(address).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield Database(conninfo=address, label="the pooler")
    finally:
        process.terminate()
        process.wait(10)


def _unprivileged() -> str:
    """It does not run as root; the embedded server's user may open that server's socket."""
    if getpass.getuser() != "root":
        return getpass.getuser()
    users = {user.pw_name for user in pwd.getpwall()}
    return "pgserver" if "pgserver" in users else "nobody"
