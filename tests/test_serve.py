"""The query service: its contracts, called by the clients that they are for."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from psycopg.types.json import Jsonb

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

import openai

from indexer.database.connect import Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.protocol import Understanding, normalised
from indexer.embed.service import announcement
from indexer.embed.service.sheets import RemoteVL, reported
from indexer.errors import UserError
from indexer.functions import match
from indexer.serve import reading, serving_spaces
from indexer.serve.http.access import Access
from indexer.serve.http.routes import health
from indexer.serve.refusals import Refusal
from indexer.serve.search.schema import SearchAnswer
from indexer.settings import Settings
from indexer.spaces import padded
from tests.fix_service import KEY, Running, fill, service_on
from tests.fix_visitors import hide
from tests.fix_waiting import until

QUERY = "high contrast serif"
MEASURED = MeasuredTraits()
VECTOR = MEASURED.embed_query(QUERY)


def picture(width: int = 40, height: int = 20, kind: str = "PNG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


# --- the app's own, and the sidecar's, on one path


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_the_app_gets_4096_numbers_of_the_serving_space(running: Running, path: str) -> None:
    answer = running.post(path, text=QUERY)
    assert answer.status_code == 200
    assert np.allclose(answer.json()["embedding"], padded(VECTOR), atol=1e-7)


def test_the_sidecar_gets_vectors_cut_to_a_dimension(running: Running) -> None:
    whole = running.post("/embed", texts=[QUERY, "bold"]).json()
    assert (whole["dimension"], whole["model"]) == (256, "measured-traits")
    assert np.allclose(whole["embeddings"], [VECTOR, MEASURED.embed_query("bold")], atol=1e-7)
    cut = running.post("/embed", texts=[QUERY], dimension=128, instruction="Find fonts.").json()
    assert cut["dimension"] == 128
    assert np.allclose(cut["embeddings"], [normalised(VECTOR[:128])], atol=1e-7)
    assert running.post("/embed", texts=[QUERY], dimension=512).status_code == 400
    empty = running.post("/embed", texts=[])
    assert empty.status_code == 400
    assert empty.json()["error"]["message"] == "texts is empty: send at least one."


def test_the_sidecars_default_dimension_does_not_reach_the_app(filled: Database) -> None:
    with service_on(filled, sidecar_dimension=128) as running:
        assert len(running.post("/embed", texts=[QUERY]).json()["embeddings"][0]) == 128
        assert running.http.get("/health").json()["embedding_dim"] == 128
        assert np.allclose(running.post("/embed", text=QUERY).json()["embedding"], padded(VECTOR))


def test_more_dimensions_than_the_model_has_are_refused(filled: Database) -> None:
    with service_on(filled, sidecar_dimension=384, ready=False) as running:
        until(lambda: running.http.get("/health").json()["status"] == "failed")
        notice = running.http.get("/health").json()["notice"]
        assert notice == "--dim 384 is more than the 256 dimensions of measured-traits."


def test_what_is_wrong_is_told_in_full_to_who_has_a_key(filled: Database) -> None:
    with service_on(filled, keys=(KEY,), sidecar_dimension=384, ready=False) as running:
        until(lambda: running.http.get("/health").json()["status"] == "failed")
        assert "--dim 384" in running.http.get("/health").json()["notice"]
        stranger = httpx.get(f"{running.url}/health", trust_env=False)
        assert stranger.status_code == 503
        assert stranger.json()["notice"] == health.NOT_LOADED
        assert any("--dim 384" in line for line in running.said)


def test_health_says_what_embeds(running: Running) -> None:
    told = running.http.get("/health").json()
    assert {
        "status": "ok", "embedding_model": "measured-traits", "reranker_model": None,
        "embedding_loaded": True, "reranker_loaded": False, "device": "cpu", "embedding_dim": 256,
    }.items() <= told.items()  # fmt: skip


def test_without_a_model_it_says_so_and_searches_by_words(database: Database) -> None:
    with database.open() as connection:
        connection.execute("insert into fonts (name, tags) values ('Lora', '{latin}')")
    with service_on(database, ready=False) as running:
        while running.http.get("/health").json()["status"] == "loading":
            time.sleep(0.05)
        health = running.http.get("/health")
        assert health.status_code == 503
        assert health.json()["status"] == "failed"
        assert "indexer backfill" in health.json()["notice"]
        assert running.post("/embed", text="serif").status_code == 503
        assert running.post("/v1/embeddings", model="x", input="serif").status_code == 503
        found = running.post("/search", query="Lora").json()
        assert [font["name"] for font in found["fonts"]] == ["Lora"]
        assert found["legs"]["vl"] == {
            "model": None, "asked": False, "why_not": found["legs"]["vl"]["why_not"],
        }  # fmt: skip
        assert "no vl vectors yet" in found["notices"][0]


# --- the provider's


def test_the_provider_gets_one_vector_or_a_list(running: Running) -> None:
    one = running.post("/txt/embed", input=QUERY).json()["embedding"]
    assert np.allclose(one, VECTOR, atol=1e-7)
    several = running.post("/txt/embed", input=[QUERY, "bold"]).json()["embeddings"]
    assert np.allclose(several[0], VECTOR, atol=1e-7)
    refused = running.post("/img/embed", input=picture())
    assert refused.status_code == 422
    assert "No letters were found in the picture" in refused.json()["error"]["message"]


# --- OpenAI's


@pytest.fixture
def client(running: Running) -> Iterator[openai.OpenAI]:
    with (
        httpx.Client(trust_env=False) as own,
        openai.OpenAI(
            base_url=f"{running.url}/v1", api_key="any", max_retries=0, http_client=own
        ) as client,
    ):
        yield client


def test_long_lists_leave_room_for_each_other_and_for_queries(running: Running) -> None:
    with ThreadPoolExecutor(4) as callers:
        lists = [
            callers.submit(running.post, "/embed", texts=[f"bold {n} {at}" for at in range(256)])
            for n in range(3)
        ]
        query = callers.submit(running.post, "/embed", text="a bold query between them")
        assert [call.result().status_code for call in [*lists, query]] == [200] * 4
        assert [len(call.result().json()["embeddings"]) for call in lists] == [256] * 3


def test_openais_client_gets_vectors(client: openai.OpenAI) -> None:
    (card,) = client.models.list().data
    assert card.id == "measured-traits"
    # the client asks for base64 where nothing else is said
    one = client.embeddings.create(model=card.id, input=QUERY)
    assert np.allclose(one.data[0].embedding, VECTOR, atol=1e-7)
    several = client.embeddings.create(
        model=card.id, input=[QUERY, "bold"], encoding_format="float", dimensions=128
    )
    assert np.allclose(several.data[0].embedding, normalised(VECTOR[:128]), atol=1e-7)
    assert [item.index for item in several.data] == [0, 1]


def test_openais_client_gets_its_own_kinds_of_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Arrays of tokens are not accepted"):
        client.embeddings.create(model="measured-traits", input=[1, 2, 3])
    with pytest.raises(openai.BadRequestError, match="Arrays of tokens are not accepted"):
        client.embeddings.create(model="measured-traits", input=[[1, 2], [3]])
    with pytest.raises(openai.NotFoundError, match="measured-traits is"):
        client.embeddings.create(model="text-embedding-3-small", input=QUERY)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.embeddings.create(model="measured-traits", input="zzz qqq")
    assert caught.value.body == {
        "message": caught.value.body["message"],  # type: ignore[index]
        "code": "invalid_request", "type": "invalid_request_error", "param": None,
    }  # fmt: skip


def test_llamaindex_gets_vectors(running: Running) -> None:
    pytest.importorskip("llama_index.embeddings.openai_like", reason="needs the extra test")
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    with httpx.Client(trust_env=False) as own:
        embedding = OpenAILikeEmbedding(
            model_name="measured-traits", api_base=f"{running.url}/v1", api_key="any",
            http_client=own,
        )  # fmt: skip
        assert np.allclose(embedding.get_query_embedding(QUERY), VECTOR, atol=1e-7)
        assert np.allclose(embedding.get_text_embedding_batch([QUERY])[0], VECTOR, atol=1e-7)


def test_our_own_client_gets_vectors(running: Running) -> None:
    url = f"{running.url}/v1"
    assert reported(base_url=url, api_key=None) == MEASURED.model
    with RemoteVL(base_url=url, api_key=None, model=MEASURED.model) as remote:
        assert np.allclose(remote.embed_query(QUERY), VECTOR, atol=1e-7)
        with pytest.raises(UserError, match="no word that the lexicon knows"):
            remote.embed_query("zzz qqq")


# --- search


def test_a_search_is_the_functions_answer_and_says_why(running: Running, filled: Database) -> None:
    body = {"query": QUERY, "alpha": 0.0, "words": 0.0, "limit": 4, "filter": {"category": "serif"}}
    found = running.http.post("/search", json=body).json()
    with filled.open() as connection:
        hits = match(
            connection, text=None, vl=VECTOR, alpha=0.0, count=4, filter={"category": "serif"}
        )
    assert [font["id"] for font in found["fonts"]] == [str(hit.id) for hit in hits]
    assert [font["vl_similarity"] for font in found["fonts"]] == pytest.approx(
        [hit.vl_similarity for hit in hits]
    )
    assert (found["exactness"], found["strategy"], found["alpha"]) == ("scanned", "exact", 0.0)
    assert [phrase["phrase"] for phrase in found["understood"]] == ["high contrast", "serif"]
    assert found["milliseconds"]["rpc"] > 0
    reasons = {reason["trait"]: reason for reason in found["fonts"][0]["why"]}
    parts = {**found["milliseconds"]}
    assert parts.pop("total") == pytest.approx(sum(parts.values()), abs=0.03)  # they are rounded
    assert reasons["contrast"]["phrase"] == "high contrast"
    assert reasons["contrast"]["value"] == pytest.approx(
        found["fonts"][0]["traits"]["contrast"], abs=0.001
    )
    assert found["fonts"][0]["subsets"] == ["latin"]


def test_words_that_are_not_understood_are_told(running: Running) -> None:
    found = running.post("/search", query="high kontrast serif").json()
    unknown = {word["word"]: word["near"] for word in found["not_understood"]}
    assert "contrast" in unknown["kontrast"]


def test_nothing_understood_is_no_ranking_by_spelling(running: Running) -> None:
    nothing = running.post("/search", query="zzz", alpha=0).json()
    assert nothing["fonts"] == []
    assert "no word that the lexicon knows" in nothing["notices"][0]
    assert "Only looks count" in nothing["notices"][1]
    by_name = running.post("/search", query="family 3", alpha=0).json()
    assert "Family 3" in {font["name"] for font in by_name["fonts"]}  # by its words


def test_a_query_that_normalisation_blows_up_is_told_in_bounds(running: Running) -> None:
    found = running.post(
        "/search", query="\ufdfa" * 1000
    ).json()  # 18 characters each, once normalised
    assert 0 < len(found["not_understood"]) <= 50
    assert len({word["word"] for word in found["not_understood"]}) == len(found["not_understood"])


def test_a_long_query_is_not_read_in_the_event_loop(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    explain = MeasuredTraits.explain

    def noted(*asked: Any) -> Understanding:
        threads.append(threading.current_thread().name)
        return explain(*asked)

    monkeypatch.setattr(MeasuredTraits, "explain", noted)
    assert running.post("/search", query=QUERY).status_code == 200
    assert all(name.startswith("read") for name in threads), threads
    assert threads


def test_the_neighbours_of_a_font(running: Running) -> None:
    first = running.post("/search", query=QUERY, limit=1).json()["fonts"][0]
    alike = running.post("/search", similar_to=first["id"], limit=3).json()["fonts"]
    assert len(alike) == 3
    assert first["id"] not in {font["id"] for font in alike}
    width = first["traits"]["contrast"]
    lower = running.post(
        "/search", similar_to=first["id"], filter={"traits": {"contrast": {"lt": width}}}
    ).json()["fonts"]
    assert lower
    assert all(font["traits"]["contrast"] < width for font in lower)


@pytest.mark.parametrize(
    "odd",
    [
        """traits = traits || '{"other": 123456789012345678901234567890}'""",
        "traits = jsonb_build_object('contrast', 1e400, 'is_text', 'no', 'weight', true)",
        """traits = '{"contrast": "much", "weight": -1e300, "version": {}}'""",
        "traits = '[1]', styles = '3'",
        """styles = '{"weights": [1e400, "x", null, 123456789012345678901234567890]}'""",
        "styles = (repeat('[', 500) || repeat(']', 500))::jsonb",
        """files = '{"400": "http://[none", "700": 5}'""",
    ],
)
def test_a_row_that_others_wrote_oddly_spoils_no_answer(filled: Database, odd: str) -> None:
    with filled.open() as connection:
        (font,) = connection.execute(
            f"update public.fonts set {odd} where name = 'Family 1' returning id"
        ).fetchone() or (None,)
    with service_on(filled) as running:  # which searches before it says that it is ready
        for asked in ({}, {"query": "high contrast serif family"}):
            found = running.post("/search", **asked)
            assert found.status_code == 200
            assert str(font) in {font["id"] for font in found.json()["fonts"]}
        assert running.http.get(f"/fonts/{font}").json()["name"] == "Family 1"
        assert running.post("/facets").json()["total"] == 6


@pytest.mark.parametrize("license_", ["100%", "%s", "%(a)s %%"])
def test_a_percent_sign_in_a_filter_is_no_placeholder(
    running: Running, filled: Database, license_: str
) -> None:
    with filled.open() as connection:
        connection.execute(
            "update public.fonts set license = %s where name = 'Family 2'", [license_]
        )
    for asked in ({}, {"query": QUERY}):
        found = running.post("/search", filter={"license": [license_]}, **asked)
        assert [font["name"] for font in found.json()["fonts"]] == ["Family 2"]
    counted = running.post("/facets", filter={"license": [license_]})
    assert counted.json()["total"] == 1


def test_without_a_query_fonts_stand_by_name(running: Running) -> None:
    found = running.post("/search", filter={"category": "serif"}, limit=2).json()
    assert [font["name"] for font in found["fonts"]] == ["Family 1", "Family 3"]
    assert found["fonts"][0]["score"] is None


def test_without_a_query_too_near_duplicates_are_collapsed(
    running: Running, filled: Database
) -> None:
    with filled.connect() as admin:
        admin.execute("update public.fonts set design = 'one' where category = 'serif'")
    found = running.post("/search", filter={"collapse": True}).json()
    assert [font["name"][-1] for font in found["fonts"]] == ["0", "1", "2", "4"]
    assert len(running.post("/search", filter={"collapse": False}).json()["fonts"]) == 6


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"query": "serif", "filter": {"colour": "red"}}, 400, "unknown key: colour.* There are"),
        (
            {"similar_to": "00000000-0000-0000-0000-000000000000"},
            404,
            "^There is no font with the id",
        ),
        ({"query": "x" * 2000}, 422, "query: String should have at most 1000 characters"),
        ({"query": "serif", "limit": 1000}, 422, "limit"),
        ({"query": "serif", "typo": 1}, 422, "typo: Extra inputs are not permitted"),
        ({"query": "serif", "image": "!!"}, 422, "neither base64 nor a data URL"),
        ({"query": "serif", "image": "http://127.0.0.1/x.png"}, 422, "REMOTE_IMAGES"),
    ],
)
def test_a_bad_request_gets_a_sentence(
    running: Running, body: dict[str, object], status: int, says: str
) -> None:
    answer = running.http.post("/search", json=body)
    assert answer.status_code == status, answer.text
    assert re.search(says, answer.json()["error"]["message"])
    assert "x" * 101 not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/embed", {"txt": "a"}, "txt: Extra inputs are not permitted."),
        ("/embed", {"text": 1}, "text: Input should be a valid string."),
        ("/embed", {"texts": ["a"], "dimension": 0},
         "dimension: Input should be greater than or equal to 1."),
        ("/embed", {"texts": ["a", 1]}, "texts.1: Input should be a valid string."),
        ("/embed", [], "the body: Input should be a valid dictionary or object to extract fields from."),
        ("/txt/embed", {}, "input: Field required."),
        ("/txt/embed", {"input": 1}, "input: Input should be a valid string, or Input should be a valid list."),
        ("/v1/embeddings", {"model": "m", "messages": [{"role": "user", "content": [{"type": "x"}]}]},
         "messages.0.content: Input should be a valid string; "
         "messages.0.content.0.type: Input should be 'text' or 'image_url'."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_the_keys_that_were_sent(
    running: Running, path: str, body: object, says: str
) -> None:
    message = running.http.post(path, json=body).json()["error"]["message"]
    assert message == f"The request is not valid. {says}"


def test_a_body_that_is_not_declared_as_json_is_not_read_as_such(running: Running) -> None:
    """As a page of another site sends it, which need not ask for that."""
    for headers in ({}, {"Content-Type": "text/plain"}):
        answer = running.http.post("/embed", content=b'{"text": "bold"}', headers=headers)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.json()["error"]["message"]
    broken = running.http.post("/embed", content=b'{"text": ', headers=JSON)
    assert broken.json()["error"]["message"] == "The body of the request is not JSON."


def test_another_model_than_the_serving_one_embeds_but_does_not_search(
    running: Running, filled: Database
) -> None:
    with filled.open() as connection:
        connection.execute(
            "update font_index.spaces set identity = jsonb_set(identity, '{model,revision}', '\"other\"')"
            " where leg = 'vl'"
        )
    refused = running.post("/search", query=QUERY)
    assert refused.status_code == 503
    assert "This service embeds with measured-traits" in refused.json()["error"]["message"]
    health = running.http.get("/health").json()
    assert health["searches"] is False
    assert "This service embeds with" in health["notice"]
    # the app would hand it to the database; the others are told by which model it is
    assert running.post("/embed", text=QUERY).status_code == 503
    assert running.post("/embed", texts=[QUERY]).json()["model"] == "measured-traits"
    before = vectors_asked(running)
    assert running.post("/search", query="never asked before").status_code == 503
    assert vectors_asked(running) == before, "embedded before it was refused"
    with filled.open() as connection:
        connection.execute(
            "update font_index.spaces set identity = jsonb_set(identity, '{model,revision}', %s) where leg = 'vl'",
            [Jsonb(running.service.embedders.model.revision)],
        )
    assert running.post("/search", query=QUERY).status_code == 200


def vectors_asked(running: Running) -> list[str]:
    lines = running.http.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("fontsight_query_vectors_total")]


def test_a_text_space_that_is_switched_is_followed(running: Running, filled: Database) -> None:
    assert running.post("/search", query=QUERY).json()["legs"]["text"]["asked"]
    with filled.open() as connection:
        connection.execute("update font_index.spaces set state = 'retired' where leg = 'text'")
    found = running.post("/search", query=QUERY).json()
    assert found["legs"]["text"]["asked"] is False
    assert found["fonts"]
    with filled.open() as connection:
        connection.execute("update font_index.spaces set state = 'active' where leg = 'text'")
    assert running.post("/search", query=QUERY).json()["legs"]["text"]["asked"]


# --- access


def test_a_key_is_needed_where_there_are_keys(filled: Database) -> None:
    with service_on(filled, keys=(KEY, "another-key-of-these-tests")) as running:
        for key, status in [(KEY, 200), ("another-key-of-these-tests", 200), ("wrong" * 5, 401)]:
            headers = {"Authorization": f"Bearer {key}"}
            answer = running.http.post("/embed", json={"text": QUERY}, headers=headers)
            assert answer.status_code == status
        with httpx.Client(base_url=running.url, trust_env=False) as stranger:
            assert stranger.get("/health").status_code == 200
            for method, path in [
                ("POST", "/"), ("POST", "/embed"), ("POST", "/search"), ("GET", "/metrics"),
                ("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("POST", "/txt/embed"),
            ]:  # fmt: skip
                refused = stranger.request(method, path, json={})
                assert refused.status_code == 401, path
                assert refused.headers["www-authenticate"] == "Bearer"
            # a browser gives the key once
            assert stranger.post("/session", json={"key": "wrong" * 5}).status_code == 401
            let_in = stranger.post("/session", json={"key": KEY})
            assert let_in.status_code == 204
            cookie = let_in.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert KEY not in cookie
            assert stranger.post("/search", json={"query": QUERY}).status_code == 200


def test_without_a_key_no_more_than_a_key_is_read(filled: Database) -> None:
    """Or strangers would have the service keep and parse what they send, before it asks who they are."""
    with (
        service_on(filled, keys=(KEY,)) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=5) as stranger,
    ):
        host, port = running.url.removeprefix("http://").split(":")
        for path in ("/search", "/session"):
            with socket.create_connection((host, int(port)), timeout=5) as unfinished:
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                unfinished.sendall(f"{head}Content-Length: 5000\r\n\r\n".encode())
                assert unfinished.recv(100).startswith(b"HTTP/1.1 401 ")
        chunks = (b"[" * 1000 for _ in range(5))
        assert stranger.post("/search", content=chunks).status_code == 401
        assert running.post("/embed", text=QUERY * 300).status_code == 200
        assert stranger.post("/session", json={"key": KEY}).status_code == 204
        assert stranger.post("/embed", json={"text": QUERY * 300}).status_code == 200


def test_off_loopback_a_key_is_required() -> None:
    with pytest.raises(UserError, match="FONTSIGHT_SERVE_KEYS"):
        Access.from_settings(None, "0.0.0.0")
    with pytest.raises(UserError, match="fewer than 16 characters"):
        Access.from_settings("short", "0.0.0.0")
    assert Access.from_settings(f" {KEY} , ", "0.0.0.0").required
    assert not Access.from_settings(None, "127.0.0.1").required
    with pytest.raises(Refusal):
        Access([KEY]).cookie_for("")


def test_another_host_name_is_refused_without_keys(running: Running) -> None:
    rebound = running.http.get("/v1/models", headers={"Host": "evil.example"})
    assert rebound.status_code == 400


def test_other_origins_are_let_in_by_setting_alone(filled: Database) -> None:
    asked = {
        "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }  # fmt: skip
    with service_on(filled, serve_origins="https://app.example") as running:
        allowed = running.http.options("/search", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        other = running.http.options("/search", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


# --- bounds


def test_a_body_that_is_too_large_is_refused(running: Running) -> None:
    told = running.http.post("/embed", content=b"x" * (13 << 20))
    assert told.status_code == 413

    def chunks():  # type: ignore[no-untyped-def]
        for _ in range(13):
            yield b"x" * (1 << 20)

    untold = running.http.post(
        "/embed", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert untold.status_code == 413


def test_more_text_than_a_request_may_hold_is_refused(running: Running) -> None:
    texts = ["serif " * 1000] * 50
    for path, body in [("/embed", {"texts": texts}), ("/txt/embed", {"input": texts})]:
        answer = running.http.post(path, json=body)
        assert answer.status_code == 413
        assert "more than 256,000 characters" in answer.json()["error"]["message"]


def test_a_picture_that_would_explode_is_refused(running: Running) -> None:
    bomb = picture(6000, 6000)
    assert len(bomb) < 500_000
    for body in ({"image": bomb}, {"image": f"data:image/png;base64,{bomb}"}):
        answer = running.http.post("/embed", json=body)
        assert answer.status_code == 413
        assert "36,000,000 pixels" in answer.json()["error"]["message"]
    no_picture = running.post("/embed", image=base64.b64encode(b"<svg/>").decode())
    assert no_picture.status_code == 422


def test_pictures_on_private_addresses_are_refused_even_where_addresses_are_allowed(
    filled: Database,
) -> None:
    with service_on(filled, serve_remote_images=True) as running:
        answer = running.post("/embed", image=f"{running.url}/health")
        assert answer.status_code == 422
        assert "private" in answer.json()["error"]["message"]


def test_answers_carry_an_id_and_the_log_no_text(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "indexer.serve"):
        own = running.http.post(
            "/search", json={"query": "secretive serif"}, headers={"X-Request-ID": "abc-1"}
        )
        made = running.http.post(
            "/search", json={"query": "serif"}, headers={"X-Request-ID": 'a"b\\c'}
        )
        until(lambda: sum("/search" in str(vars(r)) for r in caplog.records) == 2)
    assert own.headers["x-request-id"] == "abc-1"
    assert len(made.headers["x-request-id"]) == 16
    every = [record.about for record in caplog.records]  # type: ignore[attr-defined]
    records = [about for about in every if about["route"] == "/search"]
    assert records[0]["request_id"] == "abc-1"
    assert "secretive" not in json.dumps(records)


def test_metrics_count_answers_and_cache_hits(running: Running) -> None:
    before = hits(running)
    for _ in range(3):
        running.post("/embed", text="serif with metrics")
    metrics = running.http.get("/metrics").text
    assert 'fontsight_answers_total{route="/embed",status="200"} 3.0' in metrics
    assert 'fontsight_queue_length{kind="queries",leg="vl"} 0.0' in metrics
    assert hits(running) - before == 2


def test_invented_methods_are_not_kept_in_the_metrics(running: Running) -> None:
    for number in range(3):
        assert running.http.request(f"INVENTED{number}", "/search").status_code == 405
    metrics = running.http.get("/metrics").text
    assert "INVENTED" not in metrics
    assert 'method="ANY",route="/search"' in metrics


def hits(running: Running) -> float:
    name = 'fontsight_query_vectors_total{found="yes",leg="vl"} '
    lines = running.http.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8700/v1"),
        ("localhost", "http://localhost:8700/v1"),
        ("::1", "http://[::1]:8700/v1"),
        ("::", "http://[::1]:8700/v1"),
    ],
)
def test_a_service_is_announced_where_it_answers(tmp_path: Path, host: str, url: str) -> None:
    with announcement.announced(tmp_path, host, 8700, "token"):
        assert [found.base_url for found in announcement.found(tmp_path)] == [url]


def test_what_is_served_is_announced_to_jobs_of_this_user_alone(tmp_path: Path) -> None:
    with announcement.announced(tmp_path, "0.0.0.0", 8700, "token"):
        (found,) = announcement.found(tmp_path)
        assert found.base_url == "http://127.0.0.1:8700/v1"
        assert "token" not in repr(found).replace("token=", "")
        (path,) = (tmp_path / announcement.FOLDER).iterdir()
        assert path.stat().st_mode & 0o077 == 0
    assert announcement.found(tmp_path) == []


def test_what_a_killed_service_left_is_not_followed(tmp_path: Path) -> None:
    with announcement.announced(tmp_path, "127.0.0.1", 8700, "token"):
        (path,) = (tmp_path / announcement.FOLDER).iterdir()
        left = path.read_text()
    path.write_text(left)
    path.chmod(0o600)
    assert announcement.found(tmp_path) == []
    with announcement.announced(tmp_path, "127.0.0.1", 8700, "another"):
        assert [found.token for found in announcement.found(tmp_path)] == ["another"]
    assert not path.exists()


def test_a_link_in_an_announcements_place_is_replaced_and_never_read(tmp_path: Path) -> None:
    folder, other = tmp_path / announcement.FOLDER, tmp_path / "other"
    folder.mkdir()
    other.write_text("{}")
    (folder / "8700.json").symlink_to(other)
    with announcement.announced(tmp_path, "127.0.0.1", 8700, "token"):
        (folder / "8701.json").symlink_to(folder / "8700.json")
        assert len(announcement.found(tmp_path)) == 1
    assert other.read_text() == "{}"


def test_a_service_takes_only_its_own_announcement_along(tmp_path: Path) -> None:
    first = announcement.announced(tmp_path, "127.0.0.1", 8700, "first")
    first.__enter__()
    with announcement.announced(tmp_path, "::1", 8700, "second"):
        first.__exit__(None, None, None)
        (found,) = announcement.found(tmp_path)
        assert found.base_url == "http://[::1]:8700/v1"


# --- a database that hangs


def test_a_database_that_hangs_holds_up_nothing_else(
    running: Running, filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ANSWER_SECONDS", 3.0)
    searches = 40  # more than there are threads
    with ThreadPoolExecutor(searches) as callers, filled.connect() as admin, admin.transaction():
        admin.execute("lock table public.fonts in access exclusive mode")
        calls = [callers.submit(running.post, "/search", query="bold") for _ in range(searches)]
        time.sleep(0.5)
        began = time.monotonic()
        assert running.post("/img/embed", input="no picture").status_code == 422
        assert running.post("/txt/embed", input="bold").status_code == 200
        assert time.monotonic() - began < 1.5
        monkeypatch.setattr(serving_spaces, "FRESH_SECONDS", 0)
        monkeypatch.setattr(serving_spaces, "MAX_WAIT_SECONDS", 0.1)
        health = running.http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert "did not answer in time" in health.json()["notice"]
        assert not health.json()["searches"]
        for call in calls:
            assert call.result().status_code == 503
            assert call.result().headers["retry-after"] == "5"
    until(lambda: running.post("/search", query="bold").status_code == 200)


def test_it_holds_at_most_ten_connections_however_many_ask(
    running: Running, filled: Database
) -> None:
    def held() -> int:
        row = admin.execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and application_name = 'fontsight serve'"
        ).fetchone()
        assert row is not None
        return int(row[0])

    most = 0
    with ThreadPoolExecutor(40) as callers, filled.connect() as admin:
        with filled.connect() as other, other.transaction():
            other.execute("lock table public.fonts in access exclusive mode")
            calls = [callers.submit(running.post, "/search", query="bold") for _ in range(20)]
            calls += [callers.submit(running.http.get, "/panel") for _ in range(20)]
            until(lambda: held() == reading.MAX_CONNECTIONS)
        while not all(call.done() for call in calls):
            most = max(most, held())
    assert {call.result().status_code for call in calls} == {200}
    assert most == reading.MAX_CONNECTIONS <= 10


# --- visitors


def test_a_hidden_font_is_found_by_no_search(visited: Database, tmp_path: Path) -> None:
    fill(visited, tmp_path / "fonts")
    with visited.open() as connection:
        row = connection.execute("select id::text from fonts where name = 'Family 1'").fetchone()
    assert row is not None
    with service_on(visited) as running:
        bodies: list[dict[str, object]] = [
            {"query": QUERY}, {"query": "family 1", "alpha": 0}, {"query": QUERY, "alpha": 1}, {},
        ]  # fmt: skip

        def names() -> list[set[str]]:
            found = [running.http.post("/search", json=body).json()["fonts"] for body in bodies]
            return [{font["name"] for font in fonts} for fonts in found]

        assert all("Family 1" in found for found in names())
        assert running.post("/search", query="Family 1").json()["alpha"] == 0.5
        with visited.open() as connection:
            hide(connection, "Family 1")
        assert running.post("/search", query="Family 1").json()["alpha"] == 0.0
        assert all(found and "Family 1" not in found for found in names())
        assert running.post("/search", similar_to=row[0]).status_code == 404
        assert running.service.reader.role == "anon"


# --- its README

GUIDE = (Path(__file__).parent.parent / "indexer/serve/README.md").read_text("utf-8")


def test_the_provider_block_of_the_docs_works(running: Running) -> None:
    import yaml

    found = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    (model,) = yaml.safe_load(found[1])["models"]
    text = running.http.request(
        model["text"]["method"], model["text"]["path"], json={model["text"]["input"]: QUERY}
    )
    assert np.allclose(text.json()[model["text"]["output"]], VECTOR, atol=1e-7)
    image = running.http.request(
        model["image"]["method"], model["image"]["path"], json={model["image"]["input"]: picture()}
    )
    assert "No letters were found" in image.json()["error"]["message"]  # it is a blank one


def test_the_search_of_the_docs_works(running: Running) -> None:
    bodies = re.findall(r"-d '(\{.*?\})'\n", GUIDE)
    assert len(bodies) == 2
    for body in bodies:
        answer = running.http.post("/search", content=body, headers=JSON)
        assert answer.status_code == 200
        assert answer.json()["fonts"]
    found = re.search(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    example = json.loads(found[1])
    assert SearchAnswer.model_validate(example).model_dump(mode="json") == example
    assert example["milliseconds"].keys() == answer.json()["milliseconds"].keys()


def test_the_docs_name_every_route_and_variable(running: Running) -> None:
    for path in running.http.get("/openapi.json").json()["paths"]:
        assert re.search(rf"`(GET|POST) {re.escape(path)}[` ]", GUIDE), path
    for field in Settings.model_fields.values():
        alias = str(field.validation_alias)
        if "SERVE" in alias:
            assert alias in GUIDE, alias


JSON = {"Content-Type": "application/json"}
