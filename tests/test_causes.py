"""What failed: by cause, made due again, and a run that stops where nearly all fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indexer import spaces
from indexer.database.connect import Connection
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.job.ahead import Preparer
from indexer.job.causes import by_cause
from indexer.job.pending import Selection, pending
from indexer.job.progress import MIN_DONE, TooManyFailed
from indexer.job.run import BATCH, index
from indexer.job.store import make_due
from indexer.job.writers import IN_HAND, WRITERS
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from tests.fix_fonts import AddFonts

MakePreparer = Callable[[], Preparer]


def test_messages_that_differ_in_names_and_numbers_are_one_cause() -> None:
    messages = [
        "The file a.woff2 is not there, or not a plain file.",
        "https://example.org/a.ttf took longer than 60 seconds.",
        "The file b-700.ttf is not there, or not a plain file.",
        "The font maps no character to a glyph.",
        "https://example.org/b?x=1 took longer than 30 seconds.",
        "The file c.woff2 is not there, or not a plain file.",
    ]
    assert by_cause(messages, str) == [
        [messages[0], messages[2], messages[5]],
        [messages[1], messages[4]],
        [messages[3]],
    ]


def run(connection: Connection, make_preparer: MakePreparer, selection: Selection) -> Space:
    embedder = MeasuredTraits()
    space = spaces.vl_space(embedder, SheetSpec(), None)
    spaces.register(connection, space)
    with make_preparer() as preparer:
        index(connection, space, embedder, preparer, selection=selection)
    return space


def add_broken(connection: Connection, count: int) -> None:
    connection.execute(
        "insert into fonts (name, files)"
        " select 'Broken ' || n, jsonb_build_object('400', 'ftp://example.org/' || n || '.ttf')"
        " from generate_series(1, %s) n",
        [count],
    )


def test_a_run_of_which_most_fails_stops_and_says_why(
    connection: Connection, make_preparer: MakePreparer
) -> None:
    add_broken(connection, 10 * MIN_DONE)
    with pytest.raises(TooManyFailed, match=r"fetch\): The address is neither http") as stopped:
        run(connection, make_preparer, Selection())
    assert "indexer retry" in str(stopped.value)
    [failed] = connection.execute("select count(*) from font_index.failures").fetchone() or (0,)
    # those that the writers had in hand are recorded, too
    assert MIN_DONE <= failed < MIN_DONE + (IN_HAND * WRITERS + 2) * BATCH < 10 * MIN_DONE
    assert connection.execute("select count(*) from font_index.leases").fetchone() == (0,)
    with pytest.raises(TooManyFailed):
        run(connection, make_preparer, Selection())
    # those that failed before do not stop a run that tries them again
    connection.execute(
        "delete from fonts where id not in (select font_id from font_index.failures)"
    )
    run(connection, make_preparer, Selection(retry_failed=True))


def test_failures_are_made_due_by_stage_reason_and_font(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_broken(connection, 2)
    add_fonts(connection, 1)[0].write_bytes(b"wOF2 and then nothing")
    space = run(connection, make_preparer, Selection())
    connection.execute("update font_index.failures set next_try_at = null")

    def due() -> set[str]:
        return {font.name for font in pending(connection, space) if font.reason == "retry"}

    assert due() == set()
    assert make_due(connection, stage="render", reason=None, fonts=None) == 0
    assert make_due(connection, stage="fetch", reason="NEITHER HTTP", fonts=("Broken 2",)) == 1
    assert due() == {"Broken 2"}
    assert make_due(connection, stage="open", reason=None, fonts=None) == 1
    assert due() == {"Broken 2", "Font 00"}
    assert make_due(connection, stage=None, reason=None, fonts=None) == 3
