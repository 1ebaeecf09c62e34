"""Servers whose Redis is named by Sentinels follow it through failovers. Real Redis servers and real Sentinels."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis
import requests
import socketio

from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS
from tests.support.bursts import Watcher
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import audio_of
from tests.support.fuse_disk import FuseDisk
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.queue_producer import QueueProducer
from tests.support.redis_server import RedisServer
from tests.support.sentinels import MASTER, SentinelTrio

AUDIO = audio_of(600_001)
SETTINGS = {
    "ASF_STALL_SECONDS": "60",
    "ASF_STREAM_SLEEP_INTERVAL": "0",
    "TEST_CONFIRMATION_SECONDS": str(PATIENCE_SECONDS),
}
CHANNEL = "flask-socketio"

StartNode = Callable[..., ServerProcess]


@pytest.fixture
def start_node(tmp_path: Path, sentinels: SentinelTrio) -> Iterator[StartNode]:
    """Return a function that starts a server, by default on all Sentinels. All are stopped at the end, cleanly."""
    nodes: list[ServerProcess] = []

    def start(url: str = "", wrapper: tuple[str, ...] = (), **settings: str) -> ServerProcess:
        environment = SETTINGS | {"ASF_REDIS_URL": url or sentinels.url} | settings
        nodes.append(ServerProcess(tmp_path, environment, observed=True, wrapper=wrapper))
        return nodes[-1]

    yield start
    for node in nodes:
        assert node.stop() == 0, "".join(node.log)
        assert not any("Traceback (" in line for line in node.log), "".join(node.log)


def is_ready(node: ServerProcess) -> bool:
    """Return whether it accepts listeners."""
    return requests.get(f"{node.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code == 200


def has_nodes(server: RedisServer, count: int) -> bool:
    """Return whether so many are subscribed there. It may close the connection: on its change to a replica."""
    with suppress(redis.ConnectionError), closing(server.client()) as client:
        return bool(client.pubsub_numsub(CHANNEL)[0][1] == count)
    return False


def wait_for(nodes: list[ServerProcess], master: RedisServer) -> None:
    """Wait until the nodes are ready and subscribed to that Redis."""
    eventually(lambda: has_nodes(master, len(nodes)))
    for node in nodes:
        eventually(lambda: is_ready(node))  # noqa: B023 - used at once


def wait_for_replica(master: RedisServer) -> None:
    """Wait until its replica has everything that it has acknowledged."""
    with closing(master.client()) as client:
        assert client.wait(1, int(PATIENCE_SECONDS * 1000)) >= 1


def send(node: ServerProcess, number: int) -> bool:
    """Send an update; return whether it was answered with 200."""
    return node.send_ui_update("alice", "n", number).status_code == 200


def asked_for(trio: SentinelTrio) -> None:
    """As an operator does it, before the old master is stopped."""
    trio.fail_over()


def killed(trio: SentinelTrio) -> None:
    """Without a word."""
    master = trio.master
    master.kill()
    trio.wait_for_failover(master)


def hung(trio: SentinelTrio) -> None:
    """Its connections stay open, and it returns as a master that does not know of the failover."""
    master = trio.master
    master.hang()
    trio.wait_for_failover(master)
    master.resume()


CAUSES = {"asked for": asked_for, "killed": killed, "hung": hung}


@pytest.mark.parametrize("fail_over", CAUSES.values(), ids=list(CAUSES))
def test_a_failover(
    start_node: StartNode, sentinels: SentinelTrio, fail_over: Callable[[SentinelTrio], None]
) -> None:
    """Audio continues; what Redis had acknowledged and replicated is there; joins, updates and queues work again."""
    url = sentinels.url_with(HUNG_SECONDS)
    nodes = [start_node(url), start_node(url)]
    before = sentinels.master
    wait_for(nodes, before)
    path = nodes[0].audio_root / "file.mp3"
    path.write_bytes(AUDIO[:100_000])
    nodes[0].notify("file", str(path), state="generating").raise_for_status()
    producer = QueueProducer(before.client(), "queue.mp3")
    producer.put_all(AUDIO[:200_000])
    nodes[1].notify("queue", producer.locator, state="generating").raise_for_status()
    listeners = [join(node, stream_id) for node in nodes for stream_id in ("file", "queue")]
    for listener, length in zip(listeners, [100_000, 200_000] * 2, strict=True):
        listener.receive_until_bytes(length)
    watcher = Watcher(nodes[1].url, "alice")
    eventually(lambda: watcher.items)
    answered = {number for number in range(20) if send(nodes[number % 2], number)}
    assert len(answered) == 20
    wait_for_replica(before)

    fail_over(sentinels)
    after = sentinels.master
    assert after is not before
    wait_for(nodes, after)

    answered |= {number for number in range(20, 40) if send(nodes[number % 2], number)}
    assert len(answered) == 40
    eventually(lambda: watcher.latest == 39)
    assert watcher.lost(answered) == 0
    assert watcher.told_missed == 0
    watcher.close(nodes[0])
    again = Watcher(nodes[0].url, "alice")
    eventually(lambda: again.latest == 39)
    assert again.lost(answered) == 0
    again.close(nodes[0])
    with path.open("ab") as file:
        file.write(AUDIO[100_000:])
    nodes[1].notify("file", str(path)).raise_for_status()
    rest = QueueProducer(after.client(), producer.name)
    rest.offset = producer.offset
    rest.put_all(AUDIO[200_000:])
    rest.end()
    for listener in listeners:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()
    waiting = join(nodes[0], "later", wait=True)
    nodes[1].announce("later", AUDIO)
    waiting.receive_until("end_of_stream")
    assert waiting.audio == AUDIO
    waiting.close()
    assert_message_queue(nodes, sentinels)
    assert any("Redis has failed over" in line for line in nodes[0].log)


def assert_message_queue(nodes: list[ServerProcess], sentinels: SentinelTrio) -> None:
    """Emit to the clients of all nodes from another process, which follows the master by itself."""
    addresses = ",".join(f"127.0.0.1:{one.port}" for one in sentinels.sentinels)
    outside = socketio.RedisManager(f"redis+sentinel://{addresses}/0/{MASTER}", channel=CHANNEL, write_only=True)
    clients = [socketio.SimpleClient() for _ in nodes]
    for client, node in zip(clients, nodes, strict=True):
        client.connect(node.url, namespace="/ui_updates", transports=["websocket"], wait_timeout=PATIENCE_SECONDS)
    outside.emit("hello", {"number": 1}, namespace="/ui_updates")
    for client in clients:
        while client.receive(PATIENCE_SECONDS)[0] != "hello":
            pass
        client.disconnect()
    outside.redis.close()


def test_a_second_failover_leads_back(start_node: StartNode, sentinels: SentinelTrio) -> None:
    """The first master has become a replica, and then the master again."""
    nodes = [start_node(sentinels.url_with(HUNG_SECONDS))]
    first = sentinels.master
    wait_for(nodes, first)
    assert send(nodes[0], 0)
    second = sentinels.fail_over()
    wait_for(nodes, second)
    assert send(nodes[0], 1)

    def is_replica() -> bool:
        with suppress(redis.ConnectionError), closing(first.client()) as client:
            return bool(client.info("replication").get("master_link_status") == "up")
        return False

    eventually(is_replica)
    eventually(lambda: all(one.is_ready() for one in sentinels.sentinels))
    wait_for(nodes, sentinels.fail_over())
    assert send(nodes[0], 2)


def test_some_sentinels_may_be_away_at_the_start(start_node: StartNode, sentinels: SentinelTrio) -> None:
    """The first one hangs, the second one does not run."""
    sentinels.sentinels[0].hang()
    sentinels.sentinels[1].kill()
    node = start_node(sentinels.url_with(HUNG_SECONDS))
    wait_for([node], sentinels.master)
    node.announce("s", AUDIO)
    with closing(join(node)) as listener:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
    eventually(lambda: any(f"{sentinels.sentinels[1].port} does not name" in line for line in node.log))


def test_all_sentinels_may_be_away(start_node: StartNode, sentinels: SentinelTrio) -> None:
    """At the start nothing is served, until one is there; later on, the master that was named last serves."""
    master = sentinels.master
    for number, sentinel in enumerate(sentinels.sentinels):
        if number:
            sentinel.kill()
        else:
            sentinel.hang()
    node = start_node(sentinels.url_with(HUNG_SECONDS))
    path = node.audio_root / "s.mp3"
    path.write_bytes(AUDIO)
    refused = node.notify("s", str(path))
    assert (refused.status_code, refused.json()["error_code"]) == (503, "ASF_CATALOG_UNAVAILABLE")
    assert refused.json()["details"] == "Redis is unreachable."
    assert not send(node, 0)
    assert not is_ready(node)
    assert requests.get(f"{node.url}/asf/health", timeout=PATIENCE_SECONDS).status_code == 200
    sentinels.sentinels[1].start()
    wait_for([node], master)
    assert send(node, 1)
    sentinels.sentinels[1].kill()
    with closing(master.client()) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    wait_for([node], master)
    assert send(node, 2)
    node.notify("s", str(path)).raise_for_status()
    sentinels.sentinels[0].resume()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FuseDisk]:
    """Return a disk that answers at the end, so that the server stops."""
    disk = FuseDisk(tmp_path)
    yield disk
    disk.recover()


def test_a_disk_hangs_while_redis_fails_over(
    start_node: StartNode, sentinels: SentinelTrio, disk: FuseDisk, tmp_path: Path
) -> None:
    """Two faults at a time: those who listen to another disk hear every byte, the others when theirs answers."""
    roots = f"{tmp_path / 'audio'}:{disk.mount_point}"
    node = start_node(sentinels.url_with(HUNG_SECONDS), tuple(disk.wrapper), ASF_AUDIO_ROOTS=roots)
    before = sentinels.master
    wait_for([node], before)
    local, far = node.audio_root / "local.mp3", disk.source / "far.mp3"
    for path in (local, far):
        path.write_bytes(AUDIO[:100_000])
    node.notify("local", str(local), state="generating").raise_for_status()
    node.notify("far", str(disk.mount_point / far.name), state="generating").raise_for_status()
    listeners: dict[str, list[WireListener | PlainListener]] = {
        stream_id: [join(node, stream_id), PlainListener(node.url, stream_id)] for stream_id in ("local", "far")
    }
    for each in listeners.values():
        for listener in each:
            listener.receive_until_bytes(100_000)
    wait_for_replica(before)
    disk.hang()
    with far.open("ab") as file:
        file.write(AUDIO[100_000:])
    before.kill()
    failing_over = threading.Thread(target=sentinels.wait_for_failover, args=(before,), daemon=True)
    failing_over.start()
    for start in range(100_000, len(AUDIO), 50_000):
        with local.open("ab") as file:
            file.write(AUDIO[start : start + 50_000])
        for listener in listeners["local"]:
            listener.receive_until_bytes(min(start + 50_000, len(AUDIO)))
        assert requests.get(f"{node.url}/asf/health", timeout=PATIENCE_SECONDS).status_code == 200
    failing_over.join()
    after = sentinels.master
    eventually(lambda: has_nodes(after, 1))
    eventually(lambda: send(node, 1))
    node.notify("local", str(local)).raise_for_status()
    disk.recover()
    eventually(lambda: node.notify("far", str(disk.mount_point / far.name)).status_code == 200)
    for each in listeners.values():
        for listener in each:
            if isinstance(listener, WireListener):
                listener.receive_until("end_of_stream")
            else:
                assert listener.receive_to_the_end() == 1000
            assert listener.audio == AUDIO
            listener.close()
