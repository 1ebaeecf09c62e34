"""The way to one listener over Socket.IO: implements the `ListenerEmitter` port."""

from collections.abc import Callable
from typing import Any

from asf.adapters.socketio_api.messages import message_of
from asf.domain.audio import AudioBatch
from asf.domain.events import ListenerEvent
from asf.domain.ports import AudioTransport

AUDIO_CHUNK = "audio_chunk"
MESSAGES_PER_CHUNK = 2


def audio_chunk_envelope(namespace: str) -> str:
    """Return the text message in front of each binary one: the same for every chunk of a namespace.

    In the Socket.IO protocol a binary event is a packet that announces one attachment, in an Engine.IO message
    (type 4, then 5 for BINARY_EVENT), followed by the attachment itself.
    """
    return f'451-{namespace},["{AUDIO_CHUNK}",{{"_placeholder":true,"num":0}}]'


class SocketIoListenerEmitter:
    """Emits events through Socket.IO, and audio past it wherever `transport` allows.

    `emit` sends one event to this listener alone.
    """

    def __init__(self, emit: Callable[[str, Any], None], transport: AudioTransport, envelope: str) -> None:
        self._emit = emit
        self._transport = transport
        self._envelope = envelope

    def emit(self, event: ListenerEvent) -> None:
        """Tell the listener about `event`."""
        self._emit(*message_of(event))

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send chunks, and return how many bytes were taken."""
        transport = self._transport
        if transport.is_direct:
            return transport.send_audio(batch, start, stop, self._envelope)
        chunks = batch.chunks(start, stop)[: transport.room // MESSAGES_PER_CHUNK]
        for chunk in chunks:
            self._emit(AUDIO_CHUNK, chunk)
        return sum(map(len, chunks))

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio again."""
        self._transport.when_ready(callback)

    def close(self) -> None:
        """Forget the callback."""
        self._transport.when_ready(None)
