"""Redis failures: clients get no internals, and operators get the original in the log, throttled."""

import logging

import pytest
import redis

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.redis_store import failures
from asf.adapters.redis_store.failures import details_of


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (redis.TimeoutError("Timeout reading from 10.0.0.5:6379"), "Redis timed out."),
        (TimeoutError("timed out"), "Redis timed out."),
        (redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379"), "Redis is unreachable."),
        (OSError("10.0.0.5"), "Redis is unreachable."),
        (redis.AuthenticationError("invalid username-password pair"), "Redis denied permission."),
        (redis.exceptions.NoPermissionError("user asf has no permissions"), "Redis denied permission."),
        (redis.exceptions.OutOfMemoryError("command not allowed"), "Redis is out of memory."),
        (redis.ResponseError("script: 4be3, on @user_script:12"), "Redis rejected the command."),
    ],
)
def test_clients_get_no_internals(error: Exception, details: str) -> None:
    """Neither addresses nor users nor scripts."""
    assert details_of(error) == details


def test_operators_get_the_original(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Throttled: there may be thousands of failures a second."""
    monkeypatch.setattr(failures, "_throttle", LogThrottle(3600.0))
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            details_of(redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379"))
    assert [record.getMessage() for record in caplog.records] == [
        "Redis: ConnectionError: Error 111 connecting to 10.0.0.5:6379"
    ]
