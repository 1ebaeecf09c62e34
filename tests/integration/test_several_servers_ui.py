"""Several servers on one Redis: whichever an update is sent to, its subscribers have it, on whichever they are."""

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
import websocket

from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.faults import LOST_REDIS_OF_UPDATES
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer

NAMESPACE = "/ui_updates"
EVERYTHING = {"epoch": "", "seq": 0}

Servers = tuple[ServerProcess, ServerProcess]


@pytest.fixture
def patience() -> float:
    """Return how many seconds the servers wait for Redis."""
    return PATIENCE_SECONDS


@pytest.fixture
def constants() -> dict[str, str]:
    """Return what else the servers are to do otherwise."""
    return {}


@pytest.fixture
def servers(
    tmp_path: Path, mortal_redis: RedisServer, patience: float, constants: dict[str, str]
) -> Iterator[Servers]:
    """Return two servers on one Redis."""
    settings = {
        # Also with how long to wait for a connection, which is ASF's own.
        "ASF_REDIS_URL": f"{mortal_redis.url_with(patience)}&timeout={patience}",
        "TEST_CONFIRMATION_SECONDS": str(patience),
        **constants,
        "ASF_UI_HISTORY_SIZE": "5000",
    }
    first, second = (ServerProcess(tmp_path, settings, observed=True) for _ in range(2))
    both = first, second
    for server in both:
        eventually(partial(is_ready, server))
    yield both
    for server in both:
        if server.process.poll() is None:  # Some tests kill one.
            assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


class Tab:
    """A subscriber to the updates of one client, over a WebSocket, by hand.

    Where it is told a place, it asks for what came after it. `updates` is what it was sent, each with its place;
    `restarts` counts how often it was told that it missed something.
    """

    def __init__(self, client_id: str, *, with_position: bool = True) -> None:
        self.client_id = client_id
        self.with_position = with_position
        self.updates: list[tuple[Any, dict[str, Any] | None]] = []
        self.restarts = 0
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self._since = EVERYTHING
        self._connection: websocket.WebSocket | None = None
        self._thread: threading.Thread | None = None

    def connect(self, server: ServerProcess) -> None:
        """Come to a server, and wait for its answer."""
        url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
        self._connection = websocket.create_connection(url, timeout=PATIENCE_SECONDS)
        self._connection.recv()
        self._connection.send(f"40{NAMESPACE},")
        payload: dict[str, Any] = {"client_id": self.client_id}
        if self.with_position:
            payload["since"] = self._since
        self._connection.send(f"42{NAMESPACE},{json.dumps(['subscribe_to_ui_updates', payload])}")
        answered = len(self.answers)
        self._thread = threading.Thread(target=self._read, args=(self._connection,), daemon=True)
        self._thread.start()
        eventually(lambda: len(self.answers) > answered)

    def cut(self) -> None:
        """Break the connection off, and read no more from it."""
        if self._connection is not None and self._thread is not None:
            connected = self._connection.sock
            if connected is not None:
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)  # Closing it alone does not wake who reads.
            self._thread.join()
            self._connection.shutdown()

    def has_ended(self) -> bool:
        """Return whether the server has ended the connection."""
        return self._thread is None or not self._thread.is_alive()

    @property
    def numbers(self) -> list[int]:
        """The places of the updates."""
        return [place["seq"] for _, place in self.updates if place is not None]

    def _read(self, connection: websocket.WebSocket) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while packet := connection.recv():
                if packet == "2":
                    connection.send("3")
                elif str(packet).startswith(f"42{NAMESPACE},"):
                    self._take(*json.loads(str(packet).removeprefix(f"42{NAMESPACE},")))

    def _take(self, name: str, payload: Any, place: dict[str, Any] | None = None) -> None:
        if name == "n":
            self.updates.append((payload, place))
            if place is not None:
                self._since = {"epoch": place["epoch"], "seq": place["seq"]}
        elif name in {"subscribed_ui_updates", "ui_error"}:
            if payload.get("recovered") is False:
                self.restarts += 1
                self._since = {"epoch": payload["epoch"], "seq": payload["seq"]}
            self.answers.append((name, payload))


def is_ready(server: ServerProcess) -> bool:
    """Return whether a server takes listeners."""
    return requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code == 200


