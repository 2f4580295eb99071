"""Both legs brought up to date: which embedder fills which space, and the run that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Protocol

import psycopg

from indexer import choose, spaces
from indexer.catalog.rows import font_id
from indexer.choose import NO_OPTIONS, OFFLINE, VLOptions
from indexer.database.connect import Connection, Session
from indexer.embed.protocol import Embedder
from indexer.errors import EmbedderUnavailable, UserError
from indexer.fetch.files import FontFiles, Mode
from indexer.job.ahead import Preparer
from indexer.job.cost import Cost
from indexer.job.facts import fill_facts
from indexer.job.foreign import require_same_model
from indexer.job.pending import EVERYTHING, Claim, Selection, outstanding
from indexer.job.progress import Progress
from indexer.job.run import index
from indexer.job.sweep import sweep
from indexer.job.writers import WriterLost
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import LIGHT, TEXT_SCHEMAS, schema_of

STOPPED = "Stopped. What is done is kept; the next run does the rest."

ProgressBar = Callable[[str], AbstractContextManager[Callable[[Progress], None]]]  # of a leg


@dataclass(frozen=True, kw_only=True)
class BackfillOptions:
    """What a user decides for backfill and sync."""

    selection: Selection = EVERYTHING
    limit: int | None = None  # fonts per leg
    vl: VLOptions = NO_OPTIONS
    vl_text: str | None = None  # None: as the serving space has it
    text_embedder: str = "auto"
    trust_text_space: bool = False  # your app's text vectors are not compared with the service's
    max_cost: float | None = None  # dollars for the texts of a run
    files: Mode = "auto"
    processes: int | None = None
    prune: bool = False  # also what more than a tenth of the fonts have left


class Backfill(Protocol):
    """`backfill`, or what does the same by several workers."""

    def __call__(
        self,
        connection: Connection,
        settings: Settings,
        files: FontFiles,
        options: BackfillOptions,
        *,
        say: Callable[[str], None],
        progress_bar: ProgressBar,
    ) -> Iterator[tuple[Space, Progress]]: ...


def backfill(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    *,
    say: Callable[[str], None],
    progress_bar: ProgressBar,
) -> Iterator[tuple[Space, Progress]]:
    """Bring facts about families up to date, then run the job on each leg, and yield what came of it.

    `say` is told by what each is embedded. A leg whose embedder is down does not hold up the
    other; then EmbedderUnavailable is raised at the end. Raises UserError for an unknown font.
    """
    _refuse_unknown(connection, options.selection)
    if kept := sweep(connection, prune=options.prune):
        say(kept)
    fill_families(connection, settings, files, options, say)
    with closing(Session(connection)) as session:
        yield from _filled(session, settings, files, options, say, progress_bar)


def _filled(
    session: Session,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    say: Callable[[str], None],
    progress_bar: ProgressBar,
) -> Iterator[tuple[Space, Progress]]:
    down: list[EmbedderUnavailable] = []
    with Preparer.from_settings(settings, files, processes=options.processes) as preparer:
        for space, embedder in legs(session.connection, settings, options, say):
            with embedder, progress_bar(space.leg) as show:
                register(session.connection, space, say)
                try:
                    progress = fill(
                        session, settings, space, embedder, preparer, options, say=say, show=show
                    )
                except KeyboardInterrupt:
                    say(STOPPED)
                    raise
                except EmbedderUnavailable as error:
                    say(f"{space.leg} leg: {error}")
                    down.append(error)  # the other leg does not need it
                    continue
            yield space, progress
    if down:
        raise down[0]


def planned(
    connection: Connection,
    settings: Settings,
    options: BackfillOptions,
    *,
    say: Callable[[str], None],
) -> Iterator[tuple[Space, list[Claim]]]:
    """The pending fonts of each leg, and nothing changed.

    Raises UserError for an unknown font, and for an embedder that cannot be had.
    """
    _refuse_unknown(connection, options.selection)
    for space, _ in legs(connection, settings, options, say):
        with connection.transaction(force_rollback=True):  # as if it were known already
            may_serve = spaces.may_serve(connection, space)
            spaces.register(connection, space, may_serve=may_serve)
            fonts = outstanding(connection, space, options.selection, keep=False)
        yield space, fonts


def _refuse_unknown(connection: Connection, selection: Selection) -> None:
    """Raises UserError where a font is named that there is not."""
    for font in selection.only or ():
        if font_id(connection, font) is None:
            raise UserError(f"There is no font {font!r}: --only takes its name or its id.")


def fill_families(
    connection: Connection,
    settings: Settings,
    files: FontFiles,
    options: BackfillOptions,
    say: Callable[[str], None],
) -> None:
    """Facts about families. Before any embedder is chosen: they need none."""
    filled = fill_facts(
        connection, files,
        lambda: Preparer.from_settings(settings, files, processes=options.processes),
        selection=options.selection, limit=options.limit, say=say,
    )  # fmt: skip
    if filled:
        say(f"Facts about {filled} families (characters, styles) are up to date.")


def register(connection: Connection, space: Space, say: Callable[[str], None]) -> None:
    """Register a space. Where another one serves, `say` reports it."""
    if spaces.active(connection, space.leg) == space:
        return
    may_serve = spaces.may_serve(connection, space)
    state = spaces.register(connection, space, may_serve=may_serve)
    if state != "active":
        switch = f" To search by it: indexer spaces activate {space.id[:12]}" * may_serve
        say(
            f"{space} is a {state} space: its vectors are kept apart from the serving ones.{switch}"
        )


def fill(
    session: Session,
    settings: Settings,
    space: Space,
    embedder: Embedder,
    preparer: Preparer,
    options: BackfillOptions,
    *,
    say: Callable[[str], None],
    show: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Bring one leg up to date, over a new connection where the server ends this one.

    Raises as `index` does, and UserError where its texts may not be embedded.
    """
    progress, done_before = Progress(), -1
    while True:
        try:
            index(
                session.connection, space, embedder,
                preparer if space.sheet_spec is not None else None,
                selection=options.selection, limit=options.limit, show=show, progress=progress,
                before=lambda work: _refuse(
                    session.connection, settings, space, embedder, options, work
                ),
            )  # fmt: skip
            if not session.lost:
                return progress
        except psycopg.OperationalError as error:
            lost = session.lost or isinstance(error, WriterLost)
            # lost twice with nothing done in between, the work itself may be what ends it
            if not lost or progress.done == done_before:
                raise
        done_before = progress.done
        say("The database ended the connection. Trying again for a minute.")
        session.reconnect()


