"""What the server does, as Prometheus sees it (docs/contract.md, section 7)."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histograms' buckets: around what a listener would notice."""

Reading = tuple[str, str, Callable[[], float]]
"""Name, help and current value of a gauge or counter that somebody else keeps."""


class PrometheusMetrics:
    """Counts what it is told: implements the observers' ports. Each instance has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._joins = Counter("asf_joins", "Sessions begun.", registry=self.registry)
        self._first_chunk = Histogram(
            "asf_first_chunk_seconds",
            "Seconds from joining until the first audio was taken.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._ended = Counter("asf_streams_ended", "Sessions ended, by outcome.", ["outcome"], registry=self.registry)
        self._lag = Histogram(
            "asf_pump_lag_seconds",
            "Seconds from a tick's due time until it was served.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._updates = Counter("asf_ui_updates", "UI updates, by outcome.", ["outcome"], registry=self.registry)
        self._relay = Histogram(
            "asf_ui_relay_seconds",
            "Seconds that it took to hand an update to its subscribers.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._recoveries = Counter(
            "asf_ui_recoveries", "Subscribers that came back, by outcome.", ["outcome"], registry=self.registry
        )
        self._dropped = Counter(
            "asf_ui_subscribers_dropped", "Subscribers given up, as they did not read.", registry=self.registry
        )
        self._requests = Counter(
            "asf_http_requests", "HTTP requests, by route and status.", ["route", "status"], registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def joined(self, stream_id: str) -> None:  # noqa: ARG002 - a label for each stream would have no bound
        """Count a session that began."""
        self._joins.inc()

    def first_audio_sent(self, seconds: float) -> None:
        """Observe how long a listener waited for its first audio."""
        self._first_chunk.observe(seconds)

    def ended(self, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:  # noqa: ARG002 - as above
        """Count a session that ended."""
        self._ended.labels(outcome).inc()

    def pump_lagged(self, seconds: float) -> None:
        """Observe how late a tick was served."""
        self._lag.observe(seconds)

    def relayed(self, outcome: str, seconds: float) -> None:
        """Count an update, and observe how long it took."""
        self._updates.labels(outcome).inc()
        self._relay.observe(seconds)

    def recovered(self, outcome: str) -> None:
        """Count a subscriber that came back."""
        self._recoveries.labels(outcome).inc()

    def subscriber_dropped(self) -> None:
        """Count a subscriber that was given up."""
        self._dropped.inc()

    def request_answered(self, route: str, status: int) -> None:
        """Count an HTTP request."""
        self._requests.labels(route, str(status)).inc()

    def read_gauges(self, readings: list[Reading]) -> None:
        """Ask for these values at every scrape, rather than being told of every change."""
        self.registry.register(_Readings(GaugeMetricFamily, readings))

    def read_counters(self, readings: list[Reading]) -> None:
        """Ask for these values, which only grow, at every scrape."""
        self.registry.register(_Readings(CounterMetricFamily, readings))

    def read_by_label(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Ask for the values of a gauge with one label, by the label's values, at every scrape."""
        self.registry.register(_ReadingsByLabel(name, description, label, read))

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class _Readings(Collector):
    def __init__(self, family: Callable[..., Metric], readings: list[Reading]) -> None:
        self._family = family
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for name, description, read in self._readings:
            yield self._family(name, description, value=read())


class _ReadingsByLabel(Collector):
    def __init__(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._description = description
        self._label = label
        self._read = read

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(self._name, self._description, labels=[self._label])
        for value, reading in self._read().items():
            family.add_metric([value], reading)
        yield family
