"""`python -m eval`: measurements of the project itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from eval.bench_fonts import bench_fonts
from eval.bench_idle import bench_idle
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


if __name__ == "__main__":
    main()
