"""`python -m eval`: measurements of the project itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from eval.bench_fonts import bench_fonts
from eval.bench_idle import bench_idle
from eval.bench_search import bench_search
from eval.vectors import NOISE
from indexer.errors import UserError


@click.group()
def main() -> None:
    """Evaluate the index: python -m eval bench fonts FOLDER"""


@main.group()
def bench() -> None:
    """How fast the parts run on this machine: python -m eval bench fonts FOLDER"""


@bench.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fonts(paths: tuple[Path, ...], as_json: bool) -> None:
    """Time sheets and traits of the fonts in PATHS, in processor time of one core."""
    try:
        timings = bench_fonts(paths)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({stage: asdict(timing) for stage, timing in timings.items()}))
        return
    for stage, timing in timings.items():
        click.echo(f"{stage + ':':7} {timing}")


@bench.command()
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def idle(rows: int, as_json: bool) -> None:
    """Time `indexer backfill` on a table of ROWS fonts where nothing is pending.

    The table is made on an embedded Postgres of its own, which is removed afterwards.
    """
    timing = bench_idle(rows)
    if as_json:
        click.echo(json.dumps(asdict(timing)))
        return
    click.echo(
        f"{rows} fonts, nothing pending: median {timing.median:.2f} s, max {timing.max:.2f} s"
    )


@bench.command()
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--queries", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--match-count", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option(
    "--noise", type=click.FloatRange(0, 1, max_open=True), default=NOISE, show_default=True,
    help="How far queries are from any font: the share of their energy.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def search(rows: int, queries: int, match_count: int, noise: float, as_json: bool) -> None:
    """Time match_fonts_hybrid on ROWS made-up fonts, beside exact scans and Supabase's hybrid_search.

    The table is made on an embedded Postgres of its own, which is removed afterwards; 200,000 fonts
    take 9 GB of disk and a quarter of an hour. A slow contender gets fewer of the queries.
    """
    result = bench_search(rows, queries=queries, match_count=match_count, noise=noise)
    click.echo(json.dumps(asdict(result)) if as_json else result)


if __name__ == "__main__":
    main()
