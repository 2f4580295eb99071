"""The programs of sql/README.md that an app copies, run: against PostgREST, and `indexer serve` as it is,
stopped, and gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fix_cli import font_folder, runner
from tests.fix_embedding_service import Answer, Service, numbers_of
from tests.fix_postgrest import Api, NpmPackages, Serve, answers, token
from tests.fix_servers import free_port, running
from tests.fix_waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.network]

ROOT = Path(__file__).parent.parent
SUPABASE_JS = "@supabase/supabase-js@2.109.0"  # the last that Node 20 runs
PACKAGES = ("typescript@5.9.3", SUPABASE_JS, "@types/node@20.19.0", "deno@2.9.6")
COMPILER = {
    "strict": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom"],
    "types": ["node"],
    "paths": {"@/*": ["./*"]},  # as create-next-app has it
    "rootDir": ".",
    "outDir": "compiled",
    "skipLibCheck": True,
}
# test_types.py compiles against what Supabase really generates
GENERATED = """
    type Nothing = Record<never, never>;
    export type Database = {
      public: { Tables: Nothing; Views: Nothing; Functions: Nothing; Enums: Nothing; CompositeTypes: Nothing };
    };
"""
SHARED = "vectors.ts"
ROUTE = "app/api/search/route.ts"
FUNCTION = "supabase/functions/search/index.ts"
PLATFORM = "https://project.supabase.example"
OPENROUTER = "https://openrouter.ai/api/v1"
KEY = "key-of-this-tests-service"
TEXT_KEY = "key-of-this-tests-texts"
QUERY = "high contrast serif"
SECONDS_WITHOUT_SIGHT = 0.3  # of sql/README.md
PATIENCE = 1.2  # two cores, shared; less than the 2 s that a text vector may take


def written(path: str) -> str:
    """The file of that name in sql/README.md."""
    document = (ROOT / "sql/README.md").read_text("utf-8")
    [code] = re.findall(rf"```ts\n// {re.escape(path)}\n(.*?)```", document, re.DOTALL)
    return str(code)


def text_vectors(request: dict[str, Any]) -> Answer:
    """Of 4096 numbers, as OpenRouter gives them for one text or several."""
    texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": numbers_of(text) * 512}
        for index, text in enumerate(texts)
    ]
    return 200, {}, {"object": "list", "data": data, "model": request["model"]}


@pytest.fixture(scope="module")
def openrouter() -> Iterator[Service]:
    service = Service()
    service.scripts = [text_vectors]
    with running(service.server):
        yield service


@pytest.fixture(scope="module")
def api(
    serve: Serve, openrouter: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """Five fonts, drawn, measured and embedded by the job."""
    home = tmp_path_factory.mktemp("home")
    with serve() as api:
        run = runner(
            home, DATABASE_URL=api.owner, TEXT_EMBEDDING_URL=openrouter.url,
            TEXT_EMBEDDING_API_KEY=TEXT_KEY,
        )  # fmt: skip
        run("import", "directory", str(font_folder(home / "fonts")))
        run("backfill", "--vl-embedder", "measured-traits")
        api.admin.execute("grant anon to owner")  # as on Supabase
        yield api


@dataclass(frozen=True)
class Sight:
    """`indexer serve`, as a process of its own."""

    url: str
    process: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def sight(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sight]:
    home = tmp_path_factory.mktemp("sight")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ, "DATABASE_URL": api.owner, "FONTSIGHT_SERVE_KEYS": f"another-key-of-it,{KEY}",
        "FONTSIGHT_DATA_DIR": str(home),
    }  # fmt: skip
    command = [sys.executable, "-m", "indexer", "serve", f"--port={port}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: answers(f"{url}/health") or process.poll() is not None)
        assert process.poll() is None, (home / "log").read_text()
        yield Sight(url, process)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def project(npm_packages: NpmPackages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with both files at their places, the route compiled."""
    folder = tmp_path_factory.mktemp("project")
    packages = npm_packages(*PACKAGES)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    name, _, version = SUPABASE_JS.rpartition("@")
    types = (ROOT / "sql/types.ts").read_text("utf-8")
    options = {"compilerOptions": COMPILER, "include": ["app", "lib"]}
    for path, content in {
        "package.json": json.dumps({"type": "module", "dependencies": {name: version}}),
        "deno.json": json.dumps({"nodeModulesDir": "manual"}),
        "tsconfig.json": json.dumps(options),
        "lib/database.types.ts": GENERATED,
        "lib/fontsight.ts": types,
        "supabase/functions/_shared/database.types.ts": GENERATED,
        "supabase/functions/_shared/fontsight.ts": types,
        "lib/vectors.ts": written(SHARED),
        "supabase/functions/_shared/vectors.ts": written(SHARED),
        ROUTE: written(ROUTE),
        FUNCTION: written(FUNCTION),
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, "utf-8")
    subprocess.run(["node", folder / "node_modules/typescript/bin/tsc", "-p", folder], check=True)
    # what Next.js makes of @/lib
    library = folder / "compiled/lib"
    package = {"type": "module", "exports": {"./*": "./*.js"}}
    (library / "package.json").write_text(json.dumps(package), "utf-8")
    (folder / "compiled/node_modules/@").mkdir(parents=True)
    (folder / "compiled/node_modules/@/lib").symlink_to(library)
    return folder


def node(project: Path, port: int) -> list[str]:
    compiled = project / "compiled" / Path(ROUTE).with_suffix(".js")
    # Node 22 has the WebSocket without which supabase-js does not start, Node 20 on request
    return ["node", "--experimental-websocket", f"--import={ROOT / 'tests/app_addresses.mjs'}",
            str(ROOT / "tests/app_route.mjs"), str(port), str(compiled)]  # fmt: skip


def deno(project: Path, port: int) -> list[str]:
    # the package's own start script is for installs that may run scripts
    [program] = (project / "node_modules/@deno").glob("*/deno")
    return [str(program), "run", "--check", "--no-prompt", "--allow-env", "--allow-net=127.0.0.1",
            f"--preload={ROOT / 'tests/app_addresses.mjs'}", str(project / FUNCTION)]  # fmt: skip


@dataclass(frozen=True)
class App:
    url: str
    log: Path

    def post(self, body: Any) -> httpx.Response:
        return httpx.post(self.url, json=body, trust_env=False, timeout=30)

    def search(self, query: str = QUERY, **more: Any) -> dict[str, Any]:
        answer = self.post({"query": query, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")


Run = Callable[..., contextlib.AbstractContextManager[App]]


@pytest.fixture(scope="module", params=[node, deno])
def run_app(
    request: pytest.FixtureRequest, project: Path, api: Api, openrouter: Service, sight: Sight,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:  # fmt: skip
    """Runs the route, or the function, with what its platform gives it; `changes` are to its environment."""

    @contextlib.contextmanager
    def run_app(**changes: str) -> Iterator[App]:
        port = free_port()
        log = tmp_path_factory.mktemp("app") / "log"
        anon = token("anon")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}",
            "REROUTED": json.dumps({f"{PLATFORM}/rest/v1": api.url, OPENROUTER: openrouter.url}),
            "NEXT_PUBLIC_SUPABASE_URL": PLATFORM,
            "NEXT_PUBLIC_SUPABASE_ANON_KEY": anon,
            "SUPABASE_URL": PLATFORM,
            "SUPABASE_ANON_KEY": anon,
            "OPENROUTER_API_KEY": TEXT_KEY,
            "VL_EMBEDDING_ENDPOINT": f"{sight.url}/embed",
            "VL_EMBEDDING_API_KEY": KEY,
            **changes,
        }
        command = request.param(project, port)
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, cwd=project, env=environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                until(lambda: listens(port) or process.poll() is not None)
                assert process.poll() is None, log.read_text()
                yield App(f"http://127.0.0.1:{port}", log)
            finally:
                process.kill()

    return run_app


@pytest.fixture(scope="module")
def app(run_app: Run) -> Iterator[App]:
    with run_app() as app:
        yield app


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def by_rpc(api: Api, *, sight: Sight | None = None, text: bool = True) -> list[dict[str, Any]]:
    """What the function finds for these vectors, asked by itself."""
    vectors: dict[str, Any] = {}
    if text:
        vectors["query_embedding"] = numbers_of(QUERY) * 512
    if sight:
        answer = httpx.post(
            f"{sight.url}/embed", json={"text": QUERY}, headers={"Authorization": f"Bearer {KEY}"},
            trust_env=False,
        )  # fmt: skip
        vectors["query_embedding_vl"] = answer.json()["embedding"]
    found = api.rpc("anon", "match_fonts_hybrid", query_text=QUERY, **vectors)
    assert found.data
    rows: list[dict[str, Any]] = found.data
    return rows


def test_a_search_is_by_text_by_sight_and_by_words(app: App, api: Api, sight: Sight) -> None:
    answer = app.search()
    assert answer["legs"] == {"text": True, "sight": True}
    assert answer["fonts"] == by_rpc(api, sight=sight)
    assert all(font["text_similarity"] and font["vl_similarity"] for font in answer["fonts"])


def test_what_is_asked_for_is_passed_on(app: App) -> None:
    [font] = app.search(filter={"exclude": [], "covers": "Ab"}, limit=1)["fonts"]
    assert font["name"].startswith("Family")
    assert app.search(filter={"source": "nobody's"})["fonts"] == []


def test_a_service_that_hangs_costs_300_milliseconds_and_its_leg(
    app: App, api: Api, sight: Sight
) -> None:
    with sight.hanging():
        begin = time.monotonic()
        answer = app.search()
        seconds = time.monotonic() - begin
    assert answer["legs"] == {"text": True, "sight": False}
    assert answer["fonts"] == by_rpc(api)
    assert SECONDS_WITHOUT_SIGHT <= seconds < SECONDS_WITHOUT_SIGHT + PATIENCE
    assert f"No vector from {sight.url}/embed: TimeoutError" in app.said
    assert app.search()["legs"] == {"text": True, "sight": True}


def test_an_answer_that_stops_half_way_is_not_waited_for(run_app: Run, api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as half:
        url = f"http://127.0.0.1:{half.getsockname()[1]}/embed"
        with run_app(VL_EMBEDDING_ENDPOINT=url) as app, half_answered(half):
            begin = time.monotonic()
            answer = app.search()
            seconds = time.monotonic() - begin
    assert answer["legs"] == {"text": True, "sight": False}
    assert answer["fonts"] == by_rpc(api)
    assert seconds < SECONDS_WITHOUT_SIGHT + PATIENCE


@contextlib.contextmanager
def half_answered(server: socket.socket) -> Iterator[None]:
    connections = []

    def answer() -> None:
        connection, _ = server.accept()
        connections.append(connection)
        connection.recv(65536)  # an answer before the question would be an error at once
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b'{"embedding": [0.1, '
        )

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for connection in connections:
            connection.close()


def test_without_the_service_a_search_is_by_text(run_app: Run, api: Api) -> None:
    with run_app(VL_EMBEDDING_ENDPOINT=f"http://127.0.0.1:{free_port()}/embed") as app:
        answer = app.search()
    assert answer["legs"] == {"text": True, "sight": False}
    assert answer["fonts"] == by_rpc(api)
    assert "No vector from " in app.said


def test_a_wrong_key_is_told_from_the_log(run_app: Run, sight: Sight) -> None:
    with run_app(VL_EMBEDDING_API_KEY="a-key-that-it-does-not-know") as app:
        assert app.search()["legs"] == {"text": True, "sight": False}
    assert f"No vector from {sight.url}/embed: status 401" in app.said


def test_without_any_embedder_a_search_is_by_words(run_app: Run, api: Api) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    reroutes = json.dumps({f"{PLATFORM}/rest/v1": api.url, OPENROUTER: nobody})
    with run_app(VL_EMBEDDING_ENDPOINT=nobody, REROUTED=reroutes) as app:
        answer = app.search("family 3")
    assert answer["legs"] == {"text": False, "sight": False}
    assert answer["fonts"][0]["name"] == "Family 3"
    assert answer["fonts"][0]["full_text_similarity"] > 0


def test_without_the_database_the_app_is_told_so(run_app: Run, openrouter: Service) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    reroutes = json.dumps({f"{PLATFORM}/rest/v1": nobody, OPENROUTER: openrouter.url})
    with run_app(REROUTED=reroutes) as app:
        answer = app.post({"query": QUERY})
    assert (answer.status_code, answer.json()) == (502, {"error": "No search now."})
    assert "match_fonts_hybrid: " in app.said


@pytest.mark.parametrize(
    "body", [None, [], {}, {"query": " "}, {"query": 3}, {"query": "a" * 1001}]
)
def test_a_request_without_a_query_is_refused(app: App, body: Any) -> None:
    answer = app.post(body)
    assert (answer.status_code, answer.json()) == (400, {"error": "query: 1 to 1,000 characters"})
    assert httpx.post(app.url, content=b"{", trust_env=False).status_code == 400


def test_a_filter_that_there_is_not_is_refused_in_the_functions_words(app: App) -> None:
    answer = app.post({"query": QUERY, "filter": {"colour": "red"}})
    assert answer.status_code == 400
    assert "colour" in answer.json()["error"]


def test_no_key_is_in_an_address_or_in_the_log(app: App, sight: Sight) -> None:
    app.search()
    assert f"fetch {sight.url}/embed\n" in app.said
    assert f"fetch {OPENROUTER}/embeddings\n" in app.said
    assert f"fetch {PLATFORM}/rest/v1/rpc/match_fonts_hybrid\n" in app.said
    for key in (KEY, TEXT_KEY, token("anon")):
        assert key not in app.said


@pytest.mark.parametrize("run_app", [deno], indirect=True)
def test_the_function_lets_browsers_in(app: App) -> None:
    asked = httpx.options(app.url, trust_env=False)
    assert asked.status_code == 200
    for answer in (asked, app.post({"query": QUERY}), app.post({})):
        assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in asked.headers["access-control-allow-headers"]
