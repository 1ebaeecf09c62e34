"""Sends UI updates to subscribers over Socket.IO, and drops those that do not read them.

Implements the `UiUpdateEmitter` port.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cachetools import LRUCache
from flask_socketio import SocketIO

from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.namespace import FindTransport
from asf.adapters.realtime_api.replay_limits import ReplayLimits
from asf.adapters.realtime_api.socketio_packets import compact_json, event_packet
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, UiEmitFailed
from asf.domain.peer import Peer
from asf.domain.updates.limits import FILLING_BYTES, FILLING_UPDATES, MAX_WAITING_BYTES, MAX_WAITING_UPDATES
from asf.domain.updates.update import Handover, SequencedUpdate, Subscription

MAX_CACHED_CHARACTERS = 8 * 1024 * 1024
"""Size of the cache of packets that were replayed. Clients that reconnect do so together, and read the same again."""

logger = logging.getLogger(__name__)


class SocketIoUiUpdateEmitter:
    """Sends updates to connections of a namespace. Encodes the packet of an update once for all its subscribers.

    A subscriber with more waiting updates than the limits is disconnected, and recovers with `since`. Replayed
    updates do not count, as they need no memory of their own; but a subscriber that asks for another replay while
    `MAX_WAITING_UPDATES` of them wait is disconnected too. They are counted in `replays`, and their packets cached.
    """

    def __init__(
        self,
        socketio: SocketIO,
        namespace: str,
        find_transport: FindTransport[MessageTransport],
        replays: ReplayLimits,
    ) -> None:
        self._server = socketio.server
        self._namespace = namespace
        self._find_transport = find_transport
        self._replays = replays
        # Packets with positions, by client, epoch and number.
        self._replayed: LRUCache[tuple[str, str, int], str] = LRUCache(MAX_CACHED_CHARACTERS, getsizeof=len)
        self._latest: tuple[SequencedUpdate, bool] | None = None
        self._latest_packet = ""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Confirm a subscription to a connection. Raises `UiEmitFailed`."""
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
        return self._hand_over(connection_id, partial(self._send, packet, is_replay=bool(subscription.missed)))

    def replay(self, connection_id: str, updates: Sequence[SequencedUpdate]) -> Handover:
        """Send a connection updates that it missed. Raises `UiEmitFailed`."""
        return self._hand_over(connection_id, partial(self._send_late, updates))

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Deliver `update` to one connection. Raises `UiEmitFailed`."""
        if self._latest is None or self._latest[0] is not update or self._latest[1] is not with_position:
            self._latest = (update, with_position)
            self._latest_packet = self._packet_of(update, with_position=with_position)
        return self._hand_over(connection_id, partial(self._send, self._latest_packet))

    def peer(self, connection_id: str) -> Peer | None:
        """Return who is connected, and how; None for an unknown connection."""
        transport = self._transport(connection_id)
        return None if transport is None else transport.peer

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
        packet = event_packet(self._namespace, "ui_error", compact_json(payload))
        return self._hand_over(connection_id, partial(self._send, packet))

    def _hand_over(self, connection_id: str, send: Callable[[MessageTransport], Handover]) -> Handover:
        transport = self._transport(connection_id)
        if transport is None:
            return Handover.GONE
        try:
            outcome = send(transport)
            if outcome is Handover.TOO_SLOW:
                logger.warning("subscriber dropped connection=%s reason=not_reading", connection_id)
                transport.disconnect()
        except Exception as error:
            logger.exception("Emitting a UI update failed")
            transport.disconnect()
            raise UiEmitFailed(f"{type(error).__name__}: {error}") from error
        return outcome

    def _send(self, packet: str, transport: MessageTransport, *, is_replay: bool = False) -> Handover:
        messages, size = transport.queued_messages, transport.queued_bytes
        is_too_slow = messages >= MAX_WAITING_UPDATES or size >= MAX_WAITING_BYTES
        if is_too_slow or (is_replay and transport.queued_late >= MAX_WAITING_UPDATES):
            return Handover.TOO_SLOW
        if not transport.send(packet):
            return Handover.GONE
        return Handover.FILLING if messages >= FILLING_UPDATES or size >= FILLING_BYTES else Handover.TAKEN

    def _send_late(self, updates: Sequence[SequencedUpdate], transport: MessageTransport) -> Handover:
        """Send updates however many wait: the history holds them anyway."""
        self._replays.count(transport, len(updates), sum(len(one.data_json) for one in updates))
        renders = [partial(self._replayed_packet, one) for one in updates]
        return Handover.TAKEN if transport.send_late(renders) else Handover.GONE

    def _replayed_packet(self, update: SequencedUpdate) -> str:
        position = (update.client_id, update.epoch, update.seq)
        packet = self._replayed.get(position)
        if packet is None:
            packet = self._packet_of(update, with_position=True)
            if len(packet) <= MAX_CACHED_CHARACTERS:
                self._replayed[position] = packet
        return packet

    def _transport(self, connection_id: str) -> MessageTransport | None:
        return self._find_transport(self._server.manager.eio_sid_from_sid(connection_id, self._namespace))

    def _packet_of(self, update: SequencedUpdate, *, with_position: bool) -> str:
        if not with_position:
            return event_packet(self._namespace, update.event_name, update.data_json)
        position = {"epoch": update.epoch, "seq": update.seq, "timestamp": update.timestamp}
        return event_packet(self._namespace, update.event_name, update.data_json, compact_json(position))
