"""What is told of a failing Redis: nothing of the inside to clients, all of it, but not every time, to operators."""

import logging

import pytest
import redis

from asf.adapters.redis_store import failures
from asf.adapters.redis_store.failures import details_of


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (redis.TimeoutError("Timeout reading from 10.0.0.5:6379"), "Redis takes too long."),
        (TimeoutError("timed out"), "Redis takes too long."),
        (redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379"), "Redis cannot be reached."),
        (OSError("10.0.0.5"), "Redis cannot be reached."),
        (redis.AuthenticationError("invalid username-password pair"), "Redis does not permit it."),
        (redis.exceptions.NoPermissionError("user asf has no permissions"), "Redis does not permit it."),
        (redis.exceptions.OutOfMemoryError("command not allowed"), "Redis has no more memory."),
        (redis.ResponseError("script: 4be3, on @user_script:12"), "Redis refuses."),
    ],
)
def test_clients_hear_nothing_of_the_inside(error: Exception, details: str) -> None:
    """Neither addresses nor users nor scripts."""
    assert details_of(error) == details


def test_operators_hear_what_it_was(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Once in a while: there may be thousands of failures a second."""
    monkeypatch.setattr(failures, "COMPLAINT_SECONDS", 3600.0)
    monkeypatch.setattr(failures._Complaint, "said_at", float("-inf"))  # noqa: SLF001
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            details_of(redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379"))
    assert [record.getMessage() for record in caplog.records] == [
        "Redis: ConnectionError: Error 111 connecting to 10.0.0.5:6379"
    ]
