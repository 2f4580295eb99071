"""Which spaces serve: read with every search, and asked again where nothing is searched."""

from __future__ import annotations

import time

from indexer import spaces
from indexer.database.connect import Connection
from indexer.serve.reading import Reader
from indexer.spaces import Serving

FRESH_SECONDS = 5.0  # in which the database is not asked again
MAX_WAIT_SECONDS = 3.0  # for it


class ServingSpaces:
    """Thread-safe."""

    def __init__(self, reader: Reader) -> None:
        self.latest: Serving = {}  # as they were last read
        self._reader = reader
        self._read_at = -FRESH_SECONDS

    def read(self, connection: Connection) -> Serving:
        """Those of this transaction."""
        self.latest = serving = spaces.serving(connection)
        self._read_at = time.monotonic()
        return serving

    def refresh(self) -> Serving:
        """Those of now. Blocks; raises DatabaseUnavailable."""
        with self._reader.owner() as connection:
            return self.read(connection)

    async def fresh(self) -> Serving:
        """Those of now, or of a few seconds ago. Raises DatabaseUnavailable."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            return await self._reader.answer(self.refresh, seconds=MAX_WAIT_SECONDS)
        return self.latest
