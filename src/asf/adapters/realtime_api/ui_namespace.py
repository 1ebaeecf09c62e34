"""The Socket.IO namespace of UI updates (docs/contract.md, section 4)."""

import logging
from contextlib import suppress
from typing import Any

from asf.adapters.realtime_api.join_limits import SUBSCRIPTIONS_AT_ONCE, SUBSCRIPTIONS_PER_SECOND, JoinLimits
from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.namespace import FindTransport, StrictNamespace
from asf.adapters.realtime_api.payloads import PayloadError, SubscribeSchema, UnsubscribeSchema
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, InternalError, NotSubscribed
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import Position

logger = logging.getLogger(__name__)


class UiUpdatesNamespace(StrictNamespace[MessageTransport]):
    """Maps the events of subscribers to calls of the `UiUpdateRouter`."""

    error_event = "ui_error"
    purpose = "UI updates"

    def __init__(
        self, namespace: str, router: UiUpdateRouter, find_transport: FindTransport[MessageTransport]
    ) -> None:
        super().__init__(namespace, find_transport, JoinLimits(SUBSCRIPTIONS_PER_SECOND, SUBSCRIPTIONS_AT_ONCE))
        self._router = router
        self._subscribe_schema = SubscribeSchema()
        self._unsubscribe_schema = UnsubscribeSchema()

    def on_connect(self, sid: str, *_environ_and_auth: Any) -> None:
        """Acknowledge the connection of a subscriber."""
        greeting = {"message": f"Connected to ASF UI updates on namespace {self.namespace}."}
        self.emit_here(sid, "ui_connection_ack", greeting)

    def on_disconnect(self, sid: str, *_reason: Any) -> None:
        """End the subscriptions of a connection that has ended."""
        self._router.drop(sid)

    def on_subscribe_to_ui_updates(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """Subscribe to the updates of one client."""
        try:
            fields = self._subscribe_schema.read(payload)
            self.check_join_rate(sid)
            self._subscribe(sid, fields["client_id"], fields["since"], fields["token"])
        except AsfError as error:
            self.emit_here(sid, self.error_event, error_message(error))
            return
        transport = self.transport_of(sid)
        if transport is not None:
            transport.mark_active()

    def on_unsubscribe_from_ui_updates(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """End the subscription to the updates of one client."""
        try:
            self._router.unsubscribe(sid, self._unsubscribe_schema.read(payload)["client_id"])
        except (PayloadError, NotSubscribed) as error:
            self.emit_here(sid, self.error_event, error_message(error))

    def _subscribe(self, sid: str, client_id: str, since: Position | None, token: object) -> None:
        try:
            self._router.subscribe(sid, client_id, since, token)
        except AsfError:
            raise
        except Exception as error:
            logger.exception("Subscribing to UI updates failed")
            with suppress(NotSubscribed):  # No subscription without a confirmation.
                self._router.unsubscribe(sid, client_id)
            raise InternalError from error
