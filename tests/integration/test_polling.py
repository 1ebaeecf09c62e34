"""Long polling: many packets in a request, and requests that are repeated, overlap or lose their connection."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import pytest
import requests
import websocket

from asf import client
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, SEPARATOR, WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

UPDATES = "/ui_updates"


OPENED: list["Http"] = []


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Close all connections at the end of a test."""
    yield
    while OPENED:
        OPENED.pop().close()


class Http:
    """One HTTP connection. It is closed at the end of the test."""

    def __init__(self, server: ServerProcess, receive_buffer: int | None = None) -> None:
        OPENED.append(self)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(("127.0.0.1", server.port))
        self._file = self.socket.makefile("rb")

    def send(self, method: str, query: str, body: str = "") -> None:
        """Send a request to Engine.IO."""
        data = body.encode()
        head = f"{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def receive(self, pause: float = 0.0) -> tuple[int, str]:
        """Return the status and the body of the next response. Pauses for so many seconds before each 4 KiB."""
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = b""
        while len(body) < length:
            time.sleep(pause)
            body += self._file.read(min(4096, length - len(body)))
        return status, body.decode()

    def ask(self, method: str, query: str, body: str = "") -> tuple[int, str]:
        """Send a request, and return the status and the body of its response."""
        self.send(method, query, body)
        return self.receive()

    def wait_for_response(self) -> None:
        """Wait until a response arrives, and leave it unread."""
        assert self.socket.recv(1, socket.MSG_PEEK)

    def reset(self) -> None:
        """End the connection with a RST."""
        self._file.close()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self.socket.close()


class Session:
    """A client of Engine.IO on long polling, in one namespace. `received` holds its packets, without pings."""

    def __init__(self, server: ServerProcess, namespace: str = UPDATES) -> None:
        self.server = server
        self.http = Http(server)
        self.namespace = namespace
        self.received: list[str] = []
        _, opening = self.http.ask("GET", "&t=opening")
        self.query = f"&sid={json.loads(opening[1:])['sid']}"
        self._times = count()
        assert self.post(f"40{namespace},") == (200, "OK")
        self.poll_until(2)  # The CONNECT packet and the acknowledgement.

    def post(self, body: str) -> tuple[int, str]:
        """Post packets."""
        return self.http.ask("POST", f"{self.query}&t=p{next(self._times)}", body)

    def event(self, name: str, payload: object) -> str:
        """Return the packet of an event."""
        return f"42{self.namespace},{json.dumps([name, payload])}"

    def take(self, body: str) -> None:
        """Take the packets of a response."""
        self.received += [packet for packet in body.split(SEPARATOR) if packet not in {"2", "6"}]

    def poll(self) -> None:
        """Poll once."""
        status, body = self.http.ask("GET", f"{self.query}&t=g{next(self._times)}")
        assert status == 200, body
        self.take(body)

    def poll_until(self, length: int) -> None:
        """Poll until so many packets have been received."""
        while len(self.received) < length:
            self.poll()

    def events(self, name: str) -> list[Any]:
        """Return the payloads of the events of a name that have been received."""
        prefix = f"42{self.namespace},"
        events = [json.loads(one.removeprefix(prefix)) for one in self.received if one.startswith(prefix)]
        return [event[1] for event in events if event[0] == name]

    def subscribe(self) -> "Session":
        """Subscribe to the updates of alice."""
        assert self.post(self.event("subscribe_to_ui_updates", {"client_id": "alice"})) == (200, "OK")
        self.poll_until(3)
        return self

    def settle(self) -> None:
        """Let the server handle what was sent to it before: it serves connections in the order they came in."""
        time.sleep(0.1)  # Where workers pass connections on, that takes a moment.
        assert Http(self.server).ask("POST", f"{self.query}&t=p{next(self._times)}", "3") == (200, "OK")

    def is_ended(self) -> bool:
        """Return whether the server has ended the session."""
        http = Http(self.server)
        status, _ = http.ask("POST", f"{self.query}&t=last", "3")
        http.close()
        return status == 400


