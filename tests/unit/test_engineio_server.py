"""What ASF replaces in Engine.IO's server, installed in the library's own."""

import gc
import time
import weakref
from http import HTTPStatus
from io import BytesIO
from typing import Any, ClassVar

import eventlet
import pytest
from engineio.packet import PING

from asf.adapters.engineio import connections
from asf.adapters.engineio.polls import PollResponse
from asf.adapters.engineio.transport import MAX_UNREAD_RESPONSES
from asf.domain.errors import JoinTimeout, Throttled
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_line import HANDSHAKE, WEBSOCKET, EngineIoLine, EngineIoServer, RecordingWebSocket

pytestmark = pytest.mark.usefixtures("endless_turns")


def wait_until(condition: Any) -> None:
    """Let other tasks run until a condition holds."""
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not condition():
            eventlet.sleep(0.001)


@pytest.fixture(params=["polling", "WebSocket"])
def line(request: pytest.FixtureRequest) -> EngineIoLine:
    """Return a connection of a server of its own."""
    engineio = EngineIoServer()
    return engineio.open_polling() if request.param == "polling" else engineio.open_websocket(RecordingWebSocket())


def test_connections_are_counted_from_their_opening_to_their_end(line: EngineIoLine) -> None:
    """The library reports the end once, whoever caused it."""
    assert len(line.server.quota) == 1
    line.connection.close(wait=False)
    line.connection.close(wait=False)
    assert len(line.server.quota) == 0
    assert line.server.ended == [line.sid]


def test_a_connection_that_joins_nothing_is_ended_and_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the join timeout; one that is active stays."""
    monkeypatch.setattr(connections, "JOIN_SECONDS", 0.01)
    monkeypatch.setattr(connections, "FAREWELL_SECONDS", 0.01)
    engineio = EngineIoServer()
    websocket = RecordingWebSocket()
    idle, polling, active = engineio.open_websocket(websocket), engineio.open_polling(), engineio.open_polling()
    active.transport.mark_active()
    wait_until(lambda: len(engineio.ended) == 2)
    assert set(engineio.ended) == {idle.sid, polling.sid}
    assert [(sid, type(error)) for sid, error in engineio.notified] == [
        (idle.sid, JoinTimeout),
        (polling.sid, JoinTimeout),
    ]
    wait_until(lambda: websocket.websocket_closed)
    assert "1" not in websocket.messages  # Engine.IO's CLOSE
    eventlet.sleep(0.02)
    assert not active.connection.closed


@pytest.mark.parametrize("polling", [True, False])
def test_time_in_which_the_server_was_behind_does_not_count_for_the_namespace_timeout(
    monkeypatch: pytest.MonkeyPatch, polling: bool
) -> None:
    """What would enter a namespace may wait to be read. Once the server keeps up, the timeout passes as usual."""
    monkeypatch.setattr(connections, "NAMESPACE_SECONDS", 0.02)
    looks: list[float] = []

    def was_behind(seconds: float) -> bool:
        looks.append(seconds)
        return len(looks) < 3 or not engineio.connections.get(late.sid)

    engineio = EngineIoServer(was_behind=was_behind)
    late = engineio.open_polling() if polling else engineio.open_websocket(RecordingWebSocket())
    wait_until(lambda: len(looks) == 2)
    assert engineio.ended == []
    wait_until(lambda: engineio.ended)
    assert looks == [0.02] * 3


def test_a_session_whose_client_tries_to_upgrade_may_enter_a_namespace_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the attempt has failed. Once it has succeeded, the timeout passes as usual."""
    monkeypatch.setattr(connections, "NAMESPACE_SECONDS", 0.02)
    engineio = EngineIoServer()
    # Each tries before another one comes, for which others have their turn: the time may be over by then.
    trying = engineio.open_polling()
    trying.transport.upgrade_attempts = 1
    upgraded = engineio.open_polling()
    upgraded.transport.upgrade_attempts, upgraded.connection.upgraded = 1, True
    other = engineio.open_polling()
    wait_until(lambda: len(engineio.ended) == 2)
    assert set(engineio.ended) == {upgraded.sid, other.sid}
    trying.transport.upgrade_attempts = 0
    wait_until(lambda: len(engineio.ended) == 3)


