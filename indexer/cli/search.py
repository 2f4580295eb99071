"""indexer search"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import click

from indexer import embedders, spaces
from indexer import search as index_search
from indexer.cli.common import notice, opened
from indexer.database import Connection
from indexer.embed.protocol import Vector
from indexer.errors import UserError
from indexer.search import Hit
from indexer.settings import Settings
from indexer.spaces import Leg


@click.command()
@click.argument("query")
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True,
    help="Weight of the text leg: 1 is text alone, 0 appearance alone.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def search(query: str, alpha: float, limit: int, as_json: bool) -> None:
    """Find fonts by a description of what they look like.

    Each row shows the fused score and, per leg, the cosine and the rank in the whole table. A leg
    whose embedder is not at hand, or does not understand the query, is left out and said so.

    \b
    Example:  indexer search "elegant high-contrast serif"
    """
    if not query.strip():
        raise UserError('The query is empty. Say what the font looks like: "elegant serif".')
    settings = Settings()
    with opened(settings) as connection:
        vectors = {
            leg: embedded_query(connection, settings, leg, query, notice)
            for leg in spaces.SERVING_COLUMN
        }
        if all(vector is None for vector in vectors.values()):
            raise UserError("No leg could embed the query, so there is nothing to search by.")
        hits = index_search.match(
            connection, text=vectors["text"], vl=vectors["vl"], alpha=alpha, count=limit
        )
    if not hits:
        notice("No font has a vector yet. Run: indexer backfill")
    if as_json:
        click.echo(json.dumps([asdict(hit) for hit in hits], indent=2, default=str))
        return
    click.echo(f"{'score':>7}  {'text (rank)':>14}  {'sight (rank)':>14}  font")
    for hit in hits:
        click.echo(_line(hit))


def embedded_query(
    connection: Connection, settings: Settings, leg: Leg, query: str, say: Callable[[str], None]
) -> Vector | None:
    """The query's vector in the active space of a leg; where there is none, None, and why is said."""
    space = spaces.active(connection, leg)
    if space is None:
        theirs = spaces.foreign_vectors(connection, leg)
        why = (
            f"its vectors are the product's. {embedders.KEY_HINT} Then"
            if theirs
            else "it has no vectors yet."
        )
        say(f"{leg} leg left out: {why} run: indexer backfill")
        return None
    try:
        return embedders.for_queries(space, settings).embed_query(query)
    except UserError as error:
        say(f"{leg} leg left out: {error}")
        return None


def _line(hit: Hit) -> str:
    legs = [(hit.text_similarity, hit.text_rank), (hit.vl_similarity, hit.vl_rank)]
    shown = (f"{value:.3f} ({rank})" if value is not None else "-" for value, rank in legs)
    return (
        f"{hit.score:7.3f}  "
        + "  ".join(f"{leg:>14}" for leg in shown)
        + (f"  {hit.name} ({hit.category or 'no category'})")
    )
