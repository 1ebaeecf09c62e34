"""Sends UI updates to subscribers over Socket.IO, and drops those that do not read them.

Implements the `UiUpdateEmitter` port.
"""

import logging
from functools import partial
from typing import Any

from flask_socketio import SocketIO

from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.namespace import FindTransport
from asf.adapters.realtime_api.socketio_packets import compact_json, event_packet
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, UiEmitFailed
from asf.domain.updates.limits import FILLING_BYTES, FILLING_UPDATES, MAX_WAITING_BYTES, MAX_WAITING_UPDATES
from asf.domain.updates.update import Handover, SequencedUpdate, Subscription

logger = logging.getLogger(__name__)


class SocketIoUiUpdateEmitter:
    """Sends updates to connections of a namespace. Encodes the packet of an update once for all its subscribers.

    A subscriber with more waiting updates than the limits is disconnected, and recovers with `since`. Replayed
    updates do not count, as they need no memory of their own; but a subscriber that asks for another replay while
    `MAX_WAITING_UPDATES` of them wait is disconnected too.
    """

    def __init__(self, socketio: SocketIO, namespace: str, find_transport: FindTransport[MessageTransport]) -> None:
        self._server = socketio.server
        self._namespace = namespace
        self._find_transport = find_transport
        self._latest: tuple[SequencedUpdate, bool] | None = None
        self._latest_packet = ""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Confirm a subscription to a connection, and replay what it missed. Raises `UiEmitFailed`."""
        payload: dict[str, Any] = {
            "status": "success",
            "client_id": subscription.client_id,
            "subscribed_to_room": subscription.client_id,
            "epoch": subscription.latest.epoch,
            "seq": subscription.latest.seq,
        }
        if subscription.recovered is not None:
            payload["recovered"] = subscription.recovered
        packet = event_packet(self._namespace, "subscribed_ui_updates", compact_json(payload))
        return self._send(connection_id, packet, subscription.missed)

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Deliver `update` to one connection. Raises `UiEmitFailed`."""
        if self._latest is None or self._latest[0] is not update or self._latest[1] is not with_position:
            self._latest = (update, with_position)
            self._latest_packet = self._packet_of(update, with_position=with_position)
        return self._send(connection_id, self._latest_packet)

    def waiting(self, connection_id: str) -> float:
        """Return how much waits to be sent to the connection, as a fraction of what may; 0 for an unknown one."""
        transport = self._transport(connection_id)
        if transport is None:
            return 0.0
        return max(transport.queued_messages / MAX_WAITING_UPDATES, transport.queued_bytes / MAX_WAITING_BYTES)

    def break_off(self, connection_id: str) -> None:
        """End the connection at once, so that its client reconnects. An unknown connection is ignored."""
        transport = self._transport(connection_id)
        if transport is not None:
            transport.disconnect()

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Notify a connection why its subscription has ended. Raises `UiEmitFailed`."""
        payload = error_message(reason) | {"client_id": client_id}
        return self._send(connection_id, event_packet(self._namespace, "ui_error", compact_json(payload)))

    def _send(self, connection_id: str, packet: str, missed: tuple[SequencedUpdate, ...] = ()) -> Handover:
        transport = self._transport(connection_id)
        if transport is None:
            return Handover.GONE
        try:
            messages, size = transport.queued_messages, transport.queued_bytes
            is_too_slow = messages >= MAX_WAITING_UPDATES or size >= MAX_WAITING_BYTES
            if is_too_slow or (missed and transport.queued_late >= MAX_WAITING_UPDATES):
                logger.warning("subscriber dropped connection=%s reason=not_reading", connection_id)
                transport.disconnect()
                return Handover.TOO_SLOW
            if not transport.send(packet):
                return Handover.GONE
            for update in missed:
                # Without a limit: the history holds these updates anyway.
                transport.send_late(partial(self._packet_of, update, with_position=True))
        except Exception as error:
            logger.exception("Emitting a UI update failed")
            transport.disconnect()
            raise UiEmitFailed(f"{type(error).__name__}: {error}") from error
        return Handover.FILLING if messages >= FILLING_UPDATES or size >= FILLING_BYTES else Handover.TAKEN

    def _transport(self, connection_id: str) -> MessageTransport | None:
        return self._find_transport(self._server.manager.eio_sid_from_sid(connection_id, self._namespace))

    def _packet_of(self, update: SequencedUpdate, *, with_position: bool) -> str:
        if not with_position:
            return event_packet(self._namespace, update.event_name, update.data_json)
        position = {"epoch": update.epoch, "seq": update.seq, "timestamp": update.timestamp}
        return event_packet(self._namespace, update.event_name, update.data_json, compact_json(position))
