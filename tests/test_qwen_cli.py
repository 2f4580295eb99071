"""Which embedder of sheets the commands choose, and a whole job with Qwen3-VL's architecture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fix_qwen import NEEDS_TORCH

pytest.importorskip("torch", reason=NEEDS_TORCH)

from indexer.cli import main
from indexer.database.connect import Connection, Database
from indexer.embed.protocol import Query
from indexer.embed.qwen.checkpoint import find
from indexer.embed.qwen.model import Qwen3VL
from indexer.errors import UserError
from indexer.sheet.render import SheetSpec
from tests.fix_cli import Indexer, font_folder, process_runner, runner
from tests.fix_mcp import Assistant, converse

pytestmark = pytest.mark.model


@pytest.fixture
def indexer(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Indexer:
    """As on a host where nothing is chosen by the environment."""
    for name in ("FONTSIGHT_VL_EMBEDDER", "FONTSIGHT_VL_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return runner(tmp_path, DATABASE_URL=database.conninfo)


@pytest.fixture
def fonts(indexer: Indexer, tmp_path: Path) -> Path:
    folder = font_folder(tmp_path / "fonts")
    indexer("import", "directory", str(folder))
    return folder


@pytest.mark.slow
def test_without_a_card_it_refuses_before_any_work(
    indexer: Indexer, fonts: Path, connection: Connection
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    said = indexer("backfill", expect=1).stderr
    assert "found: no GPU" in said
    for way_out in ("measured-traits", "remote", "cpu"):
        assert way_out in said
    assert connection.execute("select count(embedding) from fonts").fetchone() == (0,)


@pytest.mark.slow
def test_a_whole_job_on_two_processes(
    indexer: Indexer, database: Database, tmp_path: Path, fonts: Path, connection: Connection,
    checkpoint_folder: Path,
) -> None:  # fmt: skip
    model = ["--vl-embedder", str(checkpoint_folder), "--devices", "cpu,cpu"]
    assert "would embed 5 fonts" in indexer("backfill", *model, "--dry-run").stdout
    done = process_runner(tmp_path, DATABASE_URL=database.conninfo)("backfill", *model)
    assert "vl: 5 embedded, 0 failed" in done.stdout
    assert "fonts will take about" in done.stderr
    assert "Loading weights" not in done.stderr
    assert "vl: 0 embedded" in indexer("backfill", *model).stdout

    identity, dimension = connection.execute(
        "select identity, (identity->'model'->>'dimension')::int from font_index.spaces "
        "where leg = 'vl'"
    ).fetchone()  # type: ignore[misc]
    assert identity["model"]["name"] == checkpoint_folder.name
    assert identity["model"]["pooled_token"] == 0
    assert "fonts" in identity["model"]["query_instruction"]
    row = connection.execute("select embedding_vl from fonts order by name limit 1").fetchone()
    assert row is not None
    stored = np.asarray(row[0].to_list())
    assert not stored[dimension:].any(), "padded with zeros"

    said = indexer("search", "bold serif").stderr
    assert "vl leg omitted: The vl vectors were made by" in said
    assert "a folder of yours: set FONTSIGHT_VL_EMBEDDER to its path" in said


@pytest.mark.slow
def test_a_query_is_embedded_by_what_made_the_vectors(
    indexer: Indexer, fonts: Path, connection: Connection, checkpoint_folder: Path, tmp_path: Path,
    database: Database, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    on_a_cpu = runner(
        tmp_path, DATABASE_URL=database.conninfo, FONTSIGHT_VL_EMBEDDER=str(checkpoint_folder),
        FONTSIGHT_VL_DEVICES="cpu",
    )  # fmt: skip
    on_a_cpu("backfill", "--vl-text", "none")
    hits = json.loads(
        on_a_cpu(
            "search", "bold serif", "--alpha", "0", "--words", "0", "--no-collapse", "--json"
        ).stdout
    )
    checkpoint = find(str(checkpoint_folder))
    here = Qwen3VL.load(checkpoint.folder, checkpoint.model(), ["cpu"])
    query = here.embed_query("bold serif")
    rows = connection.execute("select name, embedding_vl from fonts").fetchall()
    expected = {name: float(np.asarray(vector.to_list())[:64] @ query) for name, vector in rows}
    assert {hit["name"]: hit["vl_similarity"] for hit in hits} == pytest.approx(expected, abs=2e-3)
    # by a picture, and by a picture and words
    letters = tmp_path / "letters.png"
    indexer("render", str(next(fonts.iterdir())), "-o", str(letters))
    pictures = [Query(text=words, image=letters.read_bytes()) for words in (None, "bold serif")]
    by_picture, by_both = here.embed_queries(pictures)
    assert not isinstance(by_picture, UserError)
    expected = {
        name: float(np.asarray(vector.to_list())[:64] @ by_picture) for name, vector in rows
    }
    done = on_a_cpu("search", "--image", str(letters), "--alpha", "0", "--no-collapse", "--json")
    found = {hit["name"]: hit["vl_similarity"] for hit in json.loads(done.stdout)}
    assert found == pytest.approx(expected, abs=2e-3)
    done = on_a_cpu("embed", "bold serif", "--image", str(letters))
    assert np.allclose(json.loads(done.stdout), by_both, atol=2e-3)

    async def conversation(assistant: Assistant) -> None:
        answer = await assistant.ask("search_fonts", image_file=str(letters), alpha=0)
        found = {font["name"]: font["vl_similarity"] for font in answer["fonts"]}
        assert found == pytest.approx(expected, abs=2e-3)

    monkeypatch.setenv("FONTSIGHT_VL_EMBEDDER", str(checkpoint_folder))
    monkeypatch.setenv("FONTSIGHT_VL_DEVICES", "cpu")
    converse(database, tmp_path, conversation)
    # B1, sheets alone: what the space says it depends on
    space = connection.execute(
        "select identity->>'text_schema', identity->>'sheet_spec' from font_index.spaces "
        "where leg = 'vl'"
    ).fetchone()
    assert space == (None, SheetSpec().identity)


@pytest.mark.slow
def test_another_checkpoint_fills_a_candidate_and_never_mixes(
    indexer: Indexer, fonts: Path, connection: Connection, checkpoint_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(checkpoint_folder, other)
    (other / "chat_template.jinja").write_text(
        (checkpoint_folder / "chat_template.jinja").read_text() + " "
    )
    indexer("backfill", "--vl-embedder", str(checkpoint_folder), "--devices", "cpu")
    before = connection.execute("select name, embedding_vl::text from fonts order by 1").fetchall()
    said = indexer("backfill", "--vl-embedder", str(other), "--devices", "cpu")
    assert "is a candidate space" in said.stderr
    assert "vl: 5 embedded" in said.stdout
    after = connection.execute("select name, embedding_vl::text from fonts order by 1").fetchall()
    assert after == before
    refused = indexer("backfill", expect=1).stderr
    assert "a folder of yours: set FONTSIGHT_VL_EMBEDDER to its path" in refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--vl-embedder", "remote"], "Set VL_EMBEDDING_URL"),
        (["--vl-embedder", "no such/thing"], "neither a folder nor a model's name"),
        (["--vl-embedder", "TINY", "--dim", "128"], "64 to 64 dimensions"),
        (["--vl-embedder", "TINY", "--vl-revision", "main"], "no revision to choose"),
        (["--vl-embedder", "TINY", "--devices", "cuda:7"], "cuda:7"),
        (["--vl-embedder", "8b"], "hf download Qwen/Qwen3-VL-Embedding-8B"),
    ],
    ids=["remote without a URL", "nonsense", "dimension", "revision", "device", "not downloaded"],
)
def test_mistakes_get_a_sentence(
    indexer: Indexer, fonts: Path, checkpoint_folder: Path, options: list[str], sentence: str
) -> None:
    written = [str(checkpoint_folder) if word == "TINY" else word for word in options]
    assert sentence in indexer("backfill", "--text-embedder", "none", *written, expect=1).stderr


@pytest.mark.slow
def test_doctor_reports_and_loads_the_model(indexer: Indexer, checkpoint_folder: Path) -> None:
    done = indexer("doctor", "--vl-embedder", str(checkpoint_folder), "--devices", "cpu")
    for what in ("torch:", "cards:", "attention:", "database:", "model:"):
        assert what in done.stdout
    assert "sheets at once" in done.stdout
    assert checkpoint_folder.name in done.stdout


@pytest.mark.slow
def test_doctor_says_what_is_missing(indexer: Indexer) -> None:
    done = indexer("doctor", "--quick", "--vl-embedder", "8b", "--json", expect=1)
    found = json.loads(done.stdout)
    assert found["problem"].startswith("Qwen/Qwen3-VL-Embedding-8B")
    assert {"indexer", "database", "torch", "warnings"} <= found.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["doctor", "--quick", "--vl-embedder", "measured-traits"], "measured-traits"),
        (["backfill", "--vl-embedder", "measured-traits"], "vl: 5 embedded"),
        (["backfill", "--vl-embedder", "2b"], "pip install 'fontsight[vl]'"),
    ],
)
def test_without_the_extra_everything_else_works(
    fonts: Path, database: Database, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'tokenizers', 'huggingface_hub', 'accelerate'):\n"
        "    sys.modules[name] = None\n"
        "from indexer.cli import main\n"
        f"main({arguments!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DATABASE_URL": database.conninfo},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_options_are_the_same_everywhere() -> None:
    names = {"vl_embedder", "vl_revision", "dim", "devices", "shard"}
    for command in ("backfill", "sync", "doctor"):
        assert names <= {parameter.name for parameter in main.commands[command].params}