@pytest.mark.one_process(
    "with Redis, confirmations come in the order of its answers, and a repeated request replaces one that waits"
)
@pytest.mark.parametrize("packets", [17, 40, 100, 200])
def test_all_packets_of_a_request_are_handled(server: ServerProcess, packets: int) -> None:
    """Each subscription is confirmed, in order; `ASF_MAX_MESSAGE_BYTES` is the only limit."""
    session = Session(server)
    clients = [f"client-{number % 100}" for number in range(packets)]
    events = [session.event("subscribe_to_ui_updates", {"client_id": client}) for client in clients]
    assert session.post(SEPARATOR.join(events)) == (200, "OK")
    session.poll_until(2 + packets)
    assert [payload["client_id"] for payload in session.events("subscribed_ui_updates")] == clients
    session.http.close()


def test_a_request_of_the_largest_size_is_handled_in_turns(server: ServerProcess) -> None:
    """It has room for ten thousand packets, and for as many answers. Three listeners at each door hear every byte."""
    audio = audio_of(400_000)
    server.announce("beside", audio)
    wires = [WireListener(server.url, polling=polling) for polling in (True, False) for _ in range(3)]
    for wire in wires:
        wire.emit("join_stream", {"stream_id": "beside"})
    plain = [PlainListener(server.url, "beside") for _ in range(3)]
    session = Session(server)
    pongs = SEPARATOR.join(["3"] * 10_000 + [session.event("subscribe_to_ui_updates", {"client_id": "last"})])
    assert session.post(pongs) == (200, "OK")
    session.poll_until(3)
    assert session.events("subscribed_ui_updates")[0]["client_id"] == "last"
    for wire in wires:
        wire.receive_until("end_of_stream")
        assert wire.audio == audio
        wire.close()
    for listener in plain:
        assert listener.receive_to_the_end() == 1000
        assert listener.audio == audio
    assert [requests.get(server.stream_url("beside"), timeout=PATIENCE_SECONDS).content for _ in range(3)] == [
        audio
    ] * 3
    session.http.close()


@pytest.mark.parametrize(
    "body",
    [
        "x" * 65_537,
        f"3{SEPARATOR}{SEPARATOR}3",
        f"3{SEPARATOR}x",
        f"3{SEPARATOR}9",
        "bx",
        "3\x1e2",
        f"4{'[' * 60_000}",
    ],
)
def test_a_request_that_cannot_be_handled_ends_the_session(server: ServerProcess, body: str) -> None:
    """With an error status: its client learns that, and connects again."""
    session = Session(server)
    assert session.post(body)[0] == 400
    assert session.is_ended()


def test_a_request_that_arrives_in_part_is_not_handled(server: ServerProcess) -> None:
    """The browser repeats it; what had arrived would be handled twice."""
    session = Session(server)
    event = session.event("subscribe_to_ui_updates", {"client_id": "alice"})
    broken = Http(server)
    head = f"POST /socket.io/?EIO=4&transport=polling{session.query}&t=same HTTP/1.1\r\nHost: a\r\n"
    broken.socket.sendall(f"{head}Content-Length: {2 * len(event) + 1}\r\n\r\n{event}{SEPARATOR}".encode())
    broken.socket.shutdown(socket.SHUT_WR)
    assert broken.receive()[0] == 408
    other = session.event("subscribe_to_ui_updates", {"client_id": "bob"})
    assert session.http.ask("POST", f"{session.query}&t=same", f"{event}{SEPARATOR}{other}") == (200, "OK")
    session.poll_until(4)
    assert len(session.events("subscribed_ui_updates")) == 2


def test_a_repeated_request_is_handled_once(server: ServerProcess) -> None:
    """Its response was lost with its connection. A join that were handled twice would bring its audio twice."""
    session = Session(server)
    event = session.event("subscribe_to_ui_updates", {"client_id": "alice"})
    for _ in range(3):
        http = Http(server)
        http.send("POST", f"{session.query}&t=same", event)
        http.wait_for_response()
        http.reset()
    assert session.post(event) == (200, "OK")
    session.poll_until(4)
    assert server.send_ui_update("alice", "progress", 1).status_code == 200
    session.poll_until(5)
    assert len(session.events("subscribed_ui_updates")) == 2


