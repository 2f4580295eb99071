"""The service as a process: bound, announced to jobs on this host, and ended in order."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import FrameType

import uvicorn
from fastapi import FastAPI

from indexer.choose import VLOptions
from indexer.database.connect import Database
from indexer.embed.service import announcement
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.serve.http.access import Access
from indexer.serve.http.app import application
from indexer.serve.http.connections import Connection, open_more_files
from indexer.serve.http.middleware import LOG, JsonLines
from indexer.serve.reading import Reader
from indexer.serve.service import Service, ServiceOptions
from indexer.serve.specimens.specimens import Specimens
from indexer.settings import Settings

SECONDS_TO_FINISH = 5  # for requests that are under way when it is told to stop
SECONDS_TO_STOP = 9  # for all of it: Docker kills after 10
# an idle connection: longer than proxies keep theirs (60), or they send a request into one that closes
SECONDS_KEPT_OPEN = 75


def run(
    settings: Settings,
    database: Database,
    vl: VLOptions,
    say: Callable[[str], None],
    *,
    open_page: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; `open_page` in the user's browser, once it answers.

    Raises UserError for what cannot be served safely.
    """
    keys = settings.serve_keys.get_secret_value() if settings.serve_keys else None
    host, port = settings.serve_host, settings.serve_port
    access = Access.from_settings(keys, host)
    # --dim is the sidecar's; the model gives what the space was made with
    options = ServiceOptions(
        vl=replace(vl, dimension=None, share=False), sidecar_dimension=vl.dimension
    )
    service = Service(Reader.from_settings(settings, database, say), settings, options, say)
    specimens = Specimens(FontFiles.from_settings(settings, notice=say))
    open_more_files()
    server = Server(application(service, specimens, access, settings), say)
    address = announcement.address(host, port)
    with (
        bound(host, port) as listening,
        announcement.announced(settings.data_dir, host, port, access.token),
        suppress(KeyboardInterrupt),  # uvicorn raises the signal anew, once it has ended in order
    ):
        say(f"Serving on {address}")
        _log_as_json()
        if open_page:
            threading.Thread(target=_open_page, args=(server, address), daemon=True).start()
        server.run([listening])


class Server(uvicorn.Server):
    """Told to stop, the process ends: in order, or in SECONDS_TO_STOP whatever a database or a card does."""

    def __init__(self, app: FastAPI, say: Callable[[str], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            access_log=False,  # its lines hold what was asked
            log_level="warning",
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
            timeout_keep_alive=SECONDS_KEPT_OPEN,
            server_header=False,
        )
        super().__init__(config)
        self._say = say
        self._told = threading.Event()
        threading.Thread(target=self._end_in_time, name="end in time", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._told.set()

    def _end_in_time(self) -> None:
        # Python waits for all threads before it ends, also for one that waits for a database for ever
        self._told.wait()
        time.sleep(SECONDS_TO_STOP)
        self._say(f"Something did not end within {SECONDS_TO_STOP} s. The process ends without it.")
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(1)


def bound(host: str, port: int) -> socket.socket:
    """Before anything is loaded. Raises UserError where the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server(
            (host, port), family=family, backlog=2048,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )  # fmt: skip
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python repeats the address
        raise UserError(
            f"Port {port} of {host[:100]} cannot be bound: {reason}. Is another service running there? "
            "Choose another address with --host and --port."
        ) from None
    # asyncio sends at once (TCP_NODELAY) only where a socket names its protocol; otherwise each
    # answer on a connection that is kept waits 40 ms for the acknowledgement of its head
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


def _open_page(server: uvicorn.Server, address: str) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.1)
    webbrowser.open(address)


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
