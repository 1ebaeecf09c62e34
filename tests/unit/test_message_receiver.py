"""Messages from the bytes of clients, which wsproto's client role writes."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from asf.adapters.websocket.receiver import (
    FRAGMENT,
    MAX_FRAGMENTS,
    Fragment,
    MessageReceiver,
    Received,
    _LibraryReceiver,
)

MAX_BYTES = 70_000

messages = st.one_of(st.text(max_size=200), st.binary(max_size=200), st.sampled_from(["é" * 30_000, bytes(66_000)]))
payloads = st.binary(max_size=125)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """Return the bytes of messages in any fragments, with control frames in between, and what they say."""
    client = Connection(ConnectionType.CLIENT)
    data = bytearray()
    said: list[Any] = []

    def control() -> None:
        if draw(st.booleans()):
            event = draw(st.sampled_from([Ping, Pong]))(draw(payloads))
            data.extend(client.send(event))
            said.append(event)

    for message in draw(st.lists(messages, max_size=5)):
        cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=4)))
        for start, stop in zip([0, *cuts], [*cuts, len(message)], strict=True):
            control()
            is_last = stop == len(message) and start == (cuts[-1] if cuts else 0)
            piece = message[start:stop]
            kind = TextMessage if isinstance(message, str) else BytesMessage
            data.extend(client.send(kind(piece, message_finished=is_last)))  # type: ignore[arg-type]
            if is_last:
                break
        said.append(message)
    control()
    return bytes(data), said


def received_from(data: bytes, cuts: list[int], max_bytes: int = MAX_BYTES) -> list[Received]:
    """Return what a receiver reads from data that arrives in pieces."""
    receiver = MessageReceiver(max_bytes)
    received: list[Received] = []
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        receiver.feed(data[start:stop])
        while (one := receiver.next_frame()) is not None:
            received.append(one)
            if isinstance(one, CloseConnection):
                return received
    return received


def client_frame(first_byte: int, payload: bytes, length: int | None = None) -> bytes:
    """Return a client's frame, with a mask of zeros. `length` is what its header says."""
    length = len(payload) if length is None else length
    if length < 126:
        return struct.pack("!BBI", first_byte, 0x80 | length, 0) + payload
    if length < 65536:
        return struct.pack("!BBHI", first_byte, 0x80 | 126, length, 0) + payload
    return struct.pack("!BBQI", first_byte, 0x80 | 127, length, 0) + payload


@given(conversation=conversations(), data=st.data())
def test_messages_are_what_was_sent_however_the_bytes_arrive(
    conversation: tuple[bytes, list[Any]], data: st.DataObject
) -> None:
    """In one piece, or cut anywhere; and each frame counts once."""
    stream, said = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    in_pieces = received_from(stream, cuts)
    assert [one for one in in_pieces if not isinstance(one, Fragment)] == said
    assert in_pieces == received_from(stream, [])


@given(stream=st.binary(max_size=300), data=st.data())
def test_any_bytes_mean_the_same_however_they_arrive(stream: bytes, data: st.DataObject) -> None:
    """Even those that are no frames. They never raise."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    assert received_from(stream, cuts) == received_from(stream, [])


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("frames", "code", "reason"),
    [
        (client_frame(0x81, b"", 11), 1009, "The message is too big."),
        (client_frame(0x82, b"", 2**62), 1009, "The message is too big."),
        (client_frame(0x01, b"x" * 6) + client_frame(0x80, b"", 5), 1009, "The message is too big."),
        (client_frame(0x01, b"") + client_frame(0x00, b"") * MAX_FRAGMENTS, 1009, "The message is too big."),
        (client_frame(0x81, b"\xff"), 1007, "Text must be UTF-8."),
        (client_frame(0x81, b"\xc3"), 1007, "Text must be UTF-8."),
        (client_frame(0x01, b"\xc3") + client_frame(0x80, b"a"), 1007, "Text must be UTF-8."),
        (client_frame(0x88, b"\x03\xe8\xff"), 1007, "Text must be UTF-8."),
        (client_frame(0x80, b"a"), 1002, "unexpected CONTINUATION"),
        (client_frame(0x01, b"a") + client_frame(0x81, b"b"), 1002, "expected CONTINUATION, got <Opcode.TEXT: 1>"),
        (client_frame(0x83, b"a"), 1002, "Invalid opcode 0x3"),
        (client_frame(0xC1, b"a"), 1002, "Reserved bit set unexpectedly"),
        (client_frame(0x09, b""), 1002, "Invalid attempt to fragment control frame"),
        (client_frame(0x89, bytes(126)), 1002, "Control frame with payload len > 125"),
        (b"\x81\x01a", 1002, "server received unexpected unmasked frame"),
        (client_frame(0x88, b"\x03"), 1002, "CLOSE with 1 byte payload"),
        (client_frame(0x88, (1005).to_bytes(2, "big")), 1002, "remote CLOSE with local-only reason"),
        (client_frame(0x88, b""), 1000, ""),
        (client_frame(0x88, (1001).to_bytes(2, "big") + b"bye"), 1001, ""),
        (client_frame(0x88, (4999).to_bytes(2, "big")), 4999, ""),
    ],
)
def test_what_ends_a_connection(frames: bytes, code: int, reason: str, *, at_once: bool) -> None:
    """The answer to a close frame, and what a frame is rejected with."""
    cuts = [] if at_once else list(range(1, len(frames)))
    assert received_from(frames, cuts, 10)[-1] == CloseConnection(code, reason)


def test_limits_are_those_of_one_message() -> None:
    """Messages up to the limits pass, one after the other, with control frames in between."""
    one = client_frame(0x01, b"12345") + client_frame(0x89, b"12345678901") + client_frame(0x80, b"67890")
    ping = Ping(b"12345678901")
    assert received_from(one * 3, [], 10) == [FRAGMENT, ping, "1234567890"] * 3
    many = client_frame(0x02, b"") + client_frame(0x00, b"") * (MAX_FRAGMENTS - 2) + client_frame(0x80, b"a")
    assert received_from(many * 3, []) == ([FRAGMENT] * (MAX_FRAGMENTS - 1) + [b"a"]) * 3


@given(conversations(), st.data(), st.binary(max_size=300))
def test_plain_frames_read_as_wsproto_reads_them(
    conversation: tuple[bytes, list[Any]], data: st.DataObject, noise: bytes
) -> None:
    """However they arrive, and whatever follows them."""
    sent = conversation[0] + noise
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    library = _LibraryReceiver(MAX_BYTES)
    by_library: list[Received] = []
    for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        library.feed(sent[start:stop])
        while (one := library.next_frame()) is not None:
            by_library.append(one)
            if isinstance(one, CloseConnection):
                assert received_from(sent, cuts) == by_library
                return
    assert received_from(sent, cuts) == by_library


@pytest.mark.parametrize(
    "frame",
    [
        client_frame(0x81, b"text"),
        client_frame(0x82, b"\xff" * 200),
        client_frame(0x8A, b"pong"),
        client_frame(0x81, b""),
    ],
)
def test_plain_frames_need_no_library(frame: bytes) -> None:
    """Several at once, and one after another."""
    receiver = MessageReceiver(MAX_BYTES)
    for data in (frame * 3, frame):
        receiver.feed(data)
        while receiver.next_frame() is not None:
            pass
    assert receiver._library is None  # noqa: SLF001 - what it saves cannot be seen otherwise