@pytest.mark.parametrize("t", ["&t=same", ""], ids=["with t", "without t"])
def test_a_poll_whose_connection_is_gone_takes_nothing(server: ServerProcess, t: str) -> None:
    """Whether it was reset or closed; the next poll gets all that was sent since."""
    session = Session(server).subscribe()
    for end in (Http.reset, Http.close):
        dead, query = Http(server), session.query + (t and t + end.__name__)
        dead.send("GET", query)
        session.settle()  # It waits by then.
        end(dead)
        server.send_ui_update("alice", "progress", end.__name__).raise_for_status()
        session.settle()  # The dead poll would have taken it by then.
        session.take(Http(server).ask("GET", query)[1])
    assert session.events("progress") == ["reset", "close"]


def test_a_response_that_is_lost_is_sent_again(server: ServerProcess) -> None:
    """To the same poll, on another connection: nothing is lost, nothing comes twice, in order."""
    session = Session(server).subscribe()
    for number in range(5):
        http = Http(server)
        http.send("GET", f"{session.query}&t=same-{number}")
        server.send_ui_update("alice", "progress", 2 * number).raise_for_status()
        http.wait_for_response()
        http.reset()
        server.send_ui_update("alice", "progress", 2 * number + 1).raise_for_status()
        session.take(Http(server).ask("GET", f"{session.query}&t=same-{number}")[1])
        session.poll_until(3 + 2 * (number + 1))
    assert session.events("progress") == list(range(10))


@pytest.mark.parametrize("connection", ["a new one", "the session's"])
def test_a_lost_response_to_a_poll_without_t_ends_the_session(server: ServerProcess, connection: str) -> None:
    """Where polls cannot be told apart, nobody knows what the client has: it connects again at its position.

    However soon it polls again.
    """
    session = Session(server).subscribe()
    http = Http(server)
    http.send("GET", session.query)
    server.send_ui_update("alice", "progress", 1).raise_for_status()
    http.wait_for_response()
    http.reset()
    other = Http(server) if connection == "a new one" else session.http
    assert other.ask("GET", session.query)[0] == 400
    assert session.is_ended()


def test_a_client_that_repeats_for_ever_is_disconnected(server: ServerProcess) -> None:
    """It gets the same response a few times."""
    session = Session(server).subscribe()
    server.send_ui_update("alice", "progress", 1).raise_for_status()
    statuses = [Http(server).ask("GET", f"{session.query}&t=same")[0] for _ in range(10)]
    assert statuses[:5] == [200] * 5
    assert statuses[-1] == 400


def test_a_client_that_does_not_change_t_is_served_on_its_connection(server: ServerProcess) -> None:
    """There a second request is the next one: requests are not repeated on the same connection."""
    session = Session(server).subscribe()
    for number in range(10):
        server.send_ui_update("alice", "progress", number).raise_for_status()
        session.take(session.http.ask("GET", f"{session.query}&t=same")[1])
    assert session.events("progress") == list(range(10))


@pytest.mark.parametrize("keys", [("a", "a"), ("a", "b"), ("", "")])
def test_of_polls_that_overlap_the_newest_gets_all(server: ServerProcess, keys: tuple[str, str]) -> None:
    """The older one is answered at once, with nothing."""
    session = Session(server).subscribe()
    first, second = Http(server), Http(server)
    first.send("GET", f"{session.query}&t={keys[0]}")
    session.settle()  # It waits by then.
    second.send("GET", f"{session.query}&t={keys[1]}")
    assert first.receive() == (200, "6")
    for number in range(3):
        server.send_ui_update("alice", "progress", number).raise_for_status()
        session.take(second.receive()[1])
        second.send("GET", f"{session.query}&t=later-{number}")
    assert session.events("progress") == [0, 1, 2]


