"""Cards that hang, that come back late, and that do not come back: no call waits without end."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.embed.protocol import Document
from indexer.embed.qwen.cards import Cards
from indexer.errors import EmbedderUnavailable, FontError
from tests.fix_qwen import fault, plan, processes, sheet, stacked
from tests.fix_waiting import until

pytestmark = [pytest.mark.model, pytest.mark.slow]

DOCUMENTS = [Document(sheet=sheet(number)) for number in range(4)]
BREAKING = "import torch\ndef broken(*_, **__): raise ValueError()\ntorch.empty = broken"
SHORT = {"answer": 2.0, "document_of_cpu": 0.1, "first_pause": 0.1}


def test_a_call_waits_no_longer_than_the_limit(checkpoint_folder: Path) -> None:
    with Cards(plan(checkpoint_folder, "cpu", first_pause=60, wait=1)) as cards:
        cards.start()
        os.kill(processes()[0].pid, signal.SIGKILL)
        with pytest.raises(EmbedderUnavailable, match="No card was up for 1 s"):
            cards.embed_documents(DOCUMENTS)


def test_a_card_whose_news_cannot_be_told_leaves_nobody_waiting(checkpoint_folder: Path) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError("standard error is closed")

    with (
        Cards(plan(checkpoint_folder, "cpu"), say=closed) as cards,
        pytest.raises(EmbedderUnavailable, match="standard error is closed"),
    ):
        cards.start()


def test_no_font_is_blamed_for_a_card_that_never_answers(checkpoint_folder: Path) -> None:
    with Cards(plan(checkpoint_folder, "cpu", first_pause=0.1, barren=1)) as cards:
        crash = Document(sheet=fault("import os; os.kill(os.getpid(), 11)"))
        with pytest.raises(EmbedderUnavailable, match="is the card broken"):
            cards.embed_documents([crash])


def test_without_a_card_the_run_stops_with_a_sentence(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(checkpoint_folder, folder)
    with Cards(plan(folder, "cpu", "cpu", first_pause=0.1, starts=2)) as cards:
        cards.start()
        assert cards.given_up is None
        (folder / "model.safetensors").write_bytes(b"no weights")
        for process in processes():
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(EmbedderUnavailable, match=r"No card is left to embed with\. tiny"):
            cards.embed_documents(DOCUMENTS)
        assert cards.given_up and cards.given_up.startswith("tiny")


def test_a_card_that_hangs_is_ended_and_its_work_done_again(
    checkpoint_folder: Path,
) -> None:
    said: list[str] = []
    with Cards(plan(checkpoint_folder, "cpu", **SHORT), say=said.append) as cards:
        expected = stacked(cards.embed_documents(DOCUMENTS))
        os.kill(processes()[0].pid, signal.SIGSTOP)
        assert np.allclose(stacked(cards.embed_documents(DOCUMENTS)), expected, atol=2e-5)
        assert [line for line in said if "gave no answer for 2 s" in line]


def test_a_document_that_hangs_fails_while_queries_are_answered(checkpoint_folder: Path) -> None:
    with Cards(plan(checkpoint_folder, "cpu", **SHORT)) as cards:
        cards.start()
        with ThreadPoolExecutor(1) as threads:
            stuck = fault("import time; time.sleep(1000)")
            answer = threads.submit(cards.embed_documents, [Document(sheet=stuck)])
            while not answer.done():
                cards.embed_query("serif")
                time.sleep(0.2)
            (result,) = answer.result()
    assert isinstance(result, FontError)
    assert "gave no answer for 2 s" in result.message


@pytest.mark.usefixtures("spawned")
def test_a_start_that_hangs_is_ended(checkpoint_folder: Path) -> None:
    with (
        Cards(plan(checkpoint_folder, "cpu", start=0.5, starts=2, first_pause=0.1)) as cards,
        pytest.raises(EmbedderUnavailable, match=r"No card is left.*was not ready in"),
    ):
        cards.start()


def test_a_call_that_ends_the_program_leaves_no_process(checkpoint_folder: Path) -> None:
    with Cards(plan(checkpoint_folder, "cpu", first_pause=0.1)) as cards:
        cards.start()
        os.kill(processes()[0].pid, signal.SIGKILL)
        until(lambda: bool(processes()))
    assert not processes(), "one that was being started was ended, too"


@pytest.mark.usefixtures("spawned")
def test_what_ends_a_process_is_printed(
    checkpoint_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Cards(plan(checkpoint_folder, "cpu", first_pause=60)) as cards:
        cards.start()
        with ThreadPoolExecutor(1) as threads:
            threads.submit(cards.embed_documents, [Document(sheet=fault(BREAKING))])
            until(lambda: not processes())
            cards.close()
    written = capfd.readouterr().err
    assert "in _launch" in written
    assert written.strip().endswith("ValueError")