def send(server: ServerProcess, data: object, client_id: str = "alice") -> dict[str, Any]:
    """Send an update, and return the answer."""
    answer = server.send_ui_update(client_id, "n", data)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def came(tabs: Sequence[Tab], count: int) -> Callable[[], bool]:
    """Return whether every tab has so many updates."""
    return lambda: all(len(tab.updates) >= count for tab in tabs)


def test_an_update_reaches_its_client_on_every_server(servers: Servers) -> None:
    """Those who know places and those who do not, nobody else; and the answer tells how many there are."""
    tabs = [Tab("alice"), Tab("alice", with_position=False), Tab("bob"), Tab("alice")]
    for number, tab in enumerate(tabs):
        tab.connect(servers[number % 2])
    answers = [send(servers[number % 2], number) for number in range(10)]
    alices = [tabs[0], tabs[1], tabs[3]]
    eventually(came(alices, 10))
    for tab in alices:
        assert [data for data, _ in tab.updates] == list(range(10))
    assert tabs[0].numbers == list(range(1, 11))
    assert [answer["seq"] for answer in answers] == list(range(1, 11))
    assert {(answer["epoch"], answer["subscribers"]) for answer in answers} == {(answers[0]["epoch"], 3)}
    assert tabs[2].updates == []
    for tab in tabs:
        tab.cut()
    eventually(lambda: send(servers[0], "nobody")["subscribers"] == 0)


def test_a_repeated_key_is_a_duplicate_on_every_server(servers: Servers) -> None:
    """Nobody has the update twice."""
    tab = Tab("alice")
    tab.connect(servers[0])
    body = {"client_id": "alice", "event_name": "n", "data": 1, "idempotency_key": "key"}
    answers = [
        requests.post(f"{server.url}/asf/internal/send_ui_update", json=body, timeout=PATIENCE_SECONDS).json()
        for server in (*servers, *servers)
    ]
    assert [answer["duplicate"] for answer in answers] == [False, True, True, True]
    assert {(answer["seq"], answer["subscribers"]) for answer in answers} == {(1, 1)}
    send(servers[1], "last")
    eventually(came([tab], 2))
    assert [data for data, _ in tab.updates] == [1, "last"]
    tab.cut()


def test_tabs_that_are_cut_all_the_time_miss_nothing(servers: Servers) -> None:
    """Twenty, on both servers, while three backends send to both: without gap or repeat, in one order for all."""
    tabs = [Tab("alice") for _ in range(20)]
    for number, tab in enumerate(tabs):
        tab.connect(servers[number % 2])
    done = threading.Event()
    randomness = random.Random(7)

    def post(name: str) -> None:
        for number in range(150):
            send(servers[number % 2], f"{name} {number}")

    def cut_and_return() -> None:
        while not done.is_set():
            tab = randomness.choice(tabs)
            tab.cut()
            tab.connect(randomness.choice(servers))

    with ThreadPoolExecutor() as pool:
        cutting = pool.submit(cut_and_return)
        for posting in [pool.submit(post, name) for name in "abc"]:
            posting.result()
        done.set()
        cutting.result()
    eventually(came(tabs, 450))
    expected = [data for data, _ in tabs[0].updates]
    assert sorted(expected) == sorted(f"{name} {number}" for name in "abc" for number in range(150))
    for tab in tabs:
        assert tab.numbers == list(range(1, 451))
        assert [data for data, _ in tab.updates] == expected
        assert tab.restarts == 0
        tab.cut()


@pytest.mark.parametrize("constants", [{"TEST_BEAT_SECONDS": "3600", "TEST_NEWS_SILENCE_SECONDS": "3600"}])
def test_an_update_is_on_the_other_server_at_once(servers: Servers) -> None:
    """From the request on one to the client on another, with nothing else to push it on: no beat, no later update."""
    tab = Tab("alice")
    tab.connect(servers[1])
    with requests.Session() as session:
        for number in range(300):
            body = {"client_id": "alice", "event_name": "n", "data": number}
            answer = session.post(
                f"{servers[0].url}/asf/internal/send_ui_update", json=body, timeout=PATIENCE_SECONDS
            )
            assert answer.status_code == 200
            eventually(came([tab], number + 1))
            assert [data for data, _ in tab.updates] == list(range(number + 1))
    tab.cut()


