"""`python -m eval`: measurements of the project itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from eval.bench import Timings, bench_measure, bench_render
from indexer.errors import UserError


@click.group()
def main() -> None:
    """Evaluate the index: python -m eval bench measure fonts/"""


@main.group()
def bench() -> None:
    """How fast the parts run on this machine: python -m eval bench measure fonts/"""


@bench.command("measure")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def measure_command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Time opening and measuring fonts, on one core: python -m eval bench measure fonts/"""
    try:
        _print(bench_measure(paths), as_json=as_json)
    except UserError as error:
        raise click.ClickException(str(error)) from error


@bench.command("render")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def render_command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Time opening and rendering fonts, on one core: python -m eval bench render fonts/"""
    try:
        _print(bench_render(paths), as_json=as_json)
    except UserError as error:
        raise click.ClickException(str(error)) from error


def _print(timings: Timings, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(timings.to_json()))
        return
    click.echo(
        f"{timings.fonts} fonts, {timings.failed} failed: median {timings.median:.3f} s, "
        f"p95 {timings.p95:.3f} s, max {timings.max:.3f} s ({timings.slowest})"
    )


if __name__ == "__main__":
    main()
