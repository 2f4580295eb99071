"""indexer serve"""

from __future__ import annotations

from functools import partial

import click

from indexer.choose import VLOptions
from indexer.cli import extras
from indexer.cli.options import vl_options
from indexer.database.connect import Database
from indexer.settings import Settings
from indexer.terminal import notice


@click.command("serve")
@click.option("--host", help="Address to bind. Default: FONTSIGHT_SERVE_HOST, or 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Default: FONTSIGHT_SERVE_PORT, or 8700."
)
@partial(
    vl_options,
    dim="Dimensions that POST /embed gives for texts, and nothing else. Default: the model's own.",
)
def serve_command(host: str | None, port: int | None, vl: VLOptions) -> None:
    """Answer queries over HTTP: their vectors, search in one request, and a page to look with.

    It embeds with the model that made the serving vectors, on this host's GPUs if that is Qwen3-VL. It
    reads as the app's visitors do (FONTSIGHT_SERVE_ROLE, anon by default) and never writes. Except on
    127.0.0.1, callers need a key of FONTSIGHT_SERVE_KEYS. Told to stop, it ends within 9 seconds.

    \b
    Example:  indexer serve
              FONTSIGHT_SERVE_KEYS=… indexer serve --host 0.0.0.0
    """
    run = extras.service()
    settings = Settings()
    if host or port:
        chosen = {"serve_host": host, "serve_port": port}
        update = {name: value for name, value in chosen.items() if value}
        settings = settings.model_copy(update=update)
    database = Database.from_settings(settings)
    notice(f"Using {database.label}.")
    run(settings, database, vl, notice)
