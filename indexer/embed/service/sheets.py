"""Qwen3-VL-Embedding on a server: fontsight's query service on a GPU host, vLLM, or another.

A request is vLLM's chat form of /embeddings (EmbeddingChatRequest of its 0.11.2 and 0.33.0), one
conversation each. Vectors of a wrong model look like any others, so nothing is embedded before
GET /models has told what is served.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import cache
from threading import Lock
from typing import Any

import httpx
from PIL import Image

from indexer.embed.protocol import Document, Embedder, Model, Query, Vector, only
from indexer.embed.qwen.conversation import conversation
from indexer.embed.service.client import PROBE, EmbeddingService, Patience
from indexer.embed.service.keys import Secret
from indexer.embed.service.replies import (
    Broken,
    Items,
    Refused,
    Reply,
    ServedModel,
    ServedModels,
    vector_of,
)
from indexer.errors import FontError, UserError

DOCUMENTS_WAIT = 1
AT_ONCE = 16  # requests on their way: a server batches what it has at a time
PROBE_SIZE = (1024, 512)  # px: of an ordinary sheet, so that it needs as many tokens
KINDS = {
    b"\xff\xd8": "jpeg",
    b"GIF8": "gif",
    b"RIFF": "webp",
}  # by the first bytes; all else is PNG
NO_SUCH_PATH = frozenset({404, 405})


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a server has to be told for vectors of the model wanted."""

    name: str  # its own for the model
    dimensions: int | None = None  # None: the model's own
    priority: int | None = None  # vLLM's field: what has a higher number waits; None: not sent


