"""A service that speaks OpenAI's API: requests, patience, and answers that are values.

What goes wrong on the way is a value here, not an exception: exceptions of the HTTP client carry the
request, and with it the key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from threading import Event
from typing import Any

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    sleep_using_event,
    stop_after_attempt,
)
from tenacity.wait import wait_random_exponential

from indexer.embed.service.keys import Bearer, Secret, host_of
from indexer.embed.service.replies import (
    Broken,
    Content,
    Failure,
    Later,
    Refused,
    Reply,
    ServedModels,
    items_of,
    json_of,
    served_models_of,
)
from indexer.errors import EmbedderUnavailable
from indexer.retry_after import retry_after

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


class EmbeddingService:
    """Safe to be called from several threads. Keeps its connections until close()."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | Secret | None,
        model_name: str | None = None,
        patience: Patience | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`model_name` is for messages alone.

        Raises UserError for a base URL that is none, or that would carry the key in the clear.
        """
        self._auth = Bearer(api_key)
        self.host = host_of(base_url, has_key=bool(self._auth))
        self._url = base_url.rstrip("/")
        self._model_name = model_name
        self._patience = patience or Patience()
        self._stopped = Event()
        self._client = httpx.Client(
            auth=self._auth,
            headers={"Content-Type": "application/json"},
            timeout=httpx.Timeout(
                self._patience.timeout_s, connect=self._patience.connect_timeout_s
            ),
            follow_redirects=False,  # the key is for this host
            trust_env=False,  # no ~/.netrc in place of the key, no proxy that nobody asked for
            proxy=proxy,
            transport=transport,
        )

    def stop(self) -> None:
        """From any thread: nothing more is sent, and nobody waits for another attempt."""
        self._stopped.set()

    def close(self) -> None:
        """Once no thread is within a request: a connection being made would be left open."""
        self.stop()
        self._client.close()

    def embed(self, body: dict[str, Any], *, count: int, dimension: int | None) -> Reply:
        """The vectors of `count` inputs; of any dimension where none is given."""
        answer = self._ask("POST", "/embeddings", body)
        return items_of(answer.json, count, dimension) if isinstance(answer, Content) else answer

    def models(self) -> ServedModels | Failure:
        answer = self._ask("GET", "/models")
        return served_models_of(answer.json) if isinstance(answer, Content) else answer

    def unavailable(self, failure: Failure) -> EmbedderUnavailable:
        model = f" ({self._model_name})" if self._model_name else ""
        did = "refuses any request: " if isinstance(failure, Refused) else ""
        return EmbedderUnavailable(
            f"The embedding service {self.host}{model} {did}{failure.message}"
        )

    def scrub(self, words: str) -> str:
        """The server's words, fit to be shown: short, and without the key."""
        return self._auth.scrub(words)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Content | Failure:
        """The answer after as many attempts as patience has."""
        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait,
            sleep=sleep_using_event(self._stopped),
            retry=retry_if_result(lambda answer: isinstance(answer, Later)),
            retry_error_callback=_last,
        )
        answer: Content | Failure = retrying(self._attempt, method, path, body)
        return answer

    def _wait(self, state: RetryCallState) -> float:
        """What the server asks for, and at random up to twice as long each time: none in step."""
        drawn: float = wait_random_exponential(
            multiplier=self._patience.first_wait_s, max=self._patience.longest_wait_s
        )(state)
        answer = _last(state)
        asked = answer.after_s if isinstance(answer, Later) and answer.after_s else 0.0
        return min(max(asked, drawn), self._patience.longest_wait_s)

    def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> Content | Failure:
        if self._stopped.is_set():
            return Broken("is not asked any more: it was closed.")
        # half characters (lone surrogates) have no bytes
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") if body else None
        try:
            response = self._client.request(method, self._url + path, content=content)
        except httpx.HTTPError as error:
            return Later(f"does not answer ({type(error).__name__}).")
        answer = json_of(response)
        # OpenRouter reports failures of the model's provider in an answer of status 200.
        complaint = answer.get("error") if isinstance(answer, dict) else None
        if response.status_code != 200 or complaint:
            return self._failure(response, complaint)
        if answer is None:
            return Later("answered with something that is not JSON.")
        return Content(answer)

    def _failure(self, response: httpx.Response, complaint: object) -> Failure:
        status, said = response.status_code, complaint
        if isinstance(complaint, dict):
            said = complaint.get("message")
            code = complaint.get("code")
            if status == 200 and isinstance(code, int):
                status = code
        words = self.scrub(str(said or response.text or response.reason_phrase))
        message = f"answered {status}: {words}"
        if status in TRANSIENT or status >= 500:
            return Later(message, retry_after(response.headers.get("retry-after")))
        return Refused(words) if status in REFUSED_INPUT else Broken(message, status)


def _last(state: RetryCallState) -> Any:
    return None if state.outcome is None else state.outcome.result()
