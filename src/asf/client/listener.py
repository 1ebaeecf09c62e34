"""Listening to a stream."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.client.errors import ServerUnreachable, StreamRefused
from asf.client.ordered import OrderedClient

AUDIO_NAMESPACE = "/api/v1/podcasts/stream"


@dataclass(frozen=True, slots=True)
class StreamStart:
    """What ASF says before the first byte. `total_bytes` is None where the length is not known."""

    stream_id: str
    total_bytes: int | None


def listen(
    base_url: str,
    stream_id: str,
    write: Callable[[bytes], object],
    on_start: Callable[[StreamStart], object] = lambda _start: None,
) -> None:
    """Receive the whole stream: `on_start` is called first, then `write` with its bytes, piece by piece.

    Both are called from another thread. Returns at the end of the stream. Raises `StreamRefused` and
    `ServerUnreachable`, and whatever `write` or `on_start` raised.
    """
    _Listening(stream_id, write, on_start).run(base_url)


class _Listening:
    """One listener: the handlers of its events, and how it ended."""

    def __init__(
        self, stream_id: str, write: Callable[[bytes], object], on_start: Callable[[StreamStart], object]
    ) -> None:
        self._stream_id = stream_id
        self._write = write
        self._on_start = on_start
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._client = OrderedClient(reconnection=False)

    def run(self, base_url: str) -> None:
        handlers: dict[str, Callable[..., object]] = {
            "connect": self._join,
            "audio_control": self._on_control,
            "audio_chunk": lambda chunk: self._call(self._write, chunk),
            "stream_error": lambda message: self._end(StreamRefused(message)),
            "error": lambda message: self._end(StreamRefused(message)),
            "disconnect": lambda *_reason: self._end(ServerUnreachable("The connection to ASF was lost.")),
        }
        for event, handler in handlers.items():
            self._client.on(event, handler, namespace=AUDIO_NAMESPACE)
        self._client.connect_to(base_url, AUDIO_NAMESPACE)
        try:
            while not self._ended.wait(timeout=1.0):  # A bounded wait lets Ctrl-C through.
                pass
        finally:
            self._client.disconnect()
        if self._failure is not None:
            raise self._failure

    def _join(self) -> None:
        self._client.emit("join_stream", {"stream_id": self._stream_id}, namespace=AUDIO_NAMESPACE)

    def _on_control(self, message: dict[str, Any]) -> None:
        if message["event"] == "start_of_stream":
            self._call(self._on_start, StreamStart(self._stream_id, message.get("total_bytes")))
        elif message["event"] == "end_of_stream":
            self._end()

    def _call(self, function: Callable[[Any], object], argument: object) -> None:
        if self._ended.is_set():
            return
        try:
            function(argument)
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self._end(error)

    def _end(self, failure: Exception | None = None) -> None:
        if not self._ended.is_set():
            self._failure = failure
            self._ended.set()
