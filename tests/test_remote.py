"""The client of a vision-language server against a real one on this machine that follows a script."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.embed.protocol import Document, Embedder, Model
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION, QUERY_INSTRUCTION
from indexer.embed.service.client import Patience
from indexer.embed.service.sheets import AT_ONCE, RemoteVL, reported
from indexer.errors import EmbedderUnavailable, FontError, UserError
from tests.fix_embedding_service import (
    DIMENSION,
    Answer,
    Script,
    Service,
    asked,
    good,
    listing,
    numbers_of,
)

KEY = "sk-or-v1-0123456789abcdef"
QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.05, timeout_s=5)
SHEET = b"\x89PNG sheet"
SHEET_URL = "data:image/png;base64,iVBORyBzaGVldA=="
WANTED = Model(
    name="Qwen/Qwen3-VL-Embedding-2B",
    revision="9f2f7e7",
    dimension=DIMENSION,
    document_instruction=DOCUMENT_INSTRUCTION,
    query_instruction=QUERY_INSTRUCTION,
    pooled_token=151643,
)
OURS = listing({"id": "vl", "space_model": asdict(WANTED)})
VLLM = listing({"id": WANTED.name, "object": "model", "owned_by": "vllm", "root": WANTED.name})


@pytest.fixture(autouse=True)
def full_identity(service: Service) -> None:
    service.models = [OURS]


@pytest.fixture
def client(service: Service) -> Iterator[RemoteVL]:
    with client_of(service) as client:
        yield client


@contextmanager
def client_of(service: Service, **options: Any) -> Iterator[RemoteVL]:
    defaults: dict[str, Any] = {
        "api_key": KEY,
        "base_url": service.url,
        "model": WANTED,
        "patience": QUICK,
    }
    with closing(RemoteVL(**{**defaults, **options})) as client:
        yield client


def always(status: int, body: Any = b"", **headers: str) -> Script:
    return lambda request: (status, headers, body)


def expected(request: dict[str, Any]) -> Any:
    """The vector of a request, whose order among others does not tell whose it is."""
    numbers = np.array(numbers_of(asked(request)[0]))
    return pytest.approx((numbers / np.linalg.norm(numbers)).astype(np.float32), abs=1e-6)


def texts(request: dict[str, Any]) -> str:
    parts = request["messages"][1]["content"]
    return "".join(part["text"] for part in parts if part["type"] == "text")


def has_sheet(request: dict[str, Any]) -> bool:
    return any(part["type"] == "image_url" for part in request["messages"][1]["content"])


# requests


def test_a_sheet_with_a_text_is_one_conversation_as_vllm_wants_it(
    service: Service, client: RemoteVL
) -> None:
    [vector] = client.embed_documents([Document(text="Lora. serif", sheet=SHEET)])
    assert service.requests == [
        {
            "path": "/v1/embeddings",
            "model": "vl",
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "Represent the user's input."}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": SHEET_URL}},
                        {"type": "text", "text": "Lora. serif"},
                    ],
                },
            ],
            "encoding_format": "float",
            "add_generation_prompt": True,
            "continue_final_message": False,
            "add_special_tokens": True,
        }
    ]
    assert vector == expected(service.requests[0])
    assert not isinstance(vector, FontError)
    assert (vector.dtype, vector.shape) == (np.float32, (DIMENSION,))
    sent = service.headers[-1]
    assert (sent["authorization"], sent["content-type"]) == (f"Bearer {KEY}", "application/json")


@pytest.mark.parametrize(
    ("document", "content"),
    [
        (Document(sheet=SHEET), [{"type": "image_url", "image_url": {"url": SHEET_URL}}]),
        (
            Document(sheet=SHEET, text=" "),
            [{"type": "image_url", "image_url": {"url": SHEET_URL}}],
        ),
        (Document(text="Lora"), [{"type": "text", "text": "Lora"}]),
        (Document(text="<|im_end|>a\ud800"), [{"type": "text", "text": "< |im_end|>a?"}]),
    ],
)
def test_a_document_holds_what_the_font_has(
    service: Service, client: RemoteVL, document: Document, content: Any
) -> None:
    client.embed_documents([document])
    [system, user] = service.requests[0]["messages"]
    assert system["content"][0]["text"] == DOCUMENT_INSTRUCTION
    assert user == {"role": "user", "content": content}


def test_a_query_carries_its_own_instruction(service: Service, client: RemoteVL) -> None:
    assert client.embed_query("round letters") == expected(service.requests[0])
    assert service.requests[0]["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": QUERY_INSTRUCTION}]},
        {"role": "user", "content": [{"type": "text", "text": "round letters"}]},
    ]


def test_it_is_an_embedder_of_the_model_wanted(client: RemoteVL) -> None:
    embedder: Embedder = client
    assert embedder.model == WANTED


def test_several_requests_are_on_their_way_and_answers_keep_their_order(service: Service) -> None:
    together = threading.Barrier(AT_ONCE, timeout=10)

    def last_come_first_served(request: dict[str, Any]) -> Answer:
        together.wait()
        time.sleep(0.02 * (AT_ONCE - int(texts(request)) % AT_ONCE))
        return good(request)

    service.scripts = [last_come_first_served]
    documents = [Document(text=str(number)) for number in range(3 * AT_ONCE)]
    with client_of(service) as client:
        results = client.embed_documents(documents)
    by_text = {texts(request): request for request in service.requests}
    assert results == [expected(by_text[document.text or ""]) for document in documents]
    assert service.connections <= AT_ONCE + 1


# failures


def test_a_document_with_nothing_to_embed_is_an_error_and_is_not_sent(
    service: Service, client: RemoteVL
) -> None:
    results = client.embed_documents([Document(), Document(text="Lora"), Document(text=" ")])
    assert [isinstance(result, FontError) for result in results] == [True, False, True]
    assert len(service.requests) == 1
    assert client.embed_documents([]) == []


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_refused_document_fails_alone(service: Service, client: RemoteVL, status: int) -> None:
    def picky(request: dict[str, Any]) -> Answer:
        if SHEET_URL in json.dumps(request):
            return status, {}, {"error": {"message": "cannot identify image file"}}
        return good(request)

    service.scripts = [picky]
    sheets = [f"sheet {number}".encode() for number in range(20)]
    sheets[13] = SHEET
    results = client.embed_documents([Document(sheet=sheet) for sheet in sheets])
    [culprit] = [result for result in results if isinstance(result, FontError)]
    assert culprit is results[13]
    assert culprit.stage == "embed"
    assert "cannot identify image file" in culprit.message
    assert len(service.requests) == 21  # and one sheet with which nothing is wrong


def test_the_sheet_that_no_server_refuses_is_a_sheet(service: Service, client: RemoteVL) -> None:
    service.scripts = [always(400), good]
    client.embed_documents([Document(text="Lora", sheet=SHEET)])
    [_, user] = service.requests[1]["messages"]
    url = user["content"][0]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        assert (image.format, image.size) == ("PNG", (1024, 512))
    assert user["content"][1:] == [{"type": "text", "text": "font"}]


def test_a_server_that_refuses_every_sheet_blames_no_font(
    service: Service, client: RemoteVL
) -> None:
    def texts_only(request: dict[str, Any]) -> Answer:
        if has_sheet(request):
            return 400, {}, {"error": {"message": "at most 0 images may be provided"}}
        return good(request)

    service.scripts = [texts_only]
    with pytest.raises(EmbedderUnavailable, match="refuses any sheet: at most 0 images"):
        client.embed_documents([Document(sheet=SHEET, text="Lora")])
    client.embed_query("round")


def test_a_server_that_refuses_every_text_is_unavailable(
    service: Service, client: RemoteVL
) -> None:
    service.scripts = [always(422, {"error": {"message": "missing field input"}})]
    with pytest.raises(EmbedderUnavailable, match="refuses any text: missing field input"):
        client.embed_query("round")


def test_a_query_that_is_refused_is_the_users_to_change(service: Service, client: RemoteVL) -> None:
    service.scripts = [always(400, {"error": {"message": "too long"}}), good]
    with pytest.raises(UserError, match=r"cannot be embedded\..*too long") as caught:
        client.embed_query("x" * 200)
    assert not isinstance(caught.value, EmbedderUnavailable)
    with pytest.raises(UserError, match="Nothing to search for"):
        client.embed_query(" ")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(service: Service, client: RemoteVL, status: int) -> None:
    service.scripts = [always(status, Retry_After="0"), always(status), good]
    service.models = [(status, {}, b""), OURS]
    assert client.embed_query("round") == expected(service.requests[0])
    assert (service.asked_for_models, len(service.requests)) == (2, 3)


def test_of_a_server_that_is_down_the_first_failure_tells_enough(
    service: Service, client: RemoteVL
) -> None:
    service.scripts = [always(500, b"out of memory")]
    with pytest.raises(EmbedderUnavailable, match="answered 500: out of memory"):
        client.embed_documents([Document(text=str(number)) for number in range(100)])
    assert len(service.requests) < 100


def test_a_server_that_is_not_there_is_unavailable() -> None:
    gone = Service()
    gone.server.server_close()
    with client_of(gone) as client, pytest.raises(EmbedderUnavailable, match="does not answer"):
        client.start(1)


def test_closing_ends_the_wait_for_a_server_that_is_down(service: Service) -> None:
    service.scripts = [always(503)]
    patience = Patience(first_wait_s=60, longest_wait_s=60)
    with ThreadPoolExecutor(1) as thread:
        with client_of(service, patience=patience) as client:
            client.start(1)
            waiting = thread.submit(client.embed_documents, [Document(text="Lora")])
            while not service.requests:
                time.sleep(0.01)
        with pytest.raises(EmbedderUnavailable, match="not asked any more"):
            waiting.result(timeout=5)


def test_vectors_of_another_dimension_are_not_believed(service: Service, client: RemoteVL) -> None:
    service.scripts = [lambda request: good({**request, "dimensions": 4})]
    with pytest.raises(EmbedderUnavailable, match="4 dimensions where 8 are expected"):
        client.embed_documents([Document(sheet=SHEET)])


def test_a_vector_without_a_direction_is_the_error_of_its_document(
    service: Service, client: RemoteVL
) -> None:
    service.scripts = [always(200, {"data": [{"index": 0, "embedding": [0.0] * DIMENSION}]})]
    [result] = client.embed_documents([Document(sheet=SHEET)])
    assert isinstance(result, FontError)


# what is served


@pytest.mark.parametrize(
    ("field", "theirs", "ours"),
    [
        ("name", "Qwen/Qwen3-VL-Embedding-8B", "Qwen/Qwen3-VL-Embedding-2B"),
        ("revision", "2c45655", "9f2f7e7"),
        ("dimension", 4, 8),
        ("document_instruction", "Represent the font.", "Represent the user's input."),
        ("query_instruction", "Find fonts.", "Retrieve the glyph sheets"),
        ("pooled_token", None, 151643),
    ],
)
def test_a_server_of_another_identity_is_refused_before_anything_is_embedded(
    service: Service, client: RemoteVL, field: str, theirs: object, ours: object
) -> None:
    service.models = [
        listing({"id": WANTED.name, "space_model": {**asdict(WANTED), field: theirs}})
    ]
    for call in (
        lambda: client.start(1),
        lambda: client.embed_documents([Document(sheet=SHEET)]),
        lambda: client.embed_query("round"),
    ):
        with pytest.raises(EmbedderUnavailable) as caught:
            call()
        assert f"The server's {field.replace('_', ' ')} is {theirs!r}" in str(caught.value).replace(
            '"', "'"
        )
        assert str(ours) in str(caught.value)
    assert service.requests == []


def test_among_several_identities_the_one_wanted_is_used(service: Service) -> None:
    other = asdict(replace(WANTED, revision="older"))
    service.models = [
        listing(
            {"id": "reranker"},
            {"id": "old", "space_model": other},
            {"id": "new", "space_model": asdict(WANTED)},
        )
    ]
    with client_of(service) as client:
        client.embed_query("round")
    assert service.requests[0]["model"] == "new"
    with (
        client_of(service, model=replace(WANTED, revision="newest")) as client,
        pytest.raises(EmbedderUnavailable, match="revision is 'older', the space wants 'newest'"),
    ):
        client.start(1)


@pytest.mark.parametrize(
    "identity",
    [
        "9f2f7e7",
        {"name": WANTED.name},
        {**asdict(WANTED), "quantised": True},
        {**asdict(WANTED), "dimension": "8"},
        {**asdict(WANTED), "dimension": True},
        {**asdict(WANTED), "pooled_token": "<|endoftext|>"},
        {**asdict(WANTED), "revision": None},
    ],
)
def test_an_identity_that_is_not_understood_is_not_believed(
    service: Service, client: RemoteVL, identity: object
) -> None:
    service.models = [listing({"id": "vl", "space_model": identity})]
    with pytest.raises(EmbedderUnavailable, match="not understood here"):
        client.start(1)


@pytest.mark.parametrize(
    "card", [{"id": WANTED.name}, {"id": "fonts", "root": WANTED.name}], ids=["id", "root"]
)
def test_of_a_server_that_tells_names_the_name_decides(
    service: Service, client: RemoteVL, card: dict[str, Any]
) -> None:
    service.models = [listing({"id": "another", "root": "another/model"}, card)]
    client.embed_query("round")
    # the first is to see the model's own dimension
    assert [request["model"] for request in service.requests] == [card["id"]] * 2
    assert not any("dimensions" in request for request in service.requests)


def test_a_server_without_the_model_is_refused_and_what_it_serves_is_listed(
    service: Service, client: RemoteVL
) -> None:
    service.models = [listing({"id": "qwen3-8b"}, {"id": "bge-m3", "root": "BAAI/bge-m3"})]
    with pytest.raises(EmbedderUnavailable, match=f"serves qwen3-8b, bge-m3, not {WANTED.name}"):
        client.start(1)
    service.models = [listing()]
    with pytest.raises(EmbedderUnavailable, match="serves nothing, not"):
        client.start(1)


def test_a_server_that_does_not_say_what_it_serves_cannot_be_checked(
    service: Service, client: RemoteVL
) -> None:
    service.models = [(404, {}, {"detail": "Not Found"})]
    with pytest.raises(EmbedderUnavailable, match="cannot be checked"):
        client.embed_documents([Document(sheet=SHEET)])
    assert service.requests == []
    service.models = [(200, {}, {"models": []})]
    with pytest.raises(EmbedderUnavailable, match="without a list of the models"):
        client.start(1)


def test_a_server_is_asked_once_what_it_serves_and_again_after_a_failure(
    service: Service, client: RemoteVL
) -> None:
    service.models = [listing({"id": "loading"}), OURS]
    with pytest.raises(EmbedderUnavailable, match="serves loading"):
        client.start(1)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client.embed_query, ["round", "thin", "bold", "wide"]))
    assert service.asked_for_models == 2


def test_a_longer_vector_is_cut_by_the_server(service: Service) -> None:
    service.models = [VLLM]
    with client_of(service, model=replace(WANTED, dimension=4)) as client:
        vector = client.embed_query("round")
    assert [request.get("dimensions") for request in service.requests] == [None, 4, 4]
    assert vector.shape == (4,)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_a_server_that_cannot_cut_is_refused_at_the_start(service: Service) -> None:
    def whole(request: dict[str, Any]) -> Answer:
        if "dimensions" in request:
            message = "Model does not support Matryoshka embeddings; dimensions must be unset"
            return 400, {}, {"error": {"message": message}}
        return good(request)

    service.models = [VLLM]
    with client_of(service, model=replace(WANTED, dimension=4)) as client:
        service.scripts = [whole]
        with pytest.raises(EmbedderUnavailable, match="does not support Matryoshka"):
            client.start(1)
        service.scripts = [lambda request: good({**request, "dimensions": None})]
        with pytest.raises(EmbedderUnavailable, match="8 dimensions where 4 are expected"):
            client.start(1)


def test_a_model_of_shorter_vectors_is_refused_at_the_start(service: Service) -> None:
    service.models = [VLLM]
    with (
        client_of(service, model=replace(WANTED, dimension=16)) as client,
        pytest.raises(EmbedderUnavailable, match="of 8 dimensions, the space wants 16"),
    ):
        client.start(1)


def test_what_a_server_reports_can_be_asked_before_there_is_a_space(service: Service) -> None:
    def ask() -> Model | None:
        return reported(base_url=service.url, api_key=KEY, patience=QUICK)

    assert ask() == WANTED
    service.models = [VLLM]
    assert ask() is None
    both = [{"id": str(n), "space_model": asdict(replace(WANTED, dimension=n))} for n in (4, 8)]
    service.models = [listing(*both)]
    with pytest.raises(EmbedderUnavailable, match="several models"):
        ask()
    service.models = [(404, {}, b"")]
    with pytest.raises(EmbedderUnavailable, match="cannot be checked"):
        ask()
    assert service.requests == []


# the key


@pytest.mark.parametrize(
    ("models", "script"),
    [
        (always(401, {"error": {"message": f"Invalid key {KEY}"}}), good),
        (always(500, KEY.encode()), good),
        (always(307, KEY.encode(), Location="http://x.test/"), good),
        (lambda request: OURS, always(401, {"error": f"sent 'Bearer {KEY}'"})),
        (lambda request: OURS, always(500, KEY.encode())),
        (lambda request: OURS, always(400, KEY.encode())),
    ],
)
def test_the_key_shows_nowhere(
    service: Service, models: Script, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    service.models, service.scripts = [models({})], [script]
    caplog.set_level(logging.DEBUG)
    with client_of(service) as client:
        with pytest.raises(EmbedderUnavailable) as caught:
            client.embed_documents([Document(text="Lora", sheet=SHEET)])
        shown = [repr(client), str(client), repr(vars(client)), str(caught.value), caplog.text]
        seen = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown += [*seen.format(), repr(caught.value.__context__), repr(caught.value.__cause__)]
    assert caught.value.__context__ is None  # nothing that carries the request
    assert service.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not [text for text in shown if KEY in text or KEY[9:] in text]


@pytest.mark.parametrize(
    "card",
    [
        {"id": KEY},
        {"id": KEY, "space_model": {}},
        {"id": "vl", "space_model": {**asdict(WANTED), "revision": KEY}},
    ],
)
def test_a_key_in_place_of_a_name_is_not_shown(
    service: Service, client: RemoteVL, card: dict[str, Any]
) -> None:
    service.models = [listing(card)]
    with pytest.raises(EmbedderUnavailable) as caught:
        client.start(1)
    assert KEY not in str(caught.value)


def test_a_key_is_not_sent_in_the_clear_to_another_host() -> None:
    with pytest.raises(UserError, match="in the clear") as caught:
        RemoteVL(api_key=KEY, base_url="http://gpu.example.com/v1", model=WANTED)
    assert KEY not in str(caught.value)
