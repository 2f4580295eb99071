"""indexer backfill and indexer sync"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from indexer import embedders, job, revalidate, spaces, vision
from indexer.cli.common import font_files, font_id, notice, opened, preparer
from indexer.cli.progress import shown
from indexer.cli.vision import vision_options
from indexer.database import Connection
from indexer.embed.protocol import Embedder
from indexer.errors import EmbedderUnavailable, UserError
from indexer.fetch.files import FontFiles, Mode
from indexer.job import Report
from indexer.pending import EVERYTHING, Selection, pending
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import LIGHT, TEXT_SCHEMAS, schema_of
from indexer.vision import OFFLINE, UNSAID, Choice

OPTIONS = (
    click.option("--limit", type=click.IntRange(min=1), help="At most so many fonts per leg."),
    click.option("--only", multiple=True, metavar="FONT", help="Just this font (name or id); repeatable."),
    click.option("--dry-run", is_flag=True, help="Say what would be done and why; change nothing."),
    click.option("--retry-failed", is_flag=True, help="Try waiting and quarantined fonts now."),
    click.option(
        "--vl-text", type=click.Choice(["light/1", "described/1", "none"]),
        help="The short text beside the sheet; described/1 holds the description too. "
        "Default: as the serving space has it, light/1 at first.",
    ),
    click.option(
        "--text-embedder", type=click.Choice(["auto", "provider", "hashed-ngrams", "none"]),
        default="auto", show_default=True,
        help="What fills fonts.embedding. auto: the configured service, else hashed-ngrams where "
        "the column holds no vectors of the product's.",
    ),
    click.option(
        "--overwrite-text", is_flag=True, help="Replace the product's vectors in fonts.embedding too."
    ),
    click.option(
        "--files", type=click.Choice(["auto", "cdn", "npm"]), default="auto", show_default=True,
        help="Where files of Fontsource come from. auto: npm where the CDN cannot be reached.",
    ),
    click.option("--processes", type=click.IntRange(min=1), help="Rendering processes; default: cores - 1."),
)  # fmt: skip


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = vision_options(command)
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Job:
    """The options that backfill and sync share."""

    selection: Selection = EVERYTHING
    limit: int | None = None
    choice: Choice = UNSAID
    vl_text: str | None = None  # None: as the serving space has it
    text_embedder: str = "auto"
    files: Mode = "auto"
    processes: int | None = None


@click.command()
@job_options
def backfill(dry_run: bool, **options: Any) -> None:
    """Embed every font whose vectors are missing or out of date.

    What is up to date costs nothing, so running it again embeds nothing. A font that fails is
    recorded (see: indexer status) and tried again later; the exit code is then 1.

    \b
    Example:  indexer backfill --dry-run
              indexer backfill --limit 100
    """
    settings, wanted = Settings(), _job(**options)
    with opened(settings) as connection:
        _run(connection, settings, font_files(settings, wanted.files), wanted, dry_run=dry_run)


@click.command()
@click.option(
    "--max-age", type=click.FloatRange(min=0), default=168, show_default=True, metavar="HOURS",
    help="Look again at files that were last looked at longer ago.",
)  # fmt: skip
@job_options
def sync(max_age: float, dry_run: bool, **options: Any) -> None:
    """The nightly run: look again at the font files, then embed what is new or has changed.

    \b
    Example:  indexer sync
    """
    settings, wanted = Settings(), _job(**options)
    files = font_files(settings, wanted.files)
    with opened(settings) as connection:
        if not dry_run:
            found = revalidate.revalidate(connection, files, timedelta(hours=max_age))
            click.echo(f"files: {found.checked} looked at, {found.changed} changed")
            for message in found.unreachable:
                notice(f"kept as it was: {message}")
        _run(connection, settings, files, wanted, dry_run=dry_run)


def bring_up_to_date(
    connection: Connection, settings: Settings, files: FontFiles, wanted: Job
) -> Report:
    """Run the job on each leg, saying on stderr by what; returns the sum of the legs' reports."""
    total = Report()
    down: list[EmbedderUnavailable] = []
    for space, embedder in _legs(connection, settings, wanted):
        with embedder:
            may_serve = embedders.may_serve(connection, space)
            state = spaces.register(connection, space, may_serve=may_serve)
            if state != "active":
                switch = f" To search by it: indexer spaces activate {space.id[:12]}" * may_serve
                notice(
                    f"{space} is a {state} space: its vectors are kept beside the serving ones.{switch}"
                )
            try:
                report = _fill(connection, settings, files, space, embedder, wanted)
            except EmbedderUnavailable as error:
                notice(f"{space.leg} leg: {error}")
                down.append(error)  # the other leg does not need it
                continue
            total.embedded += report.embedded
            total.failed += report.failed
    if down:
        raise down[0]
    return total


