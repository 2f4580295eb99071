"""Search: a query's vectors, and the same functions of the database that the app calls.

from indexer.search import Fonts

with Fonts() as fonts:
    hits = fonts.search("elegant high-contrast serif", count=5, filter={"subsets": "latin"})
    alike = fonts.similar(hits[0].id)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg import IsolationLevel

from indexer import choose, spaces, weights
from indexer.catalog.rows import font_id
from indexer.database.connect import Connection, Database
from indexer.embed.protocol import Embedder, Query, Vector, only
from indexer.errors import UserError
from indexer.functions import Hit, Normalization, match, similar
from indexer.legs import QueryVector, asked, ranking
from indexer.settings import Settings
from indexer.spaces import Leg, Space
from indexer.weights import Fusion

LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Fonts:
    """The fonts of a database, found as apps find them: by words, by a picture of letters, by likeness.

    url: of the database; None takes DATABASE_URL's, or the embedded Postgres. `say` gets a sentence
    for each leg that a search omits; by default it is logged as a warning. Embedders are loaded
    by the first search and kept. It reads with the rights of the role that connects, and writes
    nothing. For one thread at a time.

    Raises UserError where the database is not available.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        settings: Settings | None = None,
        say: Callable[[str], None] = LOG.warning,
    ) -> None:
        self._settings = settings or Settings()
        self._say = say
        self._embedders: dict[Leg, Embedder] = {}
        self.database = Database.from_url(url) if url else Database.from_settings(self._settings)
        self._connection = self._connected()

    def _connected(self) -> Connection:
        connection = self.database.open()
        # what serves and what it finds are of one snapshot
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def _answer(self, ask: Callable[[], Answer]) -> Answer:
        """What the database answers; where the server has ended the connection, over a new one."""
        try:
            return ask()
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise
        self._connection = self._connected()
        return ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def vocabulary(self) -> str | None:
        """A hash of what words are read by; None before a search, and of a model that reads all of them."""
        sight = self._embedders.get("vl")
        return sight.vocabulary if sight else None

    def close(self) -> None:
        """Give back the connection and what the embedders hold."""
        for embedder in self._embedders.values():
            embedder.close()
        self._connection.close()

    def search(
        self,
        query: str | None = None,
        *,
        image: bytes | None = None,
        count: int = 10,
        offset: int = 0,
        filter: Mapping[str, Any] | None = None,
        alpha: float | None = None,
        words: float | None = None,
        fusion: Fusion | None = None,
        normalization: Normalization = "raw",
        threshold: float | None = None,
    ) -> list[Hit]:
        """The best fonts for words, a picture (the bytes of an image file), or both.

        words is the share of the full-text leg; sql/README.md explains the others. A leg whose
        embedder is not available, or does not understand the query, is omitted; if all are, only
        words are searched.

        Raises UserError where there is nothing to search for, or nothing here reads the picture;
        psycopg.errors.InvalidParameterValue as `match` does.
        """
        query = query.strip() if query else None
        given = Query(text=query or None, image=image)
        if given.empty:
            raise UserError('The query is empty. Say what the font looks like: "elegant serif".')

        def ask() -> list[Hit]:
            while True:
                serving = spaces.serving(self._connection)
                embedded = {
                    leg: self._ask(leg, serving[leg], part) for leg, part in asked(given).items()
                }
                with self._connection.transaction():
                    self._connection.execute(spaces.NO_SWITCH)
                    if spaces.serving(self._connection) != serving:
                        continue  # another space began to serve while the query was embedded
                    by = ranking(given, embedded, serving, alpha=alpha, words=words)
                    usual = weights.serving(self._connection)
                    usual = weights.fitting(self._connection, usual, query)
                    for leg, why in by.why_not.items():
                        self._say(f"{leg} leg omitted: {why}")
                    if image is not None and (line := self._read_of(image)):
                        self._say(line)
                    if not by.vectors:
                        self._say("No vector is left to rank by, so only words are searched.")
                    return match(
                        self._connection, text=by.vectors.get("text"), vl=by.vectors.get("vl"),
                        count=count, threshold=threshold, query_text=by.query_text, match_offset=offset,
                        filter=filter, alpha=usual.alpha if alpha is None else alpha,
                        full_text_weight=by.full_text_weight, fusion=fusion or usual.fusion,
                        normalization=normalization,
                    )  # fmt: skip

        return self._answer(ask)

    def similar(
        self,
        font: UUID | str,
        *,
        count: int = 10,
        offset: int = 0,
        filter: Mapping[str, Any] | None = None,
        alpha: float = 0.0,
        threshold: float | None = None,
    ) -> list[Hit]:
        """The neighbours of a font (its id or its name) by looks, or by a mix; UserError for no such font."""

        def ask() -> list[Hit]:
            with self._connection.transaction():
                found = font_id(self._connection, str(font))
                if found is None:
                    raise UserError(
                        f"There is no font {str(font)[:100]!r}: give its name or its id."
                    )
                return similar(
                    self._connection, found, match_count=count, match_offset=offset, filter=filter,
                    alpha=alpha, match_threshold=threshold,
                )  # fmt: skip

        return self._answer(ask)

    def embed(
        self, text: str | None = None, *, image: bytes | None = None, instruction: str | None = None
    ) -> Vector:
        """A query's vector in the vl space that serves: float32, of shape (dimension,), of length 1.

        instruction: None takes the space's. Raises UserError where no embedder gives it.
        """
        query = Query(text=text, image=image, instruction=instruction)
        if query.empty:
            raise UserError("There is nothing to embed: give a text, an image or both.")
        space = self._answer(lambda: spaces.active(self._connection, "vl"))
        if space is None:
            raise UserError(
                "The database has no vl vectors yet, so there is no model to embed by. "
                "Run: indexer backfill"
            )
        return only(self._embedder(space).embed_queries([query]))

    def _read_of(self, image: bytes) -> str | None:
        """What the embedder of looks told of a picture, where it tells."""
        embedder = self._embedders.get("vl")
        understanding = embedder.explain("", image) if embedder else None
        if understanding is None:
            return None
        seen = [f"{seen.word} ({seen.confidence:.2f})" for seen in understanding.seen]
        return f"Read of the picture: {', '.join(seen) or 'nothing that stands out'}."

    def _ask(self, leg: Leg, space: Space | None, query: Query) -> QueryVector | UserError:
        if space is None:
            theirs = spaces.foreign_vectors(self._connection, leg)
            why = (
                f"The {leg} vectors are your app's. {choose.KEY_HINT} Then run"
                if theirs
                else f"The database has no {leg} vectors yet. Run"
            )
            return UserError(f"{why}: indexer backfill")
        try:
            vector = only(self._embedder(space).embed_queries([query]))
        except UserError as error:
            return error
        return QueryVector(model=space.model, vector=vector)

    def _embedder(self, space: Space) -> Embedder:
        """Raises UserError where it cannot be had."""
        held = self._embedders.get(space.leg)
        if held is not None and held.model == space.model:
            return held
        if held is not None:
            self._embedders.pop(space.leg).close()
        found = self._embedders[space.leg] = choose.for_queries(space, self._settings)
        return found
