"""The audio itself by its URL, for an `<audio>` element, curl or a podcast app (docs/contract.md, section 5)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from queue import Empty, Queue

from flask import Blueprint, Response, request

from asf.adapters.http_api.bearer import bearer_token
from asf.adapters.http_api.cors import share
from asf.adapters.stream_path import STREAM_PATH
from asf.domain.errors import InternalError, ListenerTooSlow, Unauthorized
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, ListenerEvent, StreamFailed
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.session import ListenRequest

STREAM_URL = f"{STREAM_PATH}/"

PART_BYTES = 16 * 1024
"""Most bytes that are handed to the connection at once: so often a slow client shows that it takes something."""


LOOK_SECONDS = 1.0
"""How often it is looked whether a client that waits for more audio is still there."""


class PlaybackBody:
    """The body of one answer: implements the `ListenerEmitter` port, and is the iterator that the server sends from.

    At most `PART_BYTES` wait to be sent. `abort` breaks the connection off, as nothing else tells the client of an
    answer of unknown length that it is not whole. `is_gone` tells whether the client has closed the connection.
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

    def open(self, offset: int, epoch: str, fingerprint: str | None, token: str | None) -> None:
        """Begin to listen at byte `offset`. Raises what `StreamingService.join` does."""
        self._offset = offset
        request = ListenRequest(self._stream_id, offset, epoch, paced=False, fingerprint=fingerprint, token=token)
        self._service.join(self._listener_id, request, self)

    def emit(self, *events: ListenerEvent) -> None:
        """Take the end; the rest has been said in the headers."""
        for event in events:
            if isinstance(event, EndOfStream | StreamFailed):
                self._parts.put(event)
            if isinstance(event, StreamFailed) and isinstance(event.error, ListenerTooSlow | Unauthorized):
                self._abort()  # Whoever sends may be waiting for the client to read.

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Take audio, unless some is waiting already."""
        if self._parts.qsize():
            return 0
        stop = min(stop, start + PART_BYTES)
        self._parts.put(batch.data[start - batch.offset : stop - batch.offset])
        return stop - start

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when what waits is taken to be sent."""
        self._callback = callback

    def break_off(self) -> None:
        """Break the connection off, and wake up whoever waits for something to send."""
        self._parts.put(StreamFailed(self._stream_id, InternalError(), self._offset))
        self._abort()

    def detach(self) -> None:
        """Forget the callback."""
        self._callback = None

    def close(self) -> None:
        """End the session, as WSGI calls it when the response is over, whether all of it was sent or not."""
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
        """Return what is to be sent next, or None when the client went away while there was nothing."""
        while True:
            try:
                return self._parts.get(timeout=LOOK_SECONDS)
            except Empty:
                if self._is_gone():
                    self._abort()
                    return None

    # Werkzeug cuts a range out of what is seekable without reading what lies before it.

    def seekable(self) -> bool:
        """Tell that listening can begin anywhere."""
        return True

    def seek(self, offset: int) -> None:
        """Be where `open` has begun: the offset is that of the same range."""
        assert offset == self._offset  # noqa: S101

    def tell(self) -> int:
        """Return where listening began."""
        return self._offset


def create_playback_blueprint(service: StreamingService, origins: Sequence[str]) -> Blueprint:
    """Return the route of the streams' own URLs, readable for browser pages of `origins`."""
    blueprint = Blueprint("playback", "asf")
    share(blueprint, origins, ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"])
    numbers = count(1)

    @blueprint.get(f"{STREAM_URL}<stream_id:stream_id>")
    def play(stream_id: str) -> Response:
        token = request.args.get("token") or bearer_token()
        audio = service.describe(stream_id, token)
        environ = request.environ
        body = PlaybackBody(service, f"http-{next(numbers)}", stream_id, environ["asf.abort"], environ["asf.is_gone"])
        response = Response(body, content_type=audio.content_type, direct_passthrough=True)
        response.headers["Cache-Control"] = "no-cache"
        if audio.fingerprint is None or audio.total_bytes is None:
            response.headers["Accept-Ranges"] = "none"
        else:
            response.content_length = audio.total_bytes
            response.set_etag(audio.fingerprint)
            _ignore_several_ranges()
            response.make_conditional(request, accept_ranges=True, complete_length=audio.total_bytes)
        if request.method == "GET" and response.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            is_range = response.status_code == HTTPStatus.PARTIAL_CONTENT
            start = response.content_range.start or 0 if is_range else 0
            body.open(start, audio.stream.epoch, audio.fingerprint, token)
        return response

    return blueprint


def _ignore_several_ranges() -> None:
    """Answer a request for several ranges with the whole (RFC 9110, section 14.2, allows that)."""
    if request.range is not None and len(request.range.ranges) > 1:
        del request.environ["HTTP_RANGE"]
