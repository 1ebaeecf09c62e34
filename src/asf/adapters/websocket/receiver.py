"""The receiving side of a WebSocket connection: bytes in, messages out, without input or output of its own."""

from collections.abc import Iterator

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
    """

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
