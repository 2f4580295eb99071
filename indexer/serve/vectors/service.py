"""What all requests share: an embedder for each leg, and the database that they search."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from indexer import choose, spaces
from indexer.choose import NO_OPTIONS, VLOptions
from indexer.database.connect import Connection
from indexer.embed.protocol import Embedder, Model, Query, Vector
from indexer.errors import UserError
from indexer.serve.metrics import Metrics
from indexer.serve.reading import Reader
from indexer.serve.refusals import Refusal
from indexer.serve.vectors.query_vectors import QueryVectors
from indexer.settings import Settings
from indexer.spaces import SERVING_COLUMN, Leg, Space

WARM_UP = "regular serif, xyzzy"  # a word that is not known costs most
MOMENT_SECONDS = 3.0  # for which it is waited for what serves, where nothing is searched
FRESH_SECONDS = 5.0  # in which the database is not asked again what serves
SECONDS_BETWEEN_TRIES = 10.0  # to load an embedder that is not available

State = Literal["loading", "ok", "failed"]
Serving = dict[Leg, Space | None]
FirstSearch = Callable[[], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """What a user decides for a service."""

    vl: VLOptions = NO_OPTIONS
    sidecar_dimension: int | None = None  # of POST /embed with texts; None: the model's own


class Service:
    """Belongs to one event loop: start() it there, and close() it."""

    def __init__(
        self, reader: Reader, settings: Settings, options: ServiceOptions, say: Callable[[str], None]
    ) -> None:  # fmt: skip
        self.reader = reader
        self.metrics = Metrics()
        self.options = options
        self.state: State = "loading"
        self.legs: dict[Leg, QueryVectors] = {}
        self.why_not: dict[Leg, str] = {}  # a leg cannot be asked
        self.serving: Serving = {}  # when they were last read
        self._read_at = -FRESH_SECONDS
        self._settings = settings
        self._say = say
        self._loading: asyncio.Task[None] | None = None
        self._starting: Embedder | None = None
        self._following = asyncio.Lock()
        self._tried = asyncio.Event()

    def start(self, first_search: FirstSearch) -> None:
        """Returns at once; `state` says when the embedder of sheets can answer.

        `first_search` is called once before that, so that no caller waits for connections and caches.
        """
        self._loading = asyncio.create_task(self._load_until_it_works(first_search))

    async def loaded(self, seconds: float) -> None:
        """Wait until the embedder of sheets is there or could not be loaded, but not for ever."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), seconds)

    async def close(self) -> None:
        if self._loading:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        for vectors in self.legs.values():
            await vectors.close()
        await self._let_go()

    @property
    def model(self) -> Model:
        """Of the vectors that the service gives. Raises Refusal (503) where there is none yet."""
        return self.vl.embedder.model

    @property
    def vl(self) -> QueryVectors:
        """Raises Refusal (503) where the embedder of sheets is not there yet, or is not available."""
        if "vl" in self.legs:
            return self.legs["vl"]
        if self.state == "loading":
            raise Refusal(503, "The model is loading. Try again soon.", retry_after_s=5)
        raise Refusal(503, f"No model is loaded. {self.why_not['vl']}")

    def read_serving(self, connection: Connection) -> Serving:
        """Which spaces serve in this transaction."""
        self.serving = {leg: spaces.active(connection, leg) for leg in SERVING_COLUMN}
        self._read_at = time.monotonic()
        return self.serving

    async def known_mismatch(self) -> str | None:
        """By what serves now, or a few seconds ago. Raises DatabaseUnavailable."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await self.reader.answer(self.refresh_serving, seconds=MOMENT_SECONDS)
        return self.mismatch(self.serving)

    def refresh_serving(self) -> None:
        with self.reader.owner() as connection:
            self.read_serving(connection)

    def fits(self, leg: Leg, serving: Serving) -> bool:
        """Whether the leg's query vectors may be compared with those of a space that serves."""
        space, vectors = serving.get(leg), self.legs.get(leg)
        return space is not None and vectors is not None and space.model == vectors.embedder.model

    def mismatch(self, serving: Serving) -> str | None:
        """Why the vectors that the service gives must not be compared with those that serve."""
        space, vectors = serving.get("vl"), self.legs.get("vl")
        if space is None or vectors is None or self.fits("vl", serving):
            return None
        model = vectors.embedder.model
        return (
            f"This service embeds with {model.name} ({model.revision[:19]}, {model.dimension} "
            f"dimensions), and the serving vectors are {space.model.name}'s "
            f"({space.model.revision[:19]}, {space.model.dimension}). Restart it without "
            "--vl-embedder, or switch the space: indexer spaces."
        )

    async def follow_text(self) -> None:
        """Load the embedder of the text space, where another one serves by now."""
        async with self._following:
            if self.fits("text", self.serving):
                return
            if old := self.legs.pop("text", None):
                await old.close()
            self.why_not.pop("text", None)
            await self._load_text()

    async def embed(self, leg: Leg, query: Query) -> tuple[Vector | None, str | None]:
        """The query's vector on a leg, or why it has none. Raises Refusal (429) where too many wait."""
        if leg not in self.legs:
            loading = "The model is loading." if self.state == "loading" else None
            return None, self.why_not.get(leg) or loading or "No model is loaded."
        try:
            return await self.legs[leg].of(query), None
        except UserError as error:
            return None, str(error)
        except Refusal as refusal:
            if refusal.status == 429:
                raise
            return None, refusal.message  # it took too long, or another space began to serve

    async def _load_until_it_works(self, first_search: FirstSearch) -> None:
        while True:
            try:
                await self._load()
                if self.mismatch(self.serving) is None:
                    await first_search()
            except Exception as error:  # noqa: BLE001 - of a device, a driver, a checkpoint
                known = isinstance(error, UserError)
                await self._failed(str(error) if known else f"It cannot be loaded: {error!r:.200}.")
                self._tried.set()
                await asyncio.sleep(SECONDS_BETWEEN_TRIES)
            else:
                self.state = "ok"
                self._tried.set()
                return

    async def _failed(self, why: str) -> None:
        self.state = "failed"
        if self.why_not.get("vl") != why:
            self._say(f"{why} Trying again every {SECONDS_BETWEEN_TRIES:g} s.")
        self.why_not["vl"] = why
        await self._let_go()

    async def _load(self) -> None:
        await asyncio.to_thread(self.refresh_serving)
        if "text" not in self.legs:
            await self._load_text()
        if "vl" not in self.legs:
            await self._load_sheets_embedder()
        self.why_not.pop("vl", None)

    async def _load_sheets_embedder(self) -> None:
        embedder = self._starting = await asyncio.to_thread(self._sheets_embedder)
        wanted, own = self.options.sidecar_dimension, embedder.model.dimension
        if wanted is not None and wanted > own:
            raise UserError(
                f"--dim {wanted} is more than the {own} dimensions of {embedder.model.name}."
            )
        await asyncio.to_thread(embedder.start, 0)
        vectors = QueryVectors("vl", embedder, self.metrics)
        vectors.start()
        try:
            await vectors.of(Query(text=WARM_UP))
        except BaseException:
            await vectors.close()
            raise
        self._starting = None
        self.legs["vl"] = vectors
        self._say(f"{embedder.model.name} is ready.")

    async def _let_go(self) -> None:
        """Of an embedder that has not become ready."""
        if self._starting is not None:
            await asyncio.to_thread(self._starting.close)
            self._starting = None

    async def _load_text(self) -> None:
        space = self.serving["text"]
        if space is None:
            self.why_not["text"] = "The database has no text vectors of a known model."
            return
        try:
            text = await asyncio.to_thread(choose.for_queries, space, self._settings)
        except UserError as error:
            self.why_not["text"] = str(error)
            return
        vectors = QueryVectors("text", text, self.metrics)
        vectors.start()
        self.legs["text"] = vectors

    def _sheets_embedder(self) -> Embedder:
        """Raises UserError where there is none."""
        wanted, space = self.options.vl.or_from(self._settings), self.serving["vl"]
        if wanted.embedder is None and space is None:
            raise UserError(
                "The database has no vl vectors yet, so there is no model to serve. Run: indexer "
                "backfill (or choose a model: --vl-embedder)."
            )
        model = space.model if space else None
        return choose.for_sheets(model, self.options.vl, self._settings, self._say)
