"""Fixtures that start servers."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from math import inf
from pathlib import Path

import pytest

from asf.adapters.redis_store import pubsub
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess
from tests.support.redis_server import RedisServer
from tests.support.sentinels import SentinelTrio
from tests.support.store_proxy import StoreProxy
from tests.support.swift_server import SwiftServer

StartServer = Callable[..., ServerProcess]

AUDIO_PIECE_BYTES = 1 << 20


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Return a function that starts a server with some settings. All are stopped at the end, cleanly."""
    servers: list[ServerProcess] = []

    def start(
        environment: Mapping[str, str] | None = None, *, observed: bool = False, wrapper: Sequence[str] = ()
    ) -> ServerProcess:
        # A database has one server at a time.
        if not (environment or {}).get("ASF_REDIS_URL") and any(one.process.poll() is None for one in servers):
            environment = {"ASF_DATABASE": f"./var/asf-{len(servers)}.sqlite3", **(environment or {})}
        servers.append(ServerProcess(tmp_path, environment, observed=observed, wrapper=wrapper))
        return servers[-1]

    yield start
    for server in servers:
        assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server with the default settings, shared by the tests of a module."""
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a Redis server for tests that leave it as it is, and keep to keys of their own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def persistent_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis server of the test's own, to do harm to, which writes down what it does."""
    server = RedisServer(tmp_path / "redis", persistent=True)
    yield server
    server.stop()


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis server of the test's own, to do harm to."""
    server = RedisServer(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelTrio]:
    """Return a Redis with a replica, and three Sentinels, of the test's own, to do harm to."""
    trio = SentinelTrio(tmp_path / "trio")
    yield trio
    trio.stop()


@pytest.fixture
def endless_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no task yield because it has worked for long: on a busy machine every step may have."""
    monkeypatch.setattr("asf.adapters.eventlet_runtime.turns.TURN_SECONDS", inf)


@pytest.fixture
def patient_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever wants to follow a topic wait for Redis as long as a busy machine takes."""
    monkeypatch.setattr(pubsub, "CONNECTION_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(pubsub, "CONFIRMATION_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """Return an object store for tests that keep to keys of their own."""
    server = SwiftServer(tmp_path_factory.mktemp("swift"))
    yield server
    server.stop()


@pytest.fixture
def store_proxy(swift: SwiftServer) -> Iterator[StoreProxy]:
    """Return a proxy in front of the object store, which counts, and does what it is told to."""
    proxy = StoreProxy(swift.port)
    yield proxy
    proxy.close()


@lru_cache(maxsize=2)
def audio_of(length: int, seed: int = 1) -> bytes:
    """Return bytes in which a misplaced piece shows; the same object as long as a test works with few of them."""
    # In pieces: all at once would take the memory twice.
    source, audio = random.Random(seed), BytesIO()
    for start in range(0, length, AUDIO_PIECE_BYTES):
        audio.write(source.randbytes(min(AUDIO_PIECE_BYTES, length - start)))
    return audio.getvalue()
