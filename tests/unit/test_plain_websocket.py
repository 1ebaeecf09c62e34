"""Plain WebSockets over a socket pair: what is sent, in which order, and when it ends."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import eventlet
import pytest
from eventlet.green import socket
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong

from asf.adapters.eventlet_runtime.raw_connection import EventletConnection
from asf.adapters.realtime_api.plain_websocket import PlainWebSocketEmitter
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.endpoint import (
    CLOSE_SECONDS,
    MAX_WAITING_BYTES,
    PlainWebSocket,
    PlainWebSocketEndpoint,
)
from asf.adapters.websocket.pings import MAX_UNANSWERED, PING_SECONDS
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.audio import AudioBatch
from tests.contracts.listener_emitter import ListenerEmitterContract

pytestmark = pytest.mark.usefixtures("endless_turns")


class Line:
    """A plain WebSocket connection, and its client."""

    def __init__(self) -> None:
        self.near_end, self.far_end = socket.socketpair()
        self.near_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.websocket = DirectWebSocket(EventletConnection(self.near_end), 1000)
        self.closing: list[PlainWebSocket] = []
        self.connection = PlainWebSocket(self.websocket, self.closing.append, Peer(Transport.WEBSOCKET, "192.0.2.1"))
        self.client = Connection(ConnectionType.CLIENT)
        self.events: list[Event] = []

    def read_all(self) -> list[Event]:
        """Receive until nothing arrives any more, and return all that has arrived by now."""
        silent = 0
        while silent < 3:
            eventlet.sleep(0)
            with suppress(BlockingIOError):
                data = self.far_end.fd.recv(1 << 20, socket.MSG_DONTWAIT)
                self.client.receive_data(data or None)
                self.events += self.client.events()
                silent = 0 if data else 3
                continue
            silent += 1
        return self.events

    def fill(self) -> None:
        """Leave a message half-sent."""
        self.connection.send_audio(AudioBatch(0, bytes(200_000), 50_000), 0, 200_000, "")
        assert not self.connection.ready

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


class TestPlainWebSocketEmitter(ListenerEmitterContract):
    """The contract, over a plain WebSocket."""

    transport = Transport.WEBSOCKET

    class Probe(ListenerEmitterContract.Probe):
        def __init__(self) -> None:
            self.line = Line()
            self.reading = True

        def received(self) -> list[str | bytes]:
            events = self.line.read_all() if self.reading else self.line.events
            received: list[str | bytes] = []
            pieces, text = b"", ""
            for event in events:
                if isinstance(event, BytesMessage):
                    pieces += event.data
                    if event.message_finished:
                        received.append(pieces)
                        pieces = b""
                elif isinstance(event, Message):
                    text += event.data
                    if event.message_finished:
                        payload = json.loads(text)
                        received.append(payload.get("status") or payload["event"])
                        text = ""
            return received

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
    def emitter(self, probe: Probe) -> PlainWebSocketEmitter:
        return PlainWebSocketEmitter(probe.line.connection)


def test_a_close_follows_what_was_sent_before(line: Line) -> None:
    """Half-sent audio, and texts that waited; nothing is sent behind it, and the connection is broken off later."""
    line.fill()
    line.connection.send_texts(["one", "two"])
    had_sent_all = line.connection.has_sent_all
    for _ in range(2):
        line.connection.close(4000, "over")
    line.connection.send_texts(["three"])
    assert line.closing == [line.connection]
    events = line.read_all()
    texts = [event.data for event in events if isinstance(event, Message) and isinstance(event.data, str)]
    assert texts == ["one", "two"]
    assert events[-1] == CloseConnection(4000, "over")
    assert (had_sent_all, line.connection.has_sent_all) == (False, True)
    assert not line.connection.ready
    assert not line.connection.ping()
    line.far_end.sendall(line.client.send(CloseConnection(4000)))
    assert line.connection.receive() is None
    assert line.read_all()[-1] == CloseConnection(1006)


def test_a_client_that_lets_too_many_texts_wait_is_broken_off(line: Line) -> None:
    """They do not collect in memory."""
    line.fill()
    line.connection.send_texts(["x" * (MAX_WAITING_BYTES - 100)])
    had_sent_all = line.connection.has_sent_all
    line.connection.send_texts(["x" * 100])
    assert (had_sent_all, line.connection.has_sent_all) == (False, True)
    assert line.connection.receive() is None


def test_a_client_that_answers_no_ping_is_broken_off(line: Line) -> None:
    """Any frame is an answer."""
    for _ in range(MAX_UNANSWERED + 1):
        assert line.connection.ping()
    line.far_end.sendall(line.client.send(Pong()) + line.client.send(BytesMessage(b"")))
    assert line.connection.receive() == b""
    for _ in range(MAX_UNANSWERED + 1):
        assert line.connection.ping()
    pings = 2 * (MAX_UNANSWERED + 1)
    assert line.read_all() == [Ping(str(number).encode()) for number in range(1, pings + 1)]
    assert not line.connection.ping()
    assert line.connection.receive() is None


def test_a_ping_comes_behind_the_message_that_is_being_sent(line: Line) -> None:
    """And in front of the next one, so that a client that is behind with its reading answers, too."""

    def send_next() -> None:
        line.connection.send_audio(AudioBatch(0, b"next", 4), 0, 4, "")

    line.connection.when_ready(send_next)
    line.fill()
    assert line.connection.ping()
    events = [event for event in line.read_all() if isinstance(event, Ping | BytesMessage)]
    (place,) = (place for place, event in enumerate(events) if isinstance(event, Ping))
    before, after = events[:place], events[place + 1 :]
    assert sum(len(event.data) for event in before if isinstance(event, BytesMessage)) % 50_000 == 0
    assert [event.data for event in after if isinstance(event, BytesMessage)] == [b"next"]


class Delays:
    """Stands for the timers of an endpoint."""

    def __init__(self) -> None:
        self.actions: dict[float, Callable[[Any], object]] = {}
        self.added: list[tuple[float, Any]] = []

    def make(self, seconds: float, action: Callable[[Any], object]) -> "Delay":
        self.actions[seconds] = action
        return Delay(self, seconds)


class Delay:
    """One of them."""

    def __init__(self, delays: Delays, seconds: float) -> None:
        self.delays = delays
        self.seconds = seconds

    def add(self, connection: Any) -> None:
        self.delays.added.append((self.seconds, connection))


@pytest.mark.parametrize(
    ("changes", "is_passed_on"),
    [
        ({"PATH_INFO": "/other/s"}, True),
        ({"REQUEST_METHOD": "POST"}, True),
        ({"HTTP_UPGRADE": "h2c"}, True),
        ({"HTTP_ORIGIN": "https://evil.example"}, False),
        ({"HTTP_CONNECTION": "close"}, False),
    ],
)
def test_only_allowed_handshakes_open_a_websocket(changes: dict[str, str], *, is_passed_on: bool) -> None:
    """All other requests go to the application, or get an error."""
    statuses: list[str] = []
    endpoint = PlainWebSocketEndpoint(
        "/streams/",
        lambda *_arguments: pytest.fail("called"),
        lambda origin, _environ: origin == "https://app.example",
        100,
        Delays().make,
    )
    application = endpoint.in_front_of(lambda _environ, _start_response: [b"passed on"])
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/streams/s",
        "HTTP_UPGRADE": "WebSocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_ORIGIN": "https://app.example",
    }
    body = list(application(environ | changes, lambda status, _headers: statuses.append(status)))
    assert (body == [b"passed on"]) is is_passed_on
    assert bool(statuses) is not is_passed_on


def test_a_connection_is_pinged_while_it_is_open_and_broken_off_after_its_close(line: Line) -> None:
    """By the endpoint's timers; the handler gets the stream id and the query."""
    delays = Delays()
    served: list[Any] = []
    received: list[bytes] = []

    def handle(connection: PlainWebSocket, stream_id: str, query: Any) -> None:
        served.extend((stream_id, dict(query)))
        (ping_seconds, pinged) = delays.added.pop()
        assert (ping_seconds, pinged) == (PING_SECONDS, connection)
        delays.actions[PING_SECONDS](connection)
        assert delays.added == [(PING_SECONDS, connection)]
        assert endpoint.has_sent_all
        connection.close(1000, "")
        assert delays.added[-1] == (CLOSE_SECONDS, connection)
        received.append(line.far_end.recv(4096))
        delays.actions[CLOSE_SECONDS](connection)
        assert connection.receive() is None

    endpoint = PlainWebSocketEndpoint("/streams/", handle, lambda _origin, _environ: True, 100, delays.make)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/streams/ü a".encode().decode("latin-1"),
        "QUERY_STRING": "offset=5&wait=",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
        "asf.take_connection": lambda: EventletConnection(line.near_end),
    }
    application = endpoint.in_front_of(lambda _environ, _start_response: pytest.fail("passed on"))
    assert list(application(environ, pytest.fail)) == []
    assert served == ["ü a", {"offset": "5"}]
    assert received[0].endswith(b"\r\n\r\n\x89\x011\x88\x02\x03\xe8")
