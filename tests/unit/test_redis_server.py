"""The Redis servers of the tests do what the tests rely on."""

from contextlib import closing
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.bounds import HUNG_SECONDS
from tests.support.redis_server import RedisServer


def test_what_was_kept_ends_with_the_process(mortal_redis: RedisServer) -> None:
    """It comes back empty, at the same address."""
    with closing(mortal_redis.client()) as client:
        client.set("key", "value")
        mortal_redis.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        mortal_redis.start()
        assert client.get("key") is None


def test_a_persistent_one_has_it_still(tmp_path: Path) -> None:
    """Even if it was killed."""
    server = RedisServer(tmp_path, persistent=True)
    try:
        with closing(server.client()) as client:
            client.set("key", "value")
            server.kill()
            server.start()
            assert client.get("key") == b"value"
    finally:
        server.stop()


def test_one_that_hangs_takes_connections_and_says_nothing(mortal_redis: RedisServer) -> None:
    """Until it goes on."""
    mortal_redis.hang()
    connection = redis.Redis(port=mortal_redis.port, socket_timeout=HUNG_SECONDS, retry=Retry(NoBackoff(), 0))
    with closing(connection) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        mortal_redis.resume()
        assert client.ping()


def test_stopping_twice_does_no_harm(mortal_redis: RedisServer) -> None:
    """Whether or not it hangs."""
    mortal_redis.hang()
    mortal_redis.stop()
    mortal_redis.stop()
