"""Text embeddings from any service that speaks OpenAI's /embeddings: OpenRouter, vLLM, TEI, OpenAI.

Request and answer after OpenAI's API reference, "Create embeddings".
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from indexer.embed.halving import halved
from indexer.embed.protocol import READ_IMAGES, Document, Embedder, Model, Query, Vector, only
from indexer.embed.service.client import PROBE, EmbeddingService, Patience
from indexer.embed.service.keys import Secret
from indexer.embed.service.replies import Broken, Items, Refused, Reply, vector_of
from indexer.errors import FontError, UserError
from indexer.settings import OPENROUTER_MODEL, OPENROUTER_URL


class OpenAICompatible(Embedder):
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
        self._model = Model(
            name=model,
            revision=revision,
            dimension=dimension,
            query_instruction=query_instruction,
        )
        self._batch_size = batch_size
        self._service = EmbeddingService(
            base_url=base_url,
            api_key=api_key,
            model_name=model,
            patience=patience,
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
        return f"OpenAICompatible(model={self._model.name!r}, host={self._service.host!r})"

    def close(self) -> None:
        self._service.close()

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
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        results: list[Vector | UserError] = [self._refusal(query) for query in queries]
        full = [
            place for place, query in enumerate(queries) if query.image is None and not query.empty
        ]
        for start in range(0, len(full), self._batch_size):
            places = full[start : start + self._batch_size]
            vectors = self._embed([self._asked(queries[place]) for place in places])
            for place, vector in zip(places, vectors, strict=True):
                results[place] = _of_query(vector)
        return results

    def _refusal(self, query: Query) -> UserError:
        if query.image is not None:
            return UserError(f"{self._model.name} reads no pictures. {READ_IMAGES}")
        return UserError("Nothing to search for: give a word or a name.")

    def _asked(self, query: Query) -> str:
        given = query.instruction
        instruction = self._model.query_instruction if given is None else given
        return f"Instruct: {instruction}\nQuery:{query.text}" if instruction else query.text or ""

    def _embed(self, texts: Sequence[str]) -> list[Vector | FontError]:
        """One batch. A refused one is halved until the culprits stand alone.

        Raises EmbedderUnavailable.
        """
        answer = self._attempt(texts)
        if not isinstance(answer, Refused):
            return answer
        probe = self._attempt([PROBE])
        if isinstance(probe, Refused):  # the model's name, say: no text is to blame
            raise self._service.unavailable(Broken(f"refuses any text: {probe.message}"))
        return halved(texts, answer, self._attempt, _refused)

    def _attempt(self, texts: Sequence[str]) -> list[Vector | FontError] | Refused:
        reply = self._ask(texts)
        if isinstance(reply, Refused):
            return reply
        if not isinstance(reply, Items):
            raise self._service.unavailable(reply)
        return [vector_of(item) for item in reply.vectors]

    def _ask(self, texts: Sequence[str]) -> Reply:
        body = {"model": self._model.name, "input": list(texts), "encoding_format": "float"}
        return self._service.embed(body, count=len(texts), dimension=self._model.dimension)


def _of_query(result: Vector | FontError) -> Vector | UserError:
    if isinstance(result, FontError):
        return UserError(f"The query cannot be embedded. {result.message}")
    return result


def _refused(reply: Refused) -> Vector | FontError:
    return FontError("embed", f"The embedding service refused it: {reply.message}")
