"""indexer mcp"""

from __future__ import annotations

import click

from indexer.cli import extras
from indexer.database.connect import Database
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("mcp")
def mcp_command() -> None:
    """Let an assistant search the fonts and look at them: an MCP server on stdin and stdout.

    Assistants start it themselves; add it to their configuration with the command `indexer` and the
    argument `mcp`. It offers search_fonts, similar_fonts and font_details, reads as the app's visitors
    do (FONTSIGHT_SERVE_ROLE, anon by default) and never writes. If a query service
    runs on this host, it embeds the queries.

    \b
    Example:  indexer mcp
    """
    run = extras.mcp_server()
    settings = Settings()
    database = Database.from_settings(settings)
    notice(f"Using {database.label}.")
    run(settings, database, notice)