def assert_errors(servers: Servers) -> None:
    """Neither a subscriber nor a backend is told that all is well, and each is told now."""

    def subscribe(server: ServerProcess) -> tuple[str, dict[str, Any]]:
        late = Tab("alice")
        late.connect(server)
        late.cut()
        return late.answers[0]

    with ThreadPoolExecutor(4 * len(servers)) as pool:
        sending = [pool.submit(server.send_ui_update, "alice", "n", "lost") for server in servers for _ in range(3)]
        subscribing = [pool.submit(subscribe, server) for server in servers]
        for answer in (one.result() for one in sending):
            assert (answer.status_code, answer.json()["error_code"]) == (500, "ASF_SOCKETIO_EMIT_FAILED")
        for name, payload in (one.result() for one in subscribing):
            assert (name, payload["error_code"]) == ("ui_error", "ASF_SOCKETIO_EMIT_FAILED")


def wait_until_back(servers: Servers) -> None:
    """Wait until updates pass from each server to subscribers on each."""
    probes = [Tab("probe", with_position=False) for _ in servers]

    def passes() -> bool:
        for server, probe in zip(servers, probes, strict=True):
            if not probe.answers or probe.answers[-1][0] != "subscribed_ui_updates" or probe.has_ended():
                probe.cut()
                probe.connect(server)
        answers = [server.send_ui_update("probe", "n", "back") for server in servers]
        return all(
            answer.status_code == 200 and answer.json()["subscribers"] == len(servers) for answer in answers
        ) and all(probe.updates for probe in probes)

    eventually(passes)
    for probe in probes:
        probe.cut()


@LOST_REDIS_OF_UPDATES
def test_while_redis_is_gone_nobody_is_told_that_all_is_well(servers: Servers, mortal_redis: RedisServer) -> None:
    """Connections stay. When it is back, empty, updates flow again; who knows places hears that it missed some."""
    simple = [Tab("alice", with_position=False) for _ in servers]
    placed = [Tab("alice") for _ in servers]
    for server, one, other in zip(servers, simple, placed, strict=True):
        one.connect(server)
        other.connect(server)
    send(servers[0], "before")
    eventually(came(simple + placed, 1))
    mortal_redis.kill()
    assert_errors(servers)
    assert not any(is_ready(server) for server in servers)
    assert not any(tab.has_ended() for tab in simple)
    mortal_redis.start()
    wait_until_back(servers)
    send(servers[0], "after")
    send(servers[1], "last")
    eventually(came(simple, 3))
    for tab in simple:
        assert [data for data, _ in tab.updates] == ["before", "after", "last"]
        tab.cut()
    for server, tab in zip(servers, placed, strict=True):
        # It was broken off, and comes back.
        eventually(tab.has_ended)
        tab.connect(server)
        assert tab.restarts == 1
        tab.cut()


@LOST_REDIS_OF_UPDATES
@pytest.mark.parametrize("patience", [HUNG_SECONDS])
def test_while_redis_hangs_nobody_is_told_that_all_is_well(servers: Servers, mortal_redis: RedisServer) -> None:
    """Nobody's connection breaks, and when it goes on all that was kept is delivered, in its order."""
    tabs = [Tab("alice") for _ in servers] + [Tab("alice", with_position=False) for _ in servers]
    for number, tab in enumerate(tabs):
        tab.connect(servers[number % 2])
    send(servers[0], "before")
    eventually(came(tabs, 1))
    mortal_redis.hang()
    assert_errors(servers)
    mortal_redis.resume()
    wait_until_back(servers)
    send(servers[0], "last")
    eventually(lambda: all(tab.updates[-1][0] == "last" for tab in tabs))
    orders = [[data for data, _ in tab.updates] for tab in tabs]
    # An update that was answered with an error may be delivered late: an error means that nothing is known.
    assert orders[0] in [["before", *["lost"] * late, "last"] for late in range(7)]
    assert all(order == orders[0] for order in orders)
    assert not any(tab.has_ended() or tab.restarts for tab in tabs)
    for tab in tabs[:2]:
        assert tab.numbers == list(range(1, len(tab.updates) + 1))
    for tab in tabs:
        tab.cut()


