"""Engine.IO connections over a real socket pair: nothing lost, nothing out of order, no frame torn."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
import pytest
from engineio.packet import PONG, Packet
from eventlet.green import socket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asf.adapters.client_intake import BEHIND_BYTES
from asf.adapters.engineio import transport
from asf.adapters.engineio.packet_queue import PacketQueue
from asf.adapters.eventlet_runtime.raw_connection import EventletConnection
from asf.adapters.realtime_api.listener_emitter import SocketIoListenerEmitter, audio_chunk_envelope
from asf.adapters.runtime import Progress
from asf.adapters.websocket.connection import DirectWebSocket
from asf.domain.peer import Transport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream
from tests.contracts.listener_emitter import ListenerEmitterContract
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_line import EngineIoServer, RecordingWebSocket
from tests.unit.test_frames import messages_in

pytestmark = pytest.mark.usefixtures("endless_turns")

NAMESPACE = "/api/v1/podcasts/stream"
ENVELOPE = audio_chunk_envelope(NAMESPACE)
ENVELOPE_MESSAGE = f"4{ENVELOPE}"


class SocketLine:
    """An Engine.IO connection on a WebSocket, with small socket buffers, and its far end."""

    def __init__(self) -> None:
        self.near_end, self.far_end = socket.socketpair()
        self.near_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.websocket = DirectWebSocket(EventletConnection(self.near_end), 1000)
        self._line = EngineIoServer().open_websocket(self.websocket)
        self.transport = self._line.transport
        self.queue = self._line.queue
        self._received = bytearray()

    @property
    def messages(self) -> list[str | bytes]:
        """The messages that have arrived after the opening; all must be complete."""
        return messages_in(bytes(self._received))[1:]

    def read(self, length: int) -> None:
        """Receive up to `length` bytes of what is there."""
        for _ in range(3):  # Tasks that wait to write run.
            eventlet.sleep(0)
        with suppress(BlockingIOError):
            self._received += self.far_end.fd.recv(length, socket.MSG_DONTWAIT)

    def read_all(self) -> None:
        """Receive until nothing more arrives."""
        before = -1
        while before != len(self._received):
            before = len(self._received)
            self.read(1 << 20)

    def close(self) -> None:
        self._line.close()
        self.websocket.discard_pending()
        eventlet.sleep(0)  # The library's writer closes the WebSocket.
        self.near_end.close()
        self.far_end.close()


@pytest.fixture
def line() -> Iterator[SocketLine]:
    """Return a connection whose opening has been read."""
    line = SocketLine()
    line.read_all()
    yield line
    line.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    chunk=st.sampled_from([1000, 4096, 20000]),
    actions=st.lists(
        st.sampled_from(["audio", "event", "queued event", "read a little", "read much"]), min_size=5, max_size=40
    ),
)
def test_audio_and_events_arrive_whole_and_in_order(chunk: int, actions: list[str]) -> None:
    """However sends, events and reads take turns, with a kernel that takes only a few kilobytes."""
    line = SocketLine()
    audio = random.Random(chunk).randbytes(chunk * 5)
    batch = AudioBatch(0, audio, chunk)
    offset = events = 0
    for action in actions:
        if action == "audio" and offset < len(audio):
            offset += line.transport.try_write(batch, offset, len(audio), ENVELOPE)
        elif action.endswith("event"):
            send = line.transport.send if action == "event" else line.queue
            events += 1
            send(f"event {events} at {offset}")
            eventlet.sleep(0)
        else:
            line.read(100 if action == "read a little" else 50_000)
    line.read_all()
    heard = 0
    heard_events = []
    for message in line.messages:
        if isinstance(message, bytes):
            assert message == audio[heard : heard + len(message)]
            heard += len(message)
        elif message != ENVELOPE_MESSAGE:
            heard_events.append(message)
            assert message.endswith(f" at {heard}")
    assert heard == offset
    assert [event.split()[1] for event in heard_events] == [str(number + 1) for number in range(events)]
    line.close()


def test_a_half_sent_message_keeps_others_waiting(line: SocketLine) -> None:
    """While a frame is incomplete nothing else is written, and no audio is taken."""
    batch = AudioBatch(0, bytes(200_000), 50_000)
    taken = line.transport.try_write(batch, 0, 200_000, ENVELOPE)
    assert 0 < taken < 200_000
    assert line.transport.try_write(batch, taken, 200_000, ENVELOPE) == 0
    ready: list[bool] = []
    line.transport.when_ready(lambda: ready.append(True))
    line.queue("later")
    eventlet.sleep(0)
    assert ready == []
    line.read_all()
    assert line.messages[-1] == "4later"
    assert sum(len(message) for message in line.messages if isinstance(message, bytes)) == taken
    assert ready == [True]


def test_text_messages_are_written_directly_where_possible(line: SocketLine) -> None:
    """Half-sent ones are completed before anything else; the next wait in the queue."""
    texts = ["a" * 3000, "b" * 3000]
    assert line.transport.send_all(texts)
    assert line.transport.queued_messages == 0
    line.queue("queued")
    assert line.transport.send_all(["behind it"])
    assert line.transport.queued_messages == 2
    eventlet.sleep(0)
    line.read_all()
    assert line.messages == [f"4{text}" for text in [*texts, "queued", "behind it"]]


def test_a_late_message_is_created_when_it_is_sent(line: SocketLine) -> None:
    """At once where possible; in the queue it has no size until then."""
    created: list[str] = []

    def render() -> str:
        created.append(f"late {len(created)}")
        return created[-1]

    assert line.transport.send_late([render])
    assert created == ["late 0"]
    line.queue("queued")
    assert line.transport.send_late([render])
    assert created == ["late 0"]
    assert (line.transport.queued_messages, line.transport.queued_late) == (1, 1)
    assert line.transport.queued_bytes == len("queued")
    eventlet.sleep(0)
    line.read_all()
    assert line.messages == ["4late 0", "4queued", "4late 1"]
    assert line.transport.queued_late == 0


def test_many_late_messages_are_one_write_up_to_a_size(line: SocketLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the connection does not take at once waits without text."""
    monkeypatch.setattr(transport, "LATE_BYTES_AT_ONCE", 50)
    writes: list[int] = []
    write_whole = line.websocket.write_whole

    def count(data: bytes) -> None:
        writes.append(len(data))
        write_whole(data)

    monkeypatch.setattr(line.websocket, "write_whole", count)
    texts = [f"late number {number:8}" for number in range(10)]
    assert line.transport.send_late([partial(str, text) for text in texts])
    assert len(writes) == 4
    eventlet.sleep(0)
    line.read_all()
    assert line.messages == [f"4{text}" for text in texts]