def _refuse(
    connection: Connection,
    settings: Settings,
    space: Space,
    embedder: Embedder,
    options: BackfillOptions,
    work: Sequence[Claim],
) -> None:
    """Raises UserError where texts would cost too much, or their vectors would not mix."""
    if space.leg != "text":
        return
    cost = Cost.of(space, work, settings)
    if cost and options.max_cost is not None:
        cost.require_within(options.max_cost)
    alongside = spaces.active(connection, "text") == space and not options.selection.overwrite
    if alongside and not options.trust_text_space:
        require_same_model(connection, space, embedder)


def legs(
    connection: Connection, settings: Settings, options: BackfillOptions, say: Callable[[str], None]
) -> list[tuple[Space, Embedder]]:
    """Which embedder fills which space. Raises UserError for one that is not available."""
    text, why = choose.for_texts(connection, options.text_embedder, settings)
    say(f"text leg: {why}")
    serving = spaces.active(connection, "vl")
    sheets = choose.for_sheets(serving.model if serving else None, options.vl, settings, say)
    offline = ", offline: measurements, no vision-language model" * (sheets.model.name == OFFLINE)
    say(f"vl leg: {sheets.model.name}{offline}.")
    schema = TEXT_SCHEMAS.get(options.vl_text or _serving_text(serving))
    vl_space = spaces.vl_space(sheets, SheetSpec(), schema)
    found: list[tuple[Space, Embedder]] = [(vl_space, sheets)]
    return [(spaces.text_space(text), text), *found] if text else found


def _serving_text(serving: Space | None) -> str:
    """So that a nightly run without options goes on with what was activated."""
    if serving is None:
        return LIGHT.name
    return schema_of(serving.text_schema).name if serving.text_schema else "none"
