"""The values that are read at each scrape, from the parts that keep them."""

import platform
from collections.abc import Callable, Mapping, Sized
from functools import partial

from asf.adapters.prometheus.collectors import Reading
from asf.adapters.prometheus.metrics import PrometheusMetrics
from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.service import StreamingService
from asf.domain.streams.stream import StreamState
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.uploads.service import Uploads

StreamCount = Callable[[], Mapping[StreamState, int]]
"""Returns how many streams of each state there are. Raises `CatalogUnavailable`."""


def register_build(metrics: PrometheusMetrics, version: str) -> None:
    """Register what runs: the `version` of ASF, and that of Python, as labels of a gauge that is always 1."""
    metrics.set_info("asf_build", "What runs.", {"version": version, "python": platform.python_version()})


def register_streaming(
    metrics: PrometheusMetrics, streaming: StreamingService, blocked: Sized, pump: AudioPump
) -> None:
    """Register the numbers of sessions and their limit, and of the bytes and chunks of audio that were sent."""
    metrics.read_gauges(
        [
            ("asf_listeners", "Active sessions.", lambda: len(streaming)),
            (
                "asf_max_listeners",
                "Sessions that this server admits (ASF_MAX_LISTENERS).",
                lambda: streaming.max_listeners,
            ),
            ("asf_listeners_blocked", "Sessions under back-pressure.", lambda: len(blocked)),
        ]
    )
    metrics.read_counters(
        [
            ("asf_audio_bytes_sent", "Bytes of audio sent.", lambda: pump.bytes_sent),
            ("asf_chunks_sent", "Chunks of audio sent.", lambda: pump.chunks_sent),
        ]
    )


def register_uploads(metrics: PrometheusMetrics, uploads: Uploads) -> None:
    """Register the numbers of uploads, and of the bytes of audio that were taken."""
    metrics.read_gauges([("asf_uploads", "Requests that are uploading audio.", lambda: len(uploads))])
    metrics.read_counters([("asf_upload_bytes", "Bytes of audio taken from uploads.", lambda: uploads.bytes_taken)])


def register_connections(metrics: PrometheusMetrics, connections: Sized, socketio_connections: Sized) -> None:
    """Register the numbers of open connections."""
    metrics.read_gauges(
        [
            ("asf_connections", "All open connections.", lambda: len(connections)),
            ("asf_socketio_connections", "Open Socket.IO connections.", lambda: len(socketio_connections)),
        ]
    )


def register_updates(metrics: PrometheusMetrics, router: UiUpdateRouter, backend: Reading) -> None:
    """Register the number of subscriptions, and the reading of the `backend` that keeps the updates."""
    metrics.read_gauges(
        [("asf_ui_subscriptions", "Subscriptions to UI updates.", lambda: router.subscriptions), backend]
    )


def reading_of_history(read: Callable[[], float]) -> Reading:
    """Return how to read the memory of UI updates, for a backend in this process."""
    return ("asf_ui_history_bytes", "Bytes of memory that UI updates take.", read)


def reading_of_redis(read: Callable[[], float]) -> Reading:
    """Return how to read whether Redis is connected, for a backend there."""
    return ("asf_redis_connected", "Whether this server is subscribed to Redis: 1 or 0.", read)


def register_catalog(metrics: PrometheusMetrics, count: StreamCount) -> None:
    """Register the numbers of streams in each state. There are none while the catalog cannot be read."""
    metrics.read_by_label(
        "asf_catalog_streams", "Streams in the catalog, by state.", "state", partial(_streams_by_state, count)
    )


def _streams_by_state(count: StreamCount) -> dict[str, float]:
    try:
        counted = count()
    except CatalogUnavailable:
        return {}
    return {state: counted.get(state, 0) for state in StreamState}
