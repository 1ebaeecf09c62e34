"""The route of the streams' own URLs."""

from collections.abc import Sequence
from http import HTTPStatus
from itertools import count

from flask import Blueprint, Response, request

from asf.adapters.http_api.bearer import bearer_token
from asf.adapters.http_api.cors import share
from asf.adapters.http_api.errors import PreconditionFailed, RangeNotSatisfiable, error_response
from asf.adapters.http_api.playback import conditional
from asf.adapters.http_api.playback.body import PlaybackBody
from asf.adapters.http_api.request_peer import current_peer
from asf.adapters.runtime import control_of
from asf.adapters.stream_path import STREAM_PATH
from asf.domain.errors import Draining, EpochChanged
from asf.domain.identifiers import content_type_problem
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.short_reads import SHORT_BYTES, ShortReads

STREAM_URL = f"{STREAM_PATH}/"

MAX_REGENERATIONS = 3
"""How often one request starts over because the audio was regenerated before its first byte."""

WRITE_MARGIN_SECONDS = 5.0
"""How much later than its session a connection times out on which a client has paused: the session knows why."""


class Playback:
    """Answers requests for the audio of streams. A player may pause for `pause_seconds`.

    Short ranges are answered with `reads`, everything else with a session of `service`. `tag` is in the ids of its
    listeners: no other node has the same.
    """

    def __init__(self, service: StreamingService, reads: ShortReads, pause_seconds: float, tag: str) -> None:
        self._service = service
        self._reads = reads
        self._pause_seconds = pause_seconds
        self._tag = tag
        self._numbers = count(1)

    def answer(self, stream_id: str) -> Response:
        """Return the response to the current request. Waits for the first byte of audio. Raises `AsfError`."""
        token = request.args.get("token") or bearer_token()
        for _ in range(MAX_REGENERATIONS):
            with self._service.open(stream_id, token, current_peer()) as opened:
                try:
                    return self._answer(stream_id, opened)
                except EpochChanged as error:  # Nothing of the former audio was sent.
                    regenerated = error
        raise regenerated

    def _answer(self, stream_id: str, opened: OpenedAudio) -> Response:
        if opened.failure is not None and not opened.size:
            raise opened.failure
        if opened.total_bytes is None and conditional.asks_for_a_part(request.headers.get("Range")):
            self._reads.measure(opened)
        audio = conditional.Representation(opened.epoch, opened.size, opened.fingerprint)
        decision = conditional.decide(request.method, request.headers.get, audio)
        match decision:
            case conditional.PreconditionFailed():
                raise PreconditionFailed
            case conditional.NotModified():
                response = Response(status=HTTPStatus.NOT_MODIFIED)
            case conditional.NotSatisfiable():
                response, status = error_response(RangeNotSatisfiable())
                response.status_code = status
                response.headers["Content-Range"] = f"bytes */{audio.size}"
            case conditional.Part(start, stop):
                response = self._part(stream_id, opened, start, stop)
                total = audio.size if audio.is_complete else "*"
                response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
            case conditional.Whole():
                response = self._whole(stream_id, opened)
        response.headers["ETag"] = audio.etag
        if audio.is_complete or response.status_code != HTTPStatus.OK or "Range" not in request.headers:
            response.headers["Accept-Ranges"] = "bytes"
        # Else a media player probes with `bytes=0-` whether it can seek. Audio that grows is played from its start:
        # ffmpeg would look for what is at the end of a WAV or MP4 file, and take what exists there for all.
        # What is still generated is another answer a moment later.
        response.headers.setdefault("Cache-Control", "no-cache" if audio.is_complete else "no-store")
        return response

    def _whole(self, stream_id: str, opened: OpenedAudio) -> Response:
        # Not a list: Werkzeug would give the length of an empty one for a HEAD request.
        response = Response(iter(()), direct_passthrough=True)
        if request.method == "GET":
            self._begin(response, stream_id, opened)
        else:
            response.content_type = _content_type_of(opened)
        if (total_bytes := opened.total_bytes) is not None:
            response.content_length = total_bytes
        else:
            response.headers["X-Accel-Buffering"] = "no"  # nginx would keep the latest audio, and spool what is slow.
        return response

    def _part(self, stream_id: str, opened: OpenedAudio, start: int, stop: int) -> Response:
        response = Response(status=HTTPStatus.PARTIAL_CONTENT, direct_passthrough=True)
        if stop - start <= SHORT_BYTES:
            if self._service.draining:
                raise Draining
            response.response = [self._reads.read(opened, start, stop)]
            response.content_type = _content_type_of(opened)
        else:
            self._begin(response, stream_id, opened, start, stop)
        response.content_length = stop - start
        return response

    def _begin(
        self, response: Response, stream_id: str, opened: OpenedAudio, start: int = 0, stop: int | None = None
    ) -> None:
        """Let a session on `opened` send the body of `response`: its first byte is there, which shows its type."""
        control = control_of(request.environ)
        control.limit_write(self._pause_seconds + WRITE_MARGIN_SECONDS)
        listener_id = f"http-{self._tag}-{next(self._numbers)}"
        peer = current_peer()
        body = PlaybackBody(self._service, listener_id, stream_id, control, self._pause_seconds, peer)
        body.open(opened, start, stop)
        try:
            response.content_type = _content_type_of(opened)
        except BaseException:
            body.close()
            raise
        response.response = body


def _content_type_of(opened: OpenedAudio) -> str:
    """Return a media type that browsers play or store, and do not display."""
    return UNKNOWN_CONTENT_TYPE if content_type_problem(opened.content_type) else opened.content_type


def create_playback_blueprint(
    service: StreamingService, reads: ShortReads, origins: Sequence[str], pause_seconds: float, tag: str
) -> Blueprint:
    """Return the route of the streams' own URLs, readable for browser pages from `origins`: see `Playback`."""
    blueprint = Blueprint("playback", "asf")
    share(blueprint, origins, ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"])
    blueprint.get(f"{STREAM_URL}<stream_id:stream_id>")(Playback(service, reads, pause_seconds, tag).answer)

    @blueprint.after_request
    def no_sniffing(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint
