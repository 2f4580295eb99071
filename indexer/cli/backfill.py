"""indexer backfill, indexer sync and indexer watch"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from indexer.cli.commands import DONE_WITH_FAILURES
from indexer.cli.extras import ray_engine
from indexer.cli.options import vl_options
from indexer.database.connect import Connection, opened
from indexer.fetch.files import FontFiles
from indexer.job.backfill import Backfill, BackfillOptions, backfill, planned
from indexer.job.causes import by_cause
from indexer.job.cost import Cost
from indexer.job.pending import Selection
from indexer.job.progress import Progress
from indexer.job.revalidate import revalidate
from indexer.job.watch import watch
from indexer.settings import Settings
from indexer.spaces import Space
from indexer.terminal import notice, progress_bar

JOB_OPTIONS = (
    click.option("--limit", type=click.IntRange(min=1), help="At most so many fonts per leg."),
    click.option("--only", multiple=True, metavar="FONT", help="Just this font (name or id); repeatable."),
    click.option("--retry-failed", is_flag=True, help="Try waiting and quarantined fonts now."),
    click.option(
        "--vl-text", type=click.Choice(["light/1", "described/1", "none"]),
        help="The short text alongside the sheet; described/1 holds the description too. "
        "Default: as the serving space has it, light/1 at first.",
    ),
    click.option(
        "--text-embedder", type=click.Choice(["auto", "provider", "hashed-ngrams", "none"]),
        default="auto", show_default=True,
        help="What fills fonts.embedding. auto: the configured service, else hashed-ngrams where "
        "the column holds no vectors of your app's.",
    ),
    click.option(
        "--overwrite-text", is_flag=True, help="Replace your app's vectors in fonts.embedding too."
    ),
    click.option(
        "--trust-text-space", is_flag=True,
        help="Write text vectors alongside your app's without comparing a sample of both.",
    ),
    click.option(
        "--max-cost", type=click.FloatRange(min=0), metavar="DOLLARS",
        help="Refuse to embed texts that cost more, at TEXT_EMBEDDING_PRICE.",
    ),
    click.option(
        "--files", type=click.Choice(["auto", "cdn", "npm"]), default="auto", show_default=True,
        help="Where files of Fontsource come from. auto: npm where the CDN cannot be reached.",
    ),
    click.option(
        "--processes", type=click.IntRange(min=1),
        help="Rendering processes; default: cores - 1, fewer where memory is short.",
    ),
    click.option(
        "--prune", is_flag=True,
        help="Also delete what is left of deleted fonts where it is more than a tenth of all fonts, "
        "missing for a day or longer.",
    ),
)  # fmt: skip


AS_JSON_LINES = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, a line for each leg."
)
DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="Say what would be done and why; change nothing."
)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = vl_options(AS_JSON_LINES(command))
    for option in reversed(JOB_OPTIONS):
        command = option(command)
    return command


@click.command("backfill")
@DRY_RUN
@click.option(
    "--engine", type=click.Choice(["ray"]),
    help="ray: a worker for each GPU of a Ray cluster, or for each node where there is no GPU.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), help="With --engine ray: so many workers in all."
)
@job_options
def backfill_command(
    dry_run: bool, engine: str | None, workers: int | None, as_json: bool, **options: Any
) -> None:
    """Embed every font whose vectors are missing or out of date.

    What is up to date costs nothing, so running it again embeds nothing. A font that fails is
    recorded (see: indexer status) and tried again later; the exit code is then 3.

    \b
    Example:  indexer backfill --dry-run
              indexer backfill --limit 100
              indexer backfill --engine ray
    """
    if workers and not engine:
        raise click.UsageError("--workers is for --engine ray.")
    job = ray_engine(workers) if engine else backfill
    settings, wanted = Settings(), _options(**options)
    files = FontFiles.from_settings(settings, wanted.files, notice=notice)
    with opened(settings, notice, writes=True) as connection:
        _run(connection, settings, files, wanted, job=job, dry_run=dry_run, as_json=as_json)


@click.command("sync")
@click.option(
    "--max-age", type=click.FloatRange(min=0), default=168, show_default=True, metavar="HOURS",
    help="Look again at files that were last looked at longer ago.",
)  # fmt: skip
@DRY_RUN
@job_options
def sync_command(max_age: float, dry_run: bool, as_json: bool, **options: Any) -> None:
    """The nightly run: look again at the font files, then embed what is new or has changed.

    \b
    Example:  indexer sync
    """
    settings, wanted = Settings(), _options(**options)
    files = FontFiles.from_settings(settings, wanted.files, notice=notice)
    with opened(settings, notice, writes=True) as connection:
        if not dry_run:
            found = revalidate(connection, files, timedelta(hours=max_age))
            if as_json:
                click.echo(json.dumps({"files": asdict(found)}))
            else:
                click.echo(f"files: {found.checked} looked at, {found.changed} changed")
            for message in found.unreachable:
                notice(f"kept as it was: {message}")
        _run(connection, settings, files, wanted, dry_run=dry_run, as_json=as_json)


@click.command("watch")
@click.option(
    "--max-age", type=click.FloatRange(min=0), default=168, show_default=True, metavar="HOURS",
    help="Every 24 hours, look again at files that were last looked at longer ago.",
)  # fmt: skip
@job_options
def watch_command(max_age: float, as_json: bool, **options: Any) -> None:
    """Stay, and embed what is new or has changed within seconds; look at the files every night.

    \b
    Example:  indexer watch
    """
    settings, wanted = Settings(), _options(**options)
    files = FontFiles.from_settings(settings, wanted.files, notice=notice)
    with opened(settings, notice, writes=True) as connection, suppress(KeyboardInterrupt):
        for space, progress in watch(
            connection, settings, files, wanted, max_age=timedelta(hours=max_age), say=notice
        ):
            _report(space, progress, as_json=as_json)
    notice("Stopped. What is done is kept.")


def _options(
    only: tuple[str, ...], retry_failed: bool, overwrite_text: bool, **options: Any
) -> BackfillOptions:
    selection = Selection(only=only or None, retry_failed=retry_failed, overwrite=overwrite_text)
    return BackfillOptions(selection=selection, **options)


def _run(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    *,
    dry_run: bool,
    as_json: bool,
    job: Backfill = backfill,
) -> None:
    if dry_run:
        _explain(connection, settings, options, as_json=as_json)
        return
    failed = 0
    for space, progress in job(
        connection, settings, files, options, say=notice, progress_bar=progress_bar
    ):
        _report(space, progress, as_json=as_json)
        failed += progress.failed
    if failed:
        sys.exit(DONE_WITH_FAILURES)


def _report(space: Space, progress: Progress, *, as_json: bool) -> None:
    failures = [
        {"stage": alike[0].stage, "message": alike[0].message, "fonts": len(alike)}
        for alike in by_cause(progress.failures, str)
    ]
    if as_json:
        found = {
            **_identity(space), **progress.counts(), "held": progress.held,
            "seconds": progress.seconds, "failures": failures,
        }  # fmt: skip
        click.echo(json.dumps(found))
        return
    click.echo(f"{space.leg}: {progress}")
    for cause in failures:
        click.echo("  {fonts} failed ({stage}): {message}".format_map(cause))


def _explain(
    connection: Connection, settings: Settings, options: BackfillOptions, *, as_json: bool
) -> None:
    for space, fonts in planned(connection, settings, options, say=notice):
        work = [font for font in fonts if font.workable][: options.limit]
        reasons = Counter(font.reason for font in fonts)
        cost = Cost.of(space, work, settings)
        if as_json:
            found = {
                **_identity(space), "would_embed": len(work), "reasons": reasons,
                "cost": asdict(cost) if cost else None,
                "fonts": [{"name": font.name, "reason": font.reason} for font in work],
            }  # fmt: skip
            click.echo(json.dumps(found))
            continue
        summary = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        click.echo(
            f"{space.leg}: would embed {len(work)} fonts into {space} ({summary or 'none pending'})"
        )
        if cost:
            click.echo(f"  {cost}")
        for font in work[:20]:
            click.echo(f"  {font.name}: {font.reason}")
        if len(work) > 20:
            click.echo(f"  … and {len(work) - 20} more")


def _identity(space: Space) -> dict[str, str]:
    return {"leg": space.leg, "space": space.id, "model": space.model.name}
