"""The way of UI updates into Socket.IO."""

from typing import Any

import pytest

from asf.adapters.realtime_api import SocketIoUiUpdateEmitter
from asf.domain import UiUpdate
from asf.domain.errors import UiEmitFailed


class FakeSocketIo:
    """Keeps what is emitted, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.emitted: list[tuple[Any, ...]] = []

    def emit(self, *arguments: Any, to: str, namespace: str) -> None:
        if self.failure:
            raise self.failure
        self.emitted.append((*arguments, to, namespace))


@pytest.mark.parametrize("data", [None, [], [1, 2], {"a": 1}, "text"])
def test_data_is_always_one_argument(data: Any) -> None:
    """Null and lists too, which Socket.IO would take for none and for several."""
    socketio = FakeSocketIo()
    SocketIoUiUpdateEmitter(socketio, "/ui_updates").emit("connection", UiUpdate("alice", "e", data))
    assert socketio.emitted == [("e", (data,), "connection", "/ui_updates")]


def test_a_failure_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it was; the library's exception does not cross the port."""
    emitter = SocketIoUiUpdateEmitter(FakeSocketIo(RuntimeError("no queue")), "/ui_updates")
    with pytest.raises(UiEmitFailed, match="RuntimeError: no queue"):
        emitter.emit("connection", UiUpdate("alice", "e", 1))
    assert "Emitting a UI update failed" in caplog.text
