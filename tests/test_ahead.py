"""Fonts are prepared ahead of the embedder, which never waits for a slow one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from eval.fonts.parametric import ParametricFont
from indexer.job.ahead import Preparer
from indexer.job.pending import Claim


def claim(number: int, url: str | None) -> Claim:
    return Claim(
        font_id=UUID(int=number), name=f"Font {number}", category=None, tags=(), description=None,
        url=url, file_sha256=None, input_hash=b"", reason="new",
    )  # fmt: skip


def test_a_font_that_takes_long_holds_nobody_up(
    make_preparer: Callable[[], Preparer], tmp_path: Path
) -> None:
    path = tmp_path / "slow.ttf"
    path.write_bytes(ParametricFont().build())
    claims = [claim(0, path.as_uri()), *(claim(number, None) for number in range(1, 40))]
    with make_preparer() as preparer:
        found = [outcome.claim.font_id.int for outcome in preparer.outcomes(claims, ahead=4)]
    assert sorted(found) == list(range(40)), "each once"
    assert found.index(0) > 4, "those without a file have nothing to wait for"


def test_no_more_claims_are_taken_than_are_wanted_ahead(
    make_preparer: Callable[[], Preparer],
) -> None:
    claims = iter([claim(number, None) for number in range(20)])
    with make_preparer() as preparer:
        outcomes = preparer.outcomes(claims, ahead=3)
        next(outcomes)
        left = len(list(claims))
        assert left >= 20 - 3 - 1
        outcomes.close()  # type: ignore[attr-defined]


def test_a_job_that_is_timed_has_its_processes_started_before(
    make_preparer: Callable[[], Preparer],
) -> None:
    with make_preparer() as preparer:
        preparer.warm_up()
        assert len(preparer._pool.ids) == preparer.processes
