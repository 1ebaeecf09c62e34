"""The packets that wait to be sent on one Engine.IO connection.

The queue itself has no limit. UI updates that wait are limited in `realtime_api.ui_update_emitter`, audio by
back-pressure.
"""

from collections.abc import Callable
from queue import Empty
from typing import Any

from engineio.packet import NOOP, Packet
from engineio.payload import Payload

from asf.adapters.engineio.packets import LatePacket, length_of

MAX_POLLED_BYTES = 64 * 1024
"""Size at which the response to a poll is complete, and at which a queue takes no more audio for a polling client."""


class PacketQueue:
    """Replaces python-engineio's queue: counts what waits, and reports progress.

    `create_queue` makes the queue of the runtime that does the waiting. The library reads packets by
    `Socket.poll`: a blocking `get`, then non-blocking ones until the queue is empty. It does so for the response to a
    poll, and in the task that writes to a WebSocket, which sends what it has taken before it reads again.

    A response to a poll carries no more packets than Engine.IO clients of this library accept in one
    (`Payload.max_decode_packets`), and none after `MAX_POLLED_BYTES`; the next poll gets the rest.
    """

    __slots__ = ("_queue", "_taken", "_taken_bytes", "on_progress", "queued_bytes", "queued_late", "unsent")

    def __init__(self, create_queue: Callable[[], Any]) -> None:
        self._queue = create_queue()
        self._taken = self._taken_bytes = 0  # by the current reader, since its blocking call
        self.on_progress: Callable[[], None] | None = None
        """Called whenever a packet is taken, and when all that were taken have been sent."""
        self.queued_bytes = 0
        self.queued_late = 0
        """Packets in the queue that are `LatePacket`s."""
        self.unsent = 0
        """Packets in the queue, and those taken from it that may not have been sent yet."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Queue a packet; None ends the queue.

        A NOOP, which only makes a poll return early, is dropped unless the queue is empty.
        """
        if isinstance(item, Packet) and item.packet_type == NOOP and self.qsize():
            return
        self.queued_bytes += length_of(item)
        self.queued_late += isinstance(item, LatePacket)
        self.unsent += 1
        self._queue.put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Return the next packet, or None at the end. Raises `queue.Empty`."""
        if block:
            self._begin_read()
        elif self._taken >= Payload.max_decode_packets or self._taken_bytes >= MAX_POLLED_BYTES:
            raise Empty
        packet = self._queue.get(block, timeout)
        self.queued_bytes -= length_of(packet)
        if isinstance(packet, LatePacket):
            self.queued_late -= 1
            packet = packet.rendered()
        self._taken += 1
        self._taken_bytes += length_of(packet)
        self._report()
        return packet

    def qsize(self) -> int:
        """Return the number of packets in the queue."""
        return int(self._queue.qsize())

    def empty(self) -> bool:
        """Return whether no packet is in the queue."""
        return not self.qsize()

    def task_done(self) -> None:
        """Do nothing: see `join`."""

    def join(self) -> None:
        """Return at once. The library waits here when it closes a connection, forever if the client stops polling."""

    def _begin_read(self) -> None:
        """Record that the reader has sent what it took before."""
        taken, self._taken, self._taken_bytes = self._taken, 0, 0
        if taken:
            self.unsent -= taken
            self._report()

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress()
