"""Whether this container's service works: `python -m indexer.deploy.healthcheck`, exit code 1 if not.

Not the same as GET /health, which says 503 until queries can be answered. A container that waits for its
model, or for the first backfill, is in order: to replace it would help nobody.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx

from indexer.settings import Settings

MAX_SECONDS = 4.0


def look(port: int) -> str | None:
    """What is wrong with the service on a port of this host, None where nothing is."""
    try:
        health = httpx.get(
            f"http://127.0.0.1:{port}/health", timeout=MAX_SECONDS, trust_env=False
        ).json()
    except (httpx.HTTPError, ValueError) as error:
        return f"No service answers on port {port}: {type(error).__name__}."
    return wrong(health)


def wrong(health: dict[str, Any]) -> str | None:
    """What is wrong by an answer of /health."""
    if health["status"] != "failed" or health["serving_model"] is None:
        return None
    return f"The service cannot embed by {health['serving_model']}. {health['notice']}"


if __name__ == "__main__":
    sys.exit(look(Settings().serve_port))
