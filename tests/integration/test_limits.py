"""How much one client, and all of them, may have. The others, operators and backends hear nothing of it."""

import gc
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest
import requests
import socketio
import websocket

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.ordered_client import OrderedClient
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

PATIENCE = int(PATIENCE_SECONDS)
SELDOM = {"TEST_JOINS_PER_SECOND": "0.1"}
"""So often joins are allowed in the long run: a busy machine asks more often, too."""

HEALTH = "GET /asf/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Raw:
    """A connection without a client library."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
        self._file = self.socket.makefile("rb")

    def ask(self, request: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request, and return the answer: status, headers, body."""
        self.socket.sendall(request.encode())
        return self.answer()

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer. Raises ConnectionError where the connection ends instead."""
        status = self._file.readline()
        if not status:
            raise ConnectionError("closed")
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return int(status.split()[1]), headers, self._file.read(int(headers.get("content-length", 0)))

    def is_closed(self) -> bool:
        """Wait until the server closes the connection."""
        with suppress(ConnectionError):
            while self._file.read(1):
                pass
        return True

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[ServerProcess], Raw]]:
    """Return a function that opens a raw connection, which is closed at the end."""
    with ExitStack() as stack:

        def open_one(server: ServerProcess) -> Raw:
            raw = Raw(server)
            stack.callback(raw.close)
            return raw

        yield open_one


def ends(receive: Callable[[], object]) -> bool:
    """Receive until the connection ends."""
    with suppress(websocket.WebSocketException, OSError, requests.RequestException):
        while True:
            receive()
    return True


def of_connection(server: ServerProcess) -> str:
    """Return the line of /metrics about open connections."""
    return next(line for line in server.metrics().splitlines() if line.startswith("asf_connections "))


Connect = Callable[[ServerProcess], Raw]


def test_connections_per_address_are_limited(start_server: StartServer, connect: Connect) -> None:
    """The next is told so, unless it asks what operators and backends ask; far too many are not even heard."""
    server = start_server({"ASF_MAX_CONNECTIONS_PER_IP": "3"})
    early = [connect(server) for _ in range(3)]
    for one in early:
        assert one.ask(HEALTH)[0] == 200
    late = connect(server)
    for path in ("/asf/health", "/asf/ready", "/metrics", "/asf/internal/streams"):
        status, headers, _ = late.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (status, headers["connection"]) == (200, "close"), path  # Another one may want to ask.
        assert late.is_closed()
        late = connect(server)
    status, headers, body = late.ask("GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, headers["connection"]) == (429, "close")
    assert json.loads(body)["error_code"] == "ASF_RATE_LIMITED"
    assert late.is_closed()
    for one in early:  # They are not made to suffer for it.
        assert one.ask("GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404
    with pytest.raises(websocket.WebSocketBadStatusException, match="429"):
        PlainListener(server.url, "s")
    more = [connect(server) for _ in range(3)]
    assert connect(server).is_closed()
    eventually(lambda: "connection rejected address=" in "".join(server.log))
    for one in (*early, *more):
        one.close()
    eventually(lambda: _status_of(server.stream_url("s")) == 404)
    eventually(lambda: of_connection(server) == "asf_connections 1.0")


def _status_of(url: str) -> int | None:
    """Return the status of the response; None where the server closes the connection at once."""
    try:
        return requests.get(url, timeout=PATIENCE_SECONDS).status_code
    except requests.ConnectionError:
        return None


def test_connections_in_total_are_limited(start_server: StartServer, connect: Connect) -> None:
    """Operators and backends are answered beyond that; a listener under way hears nothing of it."""
    server = start_server({"ASF_MAX_LISTENERS": "1", "TEST_SPARE_CONNECTIONS": "2"}, observed=True)
    audio = audio_of(100_000)
    server.announce("s", audio)
    listener = PlainListener(server.url, "s", window=len(audio) - 1)  # It stays until it asks for the rest.
    others = [connect(server)]
    # The connections of the requests before have ended.
    metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    eventually(lambda: b"\nasf_connections 2.0\n" in others[0].ask(metrics)[2])
    others.append(connect(server))
    for one in others:
        assert one.ask(HEALTH)[0] == 200
    answer = requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_TOO_MANY_CONNECTIONS")
    assert requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code == 200
    assert server.send_ui_update("alice", "progress", 1).status_code == 200
    assert 'asf_http_requests_total{route="refused",status="503"} 1.0' in server.metrics()
    listener.receive_until_bytes(len(audio) // 2)
    listener.send({"event": "ack", "received": len(audio) // 2})
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == audio


def test_a_connection_over_the_limit_does_not_stay(start_server: StartServer, connect: Connect) -> None:
    """Neither by silence nor by asking now and then: others without a place want to ask, too."""
    few = {"ASF_MAX_LISTENERS": "1", "TEST_SPARE_CONNECTIONS": "1", "TEST_STANDING_ROOM": "2"}
    server = start_server(few, observed=True)
    for one in (connect(server), connect(server)):
        assert one.ask("GET /asf/internal/streams HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
    standing = [connect(server), connect(server)]
    standing[0].socket.sendall(b"GET /asf/health HTTP/1.1\r\nHo")
    assert connect(server).is_closed()
    assert all(one.is_closed() for one in standing)
    for _ in range(5):
        assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).status_code == 200


def test_listeners_at_their_limit_do_not_affect_operators_and_backends(start_server: StartServer) -> None:
    """Health, readiness, metrics and the internal API answer; the next listener is told that there is no place."""
    server = start_server({"ASF_MAX_LISTENERS": "2"})
    server.announce("s", audio_of(2_000_000))
    listeners = [PlainListener(server.url, "s") for _ in range(2)]
    for listener in listeners:
        listener.receive_until("start_of_stream")
    late = PlainListener(server.url, "s")
    assert late.receive_to_the_end() == 1013
    assert late.messages[-1]["error_code"] == "ASF_TOO_MANY_LISTENERS"
    for path in ("/asf/health", "/asf/ready", "/metrics", "/asf/internal/streams"):
        assert requests.get(f"{server.url}{path}", timeout=PATIENCE_SECONDS).status_code == 200, path
    server.announce("t", b"audio")
    for listener in listeners:
        listener.close()


def test_polling_counts_by_its_sessions(start_server: StartServer) -> None:
    """Each of its requests may be a connection of its own, and none of them is open for long."""
    server = start_server({"ASF_MAX_CONNECTIONS_PER_IP": "2"})
    handshake = f"{server.url}/socket.io/?EIO=4&transport=polling"
    opening = requests.get(handshake, timeout=PATIENCE_SECONDS).text
    # The connection of the request before may not be over yet.
    eventually(lambda: requests.get(handshake, timeout=PATIENCE_SECONDS).status_code == 200)
    for query in ("", "&sid=", "&asid=1"):
        answer = requests.get(handshake + query, timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.json()["error_code"]) == (429, "ASF_RATE_LIMITED"), query
    session = f"{handshake}&sid={json.loads(opening[1:])['sid']}"
    # Engine.IO's way to close. The connections of the requests before may not be over yet.
    eventually(lambda: requests.post(session, data="1", timeout=PATIENCE_SECONDS).text == "OK")
    eventually(lambda: requests.get(handshake, timeout=PATIENCE_SECONDS).status_code == 200)


@pytest.mark.parametrize("polling", [True, False])
def test_a_client_that_joins_nothing_is_disconnected(start_server: StartServer, polling: bool) -> None:
    """It is told why. Whoever has joined or subscribed stays."""
    server = start_server({"TEST_JOIN_SECONDS": "1"}, observed=True)
    server.announce("s", b"audio")

    def join(stream_id: str, event: str) -> WireListener | None:
        """Join, and wait for an event; None where the machine was too busy to do that in time."""
        with suppress(websocket.WebSocketException, OSError, requests.RequestException):
            listener = WireListener(server.url, polling=polling)
            listener.emit("join_stream", {"stream_id": stream_id})
            listener.receive_until(event)
            return listener
        return None

    joined = eventually(lambda: join("s", "end_of_stream"))
    idle = eventually(lambda: join("unknown", "error"))
    assert idle.receive_until("error")["error_code"] == "ASF_NOTHING_JOINED"
    assert ends(idle.receive)
    joined.audio.clear()
    joined.emit("join_stream", {"stream_id": "s"})
    while joined.audio != b"audio":
        joined.receive()
    joined.close()
    idle.close()


def subscribed_in_time(server: ServerProcess) -> socketio.SimpleClient | None:
    """Return a subscriber to the updates of alice; None where the machine was too busy to subscribe in time."""
    client = socketio.SimpleClient(reconnection=False)
    with suppress(socketio.exceptions.SocketIOError):
        client.connect(server.url, namespace="/ui_updates", transports=["websocket"], wait_timeout=PATIENCE)
        client.emit("subscribe_to_ui_updates", {"client_id": "alice"})
        while (name := client.receive(timeout=PATIENCE_SECONDS)[0]) != "ui_error":
            if name == "subscribed_ui_updates":
                return client
    client.disconnect()
    return None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_subscriber_stays_and_one_that_never_subscribes_does_not(start_server: StartServer) -> None:
    """As listeners do. The clients of Socket.IO come back by themselves, for what they may want later."""
    server = start_server({"TEST_JOIN_SECONDS": "1"}, observed=True)
    errors: list[Any] = []
    connected: list[bool] = []
    with eventually(partial(subscribed_in_time, server)):
        idle = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.1)
        idle.on("ui_error", errors.append, namespace="/ui_updates")
        idle.on("connect", lambda: connected.append(True), namespace="/ui_updates")

        def has_connected() -> bool:
            """Connect, again where the machine was too busy to do that in time."""
            with suppress(socketio.exceptions.SocketIOError, ValueError):
                idle.connect(server.url, namespaces=["/ui_updates"], wait_timeout=PATIENCE)
            return bool(connected)

        eventually(has_connected)
        eventually(lambda: len(connected) >= 2 and errors)
        assert errors[0]["error_code"] == "ASF_NOTHING_JOINED"
        assert server.send_ui_update("alice", "progress", 1).json()["subscribers"] == 1
        idle.disconnect()
    gc.collect()  # The client library leaves the socket that was cut to the collector, which complains.


def test_a_connection_in_no_namespace_is_closed(start_server: StartServer) -> None:
    """It speaks Engine.IO, and nothing on it."""
    server = start_server({"TEST_JOIN_SECONDS": "0.5"}, observed=True)
    silent = websocket.create_connection(
        f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket", timeout=PATIENCE_SECONDS
    )
    assert ends(silent.recv_frame)
    silent.shutdown()


def test_joins_above_the_rate_are_rejected_and_the_session_continues(start_server: StartServer) -> None:
    """Each one too many is answered; the last that was not is heard to its end."""
    server = start_server(SELDOM, observed=True)
    audio = audio_of(1_000_000)
    server.announce("s", audio)
    listener = WireListener(server.url, polling=False)
    for _ in range(40):
        listener.emit("join_stream", {"stream_id": "s"})
    assert listener.receive_until("error")["error_code"] == "ASF_RATE_LIMITED"
    listener.receive_until("end_of_stream")
    assert listener.audio.endswith(audio)
    joins = sum(payload.get("status") == "joined" for _, payload in listener.events)
    refused = sum(name == "error" for name, _ in listener.events)
    assert joins + refused == 40
    assert joins >= 20
    listener.close()


def test_leaving_the_namespace_does_not_reset_the_rate_of_joins(start_server: StartServer) -> None:
    """They are those of the connection, which stays."""
    server = start_server(SELDOM, observed=True)
    server.announce("s", b"audio")
    listener = WireListener(server.url, polling=False)
    for _ in range(5):
        for _ in range(20):
            listener.emit("join_stream", {"stream_id": "s"})
        listener.send(f"41{NAMESPACE},")
        listener.send(f"40{NAMESPACE},")

    def refused() -> int:
        return sum(
            payload["error_code"] == "ASF_RATE_LIMITED" for name, payload in listener.events if name == "error"
        )

    while refused() <= 50:
        listener.receive()
    listener.close()


def test_subscriptions_above_the_rate_are_rejected(start_server: StartServer) -> None:
    """A page that comes back with all that it may have is not; whoever goes on and on is."""
    server = start_server(SELDOM, observed=True)
    with OrderedClient() as client:
        client.connect(server.url, namespace="/ui_updates", transports=["websocket"], wait_timeout=PATIENCE)
        assert client.receive(timeout=PATIENCE_SECONDS)[0] == "ui_connection_ack"
        for number in range(400):
            client.emit("subscribe_to_ui_updates", {"client_id": f"client-{number % 100}"})
        answers = [client.receive(timeout=PATIENCE_SECONDS) for _ in range(400)]
    assert all(name == "subscribed_ui_updates" for name, _ in answers[:200])
    assert {payload["error_code"] for name, payload in answers if name == "ui_error"} == {"ASF_RATE_LIMITED"}


@pytest.mark.parametrize("door", ["socketio", "websocket"])
def test_messages_above_the_rate_are_throttled_with_a_notice(start_server: StartServer, door: str) -> None:
    """Nothing is lost: the last of a flood of acknowledgements has its answer, however long that takes."""
    slowly = {"TEST_FRAMES_PER_SECOND": "10", "TEST_FRAMES_AT_ONCE": "200", "TEST_NOTICE_SECONDS": "3600"} | {
        "ASF_STALL_SECONDS": "3600"
    }
    server = start_server(slowly, observed=True)  # A busy machine sends faster than that, too.
    path = server.audio_root / "s.mp3"
    path.write_bytes(b"audio")
    server.notify("s", str(path), state="generating").raise_for_status()  # It does not end before it is left.
    flood = 250
    if door == "socketio":
        listener = WireListener(server.url, polling=False)
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("start_of_stream")
        for _ in range(flood):
            listener.emit("audio_ack", {"received": 0})
        listener.emit("leave_stream", {})
        listener.receive_until("error")
        listener.receive_until_status("left")
        errors = [payload for name, payload in listener.events if name == "error"]
        listener.close()
    else:
        plain = PlainListener(server.url, "s")
        plain.receive_until("start_of_stream")
        for _ in range(flood):
            plain.send({"event": "ack", "received": 0})
        plain.send({"event": "leave"})
        assert plain.receive_to_the_end() == 1000
        errors = [message for message in plain.messages if message["event"] == "error"]
    assert [error["error_code"] for error in errors] == ["ASF_SLOWED_DOWN"]


def test_a_request_head_has_a_time_limit(start_server: StartServer, connect: Connect) -> None:
    """Byte by byte is no way round it; a silent connection has its time, too."""
    server = start_server({"TEST_HEAD_SECONDS": "1", "TEST_FIRST_REQUEST_SECONDS": "5"}, observed=True)
    assert connect(server).is_closed()
    slow = connect(server)
    slow.socket.sendall(b"GET /asf/health HTTP/1.1\r\n")
    slow.socket.settimeout(0.05)
    trickled = 0
    with suppress(ConnectionError):
        while trickled < 400:
            slow.socket.sendall(b"X")
            trickled += 1
            with suppress(TimeoutError):
                if slow.socket.recv(1, socket.MSG_PEEK):
                    break
    slow.socket.settimeout(PATIENCE_SECONDS)
    assert slow.answer()[0] == 408
    assert slow.is_closed()
    patient = connect(server)
    assert patient.ask(HEALTH)[0] == 200


@pytest.mark.parametrize(
    ("path", "prefix"), [("/asf/internal/notify_new_audio", b'{"stream_id": "s"'), ("/socket.io/", b"4")]
)
def test_a_body_has_a_time_limit(start_server: StartServer, connect: Connect, path: str, prefix: bytes) -> None:
    """Whoever posts is told that it took too long, and nothing comes of the part that arrived."""
    server = start_server({"TEST_BODY_SECONDS": "0.5"}, observed=True)
    if path == "/socket.io/":
        opening = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE_SECONDS).text
        path += f"?EIO=4&transport=polling&sid={json.loads(opening[1:])['sid']}"
    slow = connect(server)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    slow.socket.sendall(head.encode() + prefix)
    status, headers, _ = slow.answer()
    assert (status, headers["connection"]) == (408, "close")
    assert slow.is_closed()


@pytest.mark.parametrize("header", ["Accept: */*", "Upgrade: websocket"])
@pytest.mark.parametrize("body", [b"", b"x"])
def test_a_body_that_nobody_reads_has_a_time_limit(
    start_server: StartServer, connect: Connect, header: str, body: bytes
) -> None:
    """The answer does not need it, but the connection waits for it, whatever else the head says."""
    server = start_server({"TEST_BODY_SECONDS": "0.5"}, observed=True)
    slow = connect(server)
    slow.socket.sendall(
        f"GET /asf/health HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: 100\r\n\r\n".encode()
    )
    assert slow.answer()[0] == 200
    slow.socket.settimeout(PATIENCE_SECONDS / 99)
    for _ in range(99):
        try:
            slow.socket.sendall(body)
            if slow.socket.recv(1) == b"":
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return
    pytest.fail("The connection is still open")


@pytest.mark.parametrize("packet", ["0", "4" + "x" * 65536])
def test_whoever_posts_what_is_no_packet_keeps_no_place(start_server: StartServer, packet: str) -> None:
    """It is answered, and nothing of it is left."""
    server = start_server()
    with requests.Session() as operator:

        def connections() -> str:
            metrics = operator.get(f"{server.url}/metrics", timeout=PATIENCE_SECONDS).text
            return next(line for line in metrics.splitlines() if line.startswith("asf_connections "))

        before = connections()
        url = f"{server.url}/socket.io/?EIO=4&transport=polling"
        closing = {"Connection": "close"}
        for _ in range(3):
            opening = requests.get(url, headers=closing, timeout=PATIENCE_SECONDS).text
            session = f"{url}&sid={json.loads(opening[1:])['sid']}"
            assert requests.post(session, data=packet, headers=closing, timeout=PATIENCE_SECONDS).status_code == 400
        eventually(lambda: connections() == before)


@pytest.mark.parametrize("length", [65537, 10**13, 10**20])
def test_a_body_that_is_too_large_for_socketio_is_not_waited_for(
    start_server: StartServer, connect: Connect, length: int
) -> None:
    """Its length alone is enough to refuse it, whatever comes of it; memory is not even set aside."""
    server = start_server()
    opening = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE_SECONDS).text
    path = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opening[1:])['sid']}"
    logged = len(server.log)
    large = connect(server)
    assert large.ask(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")[0] == 400
    assert "Traceback" not in "".join(server.log[logged:])


def test_requests_above_the_rate_are_throttled(start_server: StartServer, connect: Connect) -> None:
    """Each of its requests is answered all the same. Backends are not slowed down."""
    server = start_server()
    busy = connect(server)
    asked = 260
    busy.socket.sendall(b"GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: localhost\r\n\r\n" * asked)
    assert {busy.answer()[0] for _ in range(asked)} == {404}
    backend = connect(server)
    backend.socket.sendall(b"GET /asf/internal/streams HTTP/1.1\r\nHost: localhost\r\n\r\n" * asked)
    assert {backend.answer()[0] for _ in range(asked)} == {200}


def test_the_catalog_is_limited(start_server: StartServer) -> None:
    """What it holds can be announced again, and deleted to make place."""
    server = start_server({"ASF_MAX_STREAMS": "2"})
    path = server.announce("one", b"audio")
    server.announce("two", b"audio")
    refused = server.notify("three", str(path))
    assert (refused.status_code, refused.json()["error_code"]) == (507, "ASF_CATALOG_FULL")
    assert server.notify("one", str(path)).status_code == 200
    requests.delete(f"{server.url}/asf/internal/streams/two", timeout=PATIENCE_SECONDS).raise_for_status()
    assert server.notify("three", str(path)).status_code == 200
