"""Cards: each has its own process, all are used, and queries come first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.embed.protocol import Document, Query
from indexer.embed.qwen.cards import Cards
from indexer.embed.qwen.devices import GIB, Card, choose, fitting, look
from indexer.embed.qwen.model import Qwen3VL
from indexer.errors import EmbedderUnavailable, FontError, UserError
from tests.fix_qwen import plan, processes, sheet, stacked

pytestmark = pytest.mark.model

DOCUMENTS = [Document(sheet=sheet(number), text=f"Name: Font {number}") for number in range(8)]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def two(checkpoint_folder: Path, said: list[str]) -> Iterator[Cards]:
    with Cards(plan(checkpoint_folder, "cpu", "cpu"), say=said.append) as cards:
        cards.start()
        yield cards


@pytest.mark.slow
def test_vectors_are_those_of_one_process(
    two: Cards, said: list[str], checkpoint_folder: Path
) -> None:
    assert len(processes()) == 2
    assert two.parallel == 6
    assert len(said) == 2
    here = Qwen3VL.load(checkpoint_folder, two.model, ["cpu"])
    assert np.allclose(
        stacked(two.embed_documents(DOCUMENTS)),
        stacked(here.embed_documents(DOCUMENTS)),
        atol=2e-5,
    )
    assert np.allclose(two.embed_query("serif"), here.embed_query("serif"), atol=2e-5)


@pytest.mark.slow
def test_errors_come_back_as_they_are(two: Cards) -> None:
    broken, good = two.embed_documents([Document(sheet=b"nothing"), DOCUMENTS[0]])
    assert isinstance(broken, FontError)
    assert broken.stage == "embed"
    assert not isinstance(good, FontError)
    with pytest.raises(UserError, match="Nothing to search for"):
        two.embed_query(" ")


@pytest.mark.slow
def test_all_cards_are_used_at_once(two: Cards) -> None:
    before = [process.cpu_times().user for process in processes()]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: two.embed_documents(DOCUMENTS), range(12)))
    after = [process.cpu_times().user for process in processes()]
    worked = [late - early for early, late in zip(before, after, strict=True)]
    assert min(worked) > 0.25 * max(worked)


@pytest.mark.slow
def test_a_query_overtakes_the_documents_that_wait(two: Cards) -> None:
    two.embed_documents(DOCUMENTS)
    done: list[str] = []

    def documents() -> None:
        two.embed_documents(DOCUMENTS * 4)
        done.append("documents")

    threads = [threading.Thread(target=documents) for _ in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    before = len(done)
    two.embed_query("serif")
    done.append("query")
    for thread in threads:
        thread.join(60)
    assert len(done) == 13
    assert done.index("query") - before <= 4, "two are on each card at most"


@pytest.mark.slow
def test_queries_of_a_call_stand_in_their_places(two: Cards, checkpoint_folder: Path) -> None:
    queries = [
        Query(text="serif"),
        Query(text=" "),
        Query(image=b"nothing"),
        Query(image=sheet(3), text="bold"),
        Query(text="serif", instruction="Find it."),
    ]
    serif, empty, unreadable, picture, told = two.embed_queries(queries)
    assert isinstance(empty, UserError)
    assert "Nothing to search for" in str(empty)
    assert isinstance(unreadable, UserError)
    assert str(unreadable) == "The query cannot be embedded. The file is not an image."
    here = Qwen3VL.load(checkpoint_folder, two.model, ["cpu"])
    single = [here.embed_queries([queries[place]])[0] for place in (0, 3, 4)]
    assert np.allclose(stacked([serif, picture, told]), stacked(single), atol=2e-5)


@pytest.mark.slow
def test_closing_ends_the_processes_and_the_calls_that_wait(
    two: Cards, checkpoint_folder: Path
) -> None:
    running = processes()
    failed: list[str] = []

    def embed() -> None:
        try:
            for _ in range(1000):
                two.embed_documents(DOCUMENTS)
        except EmbedderUnavailable as error:
            failed.append(str(error))

    thread = threading.Thread(target=embed)
    thread.start()
    time.sleep(0.2)
    begin = time.monotonic()
    two.close()
    assert time.monotonic() - begin < 4, "they are told to stop, not waited for and killed"
    thread.join(10)
    assert failed
    assert not psutil.wait_procs(running, timeout=10)[1]


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_loaded_is_refused(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(checkpoint_folder, folder)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with (
        Cards(plan(folder, "cpu")) as cards,
        pytest.raises(UserError, match=r"broken cannot be loaded|holds no weights"),
    ):
        cards.start()


@pytest.mark.slow
def test_a_forecast_is_said_before_a_cpu_starts(checkpoint_folder: Path, said: list[str]) -> None:
    with Cards(plan(checkpoint_folder, "cpu"), say=said.append) as cards:
        cards.start(3)
        assert cards.batch_size < 32
    assert "sheets/s" in said[0]
    assert said[1].startswith("3 fonts will take about")


def card(free_gib: float, number: int = 0) -> Card:
    return Card(
        device=f"cuda:{number}", name="RTX 3090", free=int(free_gib * GIB), total=24 * GIB,
        capability=(8, 6),
    )  # fmt: skip


def test_the_model_is_chosen_by_free_memory() -> None:
    assert choose([card(23), card(23, 1)]).endswith("8B")
    assert choose([card(12), card(21, 1)]).endswith("8B")
    assert choose([card(12), card(19.9, 1)]).endswith("2B")
    with pytest.raises(UserError, match=r"RTX 3090 with 3.0 GiB free.*measured-traits.*remote"):
        choose([card(3)])
    with pytest.raises(UserError, match="found: no GPU"):
        choose([])


def test_only_cards_with_room_are_used() -> None:
    large = choose([card(23)])
    assert fitting([card(12), card(23, 1)], large) == ("cuda:1",)
    assert fitting([card(12), card(23, 1)], "a/checkpoint") == ("cuda:0", "cuda:1")
    with pytest.raises(UserError, match="needs 20 GiB free"):
        fitting([card(12)], large)


def test_the_host_is_looked_at_in_another_process() -> None:
    before = psutil.Process().memory_info().rss
    host = look()
    assert host.torch
    assert psutil.Process().memory_info().rss - before < 100 * 2**20
