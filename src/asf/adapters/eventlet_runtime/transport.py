"""One Engine.IO connection, as something that audio can be sent on.

Engine.IO keeps a queue of packets for each connection and, once that is a WebSocket, a greenlet that writes them.
Audio takes a shorter way where it can: straight to the socket, when nothing is queued in front of it. On long
polling, and in the middle of the upgrade, it takes the queue like everything else.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engineio.packet import MESSAGE, NOOP, Packet
from engineio.payload import Payload
from eventlet.queue import Empty, Queue

from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import framing_for, text_frame
from asf.domain.streaming.audio import AudioBatch

MESSAGES_PER_CHUNK = 2
"""A binary event is a text message and a binary one."""

MAX_POLLED_BYTES = 64 * 1024
"""With so many bytes in an answer to a poll nothing more goes into it, and with so many queued for a client on long
polling it is sent no more audio until it has taken some."""


class LatePacket(Packet):
    """A text message that is made when it goes out. `render` returns it, with its Engine.IO type in front."""

    def __init__(self, render: Callable[[], str]) -> None:
        super().__init__(MESSAGE)
        self._render = render

    def rendered(self) -> Packet:
        """Return the message as an ordinary packet."""
        return Packet(MESSAGE, self._render()[1:])


class PacketQueue(Queue):
    """The packets that wait to be sent on one connection; tells when one is taken.

    One answer to a poll carries no more packets than the Engine.IO clients of the same family accept in one
    (`Payload.max_decode_packets`), and none behind `MAX_POLLED_BYTES`; the next poll gets the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_taken: Callable[[], None] | None = None
        self.queued_bytes = 0
        self.queued_late = 0
        self._taken = self._taken_bytes = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Queue a packet; None ends the queue. One that says nothing is only worth it where nothing else waits."""
        if isinstance(item, Packet) and item.packet_type == NOOP and self.qsize():
            return
        self.queued_bytes += _length_of(item)
        self.queued_late += isinstance(item, LatePacket)
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Return the next packet. A blocking call begins an answer, the calls that do not block fill it up."""
        if block:
            self._taken = self._taken_bytes = 0
        elif self._taken >= Payload.max_decode_packets or self._taken_bytes >= MAX_POLLED_BYTES:
            raise Empty
        packet = super().get(block, timeout)
        self.queued_bytes -= _length_of(packet)
        if isinstance(packet, LatePacket):
            self.queued_late -= 1
            packet = packet.rendered()
        self._taken += 1
        self._taken_bytes += _length_of(packet)
        if self.on_taken is not None:
            self.on_taken()
        return packet

    def join(self) -> None:
        """Wait for nothing: whoever closes a connection would wait for ever for a client that polls no more."""


class EngineIoTransport:
    """One Engine.IO connection. `socket` is the library's object for it."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._queue: PacketQueue = socket.queue
        self._callback: Callable[[], None] | None = None

    @property
    def is_direct(self) -> bool:
        """Whether the connection is a WebSocket by now."""
        return bool(self._socket.upgraded)

    @property
    def room(self) -> int:
        """How many more chunks may be queued: as many as the next answer to a poll still carries, in bounds."""
        if self._queue.queued_bytes >= MAX_POLLED_BYTES:
            return 0
        return int(max(0, Payload.max_decode_packets - self._queue.qsize()) // MESSAGES_PER_CHUNK)

    @property
    def ready(self) -> bool:
        """Whether the connection may take audio.

        On a WebSocket: when nothing is queued or half-sent. Else: when there is room for a chunk.
        """
        if not self.is_direct:
            return self.room > 0
        websocket = self._websocket
        return self._queue.qsize() == 0 and websocket is not None and websocket.idle

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of the batch straight to the socket, as far as it takes them; return how many were taken.

        `start` and `stop` are offsets in the audio; every chunk follows a text message `envelope`. Only to be
        called when `is_direct`.
        """
        websocket = self._websocket
        if websocket is None or not self.ready:
            return 0
        return websocket.write_chunks(framing_for(envelope), batch, start, stop)

    def send_texts(self, texts: Sequence[str]) -> bool:
        """Send text messages straight to the socket, where that is possible now, and tell whether it was."""
        if not self.is_direct or not self.ready:
            return False
        websocket = self._websocket
        assert websocket is not None  # noqa: S101 - it is ready
        websocket.write_whole(b"".join(map(text_frame, texts)))
        return True

    @property
    def queued_messages(self) -> int:
        """How many messages wait to be sent, without those of `send_late`."""
        return int(self._queue.qsize()) - self._queue.queued_late

    @property
    def queued_late(self) -> int:
        """How many messages of `send_late` wait to be sent."""
        return self._queue.queued_late

    @property
    def queued_bytes(self) -> int:
        """How many bytes those have together."""
        return self._queue.queued_bytes

    def send(self, text: str) -> bool:
        """Send a text message, straight to the socket where that is possible now, or else by the queue.

        Returns False when the connection turns out to be gone.
        """
        if self.send_texts((text,)):
            return True
        # Engine.IO writes the type in front of a message itself.
        return self._enqueue(Packet(MESSAGE, text[1:]))

    def send_late(self, render: Callable[[], str]) -> bool:
        """Send a text message that is made when it goes out. Returns False when the connection is gone."""
        if self.is_direct and self.ready:
            return self.send_texts((render(),))
        return self._enqueue(LatePacket(render))

    def keep(self) -> None:
        """Take the connection for one that is of use: only such ones may stay for long."""
        self._socket.is_kept = True

    def disconnect(self) -> None:
        """Break the connection off, without waiting for what is queued.

        An answer to a poll that is being sent is left to the time that it may take.
        """
        websocket = self._websocket
        if websocket is not None:
            websocket.break_off()
        self._socket.close(wait=False, abort=True)

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as the transport is ready. None forgets an earlier one."""
        self._callback = callback
        self._queue.on_taken = callback and self._tell
        if self._websocket is not None:
            self._websocket.on_idle = callback and self._tell

    def _enqueue(self, packet: Packet) -> bool:
        if not self._socket.check_ping_timeout():
            return False
        self._queue.put(packet)
        return True

    @property
    def _websocket(self) -> DirectWebSocket | None:
        websocket: DirectWebSocket | None = getattr(self._socket, "websocket", None)
        return websocket

    def _tell(self) -> None:
        callback = self._callback
        if callback is not None and self.ready:
            self.when_ready(None)
            callback()


def is_kept(socket: Any) -> bool:
    """Return whether a connection, the library's object for it, was taken for one that is of use."""
    return getattr(socket, "is_kept", False)


def _length_of(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0
