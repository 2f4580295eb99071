"""Cards whose processes end: they are started again, and only what is to blame fails."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.embed.protocol import Document, Query
from indexer.embed.qwen.cards import Cards
from indexer.errors import EmbedderUnavailable, FontError, UserError
from tests.fix_qwen import fault, plan, processes, sheet, stacked
from tests.fix_waiting import until

pytestmark = [pytest.mark.model, pytest.mark.slow]

DOCUMENTS = [Document(sheet=sheet(number)) for number in range(4)]
CRASH = "import os; os.kill(os.getpid(), 11)"
# the first thing that a launch does, and the last of collecting
IN_LAUNCHING = "import torch\ndef empty(*_, **__): raise {}\ntorch.empty = empty"
NO_MEMORY = "from indexer.embed.qwen.model import Qwen3VL\nQwen3VL.run = lambda *_: None"
IN_COLLECTING = "import torch\ndef numpy(*_): raise {}\ntorch.Tensor.numpy = numpy"


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def shared(checkpoint_folder: Path, said: list[str]) -> Iterator[Cards]:
    with Cards(plan(checkpoint_folder, "cpu", "cpu", first_pause=0.1), say=said.append) as cards:
        cards.start()
        yield cards


@pytest.fixture
def two(shared: Cards) -> Cards:
    """Both up."""
    until(lambda: sum(card.process is not None for card in shared._pool.left) == 2)
    return shared


def pids() -> set[int]:
    return {process.pid for process in processes()}


@pytest.mark.parametrize("breaking", [IN_LAUNCHING, IN_COLLECTING], ids=["launching", "collecting"])
@pytest.mark.parametrize("error", ["RuntimeError()", "SystemExit()"])
def test_no_error_in_a_thread_of_the_process_is_lost(two: Cards, breaking: str, error: str) -> None:
    (result,) = two.embed_documents([Document(sheet=fault(breaking.format(error)))])
    assert isinstance(result, FontError)
    assert "ended the embedder twice" in result.message


@pytest.mark.parametrize(
    "code",
    [
        "class Local(Exception): pass\nraise Local('odd')",  # does not pickle
        "import httpx\nraise httpx.HTTPStatusError('odd', request=None, response=None)",  # nor back
        "class Panic(BaseException): pass\nraise Panic('odd')",
        "class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute('odd')",
    ],
    ids=["local", "needs keywords", "no Exception", "without words"],
)
def test_whatever_reading_raises_fails_that_document_alone(two: Cards, code: str) -> None:
    before = pids()
    good, bad = two.embed_documents([DOCUMENTS[0], Document(sheet=fault(code))])
    assert np.shape(good) == (two.model.dimension,)
    assert isinstance(bad, FontError)
    assert bad.message.startswith("It cannot be read: ")
    assert pids() == before


def test_a_document_that_kills_its_process_fails_alone(two: Cards) -> None:
    expected = stacked(two.embed_documents(DOCUMENTS))
    before = pids()
    killer = Document(sheet=fault(f"import time; time.sleep(1)\n{CRASH}"))
    with ThreadPoolExecutor(8) as threads:
        guilty = threads.submit(two.embed_documents, [*DOCUMENTS[:3], killer])
        time.sleep(0.2)
        together = [threads.submit(two.embed_documents, DOCUMENTS) for _ in range(3)]
        single = [threads.submit(two.embed_documents, [document]) for document in DOCUMENTS]
        *good, bad = guilty.result(120)
        for answer in together:
            assert np.allclose(stacked(answer.result(120)), expected, atol=2e-5)
        alone = [answer.result(120)[0] for answer in single]
    assert isinstance(bad, FontError)
    assert bad.stage == "embed"
    assert "exit code -11" in bad.message
    assert np.allclose(stacked(good), expected[:3], atol=2e-5)
    assert np.allclose(stacked(alone), expected, atol=2e-5)
    assert len(before & pids()) == 1, "the other card went on"


def test_a_query_that_kills_its_process_fails_alone(two: Cards) -> None:
    expected = two.embed_query("serif")
    good, bad = two.embed_queries([Query(text="serif"), Query(image=fault(CRASH))])
    assert np.allclose(stacked([good]), expected, atol=2e-5)
    assert isinstance(bad, UserError)
    assert not isinstance(bad, EmbedderUnavailable)
    assert "ended the embedder twice" in str(bad)


def test_a_card_that_dies_loses_nothing_and_comes_back(two: Cards, said: list[str]) -> None:
    expected = stacked(two.embed_documents(DOCUMENTS))
    del said[:]
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(two.embed_documents, DOCUMENTS) for _ in range(8)]
        os.kill(processes()[0].pid, signal.SIGKILL)
        for answer in answers:
            assert np.allclose(stacked(answer.result(60)), expected, atol=2e-5)
    assert "ended (exit code -9). It is started again in 0 s." in said[0]
    assert two.parallel == 6
    until(lambda: sum(card.process is not None for card in two._pool.left) == 2)


def test_queries_go_on_while_a_card_is_gone(two: Cards) -> None:
    expected = two.embed_query("serif")
    os.kill(processes()[0].pid, signal.SIGKILL)
    begin = time.monotonic()
    for _ in range(5):
        assert np.allclose(two.embed_query("serif"), expected, atol=2e-5)
    assert time.monotonic() - begin < 2


def test_a_call_waits_for_the_only_card_to_come_back(two: Cards) -> None:
    expected = stacked(two.embed_documents(DOCUMENTS))
    for process in processes():
        os.kill(process.pid, signal.SIGKILL)
    assert np.allclose(stacked(two.embed_documents(DOCUMENTS)), expected, atol=2e-5)


def test_a_card_without_memory_leaves_its_work_to_the_others(
    two: Cards, said: list[str], tmp_path: Path
) -> None:
    expected = stacked(two.embed_documents(DOCUMENTS))
    del said[:]
    once = f"import os\nos.mkdir({str(tmp_path / 'once')!r})\n{NO_MEMORY}"
    short = Document(sheet=fault(f"try:\n  exec({once!r})\nexcept FileExistsError: pass"))
    *good, last = two.embed_documents([*DOCUMENTS, short])
    assert np.allclose(stacked(good), expected, atol=2e-5)
    assert not isinstance(last, FontError)
    assert "cpu has no memory for a single document" in said[0]
    assert "started again" in said[0]


def test_a_card_that_never_has_memory_is_given_up(checkpoint_folder: Path) -> None:
    said: list[str] = []
    limits = plan(checkpoint_folder, "cpu", first_pause=0.05, barren=2)
    with (
        Cards(limits, say=said.append) as cards,
        pytest.raises(EmbedderUnavailable, match=r"No card is left.*no memory for a single"),
    ):
        cards.embed_documents([Document(sheet=fault(NO_MEMORY))])
    assert said[-1].endswith("cpu is given up.")


def test_a_card_that_cannot_start_does_not_stop_the_others(checkpoint_folder: Path) -> None:
    said: list[str] = []
    with Cards(plan(checkpoint_folder, "cpu", "cuda:7"), say=said.append) as cards:
        stacked(cards.embed_documents(DOCUMENTS))
    assert [line for line in said if "'cuda:7' is no device of this host" in line]
    assert said[-1].endswith("The other cards go on.")