def test_a_broken_connection_takes_nothing(line: SocketLine) -> None:
    """No callback is called either: the task that receives from it notices the break."""
    line.far_end.close()
    batch = AudioBatch(0, bytes(1000), 100)
    called: list[bool] = []
    for _ in range(2):
        assert line.transport.try_write(batch, 0, 1000, ENVELOPE) == 0
        line.transport.when_ready(lambda: called.append(True))
        eventlet.sleep(0)
    assert called == []


def test_an_ended_connection_takes_no_messages(line: SocketLine) -> None:
    """It says so, rather than raise the library's error."""
    line.transport.disconnect()
    assert not line.transport.send("text")
    assert not line.transport.send_late([lambda: "text"])
    assert line.transport.try_write(AudioBatch(0, bytes(1000), 100), 0, 1000, ENVELOPE) == 0


def test_audio_waits_for_what_was_queued_before(line: SocketLine) -> None:
    """An event that the writer has not taken yet comes first."""
    line.queue("event")
    batch = AudioBatch(0, bytes(1000), 1000)
    assert line.transport.try_write(batch, 0, 1000, ENVELOPE) == 0
    woken: list[bool] = []
    line.transport.when_ready(lambda: woken.append(True))
    eventlet.sleep(0)
    assert woken == [True]
    assert line.transport.try_write(batch, 0, 1000, ENVELOPE) == 1000
    line.read_all()
    assert line.messages == ["4event", ENVELOPE_MESSAGE, bytes(1000)]


def test_one_response_to_a_poll_carries_a_bounded_number_of_packets() -> None:
    """The next poll gets the rest. The queue reports each packet that is taken, and the end of each response."""
    queue = PacketQueue(eventlet.queue.Queue)
    left: list[tuple[int, int]] = []
    queue.on_progress = lambda: left.append((queue.qsize(), queue.unsent))
    for number in range(20):
        queue.put(number)

    def poll() -> list[int]:
        packets = [queue.get(timeout=PATIENCE_SECONDS)]
        try:
            while True:
                packets.append(queue.get(block=False))
        except eventlet.queue.Empty:
            return packets

    assert poll() == list(range(16))
    assert poll() == list(range(16, 20))
    assert [size for size, _ in left] == [*range(19, 3, -1), 4, *range(3, -1, -1)]
    assert [unsent for _, unsent in left] == [20] * 16 + [4] * 5


def test_a_connection_has_one_transport() -> None:
    """So the callback of one user is not lost to another's."""
    server = EngineIoServer()
    first, second = server.open_polling(), server.open_polling()
    assert server.connections.get(first.sid) is first.transport
    assert server.connections.get(second.sid) is second.transport
    assert first.transport is not second.transport
    first.close()
    assert server.connections.get(first.sid) is None
    assert server.connections.get(None) is None


