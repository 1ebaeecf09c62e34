"""A sender of UI updates by line on a socket of its own, which decides what is sent when."""

import json
import socket
import struct
from http.client import HTTPResponse
from typing import Any, Self

from tests.support.bounds import PATIENCE_SECONDS

NDJSON = "application/x-ndjson"


def line_of(client_id: str, data: Any, **more: Any) -> bytes:
    """Return the line of an update."""
    return json.dumps({"client_id": client_id, "event_name": "n", "data": data, **more}).encode() + b"\n"


class LineSender:
    """One request with updates by line, in chunks or with the `length` of its body in the head."""

    def __init__(
        self,
        port: int,
        *,
        length: int | None = None,
        version: str = "1.1",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._response: HTTPResponse | None = None
        self._is_chunked = length is None
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        lines = [f"POST /asf/internal/send_ui_updates HTTP/{version}", f"Host: 127.0.0.1:{port}"]
        lines += [
            f"{name}: {value}" for name, value in ({"Content-Type": NDJSON} | framing | (headers or {})).items()
        ]
        self.send_raw("\r\n".join([*lines, "", ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._response is not None:
            self._response.close()
        self.socket.close()

    @property
    def response(self) -> HTTPResponse:
        """The response, once its head has come: with the first answer."""
        if self._response is None:
            self._response = HTTPResponse(self.socket)
            self._response.begin()
        return self._response

    def send(self, data: bytes) -> None:
        """Send a piece of the body, in a chunk of its own."""
        self.send_raw(f"{len(data):x}\r\n".encode() + data + b"\r\n" if self._is_chunked else data)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def answer(self) -> dict[str, Any]:
        """Wait for the next line of the response."""
        answer: dict[str, Any] = json.loads(self.response.readline())
        return answer

    def answers(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many lines of the response."""
        return [self.answer() for _ in range(count)]

    def end(self) -> list[dict[str, Any]]:
        """End the body, and return the rest of the response."""
        if self._is_chunked:
            self.send_raw(b"0\r\n\r\n")
        return self.rest()

    def rest(self) -> list[dict[str, Any]]:
        """Return the rest of the response, when it has ended well."""
        return [json.loads(line) for line in self.response.read().splitlines()]

    def reset(self) -> None:
        """Break the connection off, so that the server's machine hears of it at once (SO_LINGER)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