@LOST_REDIS_OF_UPDATES
def test_a_server_that_hears_nothing_catches_up(servers: Servers, mortal_redis: RedisServer) -> None:
    """Whatever it did not hear of, its subscribers have, once it hears again."""
    tabs = [Tab("alice"), Tab("alice", with_position=False)]
    for tab in tabs:
        tab.connect(servers[1])
    for number in range(20):
        with closing(mortal_redis.client()) as client:
            client.client_kill_filter(_type="pubsub")
        for _ in range(3):
            send(servers[0], number)
    eventually(came(tabs, 60))
    for tab in tabs:
        assert [data for data, _ in tab.updates] == [number for number in range(20) for _ in range(3)]
        assert not tab.has_ended()
        tab.cut()


def test_the_subscribers_of_a_killed_server_are_soon_not_counted(servers: Servers) -> None:
    """Where nobody is left, at once."""
    here, there, lonely = Tab("alice"), Tab("alice"), Tab("bob")
    here.connect(servers[0])
    there.connect(servers[1])
    lonely.connect(servers[1])
    assert send(servers[0], 1)["subscribers"] == 2
    assert send(servers[0], 1, "bob")["subscribers"] == 1
    servers[1].kill()
    assert send(servers[0], 2, "bob")["subscribers"] == 0
    eventually(lambda: send(servers[0], 2)["subscribers"] == 1)
    there.cut()
    there.connect(servers[0])
    eventually(lambda: there.numbers == here.numbers)
    for tab in (here, there):
        assert tab.numbers == list(range(1, len(tab.updates) + 1))
        tab.cut()


def test_nothing_that_a_server_says_passes_the_message_queue(servers: Servers, mortal_redis: RedisServer) -> None:
    """Every door is used, well and badly: in Redis only ASF's own keys and channels are touched."""
    commands: list[str] = []
    with closing(mortal_redis.client()) as client, client.monitor() as monitor:
        servers[0].announce("s", audio_of(20_000))
        for server in servers:
            listener = WireListener(server.url, polling=False)
            listener.emit("join_stream", {"stream_id": "s"})
            listener.receive_until("end_of_stream")
            listener.emit("join_stream", {})
            listener.receive_until("error")
            listener.close()
            polling = WireListener(server.url, polling=True)
            polling.emit("join_stream", {"stream_id": "unknown"})
            polling.receive_until("stream_error")
            polling.close()
            plain = PlainListener(server.url, "s")
            plain.receive_to_the_end()
            assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).status_code == 200
            tab = Tab("alice")
            tab.connect(server)
            send(server, 1)
            eventually(came([tab], 1))
            tab.cut()
            wrong = Tab("")
            wrong.connect(server)
            assert wrong.answers[0][0] == "ui_error"
            wrong.cut()
        with closing(mortal_redis.client()) as other:
            other.set("asf:1:last", 1)
        while not commands or "asf:1:last" not in commands[-1]:
            commands.append(monitor.next_command()["command"])
    published = [command.split() for command in commands if command.upper().startswith(("PUBLISH", "SPUBLISH"))]
    assert {words[1].split(":")[0] for words in published} == {"asf"}
    assert [command for command in commands if "asf:1:" not in command and command.split()[0] not in BARE] == []


BARE = {"HELLO", "PING", "TIME", "INFO", "SUBSCRIBE", "CLIENT", "SCRIPT", "MULTI", "EXEC"}
"""Commands without a key. What is subscribed to is no word of ASF's."""


def test_others_may_emit_through_the_message_queue(servers: Servers, mortal_redis: RedisServer) -> None:
    """Flask-SocketIO's own way for other processes, to the clients of all servers."""
    tabs = [Tab("alice", with_position=False) for _ in servers]
    for server, tab in zip(servers, tabs, strict=True):
        tab.connect(server)
    outside = socketio.RedisManager(mortal_redis.url, channel="flask-socketio", write_only=True)

    def emit() -> bool:
        outside.emit("n", {"from": "outside"}, namespace=NAMESPACE)
        return all(tab.updates for tab in tabs)

    eventually(emit)  # Servers listen to it from their first client on.
    for tab in tabs:
        assert tab.updates[0] == ({"from": "outside"}, None)
        tab.updates.clear()
    mortal_redis.kill()
    mortal_redis.start()
    eventually(emit)
    for tab in tabs:
        tab.cut()
    outside.redis.close()
