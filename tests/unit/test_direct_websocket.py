"""The direct way to a socket, over a real socket pair: nothing lost, nothing out of order, no frame torn."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import Any

import eventlet
import pytest
from eventlet.green import socket
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Pong

from asf.adapters.eventlet_runtime import turns
from asf.adapters.eventlet_runtime.raw_connection import EventletConnection
from asf.adapters.eventlet_runtime.turns import TURN_SECONDS
from asf.adapters.websocket import connection as connection_module
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import close_frame, frame_header, framing_for
from asf.adapters.websocket.sender import SENDS_PER_CHECKPOINT
from asf.domain.streaming.audio import AudioBatch
from tests.support.bounds import PATIENCE_SECONDS
from tests.unit.test_frames import messages_in

MAX_MESSAGE_BYTES = 1000


def masked_text(text: str, opcode: int = 1, *, final: bool = True) -> bytes:
    """Return a client's frame, with a mask of zeros."""
    header = frame_header((0x80 if final else 0) | opcode, len(text))
    return header[:1] + bytes([header[1] | 0x80]) + header[2:] + bytes(4) + text.encode("latin-1")


class Line:
    """A WebSocket connection without a server, and its far end."""

    def __init__(self) -> None:
        self.near_end, self.far_end = socket.socketpair()
        self.near_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.websocket = DirectWebSocket(EventletConnection(self.near_end), MAX_MESSAGE_BYTES)
        self.received = bytearray()

    def send_half_a_message(self) -> eventlet.greenthread.GreenThread:
        """Send more audio than the kernel takes; return a task that waits to send a message behind it."""
        assert 0 < fill(self) < 200_000
        writer = eventlet.spawn(self.websocket.send, "2")
        eventlet.sleep(0)
        return writer

    def read(self, length: int) -> None:
        """Receive up to `length` bytes of what is there."""
        for _ in range(3):  # Tasks that wait to write run.
            eventlet.sleep(0)
        with suppress(BlockingIOError):
            self.received += self.far_end.fd.recv(length, socket.MSG_DONTWAIT)

    def read_all(self) -> None:
        """Receive until nothing comes any more."""
        before = -1
        while before != len(self.received):
            before = len(self.received)
            self.read(1 << 20)

    def close(self) -> None:
        self.websocket.discard_pending()
        self.near_end.close()
        self.far_end.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """Return a connection."""
    line = Line()
    yield line
    line.close()


def test_the_end_of_the_connection_lets_go_of_a_half_sent_message(line: Line) -> None:
    """Whoever waits for the rest to be sent goes on, and learns that the connection is gone."""
    writer = line.send_half_a_message()
    line.far_end.close()
    assert line.websocket.wait() is None
    with eventlet.Timeout(PATIENCE_SECONDS), pytest.raises(OSError, match=r"Broken pipe|reset"):
        writer.wait()


def test_closing_does_not_wait_for_the_rest_of_a_message(line: Line) -> None:
    """A client that is silent and reads no more cannot hold its connection open."""
    writer = line.send_half_a_message()
    with eventlet.Timeout(PATIENCE_SECONDS):
        line.websocket.close(1011)
        with pytest.raises(OSError, match=r"Broken pipe"):
            writer.wait()
    line.read_all()
    assert line.far_end.recv(1) == b""


def test_an_excused_client_is_granted_the_message_timeout_again(line: Line) -> None:
    """Each time that it is asked for."""
    excuses = [True, True, False]
    line.websocket.message_timeout = lambda: 0.01
    line.websocket.is_excused = lambda: excuses.pop(0)
    assert line.websocket.wait() is None
    assert excuses == []


def test_silence_longer_than_the_message_timeout_is_the_end(line: Line) -> None:
    """As between the two messages of an upgrade."""
    line.websocket.message_timeout = lambda: 0.01
    assert line.websocket.wait() is None
    assert line.websocket.wait() is None


def test_a_message_received_ahead_comes_first(line: Line) -> None:
    """Waiting ahead changes nothing for whoever waits next."""
    for text in ("first", "second"):
        line.far_end.sendall(masked_text(text))
    assert line.websocket.wait_ahead()
    assert [line.websocket.wait(), line.websocket.wait()] == ["first", "second"]
    line.far_end.close()
    assert not line.websocket.wait_ahead()
    assert line.websocket.wait() is None


@pytest.mark.parametrize("count", [2, 10_000])
def test_a_message_in_fragments_is_bounded_as_a_whole(line: Line, count: int) -> None:
    """In bytes and in number of fragments: then close code 1009."""
    size = 600 if count == 2 else 0
    first, further = (masked_text("x" * size, opcode, final=False) for opcode in (1, 0))
    fragments = first + further * (count - 1)
    eventlet.spawn(line.far_end.sendall, fragments)
    with eventlet.Timeout(PATIENCE_SECONDS):
        assert line.websocket.wait() is None
    with suppress(ConnectionResetError):  # It was closed with some fragments unread.
        line.read_all()
    assert bytes(line.received)[2:4] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ECONNRESET])