def _job(only: tuple[str, ...], retry_failed: bool, overwrite_text: bool, **options: Any) -> Job:
    selection = Selection(only=only or None, retry_failed=retry_failed, overwrite=overwrite_text)
    return Job(selection=selection, **options)


def _check_names(connection: Connection, selection: Selection) -> None:
    for font in selection.only or ():
        if font_id(connection, font) is None:
            raise UserError(f"There is no font {font!r}: --only takes its name or its id.")


def _run(
    connection: Connection, settings: Settings, files: FontFiles, wanted: Job, *, dry_run: bool
) -> None:
    _check_names(connection, wanted.selection)
    if dry_run:
        for space, _ in _legs(connection, settings, wanted):
            with connection.transaction(force_rollback=True):  # as if it were known already
                may_serve = embedders.may_serve(connection, space)
                spaces.register(connection, space, may_serve=may_serve)
                _explain(connection, space, wanted)
    elif bring_up_to_date(connection, settings, files, wanted).failed:
        sys.exit(1)


def _legs(connection: Connection, settings: Settings, wanted: Job) -> list[tuple[Space, Embedder]]:
    text, why = embedders.choose_text(connection, wanted.text_embedder, settings)
    notice(f"text leg: {why}")
    serving = spaces.active(connection, "vl")
    sheets = vision.choose(serving.model if serving else None, wanted.choice, settings, notice)
    offline = ", offline: measurements, no vision-language model" * (sheets.model.name == OFFLINE)
    notice(f"vl leg: {sheets.model.name}{offline}.")
    schema = TEXT_SCHEMAS.get(wanted.vl_text or _serving_text(connection))
    vl_space = embedders.vl_space(sheets, SheetSpec(), schema)
    legs: list[tuple[Space, Embedder]] = [(vl_space, sheets)]
    return [(embedders.text_space(text), text), *legs] if text else legs


def _serving_text(connection: Connection) -> str:
    """So that a nightly run without options goes on with what was activated."""
    serving = spaces.active(connection, "vl")
    if serving is None:
        return LIGHT.name
    return schema_of(serving.text_schema).name if serving.text_schema else "none"


def _fill(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    space: Space,
    embedder: Embedder,
    wanted: Job,
) -> Report:
    with ExitStack() as stack:
        show = stack.enter_context(shown(space.leg))
        ahead = None
        if space.sheet_spec is not None:
            ahead = stack.enter_context(preparer(settings, SheetSpec(), files, wanted.processes))
        try:
            report = job.index(
                connection, space, embedder, ahead,
                selection=wanted.selection, limit=wanted.limit, progress=show,
            )  # fmt: skip
        except KeyboardInterrupt:
            notice("Stopped. What is done is kept; the next run does the rest.")
            raise
    seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in report.seconds.items())
    held = "".join(f", {count} {reason}" for reason, count in sorted(report.held.items()))
    click.echo(f"{space.leg}: {report.embedded} embedded, {report.failed} failed{held} ({seconds})")
    return report


def _explain(connection: Connection, space: Space, wanted: Job) -> None:
    fonts = pending(connection, space, wanted.selection)
    work = [font for font in fonts if font.workable][: wanted.limit]
    reasons = Counter(font.reason for font in fonts)
    summary = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    click.echo(
        f"{space.leg}: would embed {len(work)} fonts into {space} ({summary or 'none pending'})"
    )
    for font in work[:20]:
        click.echo(f"  {font.name}: {font.reason}")
    if len(work) > 20:
        click.echo(f"  … and {len(work) - 20} more")
