"""URLs that name Sentinels."""

import pytest
from redis.connection import Connection, SSLConnection, parse_url

from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.sentinel_url import EXAMPLE, is_sentinel_url, parse_sentinel_url

FULL = (
    "rediss+sentinel://asf:p%40ss@s1.example:26379,s2.example,[::1]:7000/my%20master/2"
    "?sentinel_username=watcher&sentinel_password=a%26b%3D/c&socket_timeout=7&ssl_ca_certs=/ca.pem&client_name=x"
)


def test_all_parts() -> None:
    """User, password and database are Redis's; the Sentinels have their own, and share timeouts and certificates."""
    parts = parse_sentinel_url(FULL)
    assert parts.master_name == "my master"
    assert parse_url(parts.master_url) == {
        "host": "sentinel.invalid",
        "username": "asf",
        "password": "p@ss",
        "db": 2,
        "socket_timeout": 7,
        "ssl_ca_certs": "/ca.pem",
        "client_name": "x",
        "connection_class": SSLConnection,
    }
    assert list(parts.sentinels) == ["s1.example:26379", "s2.example:26379", "[::1]:7000"]
    for (host, port), url in zip(
        [("s1.example", 26379), ("s2.example", 26379), ("::1", 7000)], parts.sentinels.values(), strict=True
    ):
        assert parse_url(url) == {
            "host": host,
            "port": port,
            "username": "watcher",
            "password": "a&b=/c",
            "socket_timeout": 7,
            "ssl_ca_certs": "/ca.pem",
            "connection_class": SSLConnection,
        }


def test_the_least() -> None:
    """One Sentinel and the name of the master."""
    parts = parse_sentinel_url("redis+sentinel://s1/mymaster")
    assert parse_url(parts.master_url) == {"host": "sentinel.invalid"}
    assert {name: parse_url(url) for name, url in parts.sentinels.items()} == {
        "s1:26379": {"host": "s1", "port": 26379}
    }


def test_the_database_may_be_an_option() -> None:
    """As in redis-py's own URLs; and a password may be all that there is of a user."""
    parts = parse_sentinel_url("redis+sentinel://:word@s1:1/mymaster/?db=3")
    assert parse_url(parts.master_url) == {"host": "sentinel.invalid", "password": "word", "db": 3}


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://",
        "redis+sentinel://s1:26379",
        "redis+sentinel://s1:26379/",
        "redis+sentinel:///mymaster",
        "redis+sentinel://s1,/mymaster",
        "redis+sentinel://s1:0/mymaster",
        "redis+sentinel://s1:65536/mymaster",
        "redis+sentinel://s1:port/mymaster",
        "redis+sentinel://::1:7000/mymaster",
        "redis+sentinel://s1/0/mymaster",
        "redis+sentinel://s1/mymaster/0/1",
        "redis+sentinel://s1/mymaster#1",
        "redis+sentinel://:pa/ss@s1/mymaster",
    ],
)
def test_other_forms_are_rejected(url: str) -> None:
    """The text of the error has no part of the URL, in which a password may be."""
    assert is_sentinel_url(url)
    with pytest.raises(ValueError, match=r"form|HOST:PORT") as caught:
        parse_sentinel_url(url)
    assert "ss@" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """In what may be logged."""
    assert "p%40ss" not in repr(parse_sentinel_url(FULL))
    assert "a%26b" not in repr(parse_sentinel_url(FULL))


def test_connections_to_the_master_have_its_options() -> None:
    """As with redis-py's own URLs; without TLS and with it."""
    for url, kind in ((EXAMPLE, Connection), (FULL, SSLConnection)):
        pool = connect(url).connection_pool
        assert issubclass(pool.connection_class, kind)
        assert pool.connection_kwargs["password"] in {"password", "p@ss"}