def test_a_connection_that_the_kernel_gives_up_has_ended(
    line: Line, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """However it is gone."""

    def fail(*_arguments: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(line.near_end, "recv", fail)
    assert line.websocket.wait() is None


def fill(line: Line) -> int:
    """Let the connection be in the midst of a message. Return how many bytes of audio were taken."""
    return line.websocket.write_chunks(framing_for("envelope"), AudioBatch(0, bytes(200_000), 50_000), 0, 200_000)


def test_a_pong_does_not_overtake_a_half_sent_message(line: Line) -> None:
    """It follows behind it, and receiving goes on."""
    taken = fill(line)
    line.far_end.sendall(masked_text("payload", 9) + masked_text("message"))
    received: list[Any] = []
    eventlet.spawn(lambda: received.append(line.websocket.wait()))
    line.read(1)
    assert received == []
    line.read_all()
    assert received == ["message"]
    assert line.websocket.received_frames == 2
    connection = Connection(ConnectionType.CLIENT)
    connection.receive_data(bytes(line.received))
    events = list(connection.events())
    assert events[-1] == Pong(b"payload")
    assert sum(len(event.data) for event in events if isinstance(event, BytesMessage)) == taken


def test_a_sender_that_waited_may_go_on_before_anything_else(line: Line) -> None:
    """Not idle between two messages of one task: what is written when idle must not come between them."""
    idle: list[bool] = []

    def send_two() -> None:
        line.websocket.send("a" * 50_000)
        idle.append(line.websocket.idle)
        line.websocket.send("b" * 50_000)

    line.websocket.on_idle = lambda: idle.append(True)
    eventlet.spawn(send_two)
    for _ in range(200):
        line.read(1000)
        if b"b" in line.received:
            break
        assert not line.websocket.idle
    assert idle[0]
    assert not line.websocket.idle
    line.read_all()
    assert messages_in(bytes(line.received)) == ["a" * 50_000, "b" * 50_000]
    assert line.websocket.idle


def test_tasks_that_send_are_served_in_order(line: Line) -> None:
    """However many wait, and whatever they send."""
    fill(line)
    before = len(line.received)
    messages: list[str | bytes] = ["one", b"two", "three" * 10_000, b"four", "five"]
    for message in messages:
        eventlet.spawn(line.websocket.send, message)
    line.read_all()
    assert before < len(line.received)
    assert messages_in(bytes(line.received))[-5:] == messages


def test_a_client_that_reads_nothing_is_given_up_after_the_timeout(line: Line) -> None:
    """By what waits to send; one that reads a little is not."""
    line.websocket.timeout = 0.5
    sending = eventlet.spawn(line.websocket.send, "x" * 10_000_000)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        line.read(10_000)
        eventlet.sleep(0.01)
    assert not sending.dead
    with eventlet.Timeout(PATIENCE_SECONDS), pytest.raises(BrokenPipeError):
        sending.wait()
    assert line.websocket.websocket_closed
    with pytest.raises(BrokenPipeError):
        line.websocket.send("more")


def test_silence_longer_than_the_timeout_closes_with_1011(line: Line) -> None:
    """And is the end."""
    line.websocket.timeout = 0.01
    assert line.websocket.wait() is None
    line.read_all()
    assert bytes(line.received) == close_frame(1011, "Internal Server Error")
    assert line.far_end.recv(1) == b""


@pytest.mark.parametrize(
    ("close", "answer"),
    [
        ((1000).to_bytes(2, "big") + b"bye", close_frame(1000, "")),
        ((4000).to_bytes(2, "big"), close_frame(4000, "")),
        (b"", close_frame(1000, "")),
    ],
)
def test_a_close_of_the_client_is_answered(line: Line, close: bytes, answer: bytes) -> None:
    """With the same code; then the connection ends."""
    line.far_end.sendall(masked_text("last") + masked_text(close.decode("latin-1"), 8))
    assert [line.websocket.wait(), line.websocket.wait(), line.websocket.wait()] == ["last", None, None]
    line.read_all()
    assert bytes(line.received) == answer
    assert line.far_end.recv(1) == b""
    assert line.websocket.websocket_closed


def test_frames_that_come_too_fast_wait(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told once; no message is lost."""
    monkeypatch.setattr(connection_module, "FRAMES_PER_SECOND", 100.0)
    monkeypatch.setattr(connection_module, "FRAMES_AT_ONCE", 5)
    websocket = DirectWebSocket(EventletConnection(line.near_end), MAX_MESSAGE_BYTES)
    notices: list[int] = []
    websocket.on_throttled = lambda: notices.append(websocket.received_frames)
    pauses: list[float] = []
    monkeypatch.setattr(EventletConnection, "pause", lambda _connection, seconds: pauses.append(seconds))
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)  # All arrive at once.
    line.far_end.sendall(b"".join(masked_text(str(number)) for number in range(15)))
    assert [websocket.wait() for _ in range(15)] == [str(number) for number in range(15)]
    assert pauses == pytest.approx([number / 100 for number in range(1, 11)])
    assert notices == [6]


TICK = TURN_SECONDS / 8
"""How much time passes whenever somebody looks at the clock of `slow_time`."""


@pytest.fixture
def slow_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let turns be measured by a clock that advances with every look."""
    ticks = count()
    monkeypatch.setattr(turns.TURNS, "_since", 0.0)
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: 1e6 + TICK * next(ticks)))


@pytest.mark.usefixtures("slow_time")
@pytest.mark.parametrize("frame", [masked_text("m"), masked_text("", 9), masked_text("", 10)])
def test_others_have_their_turns_while_one_client_sends_thousands_of_frames(line: Line, frame: bytes) -> None:
    """All of them in one write; however the client's messages are handled, and be it without waiting."""
    frames = 2000
    gaps: list[int] = []

    def receive() -> None:
        while line.websocket.received_frames < frames:
            line.websocket.wait()

    def stand_by() -> None:
        while line.websocket.received_frames < frames:
            before = line.websocket.received_frames
            eventlet.sleep(0)
            gaps.append(line.websocket.received_frames - before)

    def read() -> None:
        while line.websocket.received_frames < frames:
            line.read(1 << 16)

    threads = [eventlet.spawn(task) for task in (receive, stand_by, read)]
    line.far_end.sendall(frame * frames + masked_text("m"))
    for thread in threads:
        thread.wait()
    assert max(gaps) <= 20


@pytest.mark.usefixtures("slow_time")
def test_others_have_their_turns_while_much_is_sent(line: Line) -> None:
    """By the task that writes what is queued."""
    sent: list[int] = []
    gaps: list[int] = []

    def write() -> None:
        for number in range(300):
            line.websocket.send("m")
            sent.append(number)

    def stand_by() -> None:
        while len(sent) < 300:
            before = len(sent)
            eventlet.sleep(0)
            line.read(1 << 16)
            gaps.append(len(sent) - before)

    threads = [eventlet.spawn(task) for task in (write, stand_by)]
    for thread in threads:
        thread.wait()
    assert max(gaps) <= 20


def test_one_who_sends_much_may_yield_but_not_after_each_message(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio would wait behind a ping until all others that have much to do had their turn."""
    checkpoints: list[int] = []
    monkeypatch.setattr(EventletConnection, "checkpoint", staticmethod(lambda: checkpoints.append(1)))

    def send(count: int) -> None:
        for _ in range(count):
            line.websocket.send("2")
            line.read(1 << 16)  # The kernel takes few messages that nobody reads.

    send(SENDS_PER_CHECKPOINT - 1)
    assert checkpoints == []
    send(SENDS_PER_CHECKPOINT)
    assert checkpoints == [1]


def test_what_is_held_back_is_one_write_with_what_follows(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages in a corked connection, and audio behind them; in order, and nothing is left."""
    writes: list[bytes] = []
    connection = line.websocket._connection  # noqa: SLF001 - the writes are what matters here
    write_now = connection.write_now

    def write(data: bytes | memoryview) -> int:
        writes.append(bytes(data))
        return write_now(data)

    monkeypatch.setattr(connection, "write_now", write)
    batch = AudioBatch(0, b"audio", 5)
    line.websocket.hold(b"handshake")
    with line.websocket.corked():
        line.websocket.write_whole(b"one")
        line.websocket.write_whole(b"two")
        assert writes == []
        assert line.websocket.write_chunks(framing_for("e"), batch, 0, 5) == 5
        line.websocket.write_whole(b"three")
    frames = bytes(framing_for("e").render(batch, 0, 5))
    assert writes == [b"handshakeonetwo" + frames, b"three"]


def test_what_is_held_back_is_written_before_a_message_is_awaited(line: Line) -> None:
    """A client may answer only to that."""
    line.websocket.hold(b"handshake")
    reader = eventlet.spawn(line.websocket.wait)
    eventlet.sleep(0)
    line.read_all()
    assert bytes(line.received) == b"handshake"
    reader.kill()


def test_what_is_held_back_comes_first_where_the_kernel_takes_little(line: Line) -> None:
    """The rest of it is written before the audio that was behind it."""
    batch = AudioBatch(0, bytes(5000), 1000)
    held = bytes(range(256)) * 4000
    with line.websocket.corked():
        line.websocket.write_whole(held)
        assert line.websocket.write_chunks(framing_for(""), batch, 0, 5000) == 0
        assert not line.websocket.idle
    while len(line.received) < len(held):
        line.read_all()
    assert bytes(line.received) == held
    assert line.websocket.idle
