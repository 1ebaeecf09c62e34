"""The receiving side of a WebSocket connection: bytes in, messages out, without input or output of its own."""

from collections.abc import Iterator
from contextlib import suppress

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

MAX_FRAGMENTS = 64
"""Maximum number of frames of one message. Clients of this service have no reason to use more than one."""

_REASONS = {
    CloseReason.INVALID_FRAME_PAYLOAD_DATA: "Text must be UTF-8.",
    CloseReason.MESSAGE_TOO_BIG: "The message is too big.",
}
"""What a close frame says with a code; with others it says what wsproto found."""

_TEXT, _BINARY, _PONG = 0x81, 0x82, 0x8A
"""First bytes of final frames without reserved bits."""

_IS_MASKED, _LENGTH_BITS, _LENGTH_IN_2_BYTES = 0x80, 0x7F, 126
"""The second byte of a frame (RFC 6455, section 5.2)."""

_SHORTEST_HEADER = 6
"""That of a client: two bytes and the mask."""

_NO_RESERVED_BITS = RsvBits(rsv1=False, rsv2=False, rsv3=False)


class Fragment:
    """A frame that neither completes a message nor is a control frame."""


FRAGMENT = Fragment()

Received = str | bytes | Fragment | Ping | Pong | CloseConnection
"""What one frame amounts to: the message that it completes, a part of one, or a control frame."""


class MessageReceiver:
    """Reads the frames of a client.

    A message may have `max_message_bytes` bytes, in at most `MAX_FRAGMENTS` frames. What exceeds that, or violates
    RFC 6455, reads as a `CloseConnection` with the code and the reason to close the connection with.

    Whole messages in one frame, and pongs, are read here as long as a client sends nothing else, and each at once.
    From anything else on wsproto reads, which costs more time and memory.
    """

    __slots__ = ("_data", "_library", "_max_bytes", "_start")

    def __init__(self, max_message_bytes: int) -> None:
        self._max_bytes = max_message_bytes
        self._data = b""
        self._start = 0
        self._library: _LibraryReceiver | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes. Call it only after `next_frame` has returned None."""
        if self._library is not None:
            self._library.feed(data)
        else:
            self._data, self._start = data, 0

    def next_frame(self) -> Received | None:
        """Return the next complete frame, or None when more bytes are needed.

        The code of a `CloseConnection` is the one to answer with.
        """
        if self._library is None:
            if self._start == len(self._data):
                self._data, self._start = b"", 0
                return None
            received = self._plain_frame()
            if received is not None:
                return received
            self._library = _LibraryReceiver(self._max_bytes)
            self._library.feed(self._data[self._start :])
            self._data = b""
        return self._library.next_frame()

    def _plain_frame(self) -> str | bytes | Pong | None:
        """Return the content of the next frame if it is complete and plain; else None."""
        found = self._next_payload()
        content = None if found is None else _content_of(self._data[self._start], found[0])
        if found is not None and content is not None:
            self._start = found[1]
        return content

    def _next_payload(self) -> tuple[bytes, int] | None:
        """Return the payload of the next frame and where the frame ends, if it is complete and not too long."""
        data, start = self._data, self._start
        header_end = start + _SHORTEST_HEADER
        if len(data) < header_end or not data[start + 1] & _IS_MASKED:
            return None
        length = data[start + 1] & _LENGTH_BITS
        if length > _LENGTH_IN_2_BYTES:
            return None
        if length == _LENGTH_IN_2_BYTES:
            header_end += 2
            length = int.from_bytes(data[start + 2 : start + 4], "big")
            if length < _LENGTH_IN_2_BYTES:  # It is not as short as it can be.
                return None
        end = header_end + length
        if len(data) < end or length > self._max_bytes:
            return None
        return _unmasked(data[header_end:end], data[header_end - 4 : header_end]), end


def _content_of(first_byte: int, payload: bytes) -> str | bytes | Pong | None:
    """Return the content of a frame that is a whole message or a pong; None of others, and of what is no UTF-8."""
    if first_byte == _TEXT:
        with suppress(UnicodeDecodeError):
            return payload.decode()
    elif first_byte == _BINARY:
        return payload
    elif first_byte == _PONG and len(payload) < _LENGTH_IN_2_BYTES:
        return Pong(payload)
    return None


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return a payload without its mask (RFC 6455, section 5.3)."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


class _LibraryReceiver:
    """Does as `MessageReceiver`, by wsproto."""

    def __init__(self, max_message_bytes: int) -> None:
        self._connection = Connection(ConnectionType.SERVER, [_MessageSizeLimit(max_message_bytes)])
        self._events: Iterator[Event] = self._connection.events()
        self._pieces: list[str | bytes] = []
        self._fragments = 0

    def feed(self, data: bytes) -> None:
        """Add received bytes. Call it only after `next_frame` has returned None."""
        self._connection.receive_data(data)
        self._events = self._connection.events()

    def next_frame(self) -> Received | None:
        """Return the next complete frame, or None when more bytes are needed.

        The code of a `CloseConnection` is the one to answer with.
        """
        for event in self._events:
            if isinstance(event, TextMessage | BytesMessage):
                received = self._add(event)
                if received is not None:
                    return received
            elif isinstance(event, CloseConnection):
                return self._answer_to(event)
            elif isinstance(event, Ping | Pong):
                return event
        return None

    def _add(self, event: TextMessage | BytesMessage) -> Received | None:
        """Add a piece of a frame. Returns None until the frame is complete."""
        pieces = self._pieces
        pieces.append(event.data if isinstance(event.data, str) else bytes(event.data))
        if not event.frame_finished:
            return None
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            return CloseConnection(CloseReason.MESSAGE_TOO_BIG, _REASONS[CloseReason.MESSAGE_TOO_BIG])
        if not event.message_finished:
            return FRAGMENT
        self._fragments = 0
        if len(pieces) == 1:
            return pieces.pop()
        message = pieces[0][:0].join(pieces)  # type: ignore[arg-type] # all are of the same type
        pieces.clear()
        return message

    def _answer_to(self, event: CloseConnection) -> CloseConnection:
        if self._connection.state is ConnectionState.REMOTE_CLOSING:
            # Closed by the client: the response has the same code, or 1000 if there was none.
            no_code = event.code == CloseReason.NO_STATUS_RCVD
            return CloseConnection(CloseReason.NORMAL_CLOSURE if no_code else event.code, "")
        return CloseConnection(event.code, _REASONS.get(CloseReason(event.code), event.reason))


class _MessageSizeLimit(Extension):
    """Rejects a message as soon as the header of a frame shows that it is too big. Not negotiated with clients.

    wsproto may read the same header several times, until all of it has arrived.
    """

    name = "asf-message-size-limit"

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._earlier_frames_bytes = 0
        self._frame_bytes = 0
        self._is_data = False

    def enabled(self) -> bool:
        """Return True: the limit always applies."""
        return True

    def offer(self) -> bool:
        """Return False: nothing is negotiated."""
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Check the size that a header announces, added to that of the message's earlier frames."""
        del proto, rsv
        self._is_data = not opcode.iscontrol()
        if self._is_data:
            self._frame_bytes = payload_length
            if self._earlier_frames_bytes + payload_length > self._max_bytes:
                return CloseReason.MESSAGE_TOO_BIG
        return _NO_RESERVED_BITS

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> None:  # noqa: FBT001 - wsproto's
        """Count a complete frame."""
        del proto
        if self._is_data:
            self._earlier_frames_bytes = 0 if fin else self._earlier_frames_bytes + self._frame_bytes
