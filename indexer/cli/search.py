"""indexer search and indexer similar"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from indexer.cli.options import AS_JSON, IMAGE
from indexer.functions import Hit
from indexer.search import Fonts
from indexer.terminal import notice


def _parsed(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, Any] | None:
    """The option --filter; what it may say, the database decides."""
    try:
        parsed = json.loads(value) if value is not None else {}
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise click.BadParameter('it must be a JSON object such as {"category": "serif"}.')
    return parsed or None


FILTER = click.option(
    "--filter", callback=_parsed, metavar="JSON",
    help='Only such fonts: {"category": "serif", "tags": {"all": ["latin"]}, '
    '"traits": {"x_height": {"gte": 0.7}}}.',
)  # fmt: skip
COLLAPSE = click.option(
    "--collapse/--no-collapse", default=True, show_default=True,
    help="Of near-duplicate families (one design in several scripts) show the best only.",
)  # fmt: skip
LIMIT = click.option(
    "--limit", type=click.IntRange(1, 200), default=10, show_default=True,
    help="How many fonts at most.",
)  # fmt: skip
OFFSET = click.option(
    "--offset", type=click.IntRange(0, 2000), default=0, help="How many of the best to skip."
)


@click.command("search")
@click.argument("query", required=False)
@IMAGE
@click.option(
    "--alpha", type=click.FloatRange(0, 1),
    help="Weight of the text vector against sight: 1 is text alone, 0 appearance alone. "
    "Default, as for --words and --fusion: what is deployed for the serving spaces; else 0 where the "
    "text leg only compares spelling (hashed-ngrams).",
)  # fmt: skip
@click.option(
    "--words", type=click.FloatRange(0, 1),
    help="Share of the full-text leg: words of names, tags and descriptions. 0 omits it.",
)  # fmt: skip
@click.option(
    "--fusion", type=click.Choice(["convex", "rrf"]),
    help="Weigh similarities, or ranks (reciprocal rank fusion).",
)  # fmt: skip
@click.option(
    "--normalization", type=click.Choice(["raw", "min_max", "z_score"]), default="raw",
    show_default=True, help="What a convex fusion does to similarities before it weighs them.",
)  # fmt: skip
@FILTER
@COLLAPSE
@LIMIT
@OFFSET
@AS_JSON
def search_command(
    query: str | None,
    image: Path | None,
    filter: dict[str, Any] | None,
    collapse: bool,
    limit: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Find fonts by a description of what they look like, by a picture of letters, or by both.

    Each row shows the fused score and, per leg, the similarity and the rank among the fonts that
    were scored. A leg whose embedder is not available, or does not understand the query, is omitted
    and reported; if no embedder is available, only words are searched.

    \b
    Example:  indexer search "elegant high-contrast serif"
              indexer search "tall and narrow" --filter '{"traits": {"x_height": {"gte": 0.7}}}'
              indexer search --image letters.png
    """
    picture = image.read_bytes() if image else None
    with Fonts(say=notice) as fonts:
        notice(f"Using {fonts.database.label}.")
        hits = fonts.search(
            query, image=picture, count=limit, filter=_collapsed(filter, collapse), **options
        )
        vocabulary = fonts.vocabulary
    _show(hits, as_json=as_json, vocabulary=vocabulary)


@click.command("similar")
@click.argument("font")
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="0 compares what fonts look like, 1 their descriptions.",
)  # fmt: skip
@FILTER
@COLLAPSE
@LIMIT
@OFFSET
@AS_JSON
def similar_command(
    font: str,
    filter: dict[str, Any] | None,
    collapse: bool,
    limit: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the neighbours of FONT (its name or its id).

    \b
    Example:  indexer similar "Montaga"
    """
    with Fonts(say=notice) as fonts:
        notice(f"Using {fonts.database.label}.")
        hits = fonts.similar(font, count=limit, filter=_collapsed(filter, collapse), **options)
    _show(hits, as_json=as_json)


def _collapsed(filter: dict[str, Any] | None, collapse: bool) -> dict[str, Any] | None:
    """What the filter says itself counts for more than the option."""
    return {"collapse": True, **(filter or {})} if collapse else filter


def _show(hits: Sequence[Hit], *, as_json: bool, vocabulary: str | None = None) -> None:
    if as_json:
        read_by = {"vocabulary": vocabulary} if vocabulary else {}
        rows = [{**asdict(hit), **read_by} for hit in hits]
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    if not hits:
        notice("Nothing was found. If vectors are missing, run: indexer backfill")
        return
    click.echo(
        f"{'score':>7}  {'text (rank)':>14}  {'sight (rank)':>14}  {'words (rank)':>14}  font"
    )
    for hit in hits:
        click.echo(_line(hit))


def _line(hit: Hit) -> str:
    legs = [
        (hit.text_similarity, hit.text_rank),
        (hit.vl_similarity, hit.vl_rank),
        (hit.full_text_similarity, hit.full_text_rank),
    ]
    shown = (f"{value:.3f} ({rank})" if value is not None else "-" for value, rank in legs)
    return (
        f"{hit.score:7.3f}  "
        + "  ".join(f"{leg:>14}" for leg in shown)
        + (f"  {hit.name} ({hit.category or 'no category'})")
    )
