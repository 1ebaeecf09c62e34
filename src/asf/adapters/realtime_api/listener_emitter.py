"""The way to one listener over Socket.IO: implements the `ListenerEmitter` port."""

from collections.abc import Callable
from functools import cache
from typing import Any

from asf.adapters.realtime_api.messages import message_of
from asf.adapters.realtime_api.packets import compact_json, event_packet
from asf.adapters.realtime_api.transports import SocketIoTransport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import ListenerEvent

AUDIO_CHUNK = "audio_chunk"


@cache
def audio_chunk_envelope(namespace: str) -> str:
    """Return the text message in front of each binary one: the same for every chunk of a namespace.

    In the Socket.IO protocol a binary event is a packet that announces one attachment, in an Engine.IO message
    (type 4, then 5 for BINARY_EVENT), followed by the attachment itself.
    """
    return f'451-{namespace},["{AUDIO_CHUNK}",{{"_placeholder":true,"num":0}}]'


class SocketIoListenerEmitter:
    """Sends events and audio past Socket.IO wherever `transport` allows, and through it elsewhere.

    `emit` is Socket.IO's way: it sends one event to this listener alone.
    """

    def __init__(self, emit: Callable[[str, Any], None], transport: SocketIoTransport, namespace: str) -> None:
        self._emit = emit
        self._transport = transport
        self._namespace = namespace
        self._envelope = audio_chunk_envelope(namespace)

    def emit(self, *events: ListenerEvent) -> None:
        """Tell the listener about `events`."""
        messages = [message_of(event) for event in events]
        packets = [event_packet(self._namespace, name, compact_json(payload)) for name, payload in messages]
        if not self._transport.send_texts(packets):
            for message in messages:
                self._emit(*message)

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send chunks, and return how many bytes were taken."""
        transport = self._transport
        if transport.is_direct:
            return transport.send_audio(batch, start, stop, self._envelope)
        chunks = batch.chunks(start, stop)[: transport.room]
        for chunk in chunks:
            self._emit(AUDIO_CHUNK, chunk)
        return sum(map(len, chunks))

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio again."""
        self._transport.when_ready(callback)

    def detach(self) -> None:
        """Forget the callback."""
        self._transport.when_ready(None)

    def break_off(self) -> None:
        """End the connection."""
        self._transport.disconnect()