def test_a_client_that_sends_without_reading_is_disconnected(caplog: pytest.LogCaptureFixture) -> None:
    """Its messages are handled until then."""
    line = EngineIoServer().open_polling()
    for number in range(MAX_UNREAD_RESPONSES):
        line.queue(str(number))
    line.poll()
    line.server.library._trigger_event("message", line.sid, "one", run_async=False)  # noqa: SLF001 - as it does
    assert line.server.received == [(line.sid, "one")]
    for number in range(MAX_UNREAD_RESPONSES):
        line.queue(str(number))
    for text in ("two", "three"):
        line.server.library._trigger_event("message", line.sid, text, run_async=False)  # noqa: SLF001 - as it does
    assert line.server.received == [(line.sid, "one")]
    assert line.connection.closed
    assert caplog.text.count(f"client dropped connection={line.sid} reason=not_reading") == 1


def test_disconnecting_does_not_wait_for_the_client(line: EngineIoLine) -> None:
    """One, or all; the client gets Engine.IO's CLOSE packet. An unknown one is ignored."""
    line.server.library.disconnect("unknown")
    with eventlet.Timeout(PATIENCE_SECONDS):
        line.server.library.disconnect(line.sid)
        line.server.library.disconnect()
    assert line.connection.closed
    assert line.server.library.sockets == {}


def test_a_websocket_is_attached_to_its_transport() -> None:
    """Its client is notified when it is throttled, and what waits to be sent is known."""
    engineio = EngineIoServer()
    websocket = RecordingWebSocket()
    line = engineio.open_websocket(websocket)
    assert websocket.on_throttled is not None
    websocket.on_throttled()
    assert [(sid, type(error)) for sid, error in engineio.notified] == [(line.sid, Throttled)]
    wait_until(lambda: engineio.connections.have_sent_all)
    line.queue("text")
    assert not engineio.connections.have_sent_all
    wait_until(lambda: engineio.connections.have_sent_all)
    line.transport.disconnect()
    assert websocket.websocket_closed
    assert websocket.on_throttled is websocket.on_idle is None


def test_an_upgrade_without_a_message_leaves_the_connection_on_polling() -> None:
    """As behind a proxy that accepts WebSockets and then lets nothing through."""
    line = EngineIoServer().open_polling()
    line.poll()

    class SilentWebSocket(RecordingWebSocket):
        time_limits: ClassVar[list[float | None]] = []

        def wait_ahead(self) -> bool:
            self.time_limits.append(self.message_timeout())
            return False

    websocket = SilentWebSocket()
    line.server.request(f"transport=websocket&sid={line.sid}", HANDSHAKE | {WEBSOCKET: websocket})
    assert websocket.messages == []
    assert websocket.time_limits == [10.0]
    assert line.transport.upgrade_attempts == 0
    assert line.transport.send("text")
    assert line.poll() == ["text"]


def test_after_an_upgrade_nothing_is_kept_for_a_poll() -> None:
    """A listener that began on polling would keep the audio of its last poll as long as it listens."""

    class UpgradingWebSocket(RecordingWebSocket):
        packets = iter(["2probe", "5"])

        def wait_ahead(self) -> bool:
            return True

        def wait(self) -> Any:
            self.message_timeout()
            return next(self.packets, None) or self._end.wait()

    def responses() -> int:
        return sum(isinstance(one, PollResponse) for one in gc.get_objects())

    engineio = EngineIoServer()
    line = engineio.open_polling()
    line.poll()
    line.transport.send("text")
    before = responses()
    engineio.request(f"transport=polling&sid={line.sid}", {})
    assert responses() == before + 1
    websocket = UpgradingWebSocket()
    request = f"transport=websocket&sid={line.sid}", HANDSHAKE | {WEBSOCKET: websocket}
    task = eventlet.spawn(engineio.request, *request)
    wait_until(lambda: line.connection.upgraded and responses() == before)
    assert websocket.message_timeout() is None
    line.transport.send("more")
    wait_until(lambda: "4more" in websocket.messages)
    line.close()
    wait_until(lambda: task.dead)
    assert engineio.ended == [line.sid]


