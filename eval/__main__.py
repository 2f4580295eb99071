"""`python -m eval`: what search is worth, and how fast the parts are."""

from __future__ import annotations

import functools
import json
import logging
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from eval.bench_fonts import bench_fonts
from eval.bench_idle import bench_idle
from eval.bench_search import bench_search
from eval.cli_build import build
from eval.flops import plan as plan_of
from eval.flops import table
from eval.vectors import NOISE
from indexer.cli import Commands
from indexer.sheet.render import SheetSpec


@click.group(cls=Commands)
def main() -> None:
    """Say what search is worth, on queries whose answers are known, and how fast the parts run.

    \b
    Start with:  python -m eval build toy --out toy
                 python -m eval run --dataset toy --out toy-run
                 python -m eval report toy-run
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the embedded Postgres is stopped
    # what fontTools thinks of a broken font is said in our own words
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)


main.add_command(build)
try:
    from eval.cli_report import report
    from eval.cli_run import compare, export, gate, run
except ModuleNotFoundError as missing:
    if missing.name not in {"ir_measures", "pytrec_eval"}:
        raise
    main.epilog = "To score rankings: pip install 'fontsight[eval]'."
else:
    for command in (run, report, compare, gate, export):
        main.add_command(command)


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command an argument `spec`."""

    @functools.wraps(command)
    def with_spec(width: int, height: int, **others: Any) -> Any:
        try:
            spec = SheetSpec(width=width, height=height)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return command(spec=spec, **others)

    usual = SheetSpec()
    for name, side in (("--width", usual.width), ("--height", usual.height)):
        with_spec = click.option(name, default=side, show_default=True, help="Of a sheet, px.")(
            with_spec
        )
    return with_spec


@main.group()
def bench() -> None:
    """How fast the parts run on this machine: python -m eval bench fonts FOLDER"""


@bench.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fonts(paths: tuple[Path, ...], as_json: bool) -> None:
    """Time sheets and traits of the fonts in PATHS, in processor time of one core."""
    timings = bench_fonts(paths)
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


@bench.command()
@click.option(
    "--model",
    metavar="MODEL",
    help="tiny (always of random weights), 2b, 8b, or another checkpoint (folder or hub id). "
    "Default: tiny without a GPU, else 2b.",
)
@click.option(
    "--random-weights", is_flag=True, help="2b or 8b without a download: as fast as the real one."
)
@click.option("--sheets", type=click.IntRange(min=2), help="Default: 256 on a GPU, 16 without.")
@click.option("--device", default="auto", show_default=True, help="cuda, cuda:1 or cpu.")
@sheet_options
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=None,
    help="Compiled layers too. Default: on a GPU.",
)
@click.option("--force", is_flag=True, help="Even if it takes this CPU hours.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def embed(model: str | None, as_json: bool, **options: Any) -> None:
    """Time how sheets are embedded, beside sentence-transformers and the plain upstream loop.

    All have the same weights and the same sheets, in one process, in turn. Slow ones get fewer sheets.

    \b
    Example:  python -m eval bench embed --model 8b --random-weights --sheets 512
    """
    from eval.bench_embed import bench_embed  # noqa: PLC0415 - it imports torch

    result = bench_embed(model, say=_say, **options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench.command()
@click.option(
    "--model",
    metavar="MODEL",
    default="tiny",
    show_default=True,
    help="tiny (always of random weights), 2b, 8b, or another checkpoint (folder or hub id).",
)
@click.option(
    "--random-weights", is_flag=True, help="2b or 8b without a download: as fast as the real one."
)
@click.option("--fonts", type=click.IntRange(min=1), default=200, show_default=True)
@sheet_options
@click.option(
    "--devices", metavar="LIST", help="cuda:0,cuda:1 or cpu. Default: all GPUs, else the CPU."
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def job(model: str, devices: str | None, as_json: bool, **options: Any) -> None:
    """Time the whole backfill beside embedding alone, in the same card processes.

    Cold: every font is rendered. Warm: the sheets are in the cache. The database is an embedded
    Postgres of its own, which is removed afterwards.

    \b
    Example:  python -m eval bench job --model 2b --random-weights --fonts 2000
    """
    from eval.bench_job import bench_job  # noqa: PLC0415 - it needs the extra vl

    named = [name.strip() for name in (devices or "").split(",") if name.strip()]
    result = bench_job(model, devices=named, say=_say, **options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@main.command()
@click.option(
    "--tflops", default=71.0, show_default=True, help="Dense bf16 of a card; 71: RTX 3090."
)
@click.option("--cards", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="The share of it that is reached.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(tflops: float, cards: int, utilisation: float, as_json: bool) -> None:
    """What a sheet costs and how long fonts take, on paper: python -m eval plan --cards 1"""
    planned = plan_of(tflops, cards, utilisation)
    click.echo(json.dumps([asdict(row) for row in planned]) if as_json else table(planned))


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
