"""What this package needs from connections, as protocols. The packages that hold the connections implement them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from asf.domain.peer import Peer
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.intake import Intake


class MessageTransport(Protocol):
    """One connection on which text messages are sent in order and without waiting."""

    @property
    def peer(self) -> Peer:
        """Who is connected, and how."""
        ...

    @property
    def queued_messages(self) -> int:
        """Number of messages that wait to be sent, without those of `send_late`."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Size of the messages that wait to be sent, without those of `send_late`."""
        ...

    @property
    def queued_late(self) -> int:
        """Number of messages of `send_late` that wait to be sent."""
        ...

    def send(self, text: str) -> bool:
        """Send a text message, now or after those that wait. Returns False when the connection has ended."""
        ...

    def send_all(self, texts: Sequence[str]) -> bool:
        """Send text messages, now or after those that wait. Returns False when the connection has ended."""
        ...

    def send_late(self, renders: Sequence[Callable[[], str]]) -> bool:
        """Send text messages that are created when they go out: while they wait, their texts need no memory.

        Returns False when the connection has ended.
        """
        ...

    def mark_active(self) -> None:
        """Exempt the connection from the join timeout."""
        ...

    def disconnect(self) -> None:
        """End the connection at once."""
        ...


class SocketIoTransport(MessageTransport, Protocol):
    """One Socket.IO connection, on which audio is sent too."""

    def corked(self) -> AbstractContextManager[None]:
        """Send what is sent in this context in one write, where possible. The caller must not wait meanwhile."""
        ...

    def try_send(self, text: str) -> bool:
        """Send a text message if the connection takes one now; return whether it does."""
        ...

    def try_write(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of a batch as far as the connection takes them now; return how many were taken.

        `start` and `stop` are offsets in the audio. Each chunk is a binary message after a text message `envelope`.
        """
        ...

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as `try_write` and `try_send` may take something. None cancels it."""
        ...

    def intake(self) -> Intake:
        """Return how much the client has taken."""
        ...


class WebSocketConnection(Protocol):
    """One plain WebSocket connection."""

    @property
    def peer(self) -> Peer:
        """Who is connected."""
        ...

    def corked(self) -> AbstractContextManager[None]:
        """Send what is sent in this context in one write, where possible. The caller must not wait meanwhile."""
        ...

    def send_texts(self, texts: Sequence[str]) -> bool:
        """Send text messages, now or after those that wait. Always returns True."""
        ...

    def try_send_text(self, text: str) -> bool:
        """Send a text message if the connection takes one now; return whether it does."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of a batch as far as the connection takes them now; return how many were taken.

        `start` and `stop` are offsets in the audio. Each chunk is a binary message, after a text message `envelope`
        unless that is empty.
        """
        ...

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as `send_audio` and `try_send_text` may take something. None cancels it."""
        ...

    def intake(self) -> Intake:
        """Return how much the client has taken."""
        ...

    def receive(self) -> str | bytes | None:
        """Wait for the next message: text, or binary; None at the end of the connection."""
        ...

    def when_throttled(self, callback: Callable[[], None]) -> None:
        """Call `callback` when messages arrive faster than they are read, at a limited rate."""
        ...

    def close(self, code: int, reason: str, *, is_read: bool = True) -> None:
        """Close the connection after all that was sent before, with a close code (RFC 6455, section 7.4).

        A client that reads slowly is given time for it; `is_read` is False for one that reads nothing.
        Nothing can be sent after that. A second call has no effect.
        """
        ...
