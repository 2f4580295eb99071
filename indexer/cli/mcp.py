"""indexer mcp"""

from __future__ import annotations

import click

from indexer.database.connect import Database
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.terminal import notice

EXTRA = "The MCP server needs the extra serve: pip install 'fontsight[serve]'."


@click.command("mcp")
def mcp_command() -> None:
    """Let an assistant search the fonts and look at them: an MCP server on stdin and stdout.

    Assistants start it themselves; add it to their configuration with the command `indexer` and the
    argument `mcp`. It offers search_fonts, similar_fonts and font_details, reads as the app's visitors
    do (FONTSIGHT_SERVE_ROLE, anon by default) and never writes. A query service on this host embeds
    the queries, where one runs.

    \b
    Example:  indexer mcp
    """
    try:
        from indexer.serve.mcp import run  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(EXTRA) from error
    settings = Settings()
    database = Database.from_settings(settings)
    notice(f"Using {database.label}.")
    run(settings, database, notice)
