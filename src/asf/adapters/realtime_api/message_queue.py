"""The message queue through which other processes emit to the clients of all servers."""

import json
import logging
from collections.abc import Callable, Iterator
from queue import Full, Queue
from typing import Any

from socketio import PubSubManager

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.realtime_api.clients import Clients

MESSAGE_QUEUE_CHANNEL = "flask-socketio"
"""Redis channel for other processes that emit to this server's clients: `SocketIO(message_queue=...)`'s default."""

MAX_UNREAD = 1000
"""Maximum number of messages that have arrived and were not emitted yet. Further ones are dropped."""

LOG_SECONDS = 10.0
"""Shortest interval between two log lines about dropped messages."""

logger = logging.getLogger(__name__)


class MessageQueue(Clients, PubSubManager):
    """What other processes publish on `MESSAGE_QUEUE_CHANNEL`, as Flask-SocketIO with `message_queue=` does.

    The subscriber of the channel calls `receive` with each message. `publish` publishes there; it may raise.
    ASF's own events do not pass through it: they would be published to every server.
    """

    name = "asf"

    def __init__(self, publish: Callable[[str, str], object]) -> None:
        super().__init__(channel=MESSAGE_QUEUE_CHANNEL)
        self._publish_on = publish
        self._unread: Queue[bytes] = Queue(MAX_UNREAD)
        self._is_read = False
        self._throttle = LogThrottle(LOG_SECONDS)

    def receive(self, message: bytes) -> None:
        """Emit what a message says, soon. Does not wait. Before the first client has connected nobody is there."""
        if not self._is_read:
            return
        try:
            self._unread.put_nowait(message)
        except Full:
            if self._throttle.permits():
                logger.warning("The message queue is full; messages of other processes are dropped")

    def _listen(self) -> Iterator[bytes]:
        self._is_read = True
        while True:
            yield self._unread.get()

    def _publish(self, data: Any) -> None:
        try:
            self._publish_on(self.channel, json.dumps(data))
        except Exception as error:  # noqa: BLE001 - as the library does
            logger.warning("Publishing to the message queue failed: %s", error)
