"""Text embeddings from any service that speaks OpenAI's /embeddings: OpenRouter, vLLM, TEI, OpenAI.

Request and answer after OpenAI's API reference, "Create embeddings". What goes wrong on the way is a
value here, not an exception: exceptions of the HTTP client carry the request, and with it the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from indexer.embed.keys import Bearer, Secret, host_of
from indexer.embed.protocol import Document, Model, Vector
from indexer.embed.replies import (
    Broken,
    Items,
    Later,
    Refused,
    Reply,
    items_of,
    json_of,
    retry_after,
    vector_of,
)
from indexer.errors import EmbedderUnavailable, FontError, UserError

OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENROUTER_MODEL = "qwen/qwen3-embedding-8b"

REFUSED_INPUT = frozenset({400, 413, 422})  # may be the fault of one document
TRANSIENT = frozenset({408, 409, 425, 429})  # and all from 500
PROBE = "font"  # which no working service refuses


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on with a service that does not answer."""

    attempts: int = 6
    first_wait_s: float = 1.0  # the longest of the first wait; doubles, and is drawn at random
    longest_wait_s: float = 30.0  # also where the server asks for more
    timeout_s: float = 120.0  # without a byte
    connect_timeout_s: float = 10.0


class OpenAICompatible:
    """Embedder of texts by a service. Keeps its connections: close() it, or use it in a `with`.

    `query_instruction` stands before queries in the form that Qwen3-Embedding's model card gives.
    `revision` is what the user pins the service's model to: services do not tell.
    """

    def __init__(
        self,
        *,
        api_key: str | Secret | None,
        base_url: str = OPENROUTER_URL,
        model: str = OPENROUTER_MODEL,
        dimension: int = 4096,
        batch_size: int = 64,
        query_instruction: str = "",
        revision: str = "openai-compatible",
        patience: Patience | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises UserError for a base URL that is none, or that would carry the key in the clear."""
        self._auth = Bearer(api_key)
        self._host = host_of(base_url, has_key=bool(self._auth))
        self._url = base_url.rstrip("/") + "/embeddings"
        self._model = Model(
            name=model,
            revision=revision,
            dimension=dimension,
            query_instruction=query_instruction,
        )
        self._batch_size = batch_size
        self._patience = patience or Patience()
        self._client = httpx.Client(
            auth=self._auth,
            timeout=httpx.Timeout(
                self._patience.timeout_s, connect=self._patience.connect_timeout_s
            ),
            follow_redirects=False,  # the key is for this host
            trust_env=False,  # no ~/.netrc in place of the key, no proxy that nobody asked for
            proxy=proxy,
            transport=transport,
        )

    @property
    def model(self) -> Model:
        return self._model

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def __repr__(self) -> str:
        return f"OpenAICompatible(model={self._model.name!r}, host={self._host!r})"

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of the texts alone; FontError for one that is empty or that the service refuses."""
        results: list[Vector | FontError] = [
            FontError("embed", "It has no text to embed.") for _ in documents
        ]
        texts = [document.text or "" for document in documents]
        full = [place for place, text in enumerate(texts) if text.strip()]
        for start in range(0, len(full), self._batch_size):
            places = full[start : start + self._batch_size]
            vectors = self._embed([texts[place] for place in places])
            for place, vector in zip(places, vectors, strict=True):
                results[place] = vector
        return results

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text, and for one that the service refuses."""
        if not text.strip():
            raise UserError("Nothing to search for: give a word or a name.")
        instruction = self._model.query_instruction
        asked = f"Instruct: {instruction}\nQuery:{text}" if instruction else text
        vector = self._embed([asked])[0]
        if isinstance(vector, FontError):
            raise UserError(f"The query cannot be embedded. {vector.message}")
        return vector

    def _embed(self, texts: Sequence[str]) -> list[Vector | FontError]:
        """One batch. A refused one is halved until the culprits stand alone.

        Raises EmbedderUnavailable.
        """
        reply = self._ask(texts)
        if isinstance(reply, Refused):
            probe = self._ask([PROBE])
            if isinstance(probe, Refused):  # the model's name, say: no text is to blame
                raise self._unavailable(Broken(f"refuses any text: {probe.message}"))
            self._vectors(probe)
            return self._halve(texts, reply)
        return self._vectors(reply)

    def _halve(self, texts: Sequence[str], refused: Refused) -> list[Vector | FontError]:
        if len(texts) == 1:
            return [FontError("embed", f"The embedding service refused it: {refused.message}")]
        middle = len(texts) // 2
        results: list[Vector | FontError] = []
        for half in (texts[:middle], texts[middle:]):
            reply = self._ask(half)
            if isinstance(reply, Refused):
                results += self._halve(half, reply)
            else:
                results += self._vectors(reply)
        return results

    def _vectors(self, reply: Reply) -> list[Vector | FontError]:
        if not isinstance(reply, Items):
            raise self._unavailable(reply)
        return [vector_of(item) for item in reply.vectors]

    def _unavailable(self, reply: Later | Refused | Broken) -> EmbedderUnavailable:
        return EmbedderUnavailable(
            f"The embedding service {self._host} ({self._model.name}) {reply.message}"
        )

    def _ask(self, texts: Sequence[str]) -> Reply:
        """The answer to a batch, after as many attempts as patience has."""
        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait,
            retry=retry_if_result(lambda reply: isinstance(reply, Later)),
            retry_error_callback=_last,
        )
        reply: Reply = retrying(self._attempt, texts)
        return reply

    def _wait(self, state: RetryCallState) -> float:
        """What the server asks for, and at random up to twice as long each time: none in step."""
        drawn: float = wait_random_exponential(
            multiplier=self._patience.first_wait_s, max=self._patience.longest_wait_s
        )(state)
        reply = _last(state)
        asked = reply.after_s if isinstance(reply, Later) and reply.after_s else 0.0
        return min(max(asked, drawn), self._patience.longest_wait_s)

    def _attempt(self, texts: Sequence[str]) -> Reply:
        sendable = [
            text.encode("utf-8", "replace").decode() for text in texts
        ]  # no half characters
        body = {"model": self._model.name, "input": sendable, "encoding_format": "float"}
        try:
            response = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            return Later(f"does not answer ({type(error).__name__}).")
        answer = json_of(response)
        # OpenRouter reports failures of the model's provider in an answer of status 200.
        complaint = answer.get("error") if isinstance(answer, dict) else None
        if response.status_code != 200 or complaint:
            return self._failure(response, complaint)
        if answer is None:
            return Later("answered with something that is not JSON.")
        return items_of(answer, len(texts), self._model.dimension)

    def _failure(self, response: httpx.Response, complaint: object) -> Reply:
        status, said = response.status_code, complaint
        if isinstance(complaint, dict):
            said = complaint.get("message")
            code = complaint.get("code")
            if status == 200 and isinstance(code, int):
                status = code
        words = self._auth.scrub(str(said or response.text or response.reason_phrase))
        message = f"answered {status}: {words}"
        if status in TRANSIENT or status >= 500:
            return Later(message, retry_after(response))
        return Refused(words) if status in REFUSED_INPUT else Broken(message)


def _last(state: RetryCallState) -> Any:
    return None if state.outcome is None else state.outcome.result()
