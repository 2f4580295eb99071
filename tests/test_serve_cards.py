"""The service with Qwen3-VL's architecture: many callers, pictures, and a job that shares its cards."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer import choose
from indexer.choose import VLOptions
from indexer.database.connect import Database
from indexer.embed.protocol import Document, Query
from indexer.embed.qwen import devices
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.devices import GIB, Card, Host
from indexer.embed.qwen.model import Qwen3VL
from indexer.embed.service import announcement
from indexer.embed.service.sheets import RemoteVL
from indexer.errors import UserError
from indexer.settings import Settings
from tests.fix_qwen import sheet
from tests.fix_service import KEY, Running, service_on

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def here(checkpoint_folder: Path) -> Qwen3VL:
    checkpoint = find(str(checkpoint_folder))
    return Qwen3VL.load(checkpoint.folder, checkpoint.model(), ["cpu"])


@pytest.fixture
def running(database: Database, checkpoint_folder: Path) -> Iterator[Running]:
    vl = VLOptions(embedder=str(checkpoint_folder), devices="cpu,cpu", share=False)
    with service_on(database, vl=vl, keys=(KEY,)) as running:
        yield running


@pytest.mark.slow
def test_many_callers_get_the_models_own_vectors(running: Running, here: Qwen3VL) -> None:
    texts = [f"bold serif number {number}" for number in range(48)]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda text: running.post("/txt/embed", input=text), texts))
    own = np.stack(here.embed_queries([Query(text=text) for text in texts]))  # type: ignore[arg-type]
    served = np.array([answer.json()["embedding"] for answer in answers])
    assert np.allclose(served, own, atol=2e-5)
    assert running.http.get("/health").json()["device"] == "cpu, cpu"
    name = "fontsight_batch_items_count"
    calls = [line for line in running.http.get("/metrics").text.splitlines() if name in line]
    assert sum(float(line.rpartition(" ")[2]) for line in calls) < len(texts), "none was shared"


@pytest.mark.slow
def test_a_picture_is_a_query_with_and_without_words(running: Running, here: Qwen3VL) -> None:
    image = base64.b64encode(sheet(3)).decode()
    picture, both = here.embed_queries(
        [Query(image=sheet(3)), Query(image=sheet(3), text="but bolder")]
    )
    assert np.allclose(
        running.post("/img/embed", input=[image]).json()["embeddings"][0], picture, atol=2e-5
    )
    width = here.model.dimension
    answer = running.post("/embed", image=f"data:image/png;base64,{image}", text="but bolder")
    assert np.allclose(answer.json()["embedding"][:width], both, atol=2e-5)
    assert not any(answer.json()["embedding"][width:])


def host(free_gib: float) -> Host:
    cards = tuple(
        Card(
            device=f"cuda:{number}", name="RTX 3090", free=int(free_gib * GIB), total=24 * GIB,
            capability=(8, 6),
        )
        for number in range(2)
    )  # fmt: skip
    return Host(
        torch="2", transformers="5", cuda="12", cards=cards, flash_attention=None, processor="x"
    )


@pytest.mark.slow
def test_a_job_on_the_same_host_shares_the_services_cards(
    running: Running,
    here: Qwen3VL,
    checkpoint_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # two cards of 24 GiB, of which the service has taken most
    monkeypatch.setattr(devices, "look", lambda: host(free_gib=4))
    monkeypatch.setattr("indexer.embed.qwen.cards.look", lambda: host(free_gib=4))
    monkeypatch.setitem(devices.NEEDS, checkpoint_folder.name, 20 * GIB)
    settings = Settings().model_copy(
        update={"data_dir": tmp_path, "vl_embedder": str(checkpoint_folder), "vl_devices": None}
    )
    said: list[str] = []
    alone = choose.for_sheets(None, VLOptions(), settings, said.append)
    with alone, pytest.raises(UserError, match="needs 20 GiB free on a card"):
        alone.start(1)

    port = int(running.url.rpartition(":")[2])
    token = running.service_token
    documents = [Document(sheet=sheet(number), text=f"Name: {number}") for number in range(6)]
    with announcement.announced(tmp_path, "127.0.0.1", port, token):
        unchosen = settings.model_copy(update={"vl_embedder": None})
        # a model of the user's in a new database, and one that was filled before
        for wanted, chosen in ((None, settings), (here.model, unchosen)):
            with choose.for_sheets(wanted, VLOptions(), chosen, said.append) as shared:
                assert isinstance(shared, RemoteVL)
                assert shared.model == here.model
                found = shared.embed_documents(documents)
            assert np.allclose(
                np.stack(found),  # type: ignore[arg-type]
                np.stack(here.embed_documents(documents)),  # type: ignore[arg-type]
                atol=2e-5,
            )
        assert f"is embedded by the service on this host, {running.url}/v1" in said[-1]
        other = replace(here.model, revision="another")
        with pytest.raises(UserError, match="revision another"):
            choose.for_sheets(other, VLOptions(), unchosen, said.append)
    metrics = running.http.get("/metrics").text
    assert 'fontsight_batch_items_sum{kind="documents",leg="vl"} 12.0' in metrics


@pytest.mark.slow
def test_queries_are_answered_while_a_job_fills_the_queue(running: Running, here: Qwen3VL) -> None:
    documents = [Document(sheet=sheet(number)) for number in range(64)]
    with (
        RemoteVL(
            base_url=f"{running.url}/v1", api_key=KEY, model=here.model, documents_wait=True
        ) as job,
        ThreadPoolExecutor(1) as beside,
    ):
        filling = beside.submit(job.embed_documents, documents)
        waited = []
        while not filling.done():
            began = time.perf_counter()
            answer = running.post("/txt/embed", input=f"serif {len(waited)}")
            assert answer.status_code == 200
            waited.append(time.perf_counter() - began)
        assert len(filling.result()) == 64
    assert len(waited) >= 5, "the queries waited for the documents"
