"""The way of UI updates to their subscribers."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from flask_socketio import SocketIO

from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.packets import compact_json, connection_of, event_packet
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, UiEmitFailed
from asf.domain.updates.update import Handover, SequencedUpdate, Subscription

MAX_QUEUED_MESSAGES = 1000
MAX_QUEUED_BYTES = 1024 * 1024
"""What may wait for a subscriber that does not read. With more it is given up; it recovers with `since`.

What a subscriber missed while it was away does not count, as it takes no memory of its own; as long as so many
messages of that wait, though, it may not ask for more.
"""

logger = logging.getLogger(__name__)


class SocketIoUiUpdateEmitter:
    """The way to subscribers over Socket.IO: implements the `UiUpdateEmitter` port.

    The packet of an update is written out here, once for all its subscribers: the library would encode it for each.
    `transport_for` makes the transport of one of the Engine.IO server's connection objects.
    """

    def __init__(self, socketio: SocketIO, namespace: str, transport_for: Callable[[Any], MessageTransport]) -> None:
        self._server = socketio.server
        self._namespace = namespace
        self._transport_for = transport_for
        self._latest: tuple[SequencedUpdate, bool] | None = None
        self._latest_packet = ""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Tell a connection what it has subscribed to, and send what it missed. Raises `UiEmitFailed`."""
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
        """Hand `update` to one connection. Raises `UiEmitFailed`."""
        if self._latest is None or self._latest[0] is not update or self._latest[1] is not with_position:
            self._latest = (update, with_position)
            self._latest_packet = self._packet_of(update, with_position=with_position)
        return self._send(connection_id, self._latest_packet)

    def break_off(self, connection_id: str) -> None:
        """End the connection at once, so that its client comes back. An unknown one does no harm."""
        transport = self._transport(connection_id)
        if transport is not None:
            transport.disconnect()

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Tell a connection why its subscription has ended. Raises `UiEmitFailed`."""
        payload = error_message(reason) | {"client_id": client_id}
        return self._send(connection_id, event_packet(self._namespace, "ui_error", compact_json(payload)))

    def _send(self, connection_id: str, packet: str, missed: tuple[SequencedUpdate, ...] = ()) -> Handover:
        transport = self._transport(connection_id)
        if transport is None:
            return Handover.GONE
        try:
            if _does_not_read(transport, asks_again=bool(missed)):
                logger.warning("A subscriber to UI updates does not read and is given up")
                transport.disconnect()
                return Handover.TOO_SLOW
            if not transport.send(packet):
                return Handover.GONE
            for update in missed:
                # However much it is: it was kept anyway.
                transport.send_late(partial(self._packet_of, update, with_position=True))
        except Exception as error:
            logger.exception("Emitting a UI update failed")
            transport.disconnect()
            raise UiEmitFailed(f"{type(error).__name__}: {error}") from error
        return Handover.TAKEN

    def _transport(self, connection_id: str) -> MessageTransport | None:
        connection = connection_of(self._server, self._namespace, connection_id)
        return None if connection is None else self._transport_for(connection)

    def _packet_of(self, update: SequencedUpdate, *, with_position: bool) -> str:
        if not with_position:
            return event_packet(self._namespace, update.event_name, update.data_json)
        position = {"epoch": update.epoch, "seq": update.seq, "timestamp": update.timestamp}
        return event_packet(self._namespace, update.event_name, update.data_json, compact_json(position))


def _does_not_read(transport: MessageTransport, *, asks_again: bool) -> bool:
    return (
        transport.queued_messages >= MAX_QUEUED_MESSAGES
        or transport.queued_bytes >= MAX_QUEUED_BYTES
        or (asks_again and transport.queued_late >= MAX_QUEUED_MESSAGES)
    )
