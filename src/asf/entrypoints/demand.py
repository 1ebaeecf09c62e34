"""Builds what counts the listeners of streams, and what reports events of streams to a webhook."""

from collections.abc import Callable

from asf.adapters.prometheus import PrometheusMetrics
from asf.adapters.webhooks import Receiver, WebhookSender
from asf.adapters.webhooks.sender import ATTEMPT_SECONDS
from asf.application.stream_events import StreamEvents
from asf.domain.clock import Clock
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.ahead import AheadLimit
from asf.domain.streaming.audience import Audience
from asf.domain.streaming.listener_counts import ListenerCounts
from asf.domain.streams.catalog import StreamCatalog
from asf.settings import Settings


def create_audience(
    admission: Admission, ahead: AheadLimit, clock: Clock, checkpoint: Callable[[], object]
) -> Audience:
    """Return the audience of the streams of this server: the sessions that `admission` accepts."""
    audience = Audience(ahead, clock, checkpoint)
    admission.on_join.connect(audience.add)
    admission.on_end.connect(audience.remove)
    return audience


def create_webhooks(settings: Settings, clock: Clock, metrics: PrometheusMetrics) -> WebhookSender | None:
    """Return the sender of webhooks, or None if no URL is set."""
    if not settings.webhook_url:
        return None
    receiver = Receiver(settings.webhook_url, ATTEMPT_SECONDS)
    sender = WebhookSender(receiver, settings.webhook_secret, settings.webhook_retry_seconds, clock, metrics)
    metrics.read_gauges(
        [("asf_webhooks_waiting", "Events that have yet to be delivered.", lambda: float(len(sender)))]
    )
    return sender


def connect_listener_counts(
    counts: ListenerCounts, audience: Audience, catalog: StreamCatalog, clock: Clock, webhooks: WebhookSender | None
) -> ListenerCounts:
    """Return `counts`, which count `audience`, and report events to `webhooks` if there are any."""
    events = None if webhooks is None else StreamEvents(catalog, clock, webhooks)
    counts.connect(audience, None if events is None else events.audience_changed)
    return counts
