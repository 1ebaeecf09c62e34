"""The Socket.IO namespace of UI updates (docs/contract.md, section 4)."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from asf.adapters.realtime_api.join_limits import SUBSCRIPTIONS_AT_ONCE, SUBSCRIPTIONS_PER_SECOND, JoinLimits
from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.namespace import FindTransport, StrictNamespace
from asf.adapters.realtime_api.payloads import PayloadError, SubscribeSchema, UnsubscribeSchema
from asf.adapters.realtime_api.replay_limits import ReplayLimits
from asf.adapters.realtime_api.subscription_requests import Request, Spawn, SubscriptionRequests
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, InternalError, NotSubscribed
from asf.domain.updates.router import UiUpdateRouter

logger = logging.getLogger(__name__)


class UiUpdatesNamespace(StrictNamespace[MessageTransport]):
    """Maps the events of subscribers to calls of the `UiUpdateRouter`.

    A subscription that has to wait, for a log on another machine or for the rate of `replays`, is made in a task of
    its own, which `spawn` starts and `pause` suspends: the connection's further events do not wait.
    """

    error_event = "ui_error"
    greeting_event = "ui_connection_ack"
    purpose = "UI updates"

    def __init__(
        self,
        namespace: str,
        router: UiUpdateRouter,
        find_transport: FindTransport[MessageTransport],
        replays: ReplayLimits,
        spawn: Spawn,
        pause: Callable[[float], object],
    ) -> None:
        joins = JoinLimits(SUBSCRIPTIONS_PER_SECOND, SUBSCRIPTIONS_AT_ONCE)
        greeting = f"Connected to ASF UI updates on namespace {namespace}."
        super().__init__(namespace, find_transport, joins, greeting)
        self._router = router
        self._requests = SubscriptionRequests(self._subscribe, replays, spawn, pause, is_local=router.is_local)
        self._subscribe_schema = SubscribeSchema()
        self._unsubscribe_schema = UnsubscribeSchema()

    def on_disconnect(self, sid: str, *_reason: Any) -> None:
        """End the subscriptions of a connection that has ended."""
        self._requests.drop(sid)
        self._router.drop(sid)

    def on_subscribe_to_ui_updates(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """Subscribe to the updates of one client, now or when that is possible."""
        transport = self.transport_of(sid)
        if transport is None:
            return
        try:
            fields = self._subscribe_schema.read(payload)
            self.check_join_rate(sid)
            request = Request(fields["since"], fields["token"])
            self._requests.start(sid, fields["client_id"], request, transport)
        except AsfError as error:
            self.emit_here(sid, self.error_event, error_message(error))

    def on_unsubscribe_from_ui_updates(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """End the subscription to the updates of one client."""
        was_requested = False
        try:
            client_id = self._unsubscribe_schema.read(payload)["client_id"]
            was_requested = self._requests.cancel(sid, client_id)
            self._router.unsubscribe(sid, client_id)
        except (PayloadError, NotSubscribed) as error:
            if not was_requested:
                self.emit_here(sid, self.error_event, error_message(error))

    def _subscribe(self, sid: str, client_id: str, request: Request) -> None:
        try:
            self._router.subscribe(sid, client_id, request.since, request.token)
        except AsfError as error:
            self.emit_here(sid, self.error_event, error_message(error))
            return
        except Exception:
            logger.exception("Subscribing to UI updates failed")
            with suppress(NotSubscribed):  # No subscription without a confirmation.
                self._router.unsubscribe(sid, client_id)
            self.emit_here(sid, self.error_event, error_message(InternalError()))
            return
        transport = self.transport_of(sid)
        if transport is not None:
            transport.mark_active()
