"""The service as a process: bound, announced to jobs on this host, and ended in order."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import uvicorn

from indexer.choose import VLOptions
from indexer.database.connect import Database
from indexer.embed.service import announcement
from indexer.serve.access import Access
from indexer.serve.app import application
from indexer.serve.middleware import LOG, JsonLines
from indexer.serve.reading import Reader
from indexer.serve.service import Service, ServiceOptions
from indexer.settings import Settings

SECONDS_TO_FINISH = 20  # for requests that are under way when it is told to stop


def run(settings: Settings, database: Database, vl: VLOptions, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises UserError for what cannot be served safely."""
    keys = settings.serve_keys.get_secret_value() if settings.serve_keys else None
    access = Access.from_settings(keys, settings.serve_host)
    # --dim is the sidecar's; the model gives what the space was made with
    options = ServiceOptions(
        vl=replace(vl, dimension=None, share=False), sidecar_dimension=vl.dimension
    )
    service = Service(Reader.from_settings(settings, database, say), settings, options, say)
    _log_as_json()
    config = uvicorn.Config(
        application(service, access, settings),
        host=settings.serve_host,
        port=settings.serve_port,
        access_log=False,  # its lines hold what was asked
        log_level="warning",
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        server_header=False,
    )
    address = f"http://{settings.serve_host}:{settings.serve_port}"
    say(f"Serving on {address}")
    with (
        announcement.announced(
            settings.data_dir, settings.serve_host, settings.serve_port, access.token
        ),
        suppress(KeyboardInterrupt),
    ):  # uvicorn raises the signal anew, once it has ended in order
        uvicorn.Server(config).run()


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
