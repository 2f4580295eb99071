"""What all requests share: the database that they search, which spaces serve there, and the embedders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexer.choose import NO_OPTIONS, VLOptions
from indexer.serve.metrics import Metrics
from indexer.serve.reading import Reader
from indexer.serve.serving_spaces import ServingSpaces
from indexer.serve.vectors.embedders import Embedders
from indexer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """What a user decides for a service."""

    vl: VLOptions = NO_OPTIONS
    sidecar_dimension: int | None = None  # of POST /embed with texts; None: the model's own


class Service:
    """Belongs to one event loop, where its embedders are to be started and closed."""

    def __init__(
        self, reader: Reader, settings: Settings, options: ServiceOptions, say: Callable[[str], None]
    ) -> None:  # fmt: skip
        self.reader = reader
        self.options = options
        self.metrics = Metrics()
        self.spaces = ServingSpaces(reader)
        self.embedders = Embedders(
            self.spaces, settings, self.metrics, say,
            vl=options.vl, dimension=options.sidecar_dimension,
        )  # fmt: skip

    async def mismatch(self) -> str | None:
        """As Embedders.mismatch, by what serves now or a few seconds ago. Raises DatabaseUnavailable."""
        return self.embedders.mismatch(await self.spaces.fresh())
