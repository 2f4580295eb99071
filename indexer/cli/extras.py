"""What only some installations have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from indexer.errors import UserError
from indexer.job.backfill import Backfill

SERVE = "needs the extra serve: pip install 'fontsight[serve]'."


def service() -> Callable[..., None]:
    """indexer.serve.run.run; raises UserError where the extra is not installed."""
    try:
        from indexer.serve.run import run  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(f"The query service {SERVE}") from error
    return run


def ray_engine(workers: int | None) -> Backfill:
    """indexer.cluster.by_ray.backfill_by_ray; raises UserError where the extra is not installed."""
    try:
        from indexer.cluster.by_ray import backfill_by_ray  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(
            "--engine ray needs the extra ray: pip install 'fontsight[ray]'."
        ) from error
    return partial(backfill_by_ray, workers=workers)


def mcp_server() -> Callable[..., None]:
    """indexer.serve.mcp.server.run; raises UserError where the extra is not installed."""
    try:
        from indexer.serve.mcp.server import run  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(f"The MCP server {SERVE}") from error
    return run
