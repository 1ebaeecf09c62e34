"""The listening socket goes on when the machine runs short."""

import errno
import logging
import os
from typing import Any

import pytest

from asf.adapters.eventlet_runtime import server
from asf.adapters.eventlet_runtime.server import Listener

CONNECTION = ("connection", ("127.0.0.1", 50000))


class ScriptedSocket:
    """Fails as often as it is told to, then accepts."""

    family = 0

    def __init__(self, failures: int, error_number: int) -> None:
        self.failures = failures
        self.error_number = error_number

    def getsockname(self) -> Any:
        return None

    def close(self) -> None:
        pass

    def accept(self) -> tuple[str, tuple[str, int]]:
        if self.failures:
            self.failures -= 1
            raise OSError(self.error_number, os.strerror(self.error_number))
        return CONNECTION


def test_a_shortage_is_waited_out_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every attempt."""
    monkeypatch.setattr(server, "ACCEPT_RETRY_SECONDS", 0.001)
    with caplog.at_level(logging.ERROR):
        assert Listener(ScriptedSocket(20, errno.EMFILE)).accept() == CONNECTION
    assert [record.getMessage() for record in caplog.records] == [
        f"A connection could not be accepted: {os.strerror(errno.EMFILE)}"
    ]


def test_a_broken_socket_is_told_and_no_more_used() -> None:
    """There is nothing to wait for."""
    listener = Listener(ScriptedSocket(1, errno.EBADF))
    told: list[OSError] = []
    listener.on_failure = told.append
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        listener.accept()
    assert [error.errno for error in told] == [errno.EBADF]
