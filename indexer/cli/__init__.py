"""The commands. Progress and notices go to stderr, results to stdout."""

from __future__ import annotations

import click

from indexer import __version__
from indexer.cli.backfill import backfill_command, sync_command
from indexer.cli.commands import Commands, set_up
from indexer.cli.demo import demo_command
from indexer.cli.doctor import doctor_command
from indexer.cli.embed import embed_command
from indexer.cli.imports import import_group
from indexer.cli.mcp import mcp_command
from indexer.cli.migrate import migrate_command
from indexer.cli.render import render_command
from indexer.cli.retry import retry_command
from indexer.cli.search import search_command, similar_command
from indexer.cli.serve import serve_command
from indexer.cli.spaces import spaces_group
from indexer.cli.status import status_command
from indexer.cli.uninstall import uninstall_command
from indexer.cli.verify import verify_command


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "FONTSIGHT"})
@click.version_option(__version__, prog_name="indexer")
def main() -> None:
    """Index fonts by what they look like, and find them in Postgres.

    \b
    DATABASE_URL says which database; without it, an embedded Postgres is used.
    Start with:  indexer demo
    """
    set_up()


for command in (
    migrate_command,
    import_group,
    render_command,
    backfill_command,
    sync_command,
    status_command,
    retry_command,
    verify_command,
    doctor_command,
    spaces_group,
    search_command,
    similar_command,
    embed_command,
    serve_command,
    mcp_command,
    demo_command,
    uninstall_command,
):
    main.add_command(command)
