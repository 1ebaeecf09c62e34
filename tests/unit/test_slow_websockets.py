"""Plain WebSockets whose clients read slowly, in virtual time: they are connected until they have read everything."""

from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import patch

import eventlet
import pytest
from eventlet.queue import LightQueue
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping

from asf.adapters.eventlet_runtime.raw_connection import GreenEvent
from asf.adapters.runtime import Progress
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.endpoint import CLOSE_SECONDS, PlainWebSocket
from asf.adapters.websocket.pings import PING_SECONDS
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.intake import BYTES_IN_PERIOD, STEP_BYTES
from tests.support.examples import examples

pytestmark = pytest.mark.usefixtures("endless_turns")

SLOW_SECONDS = 30.0
SLOWEST = int(BYTES_IN_PERIOD / SLOW_SECONDS)
AUDIO_SECONDS = 240
SEND_BUFFER = 90_000
STEP_SECONDS = 1.0
BATCH_BYTES = 16 * 1024


class SlowClient:
    """A client, its machine, and the connection to it: a `RawConnection`.

    The machine has `memory` for what was not read, and makes room known when all of that has been. The client reads
    `rate` bytes a second, and answers pings when it has read them.
    """

    def __init__(self, memory: int, rate: int) -> None:
        self.now = 1000.0
        self.is_over = self.is_broken_off = False
        self._memory = memory
        self._rate = rate
        self._stream = bytearray()
        self._granted = memory
        self._acknowledged = self._read = 0
        self._client = Connection(ConnectionType.CLIENT)
        self._answers = LightQueue()
        self._callback: Callable[[], object] | None = None

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        start, self._read = self._read, min(self._acknowledged, self._read + int(self._rate * seconds))
        self._client.receive_data(bytes(self._stream[start : self._read]))
        for event in self._client.events():
            if isinstance(event, Ping):
                self._answers.put(self._client.send(event.response()))
            self.is_over |= isinstance(event, CloseConnection)
        if self._read == self._acknowledged:
            self._granted = self._acknowledged + self._memory
        self._acknowledged = min(len(self._stream), self._granted)
        if self._room and (callback := self._callback) is not None:
            self._callback = None
            callback()
        eventlet.sleep(0)

    @property
    def _room(self) -> int:
        return self._acknowledged + SEND_BUFFER - len(self._stream)

    def write_now(self, data: bytes | memoryview) -> int:
        taken = bytes(data[: self._room])
        self._stream += taken
        return len(taken)

    def when_writable(self, callback: Callable[[], object] | None) -> None:
        self._callback = callback

    def progress(self) -> Progress:
        return Progress(self._acknowledged, answers=True, has_all=self._acknowledged == len(self._stream))

    def receive(self, _timeout: float | None) -> bytes:
        received: bytes = self._answers.get()
        return received

    def abort(self) -> None:
        self.is_broken_off = True
        self._answers.put(b"")

    def make_event(self) -> GreenEvent:
        return GreenEvent()

    def pause(self, _seconds: float) -> None:
        """Return at once."""

    def checkpoint(self) -> None:
        """Yield to nobody."""


@settings(max_examples=examples(50))
@given(
    memory=st.integers(20_000, STEP_BYTES),
    rate=st.integers(SLOWEST + 100, 4 * SLOWEST),
    ahead_seconds=st.integers(1, 120),
    until_ping=st.floats(1.0, PING_SECONDS),
)
def test_a_client_that_reads_slowly_reads_everything(
    memory: int, rate: int, ahead_seconds: int, until_ping: float
) -> None:
    """Whatever its machine buffers: neither silence, nor late pongs, nor a late close ends the connection."""
    client = SlowClient(memory, rate)
    with patch("asf.adapters.client_intake.time", SimpleNamespace(monotonic=lambda: client.now)):
        websocket = DirectWebSocket(client, 1000)
        closing: list[PlainWebSocket] = []
        connection = PlainWebSocket(websocket, closing.append, Peer(Transport.WEBSOCKET, "192.0.2.1"))
        receiver = eventlet.spawn(lambda: [None for _ in iter(connection.receive, None)])
        began, sent, size = client.now, 0, rate * AUDIO_SECONDS
        ping_at, close_at = client.now + until_ping, 0.0
        while not client.is_over:
            client.run(STEP_SECONDS)
            due = min(size, int(rate * (client.now - began + ahead_seconds)))
            while connection.ready and sent < due:
                stop = min(due, sent + BATCH_BYTES)
                sent += connection.send_audio(AudioBatch(sent, bytes(stop - sent), 4096), sent, stop, "")
            if sent < due:
                assert websocket.intake.is_taking(SLOW_SECONDS), "dropped as too slow"
            if sent == size and not closing and connection.ready:
                connection.close(1000, "")
                close_at = client.now + CLOSE_SECONDS
            if closing and client.now >= close_at and not client.is_over:
                close_at += CLOSE_SECONDS
                assert not connection.finish_close(), "the close was not awaited"
            if not closing and client.now >= ping_at:
                ping_at += PING_SECONDS
                assert connection.ping(), "a ping was taken for unanswered"
            assert not client.is_broken_off
        connection.break_off()
        receiver.wait()
