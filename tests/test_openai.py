"""The OpenAI-compatible client against a real server on this machine that misbehaves on demand."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from indexer.embed.protocol import Document, Embedder
from indexer.embed.service.client import Patience
from indexer.embed.service.texts import OpenAICompatible
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.settings import OPENROUTER_MODEL, OPENROUTER_URL
from tests.fix_embedding_service import DIMENSION, Answer, Script, Service, good, numbers_of

KEY = "sk-or-v1-0123456789abcdef"
QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.05, timeout_s=5)


def changed(change: Callable[[list[dict[str, Any]]], Any]) -> Script:
    """A good answer whose data is changed."""

    def answer(request: dict[str, Any]) -> Answer:
        status, headers, body = good(request)
        return status, headers, {**body, "data": change(body["data"])}

    return answer


def always(status: int, body: Any = b"", **headers: str) -> Script:
    return lambda request: (status, headers, body)


@pytest.fixture
def client(service: Service) -> Iterator[OpenAICompatible]:
    with client_of(service) as client:
        yield client


def client_of(service: Service, **options: Any) -> OpenAICompatible:
    defaults: dict[str, Any] = {
        "api_key": KEY,
        "base_url": service.url,
        "model": "test-embedding",
        "dimension": DIMENSION,
        "patience": QUICK,
    }
    return OpenAICompatible(**{**defaults, **options})


def documents(*texts: str) -> list[Document]:
    return [Document(text=text) for text in texts]


def expected(text: str) -> Any:
    numbers = np.array(numbers_of(text))
    return pytest.approx((numbers / np.linalg.norm(numbers)).astype(np.float32), abs=1e-6)


def test_the_request_is_what_openais_reference_says(
    service: Service, client: OpenAICompatible
) -> None:
    [vector] = client.embed_documents(documents("Lora"))
    assert vector == expected("Lora")
    assert not isinstance(vector, FontError)
    assert vector.dtype == np.float32
    assert service.requests == [
        {
            "path": "/v1/embeddings",
            "model": "test-embedding",
            "input": ["Lora"],
            "encoding_format": "float",
        }
    ]
    assert service.headers[0]["authorization"] == f"Bearer {KEY}"


def test_batches_are_bounded_and_keep_their_order_on_one_connection(service: Service) -> None:
    texts = [f"font {n}" for n in range(10)]
    with client_of(service, batch_size=4) as client:
        assert client.embed_documents(documents(*texts)) == [expected(text) for text in texts]
    assert [len(request["input"]) for request in service.requests] == [4, 4, 2]
    assert service.connections == 1


def test_documents_without_a_text_are_errors_and_are_not_sent(
    service: Service, client: OpenAICompatible
) -> None:
    results = client.embed_documents([Document(), *documents("Lora", "  ")])
    assert [isinstance(result, FontError) for result in results] == [True, False, True]
    assert [request["input"] for request in service.requests] == [["Lora"]]
    assert client.embed_documents([]) == []


def test_answers_are_put_in_the_order_of_their_index(
    service: Service, client: OpenAICompatible
) -> None:
    service.scripts = [changed(lambda data: data[::-1])]
    assert client.embed_documents(documents("a", "b", "c")) == [expected(text) for text in "abc"]


@pytest.mark.parametrize(
    "failure",
    [
        always(429, {"error": {"message": "slow down"}}, Retry_After="0"),
        always(503, b"<html>busy</html>"),
        always(500),
        always(200, b'{"data": [{"embedd'),
        always(200, {"error": {"message": "provider timed out", "code": 504}}),
    ],
    ids=["429", "503", "500", "cut off", "504 within a 200"],
)
def test_a_failure_that_passes_is_tried_again(
    service: Service, client: OpenAICompatible, failure: Script
) -> None:
    service.scripts = [failure, failure, good]
    assert client.embed_query("Lora") == expected("Lora")
    assert len(service.requests) == 3


def test_a_failure_that_stays_ends_after_the_last_attempt(
    service: Service, client: OpenAICompatible
) -> None:
    service.scripts = [always(500, b"out of order")]
    with pytest.raises(EmbedderUnavailable, match="answered 500: out of order"):
        client.embed_documents(documents("Lora"))
    assert len(service.requests) == QUICK.attempts


def test_a_service_that_is_not_there_is_unavailable(service: Service) -> None:
    gone = Service()
    gone.server.server_close()
    with client_of(gone) as client, pytest.raises(EmbedderUnavailable, match="does not answer"):
        client.embed_query("Lora")


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_up_to_a_limit(service: Service, form: str) -> None:
    asked = "3600" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
    service.scripts = [always(429, b"", Retry_After=asked), good]
    patience = Patience(attempts=2, first_wait_s=0.001, longest_wait_s=0.3)
    with client_of(service, patience=patience) as client:
        begin = time.perf_counter()
        client.embed_query("Lora")
        assert 0.29 < time.perf_counter() - begin < 3


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_other_client_errors_fail_at_once(
    service: Service, client: OpenAICompatible, status: int
) -> None:
    service.scripts = [always(status, {"error": {"message": "no credit\n left " + "x" * 900}})]
    with pytest.raises(EmbedderUnavailable, match=f"answered {status}: no credit left") as caught:
        client.embed_documents(documents("Lora"))
    assert len(service.requests) == 1
    assert len(str(caught.value)) < 300


def test_an_error_in_an_answer_of_200_is_an_error(
    service: Service, client: OpenAICompatible
) -> None:
    service.scripts = [always(200, {"error": {"message": "no such model", "code": 404}})]
    with pytest.raises(EmbedderUnavailable, match="answered 404: no such model"):
        client.embed_query("Lora")
    service.scripts = [always(200, {"error": "something odd"})]
    with pytest.raises(EmbedderUnavailable, match="answered 200: something odd"):
        client.embed_query("Lora")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "1 embeddings for 2 inputs"),
        (lambda data: [*data, data[0]], "3 embeddings for 2 inputs"),
        (lambda data: [data[0], {**data[1], "index": 0}], "indices"),
        (lambda data: [data[0], {**data[1], "index": True}], "indices"),
        (lambda data: [data[0], {**data[1], "embedding": [0.5] * 4}], "4 dimensions where 8"),
        (lambda data: [data[0], {**data[1], "embedding": "AAAA"}], "not lists of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": [None] * 8}], "not lists of numbers"),
        (lambda data: "none", "without a list"),
        (lambda data: [1, 2], "without a list"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_not_believed(
    service: Service, client: OpenAICompatible, change: Any, message: str
) -> None:
    service.scripts = [changed(change)]
    with pytest.raises(EmbedderUnavailable, match=message):
        client.embed_documents(documents("a", "b"))
    assert len(service.requests) == 1


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, 10**400])
def test_a_vector_without_a_direction_is_the_error_of_its_document(
    service: Service, client: OpenAICompatible, number: float
) -> None:
    service.scripts = [
        changed(lambda data: [data[0], {**data[1], "embedding": [number] * DIMENSION}])
    ]
    one, other = client.embed_documents(documents("a", "b"))
    assert one == expected("a")
    assert isinstance(other, FontError)
    assert other.stage == "embed"


def too_long(request: dict[str, Any]) -> Answer:
    if any(len(text) > 100 for text in request["input"]):
        return 400, {}, {"error": {"message": "maximum context length is 100 tokens"}}
    return good(request)


def test_a_refused_batch_is_split_until_the_culprit_stands_alone(
    service: Service, client: OpenAICompatible
) -> None:
    service.scripts = [too_long]
    texts = [f"font {n}" for n in range(64)]
    texts[17] = "x" * 200
    results = client.embed_documents(documents(*texts))
    culprit = results.pop(17)
    assert isinstance(culprit, FontError)
    assert culprit.stage == "embed"
    assert "maximum context length" in culprit.message
    assert results == [expected(text) for text in texts if len(text) < 100]
    assert len(service.requests) < 16


def test_a_service_that_refuses_every_text_blames_no_font(
    service: Service, client: OpenAICompatible
) -> None:
    service.scripts = [always(400, {"error": {"message": "test-embedding is no model"}})]
    with pytest.raises(EmbedderUnavailable, match="refuses any text: test-embedding is no model"):
        client.embed_documents(documents("a", "b", "c"))
    assert len(service.requests) == 2


def test_a_refused_query_is_the_users_to_change(service: Service, client: OpenAICompatible) -> None:
    service.scripts = [too_long]
    with pytest.raises(UserError, match="cannot be embedded") as caught:
        client.embed_query("x" * 200)
    assert not isinstance(caught.value, EmbedderUnavailable)
    with pytest.raises(UserError, match="Nothing to search for"):
        client.embed_query(" ")


def test_the_instruction_stands_before_queries_alone_and_is_part_of_the_model(
    service: Service,
) -> None:
    with client_of(service, query_instruction="Find fonts") as client:
        client.embed_documents(documents("Lora"))
        client.embed_query("round")
        assert [request["input"] for request in service.requests] == [
            ["Lora"],
            ["Instruct: Find fonts\nQuery:round"],
        ]
        with client_of(service) as other:
            assert client.model != other.model


def test_the_model_is_told_by_its_name_and_not_by_its_host(service: Service) -> None:
    with OpenAICompatible(api_key=KEY) as client:
        embedder: Embedder = client
        assert embedder.model.name == OPENROUTER_MODEL
        assert (embedder.model.revision, embedder.model.dimension) == ("openai-compatible", 4096)
        with client_of(service, model=OPENROUTER_MODEL, dimension=4096) as other:
            assert other.model == client.model
    with client_of(service, revision="2025-06-05") as pinned:
        assert pinned.model.revision == "2025-06-05"
    assert OPENROUTER_URL.startswith("https://")


def echo_key(request: dict[str, Any]) -> Answer:
    return 401, {}, {"error": {"message": f"Invalid key {KEY}; sent 'Bearer {KEY}'"}}


@pytest.mark.parametrize(
    "script", [echo_key, always(500, KEY.encode()), always(302, b"", Location="http://x.test/")]
)
def test_the_key_shows_nowhere(
    service: Service, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    service.scripts = [script]
    caplog.set_level(logging.DEBUG)
    with client_of(service, api_key=SecretStr(KEY)) as client:
        with pytest.raises(EmbedderUnavailable) as caught:
            client.embed_documents(documents("Lora"))
        shown = [repr(client), str(client), repr(vars(client)), str(caught.value), caplog.text]
        seen = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown += [*seen.format(), repr(caught.value.__context__), repr(caught.value.__cause__)]
    assert caught.value.__context__ is None  # nothing that carries the request
    assert service.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not [text for text in shown if KEY in text or KEY[9:] in text]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("plain-password-of-a-proxy", "Unknown plain-password-of-a-proxy, sorry"),
        (KEY, "Incorrect API key provided: sk-or-v1*****cdef, sorry"),
    ],
)
def test_what_the_server_says_of_the_key_is_left_out(service: Service, key: str, said: str) -> None:
    service.scripts = [always(401, {"error": {"message": said}})]
    pattern = r"\*\*\*, sorry$"
    with (
        client_of(service, api_key=key) as client,
        pytest.raises(EmbedderUnavailable, match=pattern) as caught,
    ):
        client.embed_query("Lora")
    assert "password" not in str(caught.value)
    assert "cdef" not in str(caught.value)


def test_a_redirect_does_not_carry_the_key_away(service: Service, client: OpenAICompatible) -> None:
    service.scripts = [always(307, b"", Location=f"{service.url}/elsewhere")]
    with pytest.raises(EmbedderUnavailable, match="answered 307"):
        client.embed_query("Lora")
    assert len(service.requests) == 1


def test_a_key_is_not_sent_in_the_clear_to_another_host() -> None:
    with pytest.raises(UserError, match="in the clear") as caught:
        OpenAICompatible(api_key=KEY, base_url="http://gpu.example.com/v1")
    assert KEY not in str(caught.value)
    for url in ("http://localhost:8000/v1", "http://[::1]:8000/v1", "https://gpu.example.com/v1"):
        OpenAICompatible(api_key=KEY, base_url=url).close()
    OpenAICompatible(api_key=None, base_url="http://gpu.example.com/v1").close()


def test_a_local_service_needs_no_key(service: Service) -> None:
    with client_of(service, api_key=None) as client:
        client.embed_query("Lora")
    assert "authorization" not in service.headers[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "openrouter.ai/api",
        "ftp://x.test",
        "https://",
        "https://me:pw@x.test",
        "https://x.test?key=1",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="URL must") as caught:
        OpenAICompatible(api_key=KEY, base_url=url)
    assert "pw" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_refused_unshown() -> None:
    with pytest.raises(UserError, match="copy it again") as caught:
        OpenAICompatible(api_key="sk-ключ 1")
    assert "ключ" not in str(caught.value)
    with OpenAICompatible(api_key=f"{KEY}\n") as client:  # as files and shells leave it
        assert KEY not in repr(client)


def test_half_characters_do_no_harm(client: OpenAICompatible) -> None:
    assert client.embed_query("a\ud800b") == expected("a?b")
