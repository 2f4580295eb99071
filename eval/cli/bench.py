"""eval bench and eval plan: how fast the parts are, and what a host would take."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from eval.bench.activate import bench_activate
from eval.bench.capacity import RATES, Model, Rate, capacity
from eval.bench.capacity import table as capacity_table
from eval.bench.flops import plan, table
from eval.bench.fonts import bench_fonts
from eval.bench.idle import bench_idle
from eval.bench.search import bench_search
from eval.bench.storage import bench_storage
from eval.bench.vectors import NOISE
from eval.bench.write import bench_write
from eval.cli.options import RANDOM_WEIGHTS, sheet_options
from indexer.cli.options import AS_JSON
from indexer.embed.qwen.devices import named
from indexer.terminal import notice

MODEL = click.option(
    "--model", metavar="MODEL", default="tiny", show_default=True,
    help="tiny (always of random weights), 2b, 8b, or another checkpoint (folder or hub id).",
)  # fmt: skip
DEVICES = click.option(
    "--devices", metavar="LIST", help="cuda:0,cuda:1 or cpu. Default: all GPUs, else the CPU."
)


@click.group("bench")
def bench_group() -> None:
    """How fast the parts run on this machine: python -m eval bench fonts FOLDER"""


@bench_group.command("fonts")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@AS_JSON
def fonts_command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Time sheets and traits of the fonts in PATHS, in processor time of one core."""
    timings = bench_fonts(paths)
    if as_json:
        click.echo(json.dumps({stage: asdict(timing) for stage, timing in timings.items()}))
        return
    for stage, timing in timings.items():
        click.echo(f"{stage + ':':7} {timing}")


@bench_group.command("idle")
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@AS_JSON
def idle_command(rows: int, as_json: bool) -> None:
    """Time `indexer backfill` on a table of ROWS fonts where nothing is pending.

    The table is made on an embedded Postgres of its own, which is removed afterwards.
    """
    timing = bench_idle(rows)
    if as_json:
        click.echo(json.dumps(asdict(timing)))
        return
    click.echo(
        f"{rows} fonts, nothing pending: median {timing.median:.2f} s, max {timing.max:.2f} s; "
        f"{timing.first:.2f} s where every font is compared, as after a restored dump"
    )


