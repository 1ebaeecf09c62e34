"""UI updates that are not lost: subscribers that come back, and those that do not read."""

import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from asf import client
from tests.integration.test_ui_updates import Subscriber, has
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually

ALL = {"epoch": "", "seq": 0}
TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


def send(server: ServerProcess, client_id: str, *data: Any, event_name: str = "n") -> list[dict[str, Any]]:
    """Send updates, all in one request, and return the answers."""
    updates = [{"client_id": client_id, "event_name": event_name, "data": one} for one in data]
    url = f"{server.url}/asf/internal/send_ui_updates"
    answer = requests.post(url, json={"updates": updates}, timeout=PATIENCE_SECONDS)
    answer.raise_for_status()
    results: list[dict[str, Any]] = answer.json()["results"]
    assert all(result["status"] == "success" for result in results)
    return results


def run(scenario: Callable[[], Any]) -> None:
    """Run a scenario."""
    asyncio.run(scenario())


def longer_than(count: int) -> Callable[[list[Any]], bool]:
    """Return whether more than `count` events came."""
    return lambda events: len(events) > count


def places(events: list[tuple[Any, ...]]) -> list[tuple[Any, int]]:
    """Return the data and the number of all updates with a place."""
    return [(event[1], event[2]["seq"]) for event in events if len(event) == 3]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_what_was_sent_while_a_subscriber_was_away_follows(server: ServerProcess, transports: list[str]) -> None:
    """Once, in order, then live: from before it came first, and from between its connections."""
    client_id = f"alice-{len(transports)}-{transports[0]}"

    async def scenario() -> None:
        first = await asyncio.to_thread(send, server, client_id, *range(40))
        async with Subscriber(server.url, transports) as tab:
            await tab.subscribe({"client_id": client_id, "since": ALL})
            await tab.until(lambda events: len(events) == 42)
            confirmation = tab.events[1][1]
            assert (confirmation["recovered"], confirmation["seq"]) == (True, 40)
            await asyncio.to_thread(send, server, client_id, 40)
            await tab.until(lambda events: len(events) == 43)
            assert places(tab.events) == [(number, number + 1) for number in range(41)]
            assert set(tab.events[2][2]) == {"epoch", "seq", "timestamp"}
            assert abs(tab.events[2][2]["timestamp"] - time.time()) < 60
        await asyncio.to_thread(send, server, client_id, *range(41, 50))
        async with Subscriber(server.url, transports) as tab:
            await tab.subscribe({"client_id": client_id, "since": {"epoch": first[0]["epoch"], "seq": 41}})
            await tab.until(lambda events: len(events) == 11)
            assert places(tab.events) == [(number, number + 1) for number in range(41, 50)]

    run(scenario)


@pytest.mark.parametrize("since", [{"epoch": "another", "seq": 1}, {"epoch": "another", "seq": 0}, "the future"])
def test_a_place_that_is_not_known_is_no_partial_replay(server: ServerProcess, since: Any) -> None:
    """`recovered` is false, nothing is replayed, and it goes on live, with places."""
    client_id = f"bob-{json.dumps(since)}"

    async def scenario() -> None:
        (answer,) = await asyncio.to_thread(send, server, client_id, "old")
        place = {"epoch": answer["epoch"], "seq": 2} if since == "the future" else since
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": client_id, "since": place})
            await tab.until(has("subscribed_ui_updates"))
            assert tab.events[1][1]["recovered"] is False
            await asyncio.to_thread(send, server, client_id, "new")
            await tab.until(has("n"))
            assert places(tab.events) == [("new", 2)]

    run(scenario)


def test_what_is_no_longer_kept_is_no_partial_replay(start_server: StartServer) -> None:
    """By number here; three of five are kept."""
    server = start_server({"ASF_UI_HISTORY_SIZE": "3"})

    async def scenario() -> None:
        epoch = (await asyncio.to_thread(send, server, "alice", *range(5)))[0]["epoch"]
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.until(has("ui_connection_ack"))
            for seq, recovered in ((0, False), (1, False), (2, True), (4, True), (5, True)):
                tab.events.clear()
                await tab.subscribe({"client_id": "alice", "since": {"epoch": epoch, "seq": seq}})
                await tab.until(has("subscribed_ui_updates"))
                assert tab.events[0][1]["recovered"] is recovered
                expected = [(number, number + 1) for number in range(seq, 5)] if recovered else []
                await tab.until(longer_than(len(expected)))
                assert places(tab.events) == expected

    run(scenario)


