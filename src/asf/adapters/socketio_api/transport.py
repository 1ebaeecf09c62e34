"""What the Socket.IO side needs of a connection beyond Socket.IO itself."""

from collections.abc import Callable
from typing import Any, Protocol

from asf.domain.audio import AudioBatch


class AudioTransport(Protocol):
    """A connection that audio can be written to past the library's queue, once it is a WebSocket."""

    @property
    def is_direct(self) -> bool:
        """Whether `send_audio` may be used; else audio is emitted like any event."""
        ...

    @property
    def ready(self) -> bool:
        """Whether audio may be handed over now, in whichever way."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send each chunk from `start` to `stop` behind the text message `envelope`.

        Returns how many bytes of audio were taken.
        """
        ...

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as the transport is ready. None forgets an earlier one."""
        ...


TransportFactory = Callable[[Any], AudioTransport]
"""Makes the transport for one of the Engine.IO server's connection objects."""
