"""The listening socket keeps accepting when the machine runs short."""

import errno
import logging
import os
from typing import Any

import pytest

from asf.adapters.eventlet_runtime import listening
from asf.adapters.eventlet_runtime.listening import EventletListeningSocket

CONNECTION = ("connection", ("127.0.0.1", 50000))


class ScriptedSocket:
    """Fails a number of times, then accepts."""

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


def test_a_shortage_is_waited_out_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every attempt."""
    monkeypatch.setattr(listening, "ACCEPT_RETRY_SECONDS", 0.001)
    with caplog.at_level(logging.ERROR):
        assert EventletListeningSocket(ScriptedSocket(20, errno.EMFILE)).accept() == CONNECTION
    assert [record.getMessage() for record in caplog.records] == [
        f"Cannot accept connections: {os.strerror(errno.EMFILE)}"
    ]


def test_a_broken_socket_is_reported_and_no_longer_used() -> None:
    """The error is not temporary."""
    listener = EventletListeningSocket(ScriptedSocket(1, errno.EBADF))
    failures: list[OSError] = []
    listener.on_failure = failures.append
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        listener.accept()
    assert [error.errno for error in failures] == [errno.EBADF]