@pytest.mark.parametrize(
    "since",
    [
        5,
        "text",
        [],
        True,
        {},
        {"epoch": "e"},
        {"seq": 1},
        {"epoch": 5, "seq": 1},
        {"epoch": None, "seq": 1},
        {"epoch": "e", "seq": "1"},
        {"epoch": "e", "seq": 1.5},
        {"epoch": "e", "seq": True},
        {"epoch": "e", "seq": -1},
        {"epoch": "e", "seq": 2**70},
        {"epoch": "e", "seq": None},
        {"epoch": {"a": "b"}, "seq": [1]},
    ],
)
def test_a_place_of_the_wrong_shape(server: ServerProcess, since: Any) -> None:
    """The error says so, nobody is subscribed, and the connection goes on."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "carol", "since": since})
            await tab.until(has("ui_error"))
            assert tab.events[-1][1]["error_code"] == "ASF_INVALID_PAYLOAD"
            await asyncio.to_thread(eventually, lambda: send(server, "carol", 1)[0]["subscribers"] == 0)
            await tab.subscribe({"client_id": "carol"})
            await tab.until(has("subscribed_ui_updates"))

    run(scenario)


def test_subscriptions_end_one_by_one(server: ServerProcess) -> None:
    """One connection may have several; ending one that is not there is an error."""

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as tab:
            for client_id in ("dave", "erin"):
                await tab.subscribe({"client_id": client_id})
            await tab.until(lambda events: len(events) == 3)
            await tab.unsubscribe({"client_id": "dave"})
            await tab.unsubscribe({"client_id": "dave"})
            await tab.unsubscribe({"client_id": 5})
            await tab.until(lambda events: len(events) == 5)
            codes = [event[1]["error_code"] for event in tab.events[3:]]
            assert codes == ["ASF_NOT_SUBSCRIBED", "ASF_SUBSCRIBE_INVALID_PAYLOAD"]
            await asyncio.to_thread(eventually, lambda: send(server, "dave", 1)[0]["subscribers"] == 0)
            assert (await asyncio.to_thread(send, server, "erin", 2))[0]["subscribers"] == 1
            await tab.until(has("n"))
            assert tab.events[-1] == ("n", 2)

    run(scenario)


def test_a_history_of_many_bytes_is_replayed_whole(server: ServerProcess) -> None:
    """More than may wait for one subscriber: it reads, after all."""
    letters = [letter * 300_000 for letter in "abcdefghijklmnopqrst"]

    async def scenario() -> None:
        for text in letters:
            await asyncio.to_thread(send, server, "frank", text)
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "frank", "since": ALL})
            await tab.until(lambda events: len(events) == 2 + len(letters))
            assert places(tab.events) == [(text, number) for number, text in enumerate(letters, 1)]

    run(scenario)


def test_a_subscriber_that_does_not_read_is_dropped(start_server: StartServer) -> None:
    """What waits for it is bounded, the others do not notice, and it recovers as it comes back."""
    server = start_server()
    deaf = connect_raw(server, "grace")
    before = server.memory()

    async def scenario() -> None:
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "grace"})
            await tab.until(has("subscribed_ui_updates"))
            sent = 0
            while "asf_ui_subscribers_dropped_total 1.0" not in await asyncio.to_thread(server.metrics):
                (answer,) = await asyncio.to_thread(send, server, "grace", "x" * 100_000)
                sent += 1
                assert sent < 200
            assert answer["subscribers"] == 1
            await tab.until(lambda events: len(events) == 2 + sent)
        # All that is kept for those that come back, and 1 MiB that waited.
        assert server.memory() - before < (sent + 30) * 100_000
        async with Subscriber(server.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "grace", "since": {"epoch": answer["epoch"], "seq": 1}})
            await tab.until(lambda events: len(events) == 1 + sent)
            assert tab.events[1][1]["recovered"] is True

    run(scenario)
    eventually(lambda: "asf_ui_subscriptions 0.0" in server.metrics())
    deaf.shutdown()


def test_a_poll_that_is_not_read_is_given_up(start_server: StartServer) -> None:
    """The answer is bounded in bytes and in time, and its connection goes with it."""
    server = start_server({"TEST_ANSWER_SECONDS": "1", "ASF_SLOW_LISTENER_SECONDS": "1"}, observed=True)
    path = "/socket.io/?EIO=4&transport=polling"
    with requests.Session() as polling:
        sid = json.loads(polling.get(server.url + path, timeout=PATIENCE_SECONDS).text[1:])["sid"]
        path += f"&sid={sid}"
        for packet in ("40/ui_updates,", '42/ui_updates,["subscribe_to_ui_updates",{"client_id":"heidi"}]'):
            assert polling.post(server.url + path, data=packet, timeout=PATIENCE_SECONDS).text == "OK"
        while "subscribed_ui_updates" not in polling.get(server.url + path, timeout=PATIENCE_SECONDS).text:
            pass
    send(server, "heidi", "x" * 1_000_000)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", server.port))
    assert is_open(server.port, deaf)
    deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    eventually(lambda: not is_open(server.port, deaf))
    deaf.close()


def is_open(port: int, client_socket: socket.socket) -> bool:
    """Return whether the server's end of a connection to `port` is established, by the kernel's table (proc(5))."""
    ends = f":{port:04X} 0100007F:{client_socket.getsockname()[1]:04X} "
    established = "01 "
    return any(ends + established in line for line in Path("/proc/net/tcp").read_text().splitlines())


def test_a_watch_that_is_cut_before_its_first_update_misses_nothing_in_silence(start_server: StartServer) -> None:
    """What came meanwhile and is no longer kept is said to be missing."""
    server = start_server({"ASF_UI_HISTORY_SIZE": "3"})
    proxy = CuttingProxy(server.port, iter(()))
    watching = client.watch(proxy.url, "ivan", history=True)
    assert next(watching) == client.Subscribed()
    send(server, "ivan", *range(3))
    assert [next(watching).data for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]
    watching.close()  # type: ignore[attr-defined]

    other = client.watch(proxy.url, "judy", history=True)
    assert next(other) == client.Subscribed()
    proxy.cut()
    eventually(lambda: "asf_ui_subscriptions 0.0" in server.metrics())
    send(server, "judy", *range(5))
    assert next(other) == client.Missed()
    send(server, "judy", "live")
    update = next(other)
    assert isinstance(update, client.Update)
    assert (update.data, update.seq) == ("live", 6)
    other.close()  # type: ignore[attr-defined]
    proxy.close()


def connect_raw(server: ServerProcess, client_id: str) -> websocket.WebSocket:
    """Subscribe by hand, and read no further."""
    url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
    narrow = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
    connection = websocket.create_connection(url, timeout=PATIENCE_SECONDS, sockopt=narrow)
    connection.recv()
    connection.send("40/ui_updates,")
    while "ui_connection_ack" not in str(connection.recv()):
        pass
    connection.send(f'42/ui_updates,["subscribe_to_ui_updates",{json.dumps({"client_id": client_id})}]')
    while "subscribed_ui_updates" not in str(connection.recv()):
        pass
    return connection


UPDATES = 4000
BATCH = 50
UPDATES_PER_SECOND = 1000


class Watcher(threading.Thread):
    """Watches, on the project's own client, until all updates came."""

    def __init__(self, url: str, client_id: str) -> None:
        super().__init__(daemon=True)
        self._items = client.watch(url, client_id, history=True)
        self.subscribed = threading.Event()
        self.updates: list[client.Update] = []
        self.missed = False
        self.start()

    def run(self) -> None:
        for item in self._items:
            match item:
                case client.Subscribed():
                    self.subscribed.set()
                case client.Missed():
                    self.missed = True
                case client.Update():
                    self.updates.append(item)
                    if len(self.updates) == UPDATES:
                        return


