"""A role from which row-level security may hide fonts is refused before any work, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import conninfo

from indexer.cli import main
from indexer.database.connect import Connection, Database
from tests.fix_cli import font_folder

ROLE = "fontsight_limited"
OFFLINE = ["--text-embedder", "hashed-ngrams", "--vl-embedder", "measured-traits"]
RIGHTS = f"""
    create role {ROLE} login password 'limited';
    grant usage on schema public, font_index to {ROLE};
    grant all on all tables in schema public, font_index to {ROLE};
    alter table public.fonts enable row level security;
    insert into public.fonts (name, source) values ('Seen', 'Directory'), ('Hidden', 'Directory');
"""


@pytest.fixture
def owner(connection: Connection) -> Iterator[Connection]:
    """The superuser's connection to a database that the role may use."""
    connection.execute(RIGHTS)
    yield connection
    connection.execute("reassign owned by fontsight_limited to current_user")
    connection.execute(f"drop owned by {ROLE}; drop role {ROLE}")


@pytest.fixture
def indexer(
    owner: Connection, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """A command as the role, in this process: its exit code, and what it tells on stderr."""
    limited = conninfo.make_conninfo(database.conninfo, user=ROLE, password="limited")
    monkeypatch.setenv("DATABASE_URL", limited)
    monkeypatch.setenv("FONTSIGHT_CACHE_DIR", str(tmp_path / "cache"))

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, list(arguments))
        return done.exit_code, done.stderr

    return run


def test_a_role_from_which_fonts_may_be_hidden_writes_nothing(
    owner: Connection, indexer: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    owner.execute(f"create policy part on public.fonts for all to {ROLE} using (name = 'Seen')")
    folder = font_folder(tmp_path / "fonts", 1)
    for command in (
        ["backfill", *OFFLINE],
        ["backfill", "--dry-run", *OFFLINE],
        ["sync", *OFFLINE],
        ["spaces", "activate", "abc"],
        ["retry"],
        ["import", "directory", str(folder)],
        ["import", "fontsource", "--limit", "1"],
        ["migrate"],
    ):
        code, said = indexer(*command)
        assert code == 1, command
        assert f"binds the role {ROLE}" in said
        assert (
            "Connect as the table's owner (on Supabase: postgres), or as a role with BYPASSRLS"
            in said
        )
    written = (
        "select (select count(*) from font_index.runs) + (select count(*) from font_index.spaces)"
    )
    assert owner.execute(written).fetchone() == (0,)
    assert owner.execute("select count(*) from public.fonts").fetchone() == (2,)


def test_a_policy_that_shows_every_row_binds_too(
    owner: Connection, indexer: Callable[..., tuple[int, str]]
) -> None:
    owner.execute(f"create policy everything on public.fonts for select to {ROLE} using (true)")
    assert f"binds the role {ROLE}" in indexer("backfill", *OFFLINE)[1]  # it may still not write


def test_an_owner_is_refused_where_row_security_is_forced_on_it(
    owner: Connection, indexer: Callable[..., tuple[int, str]]
) -> None:
    owner.execute(
        f"alter table public.fonts owner to {ROLE}; alter table public.fonts force row level security"
    )
    code, said = indexer("backfill", *OFFLINE)
    assert code == 1
    assert "alter table public.fonts no force row level security" in said
    owner.execute("alter table public.fonts no force row level security")
    assert indexer("backfill", "--dry-run", *OFFLINE)[0] == 0


def test_a_role_that_bypasses_row_security_does_the_work(
    owner: Connection, indexer: Callable[..., tuple[int, str]]
) -> None:
    owner.execute(f"alter role {ROLE} bypassrls")
    code, said = indexer(
        "backfill", "--text-embedder", "hashed-ngrams", "--only", "Seen", *OFFLINE[2:]
    )
    assert code == 3, said  # the row has no file, which is its own failure
    assert owner.execute("select count(embedding) from public.fonts").fetchone() == (1,)


def test_who_only_reads_is_not_refused(
    owner: Connection, indexer: Callable[..., tuple[int, str]]
) -> None:
    owner.execute(f"create policy everything on public.fonts for select to {ROLE} using (true)")
    assert indexer("spaces", "list")[0] == 0
