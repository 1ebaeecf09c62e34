"""What is used of redis-py's own connections, whose methods are not documented, works with a real Redis."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
import redis

from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.dedicated_connection import DedicatedConnection
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.redis_server import RedisServer


@pytest.fixture
def client(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    """Return a client as servers have it."""
    with closing(connect(shared_redis.url)) as client:
        yield client


@pytest.fixture
def connection(client: redis.Redis) -> Iterator[DedicatedConnection]:
    """Return an open connection."""
    connection = DedicatedConnection(client)
    connection.connect()
    yield connection
    connection.disconnect()


def test_a_command_is_answered(connection: DedicatedConnection) -> None:
    """As bytes; an error reply is raised, and the connection stays open."""
    assert connection.ask("ECHO", "grüße") == "grüße".encode()
    with pytest.raises(redis.ResponseError):
        connection.ask("NO SUCH COMMAND")
    assert connection.is_connected
    assert connection.ask("ECHO", b"\xff") == b"\xff"


def test_it_is_not_one_of_the_pool(client: redis.Redis, connection: DedicatedConnection) -> None:
    """It keeps its own state, such as its id, whatever the client is asked."""
    own_id = connection.ask("CLIENT", "ID")
    assert client.client_id() != own_id
    assert connection.ask("CLIENT", "ID") == own_id


def test_options_replace_those_of_the_client(client: redis.Redis) -> None:
    """All others are kept."""
    name = uuid4().hex
    connection = DedicatedConnection(client, client_name=name)
    connection.ask("PING")
    assert [each["name"] for each in client.client_list()].count(name) == 1
    connection.disconnect()


def test_it_opens_itself_and_can_be_closed_twice(client: redis.Redis) -> None:
    """And opened again."""
    connection = DedicatedConnection(client)
    states = [connection.is_connected]
    connection.send("PING")
    states.append(connection.is_connected)
    assert connection.read(PATIENCE_SECONDS) == b"PONG"
    connection.disconnect()
    connection.disconnect()
    states.append(connection.is_connected)
    assert states == [False, True, False]
    connection.connect()
    connection.connect()
    assert connection.ask("PING") in {b"PONG", True}


def test_messages_are_read_beside_replies(client: redis.Redis, connection: DedicatedConnection) -> None:
    """In the order in which Redis sends them, as bytes."""
    channel = uuid4().hex.encode()
    connection.send("SUBSCRIBE", channel)
    assert connection.read(PATIENCE_SECONDS) == [b"subscribe", channel, 1]
    client.publish(channel.decode(), b"\x00\xff")
    assert connection.read(PATIENCE_SECONDS) == [b"message", channel, b"\x00\xff"]


@pytest.mark.parametrize("seconds", [0, 0.01])
def test_a_read_that_times_out_loses_nothing(
    client: redis.Redis, connection: DedicatedConnection, seconds: float
) -> None:
    """The connection stays open, and what arrives later can be read."""
    channel = uuid4().hex
    connection.send("SUBSCRIBE", channel)
    connection.read(PATIENCE_SECONDS)
    with pytest.raises(redis.TimeoutError):
        connection.read(seconds)
    assert connection.is_connected
    client.publish(channel, "late")
    assert connection.read(PATIENCE_SECONDS) == [b"message", channel.encode(), b"late"]


def test_a_lost_connection_is_an_error(client: redis.Redis, connection: DedicatedConnection) -> None:
    """For reads, and for questions."""
    client_id = connection.ask("CLIENT", "ID")
    client.client_kill_filter(_id=str(client_id))
    with pytest.raises((redis.ConnectionError, OSError)):
        connection.read(PATIENCE_SECONDS)
    connection.disconnect()
    client_id = connection.ask("CLIENT", "ID")
    client.client_kill_filter(_id=str(client_id))
    with pytest.raises((redis.ConnectionError, OSError)):
        connection.ask("PING")
    assert not connection.is_connected
