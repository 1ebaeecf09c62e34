"""What this package needs of connections. Whichever runtime holds the sockets provides it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from asf.domain.streaming.audio import AudioBatch


class MessageTransport(Protocol):
    """One connection, as something that text messages are sent on, in order and without waiting."""

    @property
    def queued_messages(self) -> int:
        """How many messages wait to be sent, without those of `send_late`."""
        ...

    @property
    def queued_bytes(self) -> int:
        """How many bytes those have together."""
        ...

    @property
    def queued_late(self) -> int:
        """How many messages of `send_late` wait to be sent."""
        ...

    def send(self, text: str) -> bool:
        """Send a text message, now or behind those that wait. Returns False when the connection is gone."""
        ...

    def send_late(self, render: Callable[[], str]) -> bool:
        """Send a text message that is made only when it goes out: while it waits, its text takes no memory.

        Returns False when the connection is gone.
        """
        ...

    def keep(self) -> None:
        """Take the connection for one that is of use: only such ones may stay for long."""
        ...

    def disconnect(self) -> None:
        """Break the connection off."""
        ...


class AudioTransport(Protocol):
    """One connection, as emitters see it: messages are queued on it, and audio may pass the queue."""

    @property
    def is_direct(self) -> bool:
        """Whether audio may pass the queue, by `send_audio`. Else it is queued, as far as there is `room`."""
        ...

    @property
    def room(self) -> int:
        """How many more chunks may be queued now."""
        ...

    def send_texts(self, texts: Sequence[str]) -> bool:
        """Send text messages straight to the connection. Returns False, and sends none, where that cannot be now."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send chunks straight to the connection, each as a binary message behind the text message `envelope`.

        `start` and `stop` are offsets in the audio, inside `batch`. Returns how many bytes of audio were taken.
        """
        ...

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as the connection may take audio. None forgets an earlier one."""
        ...


class SocketIoTransport(MessageTransport, AudioTransport, Protocol):
    """One Socket.IO connection."""


class WebSocketConnection(AudioTransport, Protocol):
    """One plain WebSocket connection."""

    def receive(self) -> str | bytes | None:
        """Wait for the next message: text, or binary; None at the end of the connection."""
        ...

    def when_throttled(self, callback: Callable[[], None]) -> None:
        """Call `callback` when messages come faster than they are read; not more often than is good to know."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the connection after all that was sent before, with a close code (RFC 6455, section 7.4).

        Nothing can be sent any more. A second call changes nothing.
        """
        ...
