"""A Redis that does not answer costs a second at most, and commands are not retried."""

import socket
from collections.abc import Iterator
from contextlib import closing
from queue import Empty, LifoQueue
from typing import Any

import pytest
import redis

from asf.adapters.eventlet_runtime.name_lookup import WAIT_SECONDS
from asf.adapters.redis_store.connection import (
    CONNECT_SECONDS,
    FIND_SECONDS,
    MAX_CONNECTIONS,
    POOL_SECONDS,
    RESPONSE_SECONDS,
    connect,
)
from asf.adapters.redis_store.master_finder import MasterFinder
from asf.adapters.redis_store.pool import FINAL_READ_SECONDS, WAIT_SLICES


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Return a socket that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # noqa: FBT003
        yield listening


def url_of(listening: socket.socket) -> str:
    """Return the URL of a Redis that listens there."""
    return f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def test_all_together_is_a_second_at_most() -> None:
    """Waiting for a connection, opening it, sending a command and waiting for the answer."""
    assert WAIT_SECONDS <= CONNECT_SECONDS  # for a name server that does not answer, instead of opening a connection
    assert POOL_SECONDS + CONNECT_SECONDS + 2 * RESPONSE_SECONDS + FINAL_READ_SECONDS <= 1.0
    # Sentinels that hang, and a master whose name is looked up.
    assert POOL_SECONDS + FIND_SECONDS + WAIT_SECONDS <= 1.0


def test_sentinels_share_the_time_to_connect(silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together is as long as without them, unless the URL has longer ones."""
    found: list[float] = []

    def find(_finder: object, seconds: float) -> tuple[str, int]:
        found.append(seconds)
        address: tuple[str, int] = silent.getsockname()
        return address

    monkeypatch.setattr(MasterFinder, "find", find)
    for options, seconds in (("", CONNECT_SECONDS), ("?socket_connect_timeout=3&socket_timeout=0.1", 3.0)):
        with closing(connect(f"redis+sentinel://sentinel.example/mymaster{options}")) as client:
            with pytest.raises(redis.TimeoutError):
                client.get("key")
            timeout = client.connection_pool.connection_kwargs["socket_connect_timeout"]
            assert found.pop() + min(timeout, CONNECT_SECONDS) == pytest.approx(seconds)


def test_a_command_that_is_not_answered_is_sent_once_with_these_time_outs(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one connection, one command, and the error."""
    handed: list[float | None] = []

    def set_time_out(connection: socket.socket, seconds: float | None) -> None:
        handed.append(seconds)
        original(connection, seconds)

    original: Any = socket.socket.settimeout
    with closing(connect(url_of(silent))) as client:
        monkeypatch.setattr(socket.socket, "settimeout", set_time_out)
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        monkeypatch.undo()
    assert set(handed) == {CONNECT_SECONDS, RESPONSE_SECONDS, FINAL_READ_SECONDS}
    with silent.accept()[0] as connection:
        assert connection.recv(1000) == b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
        assert connection.recv(1000) == b""
    with pytest.raises(BlockingIOError):
        silent.accept()


def test_a_free_connection_is_waited_for_in_parts(silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections are in use, and Redis answers on none of them: the parts are the timeout together."""
    with closing(connect(url_of(silent))) as client:
        pool = client.connection_pool
        taken = [pool.get_connection() for _ in range(MAX_CONNECTIONS)]
        waits: list[float | None] = []

        def get(_places: object, _block: bool, seconds: float | None) -> Any:
            waits.append(seconds)
            raise Empty

        monkeypatch.setattr(LifoQueue, "get", get)
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        monkeypatch.undo()
        assert waits == [POOL_SECONDS / WAIT_SLICES] * WAIT_SLICES
        for connection in taken:
            pool.release(connection)


def test_a_url_may_have_time_outs_of_its_own(silent: socket.socket) -> None:
    """For a Redis that is far away."""
    with closing(connect(url_of(silent) + "?socket_timeout=7&socket_connect_timeout=8&timeout=9")) as client:
        pool: Any = client.connection_pool
        assert (pool.connection_kwargs["socket_timeout"], pool.connection_kwargs["socket_connect_timeout"]) == (7, 8)
        assert pool.timeout == 9
