"""Listeners of one stream and its cues that come back whenever they are cut off, over each transport."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

import requests
import websocket

from asf import client
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.plain_websocket import PlainListener

RETRY_SECONDS = 0.05
"""Pause before a listener comes back."""

HTTP_PIECE_BYTES = 4096

ENDED, GOING_AWAY = 1000, 1001
"""Close codes of RFC 6455, section 7.4.1."""


class ReturningListener:
    """Listens to `stream_id` in a thread until the end of the stream: `audio` and `cues` are what it has received.

    `breaks` counts how often it came back. `error` is what has ended it before the end.
    """

    def __init__(self, url: str, stream_id: str) -> None:
        self.url = url
        self.stream_id = stream_id
        self.audio = bytearray()
        self.cues: list[Any] = []
        self.breaks = 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.audio)} bytes, {len(self.cues)} cues, {self.breaks} breaks>"

    def wait(self) -> None:
        """Wait for the end of the stream. Raises what has ended it before."""
        self._thread.join(STREAM_SECONDS)
        assert not self._thread.is_alive(), self
        if self.error is not None:
            raise AssertionError(self) from self.error

    def listen(self) -> bool:
        """Listen on one connection. Returns whether the stream has ended; raises OSError for a lost connection."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while not self._has_ended():
                self.breaks += 1
                time.sleep(RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self.error = error

    def _has_ended(self) -> bool:
        try:
            return self.listen()
        except (OSError, websocket.WebSocketException):
            return False


class SocketIOListener(ReturningListener):
    """The Python client, which comes back by itself."""

    def listen(self) -> bool:
        """Listen until the end."""
        client.listen(
            self.url,
            self.stream_id,
            self.audio.extend,
            on_cues=lambda received: self.cues.extend(received.cues),
            wait=True,
            patience=STREAM_SECONDS,
        )
        return True


class PlainWebSocketListener(ReturningListener):
    """A client of the plain WebSocket, which resumes with offset, epoch and the number of the last cue."""

    def __init__(self, url: str, stream_id: str) -> None:
        self._position: dict[str, Any] = {"cues": 1, "wait": "true"}
        super().__init__(url, stream_id)

    def listen(self) -> bool:
        """Listen on one connection."""
        offset = len(self.audio)
        with closing(PlainListener(self.url, self.stream_id, **self._position, offset=offset)) as listener:
            try:
                return listener.receive_to_the_end() == ENDED
            finally:
                self.audio += listener.audio
                for message in listener.messages:
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"event": "start_of_stream", "epoch": epoch}:
                self._position = self._position | {"epoch": epoch}
            case {"event": "stream_cues", "cues": cues, "seq": seq}:
                self.cues += cues
                self._position = self._position | {"cues_since": seq}
            case {"event": "stream_error", "retryable": False}:
                raise AssertionError(message)


class HttpListener(ReturningListener):
    """A player by URL, which resumes with a range; it reads the cues when it has the audio."""

    _etag = ""

    def listen(self) -> bool:
        """Send one request for what is missing."""
        offset = len(self.audio)
        headers = {"Range": f"bytes={offset}-", "If-Range": self._etag} if offset else {}
        with self._response("GET", headers) as response:
            status = response.status_code
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return self._has_all() and self._read_cues()
            if status not in {
                HTTPStatus.OK,
                HTTPStatus.PARTIAL_CONTENT,
            }:  # Not there yet, or no server behind a proxy.
                return False
            assert status == HTTPStatus.PARTIAL_CONTENT or not offset, f"From the beginning at byte {offset}"
            self._etag = response.headers["ETag"]
            for piece in response.iter_content(HTTP_PIECE_BYTES):
                self.audio += piece
        return self._has_all() and self._read_cues()

    def _has_all(self) -> bool:
        with self._response("HEAD", {}) as response:
            return response.headers.get("Content-Length") == str(len(self.audio))

    def _read_cues(self) -> bool:
        url = f"{self.url}/api/v1/podcasts/cues/{self.stream_id}"
        response = requests.get(url, timeout=PATIENCE_SECONDS)
        if not response.ok:
            return False
        self.cues = response.json()["cues"]
        return True

    @contextmanager
    def _response(self, method: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        url = f"{self.url}/api/v1/podcasts/stream/{self.stream_id}"
        with requests.request(method, url, headers=headers, stream=True, timeout=PATIENCE_SECONDS) as response:
            yield response


TEN: tuple[Callable[[str, str], ReturningListener], ...] = (
    *[SocketIOListener] * 4,
    *[PlainWebSocketListener] * 3,
    *[HttpListener] * 3,
)
