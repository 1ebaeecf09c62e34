"""A failover behind an address: open connections still lead to the old Redis, a replica now, new ones to its heir."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis

from asf.adapters.redis_store import pubsub
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.pubsub import CONNECTION_SECONDS, RedisPubSub
from asf.adapters.redis_store.queues.reader import QueueReader
from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog
from asf.adapters.redis_store.wrong_server import CAUSES, cause_of
from asf.domain.errors import CatalogUnavailable, UiEmitFailed
from asf.domain.streams.stream import AudioStream, FileLocator
from asf.domain.updates.update import UiUpdate
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.faults import FAILOVER
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer
from tests.support.sentinels import replicate

pytestmark = [pytest.mark.usefixtures("patient_news"), pytest.mark.programs]

STREAM = AudioStream("strm_1", FileLocator("/audio/one.mp3"))
REPLICA = CAUSES["READONLY"]


@dataclass
class Address:
    """Where servers find Redis: a proxy that keeps connections open, in front of `leader`, who may become `heir`."""

    proxy: CuttingProxy
    leader: RedisServer
    heir: RedisServer

    @property
    def url(self) -> str:
        """The value of `ASF_REDIS_URL`."""
        return self.leader.url.replace(str(self.leader.port), self.proxy.url.rpartition(":")[2])

    def demote(self) -> None:
        """Make the leader a replica of its heir. The address still leads to the leader."""
        with closing(self.heir.client()) as client:
            client.replicaof("NO", "ONE")
        replicate(self.leader, self.heir)

    def turn(self) -> None:
        """Let new connections lead to the heir."""
        self.proxy.target_port = self.heir.port


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Address]:
    """Return an address in front of a Redis that has a replica."""
    leader, heir = (RedisServer(tmp_path / name) for name in ("leader", "heir"))
    replicate(heir, leader)
    proxy = CuttingProxy(leader.port, iter(()))
    yield Address(proxy, leader, heir)
    proxy.close()
    proxy.cut()
    leader.stop()
    heir.stop()


@dataclass
class Server:
    """What a server has of Redis."""

    client: redis.Redis
    pubsub: RedisPubSub
    store: RedisCatalogStore
    log: RedisUpdateLog


@pytest.fixture
def server(address: Address) -> Iterator[Server]:
    """Return what a server has, subscribed; `log.run` is left to the test."""
    client = connect(address.url)
    subscriber = RedisPubSub(client)
    epochs = count()
    store = RedisCatalogStore(client, subscriber)
    log = RedisUpdateLog(client, subscriber, Limits(10, 60.0), lambda: f"epoch-{next(epochs)}")
    thread = threading.Thread(target=subscriber.run, daemon=True)
    thread.start()
    eventually(lambda: subscriber.is_connected)
    yield Server(client, subscriber, store, log)
    subscriber.close()
    thread.join(STOP_SECONDS)
    client.close()


def append(server: Server) -> object:
    """Send an update."""
    return server.log.append(UiUpdate("alice", "progress", "0"), 0.0, 0.0)


WRITES: dict[str, Callable[[Server], object]] = {
    "script": lambda server: server.store.put(STREAM, None, 10),
    "script with arguments": append,
    "pipeline": lambda server: server.store.check(),
}


@FAILOVER
@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_one_refusal_is_enough(address: Address, server: Server, write: Callable[[Server], object]) -> None:
    """It names the cause; the next attempt goes to the heir, over whichever connection."""
    pool: Any = server.client.connection_pool
    for connection in [pool.get_connection() for _ in range(3)]:
        connection.send_command("PING")  # The proxy may connect late.
        assert connection.read_response() == b"PONG"
        pool.release(connection)
    address.demote()
    address.turn()
    with pytest.raises((CatalogUnavailable, UiEmitFailed), match=REPLICA):
        write(server)
    server.store.put(STREAM, None, 10)
    append(server)
    with closing(address.heir.client()) as client:
        assert client.hexists("asf:1:catalog:streams", "strm_1")
    with closing(address.leader.client()) as client:  # Its own, and that of the heir's replica-to-be.
        eventually(lambda: not [each for each in client.client_list() if each["cmd"] in {"evalsha", "get", "set"}])


@FAILOVER
def test_a_quiet_server_finds_out_by_its_heartbeat(address: Address, server: Server) -> None:
    """Nobody asks it for anything; what is announced at the heir's other servers is reported here."""
    told: list[AudioStream | None] = []
    server.store.on_change.connect(lambda _, stream: told.append(stream))
    server.store.follow("strm_1")
    thread = threading.Thread(target=server.log.run, daemon=True)
    thread.start()
    address.demote()
    address.turn()
    with closing(address.heir.client()) as client:
        eventually(lambda: client.pubsub_numsub("asf:1:catalog:news:strm_1")[0][1] == 1)
    with closing(connect(address.heir.url)) as client:
        RedisCatalogStore(client, RedisPubSub(client)).put(STREAM, None, 10)
    eventually(lambda: told == [STREAM])
    server.log.close()
    thread.join(STOP_SECONDS)


