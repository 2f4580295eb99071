"""The service's embedders, one for each leg: loaded until they work, again when they are given up, and exchanged
when another text space serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

from indexer import choose
from indexer.choose import VLOptions
from indexer.embed.protocol import Embedder, Model, Query
from indexer.errors import EmbedderUnavailable, UserError
from indexer.legs import QueryVector
from indexer.serve.metrics import Metrics
from indexer.serve.refusals import Refusal
from indexer.serve.serving_spaces import ServingSpaces
from indexer.serve.vectors.query_vectors import QueryVectors
from indexer.settings import Settings
from indexer.spaces import Leg, Serving, Space

WARM_UP = "regular serif, xyzzy"  # a word that is not known costs most
SECONDS_BETWEEN_TRIES = 10.0  # to load an embedder that is not available

State = Literal["loading", "ok", "failed"]
FirstSearch = Callable[[], Awaitable[object]]


class Embedders:
    """Belongs to one event loop: start() it there, and close() it."""

    def __init__(
        self,
        spaces: ServingSpaces,
        settings: Settings,
        metrics: Metrics,
        say: Callable[[str], None],
        *,
        vl: VLOptions,
        dimension: int | None,
    ) -> None:
        """dimension: callers are to get vectors of so many, so the model must have as many."""
        self.state: State = "loading"
        self.ready: dict[Leg, QueryVectors] = {}
        # of a leg that is not ready
        self.why_not: dict[Leg, str] = {
            "text": "The database has no text vectors of a known model."
        }
        self._spaces = spaces
        self._settings = settings
        self._vl = vl
        self._dimension = dimension
        self._metrics = metrics
        self._say = say
        self._loading: asyncio.Task[None] | None = None
        self._starting: Embedder | None = None
        self._text: Space | None = None  # for which the embedder of texts was loaded
        self._following = asyncio.Lock()
        self._tried = asyncio.Event()

    def start(self, first_search: FirstSearch) -> None:
        """Returns at once; `state` says when the embedder of sheets can answer.

        `first_search` is called once before that, so that no caller waits for connections and caches.
        """
        self._loading = asyncio.create_task(self._keep_loaded(first_search))

    async def tried(self, seconds: float) -> None:
        """Wait until the embedder of sheets is there or could not be loaded, but not for ever."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), seconds)

    async def close(self) -> None:
        if self._loading:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        async with self._following:  # or what it loads would stay open
            for vectors in self.ready.values():
                await vectors.close()
        await self._let_go()

    @property
    def vl(self) -> QueryVectors:
        """Raises Refusal (503) where the embedder of sheets is not there yet, or is not available."""
        if "vl" in self.ready:
            return self.ready["vl"]
        if self.state == "loading":
            raise Refusal(503, "The model is loading. Try again soon.", retry_after_s=5)
        raise Refusal(503, f"No model is loaded. {self.why_not['vl']}")

    @property
    def model(self) -> Model:
        """Of the vectors that apps get. Raises Refusal (503) as `vl` does."""
        return self.vl.embedder.model

    async def embed(self, leg: Leg, query: Query) -> QueryVector | UserError:
        """The query's vector on a leg, or why it has none. Raises Refusal (429) where too many wait."""
        if (vectors := self.ready.get(leg)) is None:
            loading = self.state == "loading"
            return EmbedderUnavailable("The model is loading." if loading else self.why_not[leg])
        try:
            return QueryVector(model=vectors.embedder.model, vector=await vectors.of(query))
        except UserError as error:
            return error
        except Refusal as refusal:
            if refusal.status == 429:
                raise
            return EmbedderUnavailable(refusal.message)  # it took too long

    def mismatch(self, serving: Serving) -> str | None:
        """Why the vectors that are made here must not be compared with those that serve."""
        space, vectors = serving.get("vl"), self.ready.get("vl")
        if space is None or vectors is None or vectors.embedder.model == space.model:
            return None
        model = vectors.embedder.model
        return (
            f"This service embeds with {model.name} ({model.revision[:19]}, {model.dimension} "
            f"dimensions), and the serving vectors are {space.model.name}'s "
            f"({space.model.revision[:19]}, {space.model.dimension}). Restart it without "
            "--vl-embedder, or switch the space: indexer spaces."
        )

    async def follow_text(self) -> None:
        """Exchange the embedder of texts, where another text space serves by now."""
        if self._spaces.latest["text"] not in (None, self._text):
            await asyncio.shield(self._follow_text())  # whoever asked for it may leave

    async def _follow_text(self) -> None:
        async with self._following:
            space = self._spaces.latest["text"]
            if space is None or space == self._text:
                return
            old = self.ready.get("text")
            if old is None or old.embedder.model != space.model:
                await self._load_text(space)
                if old:
                    await old.close()
            self._text = space

    async def _load_text(self, space: Space) -> None:
        try:
            embedder = await asyncio.to_thread(choose.for_queries, space, self._settings)
        except UserError as error:
            self.ready.pop("text", None)
            self.why_not["text"] = str(error)
            return
        vectors = QueryVectors("text", embedder, self._metrics)
        vectors.start()
        self.ready["text"] = vectors
        self.why_not.pop("text", None)

    async def _keep_loaded(self, first_search: FirstSearch) -> None:
        while True:
            try:
                await self._drop_given_up()
                if self.state != "ok":
                    await self._load(first_search)
            except Exception as error:  # noqa: BLE001 - of a device, a driver, a checkpoint
                known = isinstance(error, UserError)
                await self._failed(str(error) if known else f"It cannot be loaded: {error!r:.200}.")
            self._tried.set()
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def _drop_given_up(self) -> None:
        vectors = self.ready.get("vl")
        if vectors and (why := vectors.embedder.given_up):
            await self._failed(why)
            try:
                await vectors.close()
            finally:
                del self.ready["vl"]

    async def _load(self, first_search: FirstSearch) -> None:
        await asyncio.to_thread(self._spaces.refresh)
        await self.follow_text()
        if "vl" not in self.ready:
            await self._load_vl()
        self.why_not.pop("vl", None)
        await first_search()
        self.state = "ok"

    async def _failed(self, why: str) -> None:
        self.state = "failed"
        if self.why_not.get("vl") != why:
            self._say(f"{why} Trying again every {SECONDS_BETWEEN_TRIES:g} s.")
        self.why_not["vl"] = why
        await self._let_go()

    async def _load_vl(self) -> None:
        embedder = self._starting = await asyncio.to_thread(self._vl_embedder)
        wanted, own = self._dimension, embedder.model.dimension
        if wanted is not None and wanted > own:
            raise UserError(
                f"--dim {wanted} is more than the {own} dimensions of {embedder.model.name}."
            )
        await asyncio.to_thread(embedder.start, 0)
        vectors = QueryVectors("vl", embedder, self._metrics)
        vectors.start()
        try:
            await vectors.of(Query(text=WARM_UP))
        except BaseException:
            await vectors.close()
            raise
        self._starting = None
        self.ready["vl"] = vectors
        self._say(f"{embedder.model.name} is ready.")

    async def _let_go(self) -> None:
        """Of an embedder that has not become ready."""
        if self._starting is not None:
            await asyncio.to_thread(self._starting.close)
            self._starting = None

    def _vl_embedder(self) -> Embedder:
        """Raises UserError where there is none."""
        wanted, space = self._vl.or_from(self._settings), self._spaces.latest["vl"]
        if wanted.embedder is None and space is None:
            raise UserError(
                "The database has no vl vectors yet, so there is no model to serve. Run: indexer "
                "backfill (or choose a model: --vl-embedder)."
            )
        model = space.model if space else None
        return choose.for_sheets(model, self._vl, self._settings, self._say)