def test_no_update_is_lost_while_connections_are_cut(start_server: StartServer) -> None:
    """A thousand updates a second for one client, three subscribers, and connections that break all the time."""
    server = start_server({"ASF_UI_HISTORY_SIZE": str(UPDATES)})
    chance = random.Random(7)

    def cuts() -> Iterator[int]:
        at = 0
        while True:
            yield (at := at + chance.randrange(5_000, 60_000))

    proxy = CuttingProxy(server.port, cuts())
    watchers = [Watcher(proxy.url, "alice") for _ in range(3)]
    for watcher in watchers:
        assert watcher.subscribed.wait(PATIENCE_SECONDS)
    begin = time.monotonic()
    for start in range(0, UPDATES, BATCH):
        results = send(server, "alice", *range(start, start + BATCH))
        assert [result["seq"] for result in results] == list(range(start + 1, start + BATCH + 1))
        time.sleep(max(0.0, begin + (start + BATCH) / UPDATES_PER_SECOND - time.monotonic()))
    for watcher in watchers:
        watcher.join(STREAM_SECONDS)
        assert [update.data for update in watcher.updates] == list(range(UPDATES))
        assert [update.seq for update in watcher.updates] == list(range(1, UPDATES + 1))
        assert not watcher.missed
    proxy.close()
    assert proxy.cuts_made > 10
    relayed = [
        server.metric(f'asf_ui_updates_total{{outcome="{outcome}"}}') for outcome in ("relayed", "no_subscriber")
    ]
    assert sum(relayed) == UPDATES
    assert server.metric('asf_ui_recoveries_total{outcome="recovered"}') >= proxy.cuts_made / 2
    assert server.metric('asf_ui_recoveries_total{outcome="not_recovered"}') == 0
