"""The metrics for Prometheus."""

import platform

from prometheus_client.parser import text_string_to_metric_families

from asf.adapters.prometheus import PrometheusMetrics, gauges
from asf.domain.errors import CatalogUnavailable, StreamNotFound
from asf.domain.peer import Peer, Transport
from asf.domain.streams.stream import StreamState


def values(metrics: PrometheusMetrics) -> dict[str, float]:
    """Return the samples of a scrape by name and labels."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_events_are_counted() -> None:
    """Under the documented names."""
    metrics = PrometheusMetrics()
    metrics.joined("session", "s", 0, Peer(Transport.HTTP, "10.1.2.3"))
    metrics.join_rejected("s", StreamNotFound(), None)
    metrics.first_audio_sent(0.003)
    metrics.ended("session", "s", "complete", 5, 1.0)
    metrics.ended("session", "s", "left", 0, 0.0)
    metrics.pump_lagged(0.2)
    metrics.loop_stalled(0.3)
    metrics.relayed("relayed", 0.0001)
    metrics.request_answered("/asf/health", 200)
    metrics.read_gauges([("asf_listeners", "Sessions under way.", lambda: 7)])
    gauges.register_build(metrics, "1.2.3")
    metrics.read_counters([("asf_chunks_sent", "Chunks of audio sent.", lambda: 9)])
    scrape = values(metrics)
    expected = {
        "asf_joins_total{}": 1,
        "asf_joins_rejected_total{code=ASF_STREAM_NOT_FOUND}": 1,
        "asf_first_chunk_seconds_bucket{le=0.0025}": 0,
        "asf_first_chunk_seconds_bucket{le=0.005}": 1,
        "asf_streams_ended_total{outcome=complete}": 1,
        "asf_streams_ended_total{outcome=left}": 1,
        "asf_pump_lag_seconds_count{}": 1,
        "asf_loop_stall_seconds_bucket{le=0.25}": 0,
        "asf_loop_stall_seconds_bucket{le=0.5}": 1,
        "asf_ui_updates_total{outcome=relayed}": 1,
        "asf_ui_relay_seconds_count{}": 1,
        "asf_http_requests_total{route=/asf/health,status=200}": 1,
        f"asf_build_info{{python={platform.python_version()},version=1.2.3}}": 1,
        "asf_listeners{}": 7,
        "asf_chunks_sent_total{}": 9,
    }
    assert {name: scrape[name] for name in expected} == expected


def test_known_outcomes_count_from_zero() -> None:
    """Else Prometheus sees no increase when a series appears with its first event."""
    scrape = values(PrometheusMetrics())
    for series in (
        "asf_joins_rejected_total{code=ASF_TOO_MANY_LISTENERS}",
        "asf_streams_ended_total{outcome=ASF_STREAM_STALLED}",
        "asf_ui_updates_total{outcome=ASF_SOCKETIO_EMIT_FAILED}",
        "asf_ui_recoveries_total{outcome=not_recovered}",
        "asf_uploads_ended_total{outcome=ASF_STORAGE_FULL}",
        "asf_webhooks_total{outcome=failed}",
    ):
        assert scrape[series] == 0


def test_two_servers_do_not_share_their_counts() -> None:
    """Each has its own registry."""
    first, second = PrometheusMetrics(), PrometheusMetrics()
    first.joined("session", "s", 0, Peer(Transport.HTTP, "10.1.2.3"))
    assert values(second)["asf_joins_total{}"] == 0


def broken_count() -> dict[StreamState, int]:
    """Count the streams of a catalog that cannot be read."""
    raise CatalogUnavailable


def test_values_are_read_at_each_scrape() -> None:
    """From the parts that keep them; the catalog's are left out while it cannot be read."""
    metrics = PrometheusMetrics()
    sessions: list[int] = []
    gauges.register_connections(metrics, sessions, [1])
    gauges.register_catalog(metrics, broken_count)
    sessions.append(1)
    scrape = values(metrics)
    assert (scrape["asf_connections{}"], scrape["asf_socketio_connections{}"]) == (1, 1)
    assert not any(name.startswith("asf_catalog_streams") for name in scrape)
