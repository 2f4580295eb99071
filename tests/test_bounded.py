"""Fonts of others are opened within limits that belong to the machine, and nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from eval.fonts.parametric import ParametricFont
from indexer import bounded
from indexer.bounded import (
    MAX_PROCESS_BYTES,
    MIN_PROCESS_BYTES,
    FontProcesses,
    LimitError,
    Share,
)
from indexer.errors import FontError, UserError
from indexer.job.prepare import facts_of_file
from indexer.memory import available_bytes
from tests.fix_bounded import MIB, bomb, lives
from tests.fix_waiting import until

GIB = 1024 * MIB


def test_bombs_in_all_processes_stay_within_the_share_of_the_machine(
    two_processes: FontProcesses, tmp_path: Path
) -> None:
    paths = [bomb(tmp_path / f"{number}.woff2", 640) for number in range(4)]
    assert max(path.stat().st_size for path in paths) < 200_000
    calls = [two_processes.submit(facts_of_file, path, 0, "Bomb") for path in paths]
    for call in calls:
        with pytest.raises(FontError, match="needs more memory than is allowed"):
            call.result()
    status = [Path(f"/proc/{process}/status").read_text() for process in two_processes.ids]
    peaks = [int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) * 1024 for text in status]
    assert len(peaks) == two_processes.count == 2
    assert sum(peaks) < 2 * MIN_PROCESS_BYTES
    # and the processes are there for the next font
    good = tmp_path / "good.ttf"
    good.write_bytes(ParametricFont().build())
    assert two_processes.call(facts_of_file, good, 0, "Good").coverage


@pytest.mark.parametrize(
    ("available", "wanted", "count", "each"),
    [
        (24 * GIB, 1, 1, MAX_PROCESS_BYTES),
        (24 * GIB, 8, 8, 24 * GIB // 16),
        (4 * GIB, 63, 4, 512 * MIB),
        (1 * GIB, 4, 1, 512 * MIB),
        (0, 4, 1, 512 * MIB),
    ],
)
def test_processes_share_half_of_what_is_available(
    available: int, wanted: int, count: int, each: int
) -> None:
    assert Share.of(available, wanted) == Share(count=count, bytes_each=each)


def group(root: Path, folder: str, **files: str) -> None:
    place = root / "sys/fs/cgroup" / folder
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / f"memory.{name}").write_text(content)


def test_the_limit_of_a_container_counts_and_its_page_cache_does_not(tmp_path: Path) -> None:
    here = tmp_path / "proc/self"
    here.mkdir(parents=True)
    machine = available_bytes(tmp_path)
    (here / "cgroup").write_text("0::/app/job\n")
    group(tmp_path, "app/job", max="max\n", current="5\n", stat="inactive_file 0\n")
    assert available_bytes(tmp_path) > machine / 2  # no limit, no change
    group(tmp_path, "other", max="1000000\n", current="0\n", stat="inactive_file 0\n")
    assert available_bytes(tmp_path) > machine / 2  # not its own
    (tmp_path / "sys/fs/cgroup/app/memory.max").write_text("3000000\n")
    (tmp_path / "sys/fs/cgroup/app/memory.current").write_text("2500000\n")
    (tmp_path / "sys/fs/cgroup/app/memory.stat").write_text("anon 7\ninactive_file 400000\n")
    assert available_bytes(tmp_path) == 900_000  # of the group above


def test_the_limit_of_an_older_kernels_container_counts_too(tmp_path: Path) -> None:
    here = tmp_path / "proc/self"
    here.mkdir(parents=True)
    # in a container its own group is the top, though its name is the host's
    (here / "cgroup").write_text("3:cpuset:/\n2:cpu,memory:/docker/4f7a\n0::/\n")
    group(
        tmp_path, "memory",
        limit_in_bytes="2000000\n", usage_in_bytes="2500000\n", stat="total_inactive_file 100000\n",
    )  # fmt: skip
    assert available_bytes(tmp_path) == 0


def slow(seconds: float) -> None:
    time.sleep(seconds)


def awkward() -> None:
    class Local(Exception):
        pass

    raise Local("cannot be pickled")


def test_a_call_that_takes_too_long_ends_by_itself() -> None:
    processes = FontProcesses(1, seconds=0.2)
    with pytest.raises(LimitError, match=r"not rendered within 0\.2 seconds"):
        processes.call(slow, 60)
    assert processes.call(os.getpid) == processes.ids[0]
    processes.close()


def test_whatever_a_call_raises_arrives_and_ends_nothing(two_processes: FontProcesses) -> None:
    with pytest.raises(RuntimeError, match="Local: cannot be pickled"):
        two_processes.call(awkward)
    with pytest.raises(TypeError):
        two_processes.call(facts_of_file)
    with pytest.raises(LimitError, match=r"crashed the renderer \(exit code 9\)"):
        two_processes.call(os._exit, 9)
    assert two_processes.call(os.getpid) in two_processes.ids


def test_a_process_that_others_end_is_no_fault_of_its_font() -> None:
    processes = FontProcesses(1, seconds=20)
    before = processes.call(os.getpid)
    os.kill(before, signal.SIGTERM)
    assert processes.call(os.getpid) != before
    processes.close()


def test_a_process_that_others_end_as_it_starts_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    once = f"""
import os, pathlib
if not os.path.exists({str(ended)!r}):
    pathlib.Path({str(ended)!r}).touch()
    os.kill(os.getpid(), 9)
"""
    monkeypatch.setattr(bounded, "BOOT", once + bounded.BOOT)
    processes = FontProcesses(1, seconds=20)
    assert processes.call(os.getpid) == processes.ids[0]
    assert ended.exists()
    processes.close()


def test_where_no_process_starts_no_font_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "BOOT", "raise SystemExit(3)")
    processes = FontProcesses(1, seconds=20)
    with pytest.raises(UserError, match=r"cannot be started \(exit code 3\)"):
        processes.call(os.getpid)
    processes.close()


def test_what_was_submitted_is_done_or_cancelled_at_the_end() -> None:
    processes = FontProcesses(1, seconds=20)
    done = [processes.submit(os.getpid) for _ in range(3)]
    processes.close()
    assert all(call.result() for call in done)
    processes = FontProcesses(1, seconds=20)
    running, waiting = processes.submit(slow, 60), processes.submit(slow, 60)
    until(lambda: bool(processes.ids))
    processes.close(now=True)
    assert running.exception() is not None
    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        processes.submit(os.getpid)


KILLED = """
    import os, sys, time
    from indexer.bounded import FontProcesses
    processes = FontProcesses(2, seconds=2)
    calls = [processes.submit(time.sleep, 60) for _ in range(2)]
    while len(processes.ids) < 2:
        time.sleep(0.01)
    print(*processes.ids, flush=True)
    calls[0].result()
"""


def test_a_killed_command_leaves_no_process_and_no_semaphore() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    ) as command:  # fmt: skip
        assert command.stdout
        children = [psutil.Process(int(number)) for number in command.stdout.readline().split()]
        memory = Path(f"/proc/{command.pid}/maps").read_text()
        os.kill(command.pid, signal.SIGKILL)
    assert len(children) == 2
    assert "python" in memory and "/sem." not in memory  # named ones outlive a kill
    until(lambda: not any(map(lives, children)))
