"""Delivers events to the receiver of webhooks: implements the `EventReporter` port."""

import http.client
import logging
import random
import secrets as random_secrets
import threading
from collections.abc import Sequence
from http import HTTPStatus

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.webhooks.messages import body_of, headers_of
from asf.adapters.webhooks.post import Receiver
from asf.domain.clock import Clock
from asf.domain.webhooks.event import DeliveryObserver, StreamEvent
from asf.domain.webhooks.outbox import Delivery, Outbox

WORKERS = 4
"""Attempts at the same time, each in a worker of its own: one that hangs holds up a quarter of the others."""

MAX_EVENTS = 1000
"""Maximum number of events that have yet to be delivered, about 1 KiB each."""

ATTEMPT_SECONDS = 15.0
"""How long one attempt takes at most. Standard Webhooks recommends 15 to 30 s."""

LOG_SECONDS = 10.0
"""Shortest interval between two log lines of the same kind."""

ID_BYTES = 16

logger = logging.getLogger(__name__)


class WebhookSender:
    """Sends events to `receiver`, signed with each of the `secrets`. Each of the `workers` must run in a task.

    A delivery that fails is attempted again for `retry_seconds`. An event that finds too many others is dropped.
    """

    def __init__(
        self,
        receiver: Receiver,
        secrets: Sequence[bytes],
        retry_seconds: float,
        clock: Clock,
        observer: DeliveryObserver,
        max_events: int = MAX_EVENTS,
    ) -> None:
        self._receiver = receiver
        self._secrets = secrets
        self._clock = clock
        self._observer = observer
        self._outbox = Outbox(max_events, retry_seconds, lambda: random.uniform(0.5, 1))  # noqa: S311 - no secret
        self._changed = threading.Condition()
        self._closed = False
        self._failures, self._drops = LogThrottle(LOG_SECONDS), LogThrottle(LOG_SECONDS)
        self.workers = (self._work,) * WORKERS

    def __len__(self) -> int:
        """Return how many events have yet to be delivered."""
        return len(self._outbox)

    @property
    def has_tried_all(self) -> bool:
        """Whether each event has been attempted once, with or without success."""
        return not self._outbox.untried

    def report(self, event: StreamEvent) -> None:
        """Deliver the event soon. Does not wait."""
        event_id = f"msg_{random_secrets.token_hex(ID_BYTES)}"
        with self._changed:
            is_added = self._outbox.add(event, event_id, self._clock.now())
            self._changed.notify()
        if not is_added:
            self._observer.event_delivered("dropped")
            if self._drops.permits():
                logger.error("Webhook dropped: %d events wait for the receiver already", len(self._outbox))

    def close(self) -> None:
        """Let the workers end: those that wait do so at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._attempt(delivery)
            except Exception:
                logger.exception("A webhook could not be sent")
                self._settle(delivery, None, final=True)

    def _next(self) -> Delivery | None:
        """Wait for a delivery that is due; None after `close`."""
        with self._changed:
            while not self._closed:
                now = self._clock.now()
                delivery = self._outbox.take(now)
                if delivery is not None:
                    return delivery
                next_time = self._outbox.next_time
                self._changed.wait(None if next_time is None else max(0.0, next_time - now))
        return None

    def _attempt(self, delivery: Delivery) -> None:
        body = body_of(delivery.event, delivery.event_id)
        headers = headers_of(delivery.event_id, int(self._clock.timestamp()), body, self._secrets)
        try:
            response = self._receiver.post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._settle(delivery, f"{type(error).__name__}: {error}")
            return
        if HTTPStatus(200) <= response.status < HTTPStatus(300):
            self._settle(delivery, None)
        else:
            is_gone = response.status == HTTPStatus.GONE
            self._settle(delivery, f"HTTP status {response.status}", response.retry_after, final=is_gone)

    def _settle(
        self, delivery: Delivery, problem: str | None, pause: float | None = None, *, final: bool = False
    ) -> None:
        """Record the outcome of an attempt, whose `problem` is None if it succeeded."""
        with self._changed:
            now = self._clock.now()
            if problem is None and not final:
                self._outbox.succeed(delivery, now)
                outcome = "sent"
            else:
                outcome = "" if self._outbox.fail(delivery, now, pause, final=final) else "failed"
            self._changed.notify()
        if outcome:
            self._observer.event_delivered(outcome)
        if problem is not None and (outcome == "failed" or self._failures.permits()):
            next_step = "given up" if outcome else "will be sent again"
            logger.warning(
                "Webhook %s for stream %r failed (attempt %d), %s: %s",
                delivery.event.type,
                delivery.event.stream_id,
                delivery.attempts,
                next_step,
                problem,
            )
