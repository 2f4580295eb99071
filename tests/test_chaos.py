"""A little of what `python -m tests.chaos` does: kills, damaged fonts. What differs in the end is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.corrupted import corrupt
from tests.chaos.kills import KINDS, kill
from tests.chaos.migrations import kill_migrations

KILLS, MIGRATIONS, FONTS = 60, 5, 1000


@pytest.mark.slow
def test_killed_backfills_leave_every_row_as_an_undisturbed_one_does(data_folder: Path) -> None:
    done = kill(data_folder, KILLS, seed=12, say=print)
    assert done.total() == KILLS
    assert done.keys() == KINDS.keys()


@pytest.mark.slow
def test_killed_migrations_end_at_the_head_under_readers_and_writers(
    server: str, tmp_path: Path
) -> None:
    kill_migrations(server, tmp_path, MIGRATIONS, seed=12, say=print)


@pytest.mark.slow
def test_damaged_fonts_are_drawn_or_refused_in_a_sentence(tmp_path: Path) -> None:
    assert 0 < corrupt(tmp_path, FONTS, seed=12, say=print) < FONTS
