"""Listening to a stream."""

import queue
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from socketio.exceptions import SocketIOError

from asf.client.errors import AsfClientError, ServerUnreachable, StreamRejected
from asf.client.ordered_events import OrderedClient
from asf.client.retry_window import RetryWindow

AUDIO_NAMESPACE = "/api/v1/podcasts/stream"

WINDOW_BYTES = 1 << 20
"""How far the server may be ahead of what was written: enough for 10 MB/s at a round trip of 0.1 s."""

ACK_BYTES = WINDOW_BYTES // 4
"""Bytes after which what was written is acknowledged."""


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

    Both may take as long as they like: the connection is kept meanwhile, and the server sends at most `WINDOW_BYTES`
    ahead. With `wait` the stream need not be announced yet. `token` grants the stream, if the server requires one;
    when it expires, `StreamRejected` is raised (`ASF_UNAUTHORIZED`). After a lost connection it reconnects and
    resumes at the same byte, until `patience` seconds have passed without a byte. Returns at the end of the stream.
    Raises `StreamRejected`, `ServerUnreachable`, and what `write` or `on_start` raised.
    """
    progress = _Progress(stream_id, wait, token)
    window = RetryWindow(patience)
    while True:
        before = progress.written
        try:
            _Listening(progress, write, on_start).run(base_url)
        except (ServerUnreachable, StreamRejected) as error:
            if progress.written > before:
                window.renew()
            worth_it = progress.joined and not (isinstance(error, StreamRejected) and not error.retryable)
            if not worth_it or not window.pause():
                raise
        else:
            return


@dataclass(slots=True)
class _Progress:
    """Progress of a listener, over all its connections. `written` counts the bytes from the stream's byte 0 on."""

    stream_id: str
    wait: bool
    token: str | None
    joined: bool = False
    epoch: str | None = None
    written: int = 0

    def request(self) -> dict[str, Any]:
        """Return the payload of `join_stream`."""
        request: dict[str, Any] = {"stream_id": self.stream_id, "window": WINDOW_BYTES}
        if self.epoch is None:
            request["wait"] = self.wait
        else:
            request |= {"offset": self.written, "epoch": self.epoch}
        if self.token is not None:
            request["token"] = self.token
        return request


class _Listening:
    """One connection of a listener.

    Its event handlers run in the receiving thread, which also answers pings, and only queue what arrives, in order.
    The caller's thread writes it, and acknowledges what it has written.
    """

    def __init__(
        self, progress: _Progress, write: Callable[[bytes], object], on_start: Callable[[StreamStart], object]
    ) -> None:
        self._progress = progress
        self._write = write
        self._on_start = on_start
        self._acknowledged = progress.written
        # Chunks, starts, failures, and None for the end. The window bounds it.
        self._received: queue.SimpleQueue[bytes | StreamStart | AsfClientError | None] = queue.SimpleQueue()
        self._client = OrderedClient(reconnection=False)

    def run(self, base_url: str) -> None:
        """Write the stream from `progress` on, to its end. Raises what ends the connection before that."""
        handlers: dict[str, Callable[..., object]] = {
            "connect": self._join,
            "stream_status": self._on_status,
            "audio_control": self._on_control,
            "audio_chunk": self._on_chunk,
            "stream_error": lambda message: self._received.put(StreamRejected(message)),
            "error": lambda message: self._received.put(StreamRejected(message)),
            "disconnect": lambda *_reason: self._received.put(_connection_lost()),
        }
        for event, handler in handlers.items():
            self._client.on(event, handler, namespace=AUDIO_NAMESPACE)
        self._client.connect_to(base_url, AUDIO_NAMESPACE)
        try:
            while self._handle_next():
                pass
        finally:
            self._client.end()

    def _handle_next(self) -> bool:
        """Handle what was received next. Returns False at the end of the stream. Raises the failure."""
        try:
            item = self._received.get(timeout=1.0)  # A bounded wait lets Ctrl-C through.
        except queue.Empty:
            if self._client.is_broken:
                raise _connection_lost() from None
            return True
        if isinstance(item, bytes):
            self._write(item)
            self._progress.written += len(item)
            self._acknowledge()
        elif isinstance(item, StreamStart):
            self._on_start(item)
        elif item is not None:
            raise item
        return item is not None

    def _acknowledge(self) -> None:
        written = self._progress.written
        if written >= self._acknowledged + ACK_BYTES:
            self._acknowledged = written
            with suppress(SocketIOError):  # The connection is lost, which is queued behind what it has brought.
                self._client.emit("audio_ack", {"received": written}, namespace=AUDIO_NAMESPACE)

    def _join(self) -> None:
        self._client.emit("join_stream", self._progress.request(), namespace=AUDIO_NAMESPACE)

    def _on_status(self, message: dict[str, Any]) -> None:
        self._progress.joined = self._progress.joined or message["status"] in {"joined", "waiting"}

    def _on_control(self, message: dict[str, Any]) -> None:
        if message["event"] == "end_of_stream":
            self._received.put(None)
        elif self._progress.epoch is None:
            self._progress.epoch = message.get("epoch", "")
            self._received.put(StreamStart(self._progress.stream_id, message.get("total_bytes")))

    def _on_chunk(self, chunk: bytes | str) -> None:
        self._received.put(chunk.encode() if isinstance(chunk, str) else chunk)  # The simulation sends text.


def _connection_lost() -> ServerUnreachable:
    return ServerUnreachable("The connection to ASF was lost.")