def test_a_poll_that_is_reset_during_the_upgrade_loses_nothing(server: ServerProcess) -> None:
    """What it did not take, and what the probe has ended it with, comes over the WebSocket or to its repetition."""
    audio = audio_of(300_000)
    server.announce("upgraded", audio)
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "upgraded"})
    listener.receive_until("start_of_stream")
    dead, query = Http(server), f"&sid={listener.sid}&t=same"
    upgraded = listener.open_websocket()
    dead.send("GET", query)
    dead.wait_for_response()
    upgraded.send("2probe")
    assert upgraded.recv() == "3probe"
    dead.reset()
    listener.take_answer(Http(server).ask("GET", query)[1])
    upgraded.send("5")
    listener.websocket = upgraded
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    listener.close()


def test_an_upgrade_waits_until_a_slow_client_has_received_its_last_poll(start_server: StartServer) -> None:
    """It has suspended polling by then. One that receives nothing has its attempt ended."""
    audio = audio_of(300_000)
    server = start_server({"TEST_UPGRADE_SECONDS": "2"}, observed=True)
    server.announce("slow", audio)
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "slow"})
    listener.receive_until("start_of_stream")
    time.sleep(0.5)  # so that there is much to poll
    slow = Http(server, receive_buffer=4096)
    slow.send("GET", f"&sid={listener.sid}&t=slow")
    slow.wait_for_response()
    upgraded = listener.open_websocket()
    upgraded.send("2probe")
    assert upgraded.recv() == "3probe"
    body = slow.receive(pause=0.4)[1]
    assert len(body) > 8 * 4096, "it took more than three seconds"
    listener.take_answer(body)
    upgraded.send("5")
    listener.websocket = upgraded
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    listener.close()