@FAILOVER
def test_pubsub_leaves_too_when_all_other_connections_are_new(address: Address, server: Server) -> None:
    """Nothing is refused then, and the replica that was left behind might receive nothing any more."""
    thread = threading.Thread(target=server.log.run, daemon=True)
    server.store.follow("strm_1")
    server.client.connection_pool.disconnect()
    address.demote()
    address.turn()
    thread.start()
    with closing(address.heir.client()) as client:
        eventually(lambda: client.pubsub_numsub("asf:1:catalog:news:strm_1")[0][1] == 1)
    server.log.close()
    thread.join(STOP_SECONDS)


@FAILOVER
def test_it_is_not_connected_while_the_address_leads_to_a_replica(
    address: Address, server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although that can be subscribed to; and it is connected when the address leads to the heir."""
    server.store.follow("strm_1")
    address.demote()
    with pytest.raises(CatalogUnavailable, match=REPLICA):
        server.store.check()
    assert not server.pubsub.is_connected
    eventually(lambda: "Not subscribed to Redis" in caplog.text)
    assert "read only replica" in caplog.text
    monkeypatch.setattr(pubsub, "CONNECTION_SECONDS", CONNECTION_SECONDS)
    with pytest.raises(CatalogUnavailable, match=REPLICA):
        server.store.follow("strm_2")
    assert not server.pubsub.is_connected
    address.turn()
    eventually(lambda: server.pubsub.is_connected)
    server.store.check()


@FAILOVER
def test_the_reader_of_queues_leaves_too(address: Address, server: Server) -> None:
    """It only reads, which a replica permits for ever."""
    server.store.check()
    reader = QueueReader(server.client)
    assert reader.heads([b"asf:1:queue:one"]) == {b"asf:1:queue:one": b""}
    address.demote()
    address.turn()
    with pytest.raises(CatalogUnavailable):
        server.store.check()
    with pytest.raises(redis.ConnectionError, match=REPLICA):
        reader.heads([b"asf:1:queue:one"])
    with closing(address.heir.client()) as client:
        client.xadd("asf:1:queue:one", {"offset": 0, "audio": b"x"})
    assert reader.heads([b"asf:1:queue:one"])[b"asf:1:queue:one"]
    reader.disconnect()


def test_a_connection_in_use_is_closed_when_it_is_returned(address: Address, server: Server) -> None:
    """Its command is not disturbed."""
    pool: Any = server.client.connection_pool
    connection = pool.get_connection()
    server.store.check()
    address.demote()
    with pytest.raises(CatalogUnavailable):
        server.store.check()
    connection.send_command("ECHO", "still here")
    assert connection.read_response() == b"still here"
    pool.release(connection)
    assert not connection.is_connected


REPLIES = {
    b"-READONLY You can't write against a read only replica.": "READONLY",
    b"-READONLY You can't write against a read only replica. script: 4be3, on @user_script:12.": "READONLY",
    b"-ERR Error running script (call to f_4be3): @user_script:9: @user_script: 9: "
    b"-READONLY You can't write against a read only replica.": "READONLY",
    b"-LOADING Redis is loading the dataset in memory": "LOADING",
    b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": "MASTERDOWN",
    b"-CLUSTERDOWN The cluster is down": "CLUSTERDOWN",
    b"-NOAUTH Authentication required.": "NOAUTH",
    b"-NOREPLICAS Not enough good replicas to write.": "NOREPLICAS",
    b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "UNBLOCKED",
    b"-EXECABORT Transaction discarded because of: READONLY You can't write": "READONLY",
    b"-ERR unknown command 'READONLY'": None,
    b"-WRONGTYPE Operation against a key holding the wrong kind of value": None,
    b"-OOM command not allowed when used memory > 'maxmemory'.": None,
    b"-NOPERM this user has no permissions to run the 'set' command": None,
}


@pytest.mark.parametrize(("reply", "code"), REPLIES.items())
def test_what_only_the_wrong_redis_says_closes_the_connection(reply: bytes, code: str | None) -> None:
    """And nothing else does: other refusals are answers of the right one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}/0?socket_timeout={PATIENCE_SECONDS}"
        with closing(connect(url)) as client:
            pool: Any = client.connection_pool
            connection = pool.get_connection()
            pool.release(connection)
            with listening.accept()[0] as peer:
                peer.sendall(reply + b"\r\n")
                connection.send_command("SET", "one", "1")
                with pytest.raises(redis.RedisError) as caught:
                    connection.read_response()
            assert cause_of(caught.value) == (CAUSES[code] if code else None)
            assert details_of(caught.value) == CAUSES[code] if code else "Redis" in details_of(caught.value)
            assert connection.is_connected == (code is None)
            assert pool.generation == (1 if code else 0)


def test_the_log_names_the_cause_and_is_not_flooded(
    address: Address, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """However many commands are refused meanwhile."""
    address.demote()
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            with pytest.raises(CatalogUnavailable, match=REPLICA):
                server.store.put(STREAM, None, 10)
    lines = [line.getMessage() for line in caplog.records if "closing all connections" in line.getMessage()]
    assert len(lines) == 1
    assert "read only replica" in lines[0]
