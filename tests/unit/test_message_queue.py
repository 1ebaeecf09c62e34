"""The message queue takes what other processes emit, and never holds up or fails whoever brings it."""

import json
import logging
import threading
from typing import Any

import pytest
import socketio

from asf.adapters.realtime_api.message_queue import MAX_UNREAD, MESSAGE_QUEUE_CHANNEL, MessageQueue
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually


class Emitted(MessageQueue):
    """A queue that records what it would emit to its clients."""

    def __init__(self) -> None:
        super().__init__(lambda _channel, _message: None)
        self.emitted: list[str] = []
        self.proceed = threading.Event()

    def start(self) -> None:
        """Do what the first client makes a server do."""
        self.set_server(socketio.Server(async_mode="threading"))
        self.initialize()
        eventually(lambda: self._is_read)

    def _handle_emit(self, message: dict[str, Any]) -> None:
        assert self.proceed.wait(PATIENCE_SECONDS)
        self.emitted.append(message["event"])


def message_of(event: str) -> bytes:
    """Return what another process publishes."""
    published: list[str] = []
    other = MessageQueue(lambda _channel, message: published.append(message))
    other.write_only = True
    other.emit(event, {"a": 1}, namespace="/n")
    return published[0].encode()


def test_messages_are_emitted_in_order_from_the_first_client_on() -> None:
    """Before, nobody would receive them."""
    queue = Emitted()
    queue.receive(message_of("early"))
    queue.start()
    for number in range(3):
        queue.receive(message_of(str(number)))
    queue.receive(b"no JSON")
    queue.receive(message_of("last"))
    queue.proceed.set()
    eventually(lambda: queue.emitted == ["0", "1", "2", "last"])


def test_a_flood_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever receives for the server does not wait, and the log has one line."""
    queue = Emitted()
    queue.start()
    with caplog.at_level(logging.WARNING):
        for _ in range(2 * MAX_UNREAD):
            queue.receive(message_of("x"))
    assert len([line for line in caplog.records if "queue is full" in line.getMessage()]) == 1
    queue.proceed.set()
    eventually(lambda: len(queue.emitted) >= MAX_UNREAD)
    assert len(queue.emitted) <= MAX_UNREAD + 1  # The one that was being emitted.


def test_what_cannot_be_published_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The library's managers never raise."""
    published: list[tuple[str, str]] = []

    def publish(channel: str, message: str) -> None:
        published.append((channel, message))
        raise OSError("away")

    queue = MessageQueue(publish)
    queue.write_only = True
    queue.emit("n", b"\x00", namespace="/n")
    assert published[0][0] == MESSAGE_QUEUE_CHANNEL
    assert json.loads(published[0][1])["event"] == "n"
    assert "away" in caplog.text
