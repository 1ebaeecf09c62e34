"""Listening to a stream."""

import queue
from collections.abc import Callable
from contextlib import suppress

from socketio.exceptions import SocketIOError

from asf.client.errors import AsfClientError, ServerUnreachable, StreamRejected
from asf.client.ordered_events import OrderedClient
from asf.client.reception import (
    AUDIO_NAMESPACE,
    CuesMessage,
    Received,
    Reception,
    StreamCues,
    StreamStart,
    connection_lost,
)
from asf.client.retry_window import RetryWindow


def listen(
    base_url: str,
    stream_id: str,
    write: Callable[[bytes], object],
    on_start: Callable[[StreamStart], object] = lambda _start: None,
    *,
    on_cues: Callable[[StreamCues], object] | None = None,
    wait: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> None:
    """Receive the complete stream: calls `on_start` first, then `write` with its bytes, piece by piece.

    With `on_cues` the stream's cues are received, too, each once, or again when it was replaced. All of these may
    take as long as they like: the connection is kept meanwhile, and the server sends at most `WINDOW_BYTES` of audio
    ahead. With `wait` the stream need not be announced yet. `token` grants the stream, if the server requires one;
    when it expires, `StreamRejected` is raised (`ASF_UNAUTHORIZED`). After a lost connection it reconnects and
    resumes at the same byte and cue, until `patience` seconds have passed without a byte. Returns at the end of the
    stream. Raises `StreamRejected`, `ServerUnreachable`, and what `write`, `on_start` or `on_cues` raised.
    """
    reception = Reception(stream_id, wait, token, with_cues=on_cues is not None)
    window = RetryWindow(patience)
    while True:
        before = reception.written
        try:
            _Listening(reception, write, on_start, on_cues or _ignore).run(base_url)
        except (ServerUnreachable, StreamRejected) as error:
            if reception.written > before:
                window.renew()
            if not reception.may_resume_after(error) or not window.pause():
                raise
        else:
            return


class _Listening:
    """One connection of a listener.

    Its event handlers run in the receiving thread, which also answers pings, and only queue what arrives, in order.
    The caller's thread writes it, and acknowledges what it has written.
    """

    def __init__(
        self,
        reception: Reception,
        write: Callable[[bytes], object],
        on_start: Callable[[StreamStart], object],
        on_cues: Callable[[StreamCues], object],
    ) -> None:
        self._reception = reception
        self._write = write
        self._on_start = on_start
        self._on_cues = on_cues
        self._received: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._client = OrderedClient()

    def run(self, base_url: str) -> None:
        """Write the stream from where it was to its end. Raises what ends the connection before that."""
        handlers = self._reception.handlers(self._received.put) | {"connect": self._join}
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
                raise connection_lost() from None
            return True
        if isinstance(item, AsfClientError):
            raise item
        if isinstance(item, bytes):
            self._write(item)
            self._acknowledge(len(item))
        elif isinstance(item, StreamStart):
            self._on_start(item)
        elif isinstance(item, CuesMessage):
            self._on_cues(item.cues)
            self._reception.cues_seq = item.message["seq"]
        return item is not None

    def _acknowledge(self, byte_count: int) -> None:
        acknowledgement = self._reception.wrote(byte_count)
        if acknowledgement is not None:
            with suppress(SocketIOError):  # The connection is lost, which is queued behind what it has brought.
                self._client.emit("audio_ack", acknowledgement, namespace=AUDIO_NAMESPACE)

    def _join(self) -> None:
        self._client.emit("join_stream", self._reception.request(), namespace=AUDIO_NAMESPACE)


def _ignore(_cues: StreamCues) -> None:
    pass
