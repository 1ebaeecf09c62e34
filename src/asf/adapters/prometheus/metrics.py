"""Counts what happens to listeners, updates and requests."""

import time
from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from asf.adapters.prometheus import labels
from asf.adapters.prometheus.collectors import Reading, Readings, ReadingsByLabel
from asf.domain.errors import AsfError
from asf.domain.peer import Peer

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histograms' buckets, in seconds: around what a listener would notice."""

STALL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets for turns of the event loop, in seconds: those that are short are not observed."""


class PrometheusMetrics:
    """Counts events: implements the observers' ports. Each instance has its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._joins = Counter("asf_joins", "Sessions started, or waiting for their stream.", registry=self.registry)
        self._first_chunk = Histogram(
            "asf_first_chunk_seconds",
            "Seconds from joining to the first audio sent.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._rejections = Counter(
            "asf_joins_rejected", "Joins rejected, by error code.", ["code"], registry=self.registry
        )
        self._rejected_at: dict[str, float] = {}
        self._ended = Counter("asf_streams_ended", "Sessions ended, by outcome.", ["outcome"], registry=self.registry)
        self._lag = Histogram(
            "asf_pump_lag_seconds",
            "Delay of a tick of audio, in seconds.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._stalls = Histogram(
            "asf_loop_stall_seconds",
            "Turns of the event loop longer than 0.02 seconds, during which all clients wait.",
            buckets=STALL_BUCKETS,
            registry=self.registry,
        )
        self._updates = Counter("asf_ui_updates", "UI updates, by outcome.", ["outcome"], registry=self.registry)
        self._updates_by_outcome: dict[str, Counter] = {}
        self._relay = Histogram(
            "asf_ui_relay_seconds",
            "Seconds from receiving an update to delivering it to its subscribers.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._recoveries = Counter(
            "asf_ui_recoveries", "Subscribers that reconnected, by outcome.", ["outcome"], registry=self.registry
        )
        self._dropped = Counter(
            "asf_ui_subscribers_dropped", "Subscribers dropped for reading too slowly.", registry=self.registry
        )
        self._cues = Counter("asf_cues_accepted", "Cues accepted from backends.", registry=self.registry)
        self._requests = Counter(
            "asf_http_requests", "HTTP requests, by route and status.", ["route", "status"], registry=self.registry
        )
        self._uploads_ended = Counter(
            "asf_uploads_ended",
            "Requests ended that uploaded audio, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._webhooks = Counter(
            "asf_webhooks",
            "Events for the webhook, by outcome: sent, failed, dropped.",
            ["outcome"],
            registry=self.registry,
        )
        for counter, values in (
            (self._rejections, labels.JOIN_REJECTIONS),
            (self._ended, labels.SESSION_OUTCOMES),
            (self._updates, labels.UPDATE_OUTCOMES),
            (self._recoveries, labels.RECOVERY_OUTCOMES),
            (self._uploads_ended, labels.UPLOAD_OUTCOMES),
            (self._webhooks, labels.WEBHOOK_OUTCOMES),
        ):
            for value in values:
                counter.labels(value)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def joined(self, session_id: str, stream_id: str, offset: int, peer: Peer) -> None:  # noqa: ARG002 - labels have a bound
        """Count a session that started."""
        self._joins.inc()

    def join_rejected(self, stream_id: str, error: AsfError, peer: Peer | None) -> None:  # noqa: ARG002 - labels have a bound
        """Count a join that was rejected, by its error."""
        self._rejections.labels(error.error_code).inc()
        self._rejected_at[error.error_code] = time.monotonic()

    def rejections(self) -> dict[str, int]:
        """Return how many joins were rejected, by code."""
        samples = (sample for metric in self._rejections.collect() for sample in metric.samples)
        counts = {one.labels["code"]: int(one.value) for one in samples if one.name == "asf_joins_rejected_total"}
        return {code: count for code, count in counts.items() if count}

    def latest_rejections(self) -> dict[str, float]:
        """Return how many seconds ago the latest join was rejected, by code."""
        now = time.monotonic()
        return {code: round(now - at, 1) for code, at in self._rejected_at.items()}

    def first_audio_sent(self, seconds: float) -> None:
        """Observe how long after joining the first audio was sent."""
        self._first_chunk.observe(seconds)

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:  # noqa: ARG002 - as above
        """Count a session that ended."""
        self._ended.labels(outcome).inc()

    def pump_lagged(self, seconds: float) -> None:
        """Observe how late a tick was served."""
        self._lag.observe(seconds)

    def loop_stalled(self, seconds: float) -> None:
        """Observe a long turn of the event loop."""
        self._stalls.observe(seconds)

    def relayed(self, outcome: str, seconds: float) -> None:
        """Count an update, and observe how long its delivery took."""
        counter = self._updates_by_outcome.get(outcome)
        if counter is None:  # `labels` takes longer than counting.
            counter = self._updates_by_outcome[outcome] = self._updates.labels(outcome)
        counter.inc()
        self._relay.observe(seconds)

    def recovered(self, outcome: str) -> None:
        """Count a subscriber that reconnected."""
        self._recoveries.labels(outcome).inc()

    def subscriber_dropped(self) -> None:
        """Count a subscriber that was dropped."""
        self._dropped.inc()

    def upload_started(self, stream_id: str, epoch: str, offset: int) -> None:
        """Do nothing: those that are under way are read at each scrape."""

    def upload_ended(self, stream_id: str, epoch: str, outcome: str, byte_count: int, seconds: float) -> None:  # noqa: ARG002 - labels have a bound
        """Count a request that uploaded audio, by how it ended."""
        self._uploads_ended.labels(outcome).inc()

    def cues_accepted(self, count: int) -> None:
        """Count cues."""
        self._cues.inc(count)

    def request_answered(self, route: str, status: int) -> None:
        """Count an HTTP request."""
        self._requests.labels(route, str(status)).inc()

    def event_delivered(self, outcome: str) -> None:
        """Count an event whose delivery is decided."""
        self._webhooks.labels(outcome).inc()

    def read_gauges(self, readings: list[Reading]) -> None:
        """Read these values at each scrape."""
        self.registry.register(Readings(GaugeMetricFamily, readings))

    def read_counters(self, readings: list[Reading]) -> None:
        """Read these values, which only increase, at each scrape."""
        self.registry.register(Readings(CounterMetricFamily, readings))

    def read_by_label(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Read a gauge with one label, by the label's values, at each scrape."""
        self.registry.register(ReadingsByLabel(name, description, label, read))

    def set_info(self, name: str, description: str, labels: Mapping[str, str]) -> None:
        """Add a gauge that is always 1, called `name` with `_info` appended, whose labels are the information."""
        Info(name, description, registry=self.registry).info(dict(labels))

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
