"""The query service on a port of this machine, over a database with a few fonts in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.choose import NO_OPTIONS, VLOptions
from indexer.database.connect import Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Embedder
from indexer.fetch.files import FontFiles
from indexer.fontfile import open_font
from indexer.serve.http.access import Access
from indexer.serve.http.app import application
from indexer.serve.reading import Reader
from indexer.serve.run import Server, bound
from indexer.serve.service import Service, ServiceOptions
from indexer.serve.specimens.specimens import Specimens
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.text import PRODUCT
from indexer.traits.measure import measure
from tests.fix_waiting import until

KEY = "a-key-of-these-tests-alone"


@dataclass(frozen=True)
class Running:
    url: str
    service: Service
    http: httpx.Client
    said: list[str]
    service_token: str  # by which it knows jobs of its host

    def post(self, path: str, **body: object) -> httpx.Response:
        return self.http.post(path, json=body)


@contextlib.contextmanager
def service_on(
    database: Database,
    *,
    keys: tuple[str, ...] = (),
    vl: VLOptions = NO_OPTIONS,
    sidecar_dimension: int | None = None,
    ready: bool = True,
    **environment: object,
) -> Iterator[Running]:
    """`environment`: fields of Settings."""
    settings = Settings().model_copy(update=environment)
    said: list[str] = []
    reader = Reader.from_settings(settings, database, said.append)
    options = ServiceOptions(vl=vl, sidecar_dimension=sidecar_dimension)
    service = Service(reader, settings, options, said.append)
    access = Access(keys)
    specimens = Specimens(FontFiles.from_settings(settings, notice=said.append), processes=1)
    app = application(service, specimens, access, settings)
    server = Server(app, said.append)
    listening = bound("127.0.0.1", 0)
    url = "http://{}:{}".format(*listening.getsockname())
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            if ready:
                until(lambda: http.get("/health").status_code == 200, 120)
            yield Running(url, service, http, said, access.token)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the service did not end"


def fill(database: Database, folder: Path, count: int = 6) -> None:
    """Families that differ in contrast, weight and serifs, with vectors of both offline embedders."""
    folder.mkdir(exist_ok=True)
    made: list[tuple[str, str, Path]] = []
    for number in range(count):
        path = folder / f"{number}.ttf"
        font = ParametricFont(contrast=0.15 * number, serifs=0.3 * (number % 2))
        path.write_bytes(font.build())
        made.append((f"Family {number}", ("sans-serif", "serif")[number % 2], path))
    with database.open() as connection:
        embedders: dict[spaces.Leg, Embedder] = {"text": HashedNgrams(), "vl": MeasuredTraits()}
        text = spaces.text_space(embedders["text"])
        vl = spaces.vl_space(embedders["vl"], SheetSpec(), None)
        for space in (text, vl):
            spaces.register(connection, space)
        for name, category, path in made:
            traits = measure(open_font(path.read_bytes()))
            words = f"Name: {name}. Category: {category}."
            vectors = [
                embedder.embed_documents([Document(text=words, traits=traits)])[0]
                for embedder in embedders.values()
            ]
            connection.execute(
                "insert into public.fonts (name, category, tags, license, files, traits, embedding,"
                " embedding_vl) values (%s, %s, '{latin,elegant}', 'OFL-1.1', %s, %s, %s, %s)",
                [
                    name, category, Jsonb({"400": path.as_uri()}), Jsonb(traits.to_json()),
                    *(str(spaces.padded(vector).tolist()) for vector in vectors),
                ],
            )  # fmt: skip
    assert PRODUCT.identity == text.text_schema


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Database:
    fill(database, tmp_path / "fonts")
    return database


@pytest.fixture
def running(filled: Database) -> Iterator[Running]:
    with service_on(filled) as running:
        yield running