@bench_group.command("storage")
@click.option("--rows", type=click.IntRange(min=10), default=20_000, show_default=True)
@AS_JSON
def storage_command(rows: int, as_json: bool) -> None:
    """Say how many bytes ROWS made-up fonts take, and how long their index takes to build.

    The table is made on an embedded Postgres of its own, which is removed afterwards. `plan` works
    with what this says.

    \b
    Example:  python -m eval bench storage --rows 2000
    """
    result = bench_storage(rows)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("search")
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--queries", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--match-count", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option(
    "--noise", type=click.FloatRange(0, 1, max_open=True), default=NOISE, show_default=True,
    help="How far queries are from any font: the share of their energy.",
)  # fmt: skip
@click.option(
    "--crowd", is_flag=True,
    help="Also time one caller among 20 that keep making the dearest calls a visitor may make.",
)  # fmt: skip
@AS_JSON
def search_command(as_json: bool, **options: Any) -> None:
    """Time match_fonts_hybrid on ROWS made-up fonts, beside exact scans and Supabase's hybrid_search.

    The table is made on an embedded Postgres of its own, which is removed afterwards; 200,000 fonts
    take 9 GB of disk and a quarter of an hour. A slow contender gets fewer of the queries.

    \b
    Example:  python -m eval bench search --rows 2000 --queries 20
    """
    result = bench_search(**options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("write")
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option(
    "--vectors", type=click.IntRange(min=1), default=800, show_default=True,
    help="Saved a turn, by each number of writers.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@AS_JSON
def write_command(as_json: bool, **options: Any) -> None:
    """Time how vectors are saved by one, two and three writers, in turn, into an index of ROWS fonts.

    The table is made on an embedded Postgres of its own, which is removed afterwards. Each writer
    keeps a core of the server busy: with fewer cores than writers, more of them gain nothing.

    \b
    Example:  python -m eval bench write --rows 5000 --vectors 200
    """
    result = bench_write(**options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("activate")
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@AS_JSON
def activate_command(rows: int, as_json: bool) -> None:
    """Time `indexer spaces activate` on ROWS made-up fonts, and those who read and write meanwhile.

    The table is made on an embedded Postgres of its own, which is removed afterwards; 20,000 fonts
    take some minutes.

    \b
    Example:  python -m eval bench activate --rows 2000
    """
    result = bench_activate(rows, say=notice)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("page")
@click.option("--rows", type=click.IntRange(min=60), default=20_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True)
@AS_JSON
def page_command(rows: int, rounds: int, as_json: bool) -> None:
    """Time the search page in chromium on ROWS made-up fonts, with the offline embedders.

    The table is made on an embedded Postgres of its own, which is removed afterwards; 20,000 fonts
    take two minutes. The browser needs the extra test, and chromium on the PATH.

    \b
    Example:  python -m eval bench page --rows 2000 --rounds 5
    """
    from eval.bench.page import bench_page  # noqa: PLC0415 - of the extra test

    result = bench_page(rows, rounds)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("embed")
@click.option(
    "--model",
    metavar="MODEL",
    help="tiny (always of random weights), 2b, 8b, or another checkpoint (folder or hub id). "
    "Default: tiny without a GPU, else 2b.",
)
@RANDOM_WEIGHTS
@click.option("--sheets", type=click.IntRange(min=2), help="Default: 1,024 on a GPU, 16 without.")
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
@AS_JSON
def embed_command(model: str | None, as_json: bool, **options: Any) -> None:
    """Time how sheets are embedded, beside sentence-transformers and the plain upstream loop.

    All have the same weights and the same sheets, in one process, in turn. Slow ones get fewer sheets.

    \b
    Example:  python -m eval bench embed --model 8b --random-weights --sheets 512
    """
    from eval.bench.embed import bench_embed  # noqa: PLC0415 - it imports torch

    result = bench_embed(model, say=notice, **options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("job")
@MODEL
@RANDOM_WEIGHTS
@click.option(
    "--fonts", type=click.IntRange(min=1),
    help="Default: 10,000 with 2b, 3,000 with 8b, else 200.",
)  # fmt: skip
@sheet_options
@DEVICES
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@AS_JSON
def job_command(
    model: str, fonts: int | None, devices: str | None, as_json: bool, **options: Any
) -> None:
    """Time the whole backfill beside embedding alone, in the same card processes.

    Cold: every font is rendered. Warm: the sheets are in the cache. The database is an embedded
    Postgres of its own, which is removed afterwards.

    \b
    Example:  python -m eval bench job --model 2b --random-weights --fonts 2000
    """
    from eval.bench.job import FONTS, bench_job  # noqa: PLC0415 - it needs the extra vl

    fonts = fonts or FONTS.get(model, 200)
    result = bench_job(model, fonts=fonts, devices=named(devices), say=notice, **options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@bench_group.command("serve")
@MODEL
@RANDOM_WEIGHTS
@DEVICES
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True,
    help="Of each load.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--rows", type=click.IntRange(min=20), default=20_000, show_default=True,
    help="Fonts that are searched.",
)  # fmt: skip
@AS_JSON
def serve_command(model: str, devices: str | None, as_json: bool, **options: Any) -> None:
    """Time `indexer serve` beside sentence-transformers behind a bare FastAPI, and try what may go wrong.

    1 to 64 clients ask both in turn; then comes twice as much as the service can answer, a job that
    shares its cards, the death of a card's process, and searches next to the function alone. The
    database is an embedded Postgres of its own, which is removed afterwards.

    \b
    Example:  python -m eval bench serve --seconds 2 --rounds 1 --rows 2000
    """
    from eval.bench.serve import bench_serve  # noqa: PLC0415 - it needs the extras vl and serve

    result = bench_serve(model, devices=named(devices), say=notice, **options)
    click.echo(json.dumps(asdict(result)) if as_json else result)


@click.command("plan")
@click.option(
    "--tflops", default=71.0, show_default=True, help="Dense bf16 of a card; 71: RTX 3090."
)
@click.option(
    "--gpus", "--cards", "cards", type=click.IntRange(min=1), default=2, show_default=True
)
@click.option(
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="The share of it that is reached.",
)
@click.option("--fonts", type=click.IntRange(min=1), help="Plan all of a backfill of so many.")
@click.option(
    "--gpu",
    type=click.Choice([*RATES], case_sensitive=False),
    help="With --fonts: a card whose rate was estimated, in place of --tflops.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SHEETS",
    help="With --fonts: what a card of yours embeds in a second, by `bench embed`.",
)
@click.option(
    "--model",
    type=click.Choice(["2b", "8b"]),
    default="8b",
    show_default=True,
    help="With --fonts.",
)
@click.option(
    "--cores",
    type=click.IntRange(min=1),
    help="With --fonts: of all hosts. Default: 8 for each GPU.",
)
@click.option(
    "--hosts", type=click.IntRange(min=1), default=1, show_default=True, help="With --fonts."
)
@AS_JSON
def plan_command(
    tflops: float,
    cards: int,
    utilisation: float,
    fonts: int | None,
    gpu: str | None,
    rate: float | None,
    model: Model,
    cores: int | None,
    hosts: int,
    as_json: bool,
) -> None:
    """What a sheet costs on paper; with --fonts, what a whole backfill takes and what that rests on.

    \b
    Example:  python -m eval plan --cards 1
              python -m eval plan --fonts 200000 --gpus 8 --gpu H200 --hosts 2
    """
    if fonts is None:
        planned = plan(tflops, cards, utilisation)
        click.echo(json.dumps([asdict(row) for row in planned]) if as_json else table(planned))
        return
    if rate:
        each = Rate(sheets=rate, basis="given", source="by --rate")
    elif gpu:
        each = Rate.of(gpu, model)
    else:
        each = Rate.by_flops(tflops, utilisation, model)
    lines = capacity(fonts, cards, each, model=model, cores=cores or 8 * cards, hosts=hosts)
    click.echo(json.dumps([asdict(line) for line in lines]) if as_json else capacity_table(lines))