class RemoteVL(Embedder):
    """Embedder of sheets, texts and both by a service. Holds connections and threads: close() it.

    A server that does not say what it serves, or serves something else than `model`, is unavailable:
    no font is to blame for it. What a server does not tell is taken on the user's word: vLLM tells
    the model's name, and its vectors their length.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | Secret | None,
        model: Model,
        documents_wait: bool = False,
        patience: Patience | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`documents_wait`: for fontsight's own service, which lets queries overtake them.

        Raises UserError for a base URL that is none, or that would carry the key in the clear.
        """
        self._model = model
        self._priority = DOCUMENTS_WAIT if documents_wait else None
        self._service = EmbeddingService(
            base_url=base_url,
            api_key=api_key,
            model_name=model.name,
            patience=patience,
            proxy=proxy,
            transport=transport,
        )
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="request")
        self._agreeing = Lock()
        self._terms: Terms | None = None

    @property
    def model(self) -> Model:
        return self._model

    @property
    def batch_size(self) -> int:
        return 2 * AT_ONCE

    @property
    def parallel(self) -> int:
        return 2  # the next batch's requests follow while the last of this one are answered

    def __repr__(self) -> str:
        return f"RemoteVL(model={self._model.name!r}, host={self._service.host!r})"

    def start(self, expected: int) -> None:
        """Raises EmbedderUnavailable for a server whose vectors would not be those of the model."""
        self._agreed()

    def close(self) -> None:
        """From any thread; waits for the requests that are on their way, and for no other."""
        self._service.stop()
        self._threads.shutdown(cancel_futures=True)
        self._service.close()

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        """Of sheets and texts; FontError for one with neither, and for one that is refused."""
        terms = replace(self._agreed(), priority=self._priority)
        instruction = self._model.document_instruction
        futures = [
            self._threads.submit(self._embed, terms, document.text, document.sheet, instruction)
            for document in documents
        ]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:  # of a server that is down, the first failure tells enough
                future.cancel()

    @property
    def device(self) -> str:
        return f"the server {self._service.host}"

    @property
    def reads_images(self) -> bool:
        return True

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text, and for one that the service refuses."""
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        terms = self._agreed()
        return list(self._threads.map(lambda query: self._query(terms, query), queries))

    def _query(self, terms: Terms, query: Query) -> Vector | UserError:
        if query.empty:
            return UserError("Nothing to search for: say what the letters look like.")
        given = query.instruction
        instruction = self._model.query_instruction if given is None else given
        vector = self._embed(terms, query.text, query.image, instruction)
        if isinstance(vector, FontError):
            return UserError(f"The query cannot be embedded. {vector.message}")
        return vector

    def _embed(
        self, terms: Terms, text: str | None, sheet: bytes | None, instruction: str
    ) -> Vector | FontError:
        """Raises EmbedderUnavailable."""
        image = None if sheet is None else _data_url(sheet)
        try:
            talk = conversation(text, image, instruction)
        except ValueError as error:
            return FontError("embed", str(error))
        reply = self._ask(terms, talk)
        if not isinstance(reply, Refused):
            return self._vector(reply)
        # a server may know texts only, or have no room for a sheet: then this input is not to blame
        probe = self._ask(terms, conversation(text and PROBE, image and _blank(), instruction))
        if isinstance(probe, Refused):
            kind = "sheet" if image else "text"
            raise self._service.unavailable(Broken(f"refuses any {kind}: {probe.message}"))
        self._vector(probe)
        return FontError("embed", f"The embedding service refused it: {reply.message}")

    def _ask(self, terms: Terms, talk: list[dict[str, Any]]) -> Reply:
        return self._service.embed(_request(terms, talk), count=1, dimension=self._model.dimension)

    def _vector(self, reply: Reply) -> Vector | FontError:
        if not isinstance(reply, Items):
            raise self._service.unavailable(reply)
        return vector_of(reply.vectors[0])

    def _agreed(self) -> Terms:
        """Found out once. Raises EmbedderUnavailable."""
        with self._agreeing:
            if self._terms is None:
                self._terms = self._agree()
            return self._terms

    def _agree(self) -> Terms:
        card = _fitting(_cards(self._service), self._model, self._service)
        terms = Terms(name=card.id)
        if card.model is not None:  # its dimension is the one wanted, as all else
            return terms
        talk = conversation(PROBE, None, self._model.document_instruction)
        probe = self._service.embed(_request(terms, talk), count=1, dimension=None)
        if not isinstance(probe, Items):
            raise self._service.unavailable(probe)
        own, wanted = len(probe.vectors[0]), self._model.dimension
        if own < wanted:
            raise self._service.unavailable(
                Broken(f"has vectors of {own} dimensions, the space wants {wanted}.")
            )
        # not sent in vain: vLLM refuses even the model's own, where it is not told of Matryoshka
        if own > wanted:
            terms = Terms(name=card.id, dimensions=wanted)
            self._vector(self._ask(terms, talk))
        return terms


def reported(
    *,
    base_url: str,
    api_key: str | Secret | None,
    patience: Patience | None = None,
    proxy: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Model | None:
    """The full identity of what a server serves; None from one that tells names only.

    Raises EmbedderUnavailable where it does not answer, does not say what it serves, or tells of
    several; UserError for a base URL as RemoteVL does.
    """
    service = EmbeddingService(
        base_url=base_url, api_key=api_key, patience=patience, proxy=proxy, transport=transport
    )
    with closing(service):
        models = [card.model for card in _cards(service) if card.model is not None]
        if len(models) > 1:
            names = service.scrub(", ".join(model.name for model in models))
            raise service.unavailable(Broken(f"serves several models for sheets: {names}."))
        return models[0] if models else None


def _cards(service: EmbeddingService) -> list[ServedModel]:
    answer = service.models()
    if isinstance(answer, ServedModels):
        return answer.cards
    if isinstance(answer, Broken) and answer.status in NO_SUCH_PATH:
        answer = Broken(
            "does not say what it serves (no /models), so it cannot be checked that its vectors fit "
            "those of the space. Is the URL complete, as in https://host/v1?"
        )
    raise service.unavailable(answer)


def _fitting(cards: Sequence[ServedModel], wanted: Model, service: EmbeddingService) -> ServedModel:
    """The card of the model wanted. Raises EmbedderUnavailable where there is none."""
    known = {card.model: card for card in cards if card.model is not None}
    if wanted in known:
        return known[wanted]
    if known:
        nearest = next((model for model in known if model.name == wanted.name), next(iter(known)))
        raise service.unavailable(Broken(_difference(nearest, wanted, service)))
    named = {card.root: card for card in cards} | {card.id: card for card in cards}
    if wanted.name not in named:
        names = service.scrub(", ".join(card.id for card in cards)) or "nothing"
        raise service.unavailable(Broken(f"serves {names}, not {wanted.name}."))
    return named[wanted.name]


def _difference(served: Model, wanted: Model, service: EmbeddingService) -> str:
    name = next(f.name for f in fields(Model) if getattr(served, f.name) != getattr(wanted, f.name))
    theirs, ours = service.scrub(repr(getattr(served, name))), repr(getattr(wanted, name))
    return (
        f"serves another model. The server's {name.replace('_', ' ')} is {theirs}, the space wants "
        f"{ours}: serve that, or fill a new space."
    )


def _request(terms: Terms, talk: list[dict[str, Any]]) -> dict[str, Any]:
    """The body for one conversation, whose image, if any, is a data URL."""
    body: dict[str, Any] = {
        "model": terms.name,
        "messages": [
            {"role": message["role"], "content": [_part(part) for part in message["content"]]}
            for message in talk
        ],
        "encoding_format": "float",
        "add_generation_prompt": True,
        "continue_final_message": False,
        # the model pools the last token, which may be one that the tokenizer appends
        "add_special_tokens": True,
    }
    said = {"dimensions": terms.dimensions, "priority": terms.priority}
    return body | {name: value for name, value in said.items() if value is not None}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    """As OpenAI writes it: without the pixel limits, which are the server's to know."""
    if part["type"] != "image":
        return part
    return {"type": "image_url", "image_url": {"url": part["image"]}}


def _data_url(image: bytes) -> str:
    kind = next((kind for start, kind in KINDS.items() if image.startswith(start)), "png")
    return f"data:image/{kind};base64," + base64.b64encode(image).decode()


@cache
def _blank() -> str:
    """A sheet that no working server refuses."""
    file = io.BytesIO()
    Image.new("L", PROBE_SIZE, 255).save(file, "PNG")
    return _data_url(file.getvalue())
