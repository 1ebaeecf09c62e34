"""The audio at its URL, for an `<audio>` element, curl or a podcast app (docs/contract.md, section 5)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from queue import Empty, Queue

from flask import Blueprint, Response, request

from asf.adapters.http_api.bearer import bearer_token
from asf.adapters.http_api.cors import share
from asf.adapters.runtime import control_of
from asf.adapters.stream_path import STREAM_PATH
from asf.domain.errors import InternalError, ListenerTooSlow, Unauthorized
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, ListenerEvent, StreamFailed
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.session import ListenRequest

STREAM_URL = f"{STREAM_PATH}/"

PART_BYTES = 16 * 1024
"""Maximum bytes of audio that wait to be sent. Each part that a slow client takes shows that it still reads."""

POLL_SECONDS = 1.0
"""Interval between checks whether a client that waits for more audio has disconnected."""


class PlaybackBody:
    """The body of one response: implements the `ListenerEmitter` port, and is the iterator of what the server sends.

    At most `PART_BYTES` wait to be sent. `abort` closes the connection at once: nothing else shows the client that a
    response of unknown length is incomplete. `is_gone` returns whether the client has closed the connection.
    """

    def __init__(
        self,
        service: StreamingService,
        listener_id: str,
        stream_id: str,
        abort: Callable[[], None],
        is_gone: Callable[[], bool],
    ) -> None:
        self._service = service
        self._listener_id = listener_id
        self._stream_id = stream_id
        self._abort = abort
        self._is_gone = is_gone
        self._offset = 0
        # Audio, then an event that ends it.
        self._parts: Queue[bytes | EndOfStream | StreamFailed] = Queue()
        self._callback: Callable[[], None] | None = None

    def open(self, opened: OpenedAudio, offset: int) -> None:
        """Start a session on `opened` at byte `offset`. Raises what `StreamingService.join` does."""
        self._offset = offset
        request = ListenRequest(self._stream_id, offset, paced=False)
        self._service.join(self._listener_id, request, self, opened)

    def emit(self, *events: ListenerEvent) -> None:
        """Take the end of the audio. Other events are dropped; the response headers carry that information."""
        for event in events:
            if isinstance(event, EndOfStream | StreamFailed):
                self._parts.put(event)
            if isinstance(event, StreamFailed) and isinstance(event.error, ListenerTooSlow | Unauthorized):
                self._abort()  # The server's task may be blocked, sending to a client that does not read.

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Take up to `PART_BYTES`, unless earlier audio still waits to be sent."""
        if self._parts.qsize():
            return 0
        stop = min(stop, start + PART_BYTES)
        self._parts.put(batch.data[start - batch.offset : stop - batch.offset])
        return stop - start

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the server takes the waiting part to send it."""
        self._callback = callback

    def break_off(self) -> None:
        """Close the connection at once, and end the iteration."""
        self._parts.put(StreamFailed(self._stream_id, InternalError(), self._offset))
        self._abort()

    def detach(self) -> None:
        """Forget the callback."""
        self._callback = None

    def close(self) -> None:
        """End the session. WSGI calls this at the end of the response, whether all of it was sent or not."""
        self._service.disconnect(self._listener_id)

    def __iter__(self) -> "PlaybackBody":
        return self

    def __next__(self) -> bytes:
        part = self._next_part()
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()
        if isinstance(part, StreamFailed):
            self._abort()
        if not isinstance(part, bytes):
            raise StopIteration
        return part

    def _next_part(self) -> bytes | EndOfStream | StreamFailed | None:
        """Return the next part, or None when the client has disconnected while there was none."""
        while True:
            try:
                return self._parts.get(timeout=POLL_SECONDS)
            except Empty:
                if self._is_gone():
                    self._abort()
                    return None

    # Werkzeug seeks to the start of a range instead of reading up to it.

    def seekable(self) -> bool:
        """Return True: the body can start at any byte."""
        return True

    def seek(self, offset: int) -> None:
        """Do nothing: `open` has started at this offset, which is that of the same range."""
        assert offset == self._offset  # noqa: S101

    def tell(self) -> int:
        """Return the offset at which the body starts."""
        return self._offset


def create_playback_blueprint(service: StreamingService, origins: Sequence[str]) -> Blueprint:
    """Return the route of the streams' own URLs, readable for browser pages from `origins`."""
    blueprint = Blueprint("playback", "asf")
    share(blueprint, origins, ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"])
    numbers = count(1)

    @blueprint.get(f"{STREAM_URL}<stream_id:stream_id>")
    def play(stream_id: str) -> Response:
        token = request.args.get("token") or bearer_token()
        control = control_of(request.environ)
        body = PlaybackBody(service, f"http-{next(numbers)}", stream_id, control.abort, control.is_gone)
        with service.open(stream_id, token) as opened:
            response = _response(body, opened)
            if request.method == "GET" and response.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                is_range = response.status_code == HTTPStatus.PARTIAL_CONTENT
                body.open(opened, response.content_range.start or 0 if is_range else 0)
        return response

    return blueprint


def _response(body: PlaybackBody, opened: OpenedAudio) -> Response:
    """Return the response to the current request, with its headers. Raises for an unsatisfiable range."""
    response = Response(body, content_type=opened.content_type, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache"
    if opened.fingerprint is None or opened.total_bytes is None:
        response.headers["Accept-Ranges"] = "none"
        return response
    response.content_length = opened.total_bytes
    response.set_etag(opened.fingerprint)
    _ignore_several_ranges()
    response.make_conditional(request, accept_ranges=True, complete_length=opened.total_bytes)
    return response


def _ignore_several_ranges() -> None:
    """Let a request for several ranges be answered with the complete audio (RFC 9110, section 14.2, permits it)."""
    if request.range is not None and len(request.range.ranges) > 1:
        del request.environ["HTTP_RANGE"]
