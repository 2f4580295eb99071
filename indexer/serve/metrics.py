"""What GET /metrics tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Of one application: several may run in a process, as they do in tests."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.latency = Histogram(
            "fontsight_request_seconds", "From the request to the last byte of its answer.",
            ["route", "method"], buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.answers = Counter(
            "fontsight_answers", "Answers by status.", ["route", "status"], registry=registry
        )
        self.batch_size = Histogram(
            "fontsight_batch_items", "Queries, or documents, of a call of the embedder.",
            ["leg", "kind"], buckets=ITEMS, registry=registry,
        )  # fmt: skip
        self.embedding = Histogram(
            "fontsight_embedding_seconds", "Of a call of the embedder.",
            ["leg", "kind"], buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "fontsight_refused_full", "Requests refused because the queue was full.", ["leg", "kind"],
            registry=registry,
        )  # fmt: skip
        self.cache = Counter(
            "fontsight_query_vectors", "Query vectors asked of the cache.", ["leg", "found"],
            registry=registry,
        )  # fmt: skip
        self._queue = Gauge(
            "fontsight_queue_length", "Queries, or documents, that wait.", ["leg", "kind"],
            registry=registry,
        )  # fmt: skip

    def watch_queue(self, leg: str, kind: str, length: Callable[[], float]) -> None:
        self._queue.labels(leg, kind).set_function(length)

    def text(self) -> bytes:
        return generate_latest(self.registry)
