"""Engine.IO's messages on the wire (protocol 4): text starts with a digit for the packet's type, binary data is bare.

The digit is written here alone. Callers have the text of a message without it, such as a Socket.IO packet;
python-engineio writes it in front of what takes its queue.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from engineio.packet import MESSAGE, Packet

from asf.adapters.websocket.frames import ChunkFraming, binary_frame, framing_for, text_frame

_MESSAGE_DIGIT = str(MESSAGE)


def message_frames(texts: Iterable[str]) -> bytes:
    """Return text messages as WebSocket frames."""
    return b"".join([text_frame(_MESSAGE_DIGIT + text) for text in texts])


@lru_cache(maxsize=16)
def shared_message_frame(text: str) -> bytes:
    """Return one text message as a frame, rendered once for the many connections that it is sent on in a row."""
    return message_frames((text,))


@lru_cache
def chunk_framing(envelope: str) -> ChunkFraming:
    """Return how chunks become WebSocket frames: each is a binary message after a text message `envelope`."""
    return framing_for(_MESSAGE_DIGIT + envelope)


def packet_frame(packet: Packet) -> bytes:
    """Return a packet of any type as a WebSocket frame."""
    encoded: str | bytes = packet.encode()
    return text_frame(encoded) if isinstance(encoded, str) else binary_frame(encoded)


def message_packet(data: str | bytes) -> Packet:
    """Return a text or binary message for python-engineio's queue."""
    return Packet(MESSAGE, data)


class LatePacket(Packet):
    """A text message that `render` creates when it is taken from the queue: until then its text needs no memory."""

    def __init__(self, render: Callable[[], str]) -> None:
        super().__init__(MESSAGE)
        self._render = render

    def rendered(self) -> Packet:
        """Return the message as an ordinary packet."""
        return message_packet(self._render())


def length_of(packet: Any) -> int:
    """Return the length of a packet's text or bytes; 0 for other packets, and for what is not a packet."""
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0