def test_a_handler_that_fails_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """What a client sends may break the library anywhere."""

    class BrokenWebSocket(RecordingWebSocket):
        def wait(self) -> None:
            eventlet.sleep(0)
            raise ValueError("broken")

    line = EngineIoServer().open_websocket(BrokenWebSocket())
    wait_until(lambda: line.task.dead)
    assert f"websocket closed connection={line.sid} reason=handler_failed error=ValueError " in caplog.text


def test_a_message_that_breaks_the_library_ends_the_connection() -> None:
    """The writer ends too, and the connection is no longer counted."""

    class NoisyWebSocket(RecordingWebSocket):
        def wait(self) -> Any:
            eventlet.sleep(0)
            return "no packet"

    line = EngineIoServer().open_websocket(NoisyWebSocket())
    wait_until(lambda: line.task.dead)
    assert line.server.ended == [line.sid]
    assert len(line.server.quota) == 0
    assert line.server.connections.get(line.sid) is None


@pytest.mark.parametrize("polling", [True, False])
def test_a_connection_that_has_ended_leaves_nothing_to_the_garbage_collector(polling: bool) -> None:
    """With thousands of connections, collections are rare."""
    engineio = EngineIoServer()

    def open_and_end() -> list[weakref.ref[Any]]:
        line = engineio.open_polling() if polling else engineio.open_websocket(RecordingWebSocket())
        line.transport.when_ready(lambda: None)
        line.transport.disconnect()
        wait_until(lambda: line.task.dead)
        return [weakref.ref(line.transport), weakref.ref(line.connection)]

    gc.disable()
    try:
        references = open_and_end()
        eventlet.sleep(0)
        engineio.library.sockets.clear()
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "missing", ["HTTP_CONNECTION", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION", "HTTP_UPGRADE"]
)
def test_an_invalid_handshake_opens_no_connection(missing: str) -> None:
    """The library would open one before it looks at the handshake."""
    engineio = EngineIoServer()
    environ = {key: value for key, value in HANDSHAKE.items() if key != missing}
    (status,) = engineio.request("transport=websocket", environ)
    assert status.startswith(str(HTTPStatus.BAD_REQUEST.value))
    assert len(engineio.quota) == 0


@pytest.mark.parametrize("query", ["j=0", "j=1", "%6a=0", "j=x&t=1"])
def test_jsonp_is_rejected(query: str) -> None:
    """Pages of any origin could read its responses. A parameter that only ends in j is another one."""
    engineio = EngineIoServer()
    (status,) = engineio.request(f"transport=polling&{query}", {})
    assert status.startswith(str(HTTPStatus.BAD_REQUEST.value))
    assert len(engineio.quota) == 0
    engineio.open("transport=polling&xj=0", {})


def test_a_body_that_does_not_arrive_is_a_timeout() -> None:
    """The library would read it as empty."""

    class Silent:
        def read(self, _size: int) -> bytes:
            raise TimeoutError

    line = EngineIoServer().open_polling()
    query, environ = f"transport=polling&sid={line.sid}", {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "2"}
    (status,) = line.server.request(query, environ | {"wsgi.input": Silent()})
    assert status.startswith(str(HTTPStatus.REQUEST_TIMEOUT.value))
    assert line.server.request(query, environ | {"wsgi.input": BytesIO(b"4x")}) == ["200 OK"]
    assert line.server.received == [(line.sid, "x")]
    line.connection.closed = True
    (status,) = line.server.request(query, environ | {"wsgi.input": BytesIO(b"4x")})
    assert status.startswith(str(HTTPStatus.BAD_REQUEST.value))


def test_each_pong_schedules_a_ping() -> None:
    """One timer serves all connections, and it is measured by a clock that is not set."""
    engineio = EngineIoServer(ping_seconds=0.01)
    begin = time.monotonic()
    lines = [engineio.open_polling() for _ in range(3)]
    closed = engineio.open_polling()
    closed.connection.close(wait=False, abort=True)
    for _ in range(2):
        for line in lines:
            wait_until(lambda line=line: line.connection.last_ping)
            assert begin <= line.connection.last_ping <= time.monotonic()
            assert PING in [packet.packet_type for packet in line.connection.poll()]
            line.connection.schedule_ping()
    assert closed.connection.last_ping is None
