"""The pub/sub channels of the clients that have subscribers on this server."""

import threading
from collections.abc import Callable
from functools import partial

from asf.adapters.redis_store.pubsub import RedisPubSub, SubscribeFailed
from asf.domain.errors import UiEmitFailed


class _Channel:
    """How many subscribers its client has here, and whether SUBSCRIBE was confirmed, or why not."""

    def __init__(self) -> None:
        self.subscribers = 1
        self.error: UiEmitFailed | None = None
        self.decided = threading.Event()


class Channels:
    """Subscribes to the channel of a client once, however many subscribers it has here.

    Channel names start with `prefix`; `receive` is called in the pub/sub reader with the client and the message.
    """

    def __init__(self, pubsub: RedisPubSub, prefix: str, receive: Callable[[str, bytes], object]) -> None:
        self._pubsub = pubsub
        self._prefix = prefix
        self._receive = receive
        self._channels: dict[str, _Channel] = {}

    def name_of(self, client_id: str) -> str:
        """Return the channel of a client."""
        return self._prefix + client_id

    def count_of(self, subject: str) -> int:
        """Return how many subscribers a client has here."""
        channel = self._channels.get(subject)
        return channel.subscribers if channel is not None else 0

    def subjects(self) -> list[str]:
        """Return the clients that have subscribers here."""
        return list(self._channels)

    def details_of(self, subject: str) -> str:  # noqa: ARG002 - others need the number only
        """Return nothing."""
        return ""

    def follow(self, client_id: str) -> None:
        """Count one more subscriber of a client, and wait until its channel is subscribed to.

        Raises `UiEmitFailed` if that fails, for all waiting subscribers; none of them is counted then.
        """
        channel = self._channels.get(client_id)
        if channel is not None:
            channel.subscribers += 1
            channel.decided.wait()
            if channel.error is not None:
                raise channel.error
            return
        channel = self._channels[client_id] = _Channel()
        try:
            self._pubsub.follow(self.name_of(client_id), partial(self._receive, client_id))
        except SubscribeFailed as error:
            del self._channels[client_id]
            channel.error = UiEmitFailed(str(error))
            raise channel.error from error
        finally:
            channel.decided.set()

    def unfollow(self, client_id: str) -> None:
        """Count one subscriber fewer, and unsubscribe from the channel of a client without any."""
        channel = self._channels[client_id]
        channel.subscribers -= 1
        if not channel.subscribers:
            del self._channels[client_id]
            self._pubsub.unfollow(self.name_of(client_id))
