"""The packets that wait to be sent on one Engine.IO connection.

The queue itself has no limit. UI updates that wait are limited in `realtime_api.ui_update_emitter`, audio by
back-pressure.
"""

from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty
from typing import Any

from engineio.packet import NOOP, Packet

from asf.adapters.engineio.packets import LatePacket, length_of

MAX_POLLED_PACKETS = 16
"""Number of packets in the response to a poll: python-engineio's clients accept no more, by default."""

MAX_POLLED_BYTES = 64 * 1024
"""Size at which the response to a poll is complete, and at which a queue takes no more audio for a polling client."""


class PacketQueue:
    """Replaces python-engineio's queue: counts what waits, and reports progress.

    `create_queue` makes the queue of the runtime that does the waiting. The library reads packets by
    `Socket.poll`: a blocking `get`, then non-blocking ones until the queue is empty. It does so for the response to
    the first request, and in the task that writes to a WebSocket after an upgrade, which sends what it has taken
    before it reads again. `WebSocketSession` takes one at a time; other polls `take` packets.

    One read returns at most `MAX_POLLED_PACKETS`, and none after `MAX_POLLED_BYTES`; the next one gets the rest.
    """

    __slots__ = (
        "_queue",
        "_returned",
        "_taken",
        "_taken_bytes",
        "on_progress",
        "on_put",
        "queued_bytes",
        "queued_late",
        "unsent",
    )

    def __init__(self, create_queue: Callable[[], Any]) -> None:
        self._queue = create_queue()
        self._returned: deque[Packet] = deque()  # In front of the queue.
        self._taken = self._taken_bytes = 0  # by the current reader, since its blocking call
        self.on_progress: Callable[[], None] | None = None
        """Called whenever a packet is taken, and when all that were taken have been sent."""
        self.on_put: Callable[[], None] | None = None
        """Called whenever there is something to take."""
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
        self._report_put()

    def put_back(self, packets: Sequence[Packet]) -> None:
        """Put the packets of the last `take` in front of the queue again: they were not sent."""
        # New ones: the library caches the encoding, and that for a poll is not that for a WebSocket.
        self._returned.extendleft([Packet(one.packet_type, one.data) for one in reversed(packets)])
        self.queued_bytes += sum(map(length_of, packets))
        self._taken = self._taken_bytes = 0
        self._report_put()

    def take(self) -> list[Packet]:
        """Return packets for a poll, without waiting; none at the end of the connection, or when there are none."""
        self._begin_read()
        packets: list[Packet] = []
        while (packet := self._next_for_poll()) is not None:
            packets.append(packet)
        return packets

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Return the next packet, or None at the end. Raises `queue.Empty`."""
        if block:
            self._begin_read()
        elif self._taken >= MAX_POLLED_PACKETS or self._taken_bytes >= MAX_POLLED_BYTES:
            raise Empty
        packet = self._returned.popleft() if self._returned else self._queue.get(block, timeout)
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
        return len(self._returned) + int(self._queue.qsize())

    def empty(self) -> bool:
        """Return whether no packet is in the queue."""
        return not self.qsize()

    def task_done(self) -> None:
        """Do nothing: see `join`."""

    def join(self) -> None:
        """Return at once. The library waits here when it closes a connection, forever if the client stops polling."""

    def _next_for_poll(self) -> Packet | None:
        if self.empty():
            return None
        try:
            packet: Packet | None = self.get(block=False)
        except Empty:
            return None
        if packet is None:  # The end, which others may wait for, too.
            self.put(None)
        return packet

    def _begin_read(self) -> None:
        """Record that the reader has sent what it took before."""
        taken, self._taken, self._taken_bytes = self._taken, 0, 0
        if taken:
            self.unsent -= taken
            self._report()

    def _report_put(self) -> None:
        if self.on_put is not None:
            self.on_put()

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress()