def test_a_response_that_cannot_be_written_goes_to_the_next_poll(server: ServerProcess) -> None:
    """Its client does not read; the kernel takes a part of it."""
    audio = audio_of(2_000_000)
    server.announce("large", audio)
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "large"})
    listener.receive_until("start_of_stream")
    for number in range(5):
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stalled.connect(("127.0.0.1", server.port))
        query = f"EIO=4&transport=polling&sid={listener.sid}&t=stalled-{number}"
        stalled.sendall(f"GET /socket.io/?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert stalled.recv(1)
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stalled.close()
        response = requests.get(f"{server.url}/socket.io/?{query}", timeout=PATIENCE_SECONDS)
        listener.take_answer(response.text)
    listener.receive_until("end_of_stream")
    assert listener.audio == audio
    listener.close()


@pytest.mark.parametrize("namespace", ["", "/nowhere,", "/%1b[2J\n,"])
@pytest.mark.parametrize("polling", [True, False])
def test_an_unknown_namespace_is_refused_by_name(server: ServerProcess, namespace: str, polling: bool) -> None:
    """At once, with a message that names those that there are, as clients show it; the connection stays."""
    listener = WireListener(server.url, polling=polling)
    packets: list[str] = []
    listener._take = packets.append  # type: ignore[assignment,method-assign] # noqa: SLF001 - to see all packets
    listener.send(f"40{namespace}")
    while not packets or packets[-1] == "2":
        listener.receive()
    refusal = json.loads(packets[-1].removeprefix(f"44{namespace}"))
    assert refusal["message"] == (
        f"Unknown Socket.IO namespace. Connect to {NAMESPACE} (audio) or {UPDATES} (UI updates)."
    )
    assert refusal["data"]["error_code"] == "ASF_UNKNOWN_NAMESPACE"
    listener.close()


def test_the_refusal_of_a_namespace_names_those_that_are_configured(start_server: StartServer) -> None:
    """The setting may name another one."""
    server = start_server({"ASF_UI_UPDATES_NAMESPACE": "/progress"})
    http = Http(server)
    query = f"&sid={json.loads(http.ask('GET', '')[1][1:])['sid']}"
    assert http.ask("POST", query, "40") == (200, "OK")
    assert "(audio) or /progress (UI updates)." in http.ask("GET", query)[1]


def test_the_refusal_of_a_namespace_does_not_repeat_all_that_was_sent(server: ServerProcess) -> None:
    """A client that reads nothing would leave it all to the server's memory."""
    http = Http(server)
    query = f"&sid={json.loads(http.ask('GET', '')[1][1:])['sid']}"
    long = f"/{'x' * 254}"
    assert http.ask("POST", query, SEPARATOR.join([f"40{long}", f"40{long}{'y' * 50_000},"])) == (200, "OK")
    refusals = http.ask("GET", query)[1].split(SEPARATOR)
    assert [one.startswith(f"44{long},{{") for one in refusals] == [True] * 2


def test_the_root_may_be_the_namespace_of_ui_updates(start_server: StartServer) -> None:
    """Its name is left out in the packets of clients."""
    server = start_server({"ASF_UI_UPDATES_NAMESPACE": "/"})
    updates = client.watch(server.url, "alice", "/")
    assert isinstance(next(updates), client.Subscribed)
    assert server.send_ui_update("alice", "progress", 1).json()["subscribers"] == 1
    assert next(updates).data == 1  # type: ignore[union-attr]


def entered_in_time(server: ServerProcess) -> Session | None:
    """Return a session; None where the machine was too busy to enter a namespace in time."""
    with suppress(AssertionError):
        return Session(server)
    return None


@pytest.mark.parametrize("entering", ["", "40", "40/nowhere,"])
@pytest.mark.parametrize("polling", [True, False])
def test_a_session_without_a_namespace_ends_soon(start_server: StartServer, entering: str, polling: bool) -> None:
    """Sooner than one that has entered a namespace and joined nothing."""
    server = start_server({"TEST_NAMESPACE_SECONDS": "0.5"}, observed=True)
    entered = eventually(partial(entered_in_time, server))

    def has_begun() -> bool:
        """Begin a session, and return whether it took in time what does not enter a namespace."""
        http = Http(server)
        query = f"&sid={json.loads(http.ask('GET', '')[1][1:])['sid']}"
        return not entering or http.ask("POST", query, entering) == (200, "OK")

    if polling:
        eventually(has_begun)
    else:
        url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
        opened = websocket.create_connection(url, timeout=PATIENCE_SECONDS)
        opened.recv()
        if entering:
            opened.send(entering)
    eventually(lambda: "asf_socketio_connections 1.0" in server.metrics())
    assert not entered.is_ended()
    if not polling:
        opened.shutdown()


def test_one_connection_begins_few_sessions(start_server: StartServer) -> None:
    """Those beyond the rate are delayed; another connection begins its session meanwhile."""
    server = start_server({"TEST_BEGINNINGS_PER_SECOND": "0.01"}, observed=True)
    flood = Http(server)
    for _ in range(25):
        flood.send("GET", "")
    for _ in range(20):
        assert flood.receive()[0] == 200
    flood.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        flood.socket.recv(1)
    assert Http(server).ask("GET", "")[0] == 200
    flood.reset()


def test_one_address_begins_few_sessions_at_the_same_time(start_server: StartServer) -> None:
    """Sessions that have entered a namespace do not count, and neither do WebSockets, which are connections."""
    server = start_server({"TEST_BEGINNINGS_EACH": "3", "TEST_NAMESPACE_SECONDS": "1"}, observed=True)
    entered = [eventually(partial(entered_in_time, server)) for _ in range(5)]

    def refusal() -> str | None:
        """Begin a session, and return why that was refused, if it was."""
        status, body = Http(server).ask("GET", "")
        return body if status == 429 else None

    assert json.loads(eventually(refusal))["error_code"] == "ASF_RATE_LIMITED"
    WireListener(server.url, polling=False).close()
    eventually(lambda: Http(server).ask("GET", "")[0] == 200)
    assert not any(session.is_ended() for session in entered)
