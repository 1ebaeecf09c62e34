"""Listening to a stream."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.client.errors import ServerUnreachable, StreamRejected
from asf.client.ordered_events import OrderedClient
from asf.client.retry_window import RetryWindow

AUDIO_NAMESPACE = "/api/v1/podcasts/stream"


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Start of a stream, before its first byte. `total_bytes` is None while the size is unknown."""

    stream_id: str
    total_bytes: int | None


def listen(
    base_url: str,
    stream_id: str,
    write: Callable[[bytes], object],
    on_start: Callable[[StreamStart], object] = lambda _start: None,
    *,
    wait: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> None:
    """Receive the complete stream: calls `on_start` first, then `write` with its bytes, piece by piece.

    Both are called from another thread. With `wait` the stream need not be announced yet. `token` grants the stream,
    if the server requires one; when it expires, `StreamRejected` is raised (`ASF_UNAUTHORIZED`). After a lost
    connection it reconnects and resumes at the same byte, until `patience` seconds have passed without a byte.
    Returns at the end of the stream. Raises `StreamRejected`, `ServerUnreachable`, and what `write` or `on_start`
    raised.
    """
    progress = _Progress(stream_id, wait, token)
    window = RetryWindow(patience)
    while True:
        before = progress.received
        try:
            _Listening(progress, write, on_start).run(base_url)
        except (ServerUnreachable, StreamRejected) as error:
            if progress.received > before:
                window.renew()
            worth_it = progress.joined and not (isinstance(error, StreamRejected) and not error.retryable)
            if not worth_it or not window.pause():
                raise
        else:
            return


@dataclass(slots=True)
class _Progress:
    """Progress of a listener, over all its connections."""

    stream_id: str
    wait: bool
    token: str | None
    joined: bool = False
    epoch: str | None = None
    received: int = 0

    def request(self) -> dict[str, Any]:
        """Return the payload of `join_stream`."""
        request: dict[str, Any] = {"stream_id": self.stream_id}
        if self.epoch is None:
            request["wait"] = self.wait
        else:
            request |= {"offset": self.received, "epoch": self.epoch}
        if self.token is not None:
            request["token"] = self.token
        return request


class _Listening:
    """One connection of a listener: its event handlers and its outcome."""

    def __init__(
        self, progress: _Progress, write: Callable[[bytes], object], on_start: Callable[[StreamStart], object]
    ) -> None:
        self._progress = progress
        self._write = write
        self._on_start = on_start
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._client = OrderedClient(reconnection=False)

    def run(self, base_url: str) -> None:
        handlers: dict[str, Callable[..., object]] = {
            "connect": self._join,
            "stream_status": self._on_status,
            "audio_control": self._on_control,
            "audio_chunk": self._on_chunk,
            "stream_error": lambda message: self._end(StreamRejected(message)),
            "error": lambda message: self._end(StreamRejected(message)),
            "disconnect": lambda *_reason: self._end(ServerUnreachable("The connection to ASF was lost.")),
        }
        for event, handler in handlers.items():
            self._client.on(event, handler, namespace=AUDIO_NAMESPACE)
        self._client.connect_to(base_url, AUDIO_NAMESPACE)
        try:
            while not self._ended.wait(timeout=1.0):  # A bounded wait lets Ctrl-C through.
                if self._client.is_broken:
                    self._end(ServerUnreachable("The connection to ASF was lost."))
        finally:
            self._client.end()
        if self._failure is not None:
            raise self._failure

    def _join(self) -> None:
        self._client.emit("join_stream", self._progress.request(), namespace=AUDIO_NAMESPACE)

    def _on_status(self, message: dict[str, Any]) -> None:
        self._progress.joined = self._progress.joined or message["status"] in {"joined", "waiting"}

    def _on_control(self, message: dict[str, Any]) -> None:
        if message["event"] == "end_of_stream":
            self._end()
        elif self._progress.epoch is None:
            self._progress.epoch = message.get("epoch", "")
            self._call(self._on_start, StreamStart(self._progress.stream_id, message.get("total_bytes")))

    def _on_chunk(self, chunk: bytes | str) -> None:
        if isinstance(chunk, str):  # The simulation sends text.
            chunk = chunk.encode()
        self._call(self._write, chunk)
        self._progress.received += len(chunk)

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
