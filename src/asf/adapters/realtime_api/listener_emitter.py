"""Sends a session's events and audio over Socket.IO: implements the `ListenerEmitter` port."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

from asf.adapters.realtime_api.messages import CuesRendering, cues_message, message_of
from asf.adapters.realtime_api.socketio_packets import binary_event_packet, compact_json, event_packet
from asf.adapters.realtime_api.transports import SocketIoTransport
from asf.domain.cues.track import CuePiece
from asf.domain.peer import Peer
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import ListenerEvent
from asf.domain.streaming.intake import Intake

AUDIO_CHUNK = "audio_chunk"
STREAM_CUES = "stream_cues"


@cache
def audio_chunk_envelope(namespace: str) -> str:
    """Return the text message in front of each binary one: the same for every chunk of a namespace."""
    return binary_event_packet(namespace, AUDIO_CHUNK)


@cache
def cues_rendering(namespace: str) -> CuesRendering:
    """Return how cues are sent in a namespace, the same for all its listeners."""
    return CuesRendering(lambda piece: event_packet(namespace, STREAM_CUES, cues_message(piece)))


class SocketIoListenerEmitter:
    """Sends one session's events and audio on its connection, bypassing the Socket.IO library."""

    def __init__(self, transport: SocketIoTransport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace
        self._envelope = audio_chunk_envelope(namespace)
        self._render_cues = cues_rendering(namespace)

    def emit(self, *events: ListenerEvent) -> None:
        """Send `events` to the listener, in order."""
        messages = map(message_of, events)
        self._transport.send_all([event_packet(self._namespace, name, compact_json(data)) for name, data in messages])

    def together(self) -> AbstractContextManager[None]:
        """Send what is sent in this context in one write, where possible. The caller must not wait meanwhile."""
        return self._transport.corked()

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send chunks, and return how many bytes were taken."""
        return self._transport.try_write(batch, start, stop, self._envelope)

    def send_cues(self, piece: CuePiece) -> bool:
        """Send cues if the connection takes them now; return whether it does."""
        return self._transport.try_send(self._render_cues(piece))

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio again."""
        self._transport.when_ready(callback)

    def intake(self) -> Intake:
        """Return how much the listener has taken."""
        return self._transport.intake()

    def peer(self) -> Peer:
        """Return who is connected, and how."""
        return self._transport.peer

    def detach(self) -> None:
        """Cancel the callback."""
        self._transport.when_ready(None)

    def break_off(self) -> None:
        """End the connection at once."""
        self._transport.disconnect()
