"""A sender of audio on a socket of its own, which decides what is sent when, and when to break off."""

import socket
import struct
from http.client import HTTPResponse
from typing import Any, Self
from urllib.parse import quote

import requests

from tests.support.bounds import PATIENCE_SECONDS


def upload_url(url: str, stream_id: str) -> str:
    """Return the URL to upload a stream's audio to, at the server with this `url`."""
    return f"{url}/asf/internal/streams/{quote(stream_id)}/audio"


def put(url: str, stream_id: str, audio: Any, **headers: str) -> requests.Response:
    """Upload audio with one request; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.put(upload_url(url, stream_id), data=audio, headers=named, timeout=PATIENCE_SECONDS)


def patch(url: str, stream_id: str, offset: int, audio: Any, **headers: str) -> requests.Response:
    """Continue an upload."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Upload-Offset": str(offset)}
    return requests.patch(upload_url(url, stream_id), data=audio, headers=named, timeout=PATIENCE_SECONDS)


def head(url: str, stream_id: str) -> requests.Response:
    """Ask where an upload is to continue."""
    return requests.head(upload_url(url, stream_id), timeout=PATIENCE_SECONDS)


def offset_of(url: str, stream_id: str) -> int:
    """Return where an upload is to continue, or -1 if there is none."""
    return int(head(url, stream_id).headers.get("Upload-Offset", -1))


class Sender:
    """One request that uploads, in chunks or with the `length` of its body in the head. `port` is the server's."""

    def __init__(
        self,
        port: int,
        stream_id: str,
        *,
        method: str = "PUT",
        length: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._response: HTTPResponse | None = None
        self._is_chunked = length is None
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        lines = [f"{method} /asf/internal/streams/{quote(stream_id)}/audio HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        head = {"Content-Type": "audio/mpeg"} | framing | (headers or {})
        lines += [f"{name}: {value}" for name, value in head.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._response is not None:
            self._response.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send a piece of audio."""
        self.send_raw(f"{len(data):x}\r\n".encode() + data + b"\r\n" if self._is_chunked else data)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def end(self) -> HTTPResponse:
        """End the body, and return the response."""
        if self._is_chunked:
            self.send_raw(b"0\r\n\r\n")
        return self.response()

    def response(self) -> HTTPResponse:
        """Wait for the head of the response."""
        response = self._response = HTTPResponse(self.socket)
        response.begin()
        return response

    def half_close(self) -> None:
        """Send no more, and still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off, so that the server's machine hears of it at once (SO_LINGER)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