def word_of_packet(packet: str) -> str:
    """Return the word for a Socket.IO event that the contract uses."""
    name, payload = json.loads(packet.removeprefix(f"2{NAMESPACE},"))
    return str(payload.get("status") or payload.get("event") or name)


class SocketIoListenerEmitterContract(ListenerEmitterContract):
    """The contract over Socket.IO, whatever the client's connection is."""

    class Probe(ListenerEmitterContract.Probe):
        line: Any
        reading = True

        def stop_reading(self) -> None:
            self.reading = False

        def read_on(self) -> None:
            self.reading = True

    @pytest.fixture
    def probe(self) -> Iterator[Probe]:
        probe = self.Probe()
        yield probe
        probe.line.close()

    @pytest.fixture
    def emitter(self, probe: Probe) -> SocketIoListenerEmitter:
        return SocketIoListenerEmitter(probe.line.transport, NAMESPACE)


class TestSocketIoListenerEmitterOnWebSocket(SocketIoListenerEmitterContract):
    """The contract, over a WebSocket."""

    transport = Transport.SOCKETIO

    class Probe(SocketIoListenerEmitterContract.Probe):
        def __init__(self) -> None:
            self.line = SocketLine()
            self.line.read_all()

        def received(self) -> list[str | bytes]:
            if self.reading:
                self.line.read_all()
            messages = [message for message in self.line.messages if message != ENVELOPE_MESSAGE]
            return [word_of_packet(one.removeprefix("4")) if isinstance(one, str) else one for one in messages]


class TestSocketIoListenerEmitterOnPolling(SocketIoListenerEmitterContract):
    """The contract, over long polling, where audio is queued like any event."""

    transport = Transport.POLLING

    class Probe(SocketIoListenerEmitterContract.Probe):
        def __init__(self) -> None:
            self.line = EngineIoServer().open_polling()
            self.line.poll()
            self.taken: list[str | bytes] = []

        def received(self) -> list[str | bytes]:
            while self.reading and (packets := self.line.poll()):
                for data in packets:
                    if data != ENVELOPE:
                        self.taken.append(data if isinstance(data, bytes) else word_of_packet(data))
            return self.taken


def test_the_end_is_sent_after_a_half_sent_chunk(line: SocketLine) -> None:
    """An event that is emitted while audio is being sent arrives after it."""
    emitter = SocketIoListenerEmitter(line.transport, NAMESPACE)
    batch = AudioBatch(0, bytes(60_000), 60_000)
    assert emitter.send_audio(batch, 0, 60_000) == 60_000
    emitter.emit(EndOfStream("s", 1.0, 60_000))
    eventlet.sleep(0)
    line.read_all()
    *audio, end = line.messages
    assert audio == [ENVELOPE_MESSAGE, bytes(60_000)]
    assert word_of_packet(str(end).removeprefix("4")) == "end_of_stream"


def test_a_callback_outlives_the_upgrade(line: SocketLine) -> None:
    """It was to be called when a poll takes packets, and is called when the WebSocket may be written to."""
    server = EngineIoServer()
    polling = server.open_polling()
    batch = AudioBatch(0, bytes(200_000), 20_000)
    while polling.transport.try_write(batch, 0, 200_000, ENVELOPE):
        pass
    ready: list[bool] = []
    polling.transport.when_ready(lambda: ready.append(True))
    websocket: Any = line.websocket
    polling.transport.attach(websocket, lambda: None)
    polling.connection.upgraded = True
    while polling.poll():
        assert ready == []
    eventlet.spawn(polling.connection.poll)
    eventlet.sleep(0)
    assert ready == [True]
    polling.close()


def test_the_intake_is_that_of_the_latest_poll_and_then_of_the_websocket() -> None:
    """Of a client that does not poll, nothing is known."""
    line = EngineIoServer().open_polling()
    transport = line.transport
    transport.note_ping()
    assert transport.intake() == (0, 0, True)
    assert not transport.is_behind(1.0)
    taken = [100, 900]
    transport.polled(lambda: Progress(taken[0], answers=True, has_all=True))
    taken[0] += BEHIND_BYTES
    assert transport.intake() == (100 + BEHIND_BYTES, BEHIND_BYTES, True)
    assert transport.is_behind(1.0)
    transport.note_ping()
    line.connection.receive(Packet(PONG))  # to the ping of which nothing is known
    assert transport.is_behind(1.0)
    line.connection.receive(Packet(PONG))
    assert not transport.is_behind(1.0)
    transport.polled(lambda: Progress(taken[1], answers=True))
    assert transport.intake() == (900, 0, True)
    websocket = RecordingWebSocket()
    transport.attach(websocket, lambda: None)  # type: ignore[arg-type]
    websocket.acknowledged = 5
    assert transport.intake() == (5, 5, True)
    line.close()
