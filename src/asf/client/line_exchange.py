"""One request with updates by line, as the bytes that go out and come in. No I/O."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import h11

from asf.client.calls import Call, Reply, is_temporary
from asf.client.errors import RequestRejected, ServerUnreachable
from asf.client.line_address import ROUTE, LineAddress
from asf.client.responses import Delivered, read_response

MEDIA_TYPE = "application/x-ndjson"

MAX_LINE_BYTES = 1024 * 1024
"""Longest line that ASF accepts."""

CLOSED = "closed"
"""`status` of the last line of a response that ends before its request."""


class LinesEnded(Exception):
    """The request has ended: what was not answered is to be sent again, in another way."""


class LineExchange:
    """The HTTP side of a request to `address`. `answered` counts the answers that have come."""

    def __init__(self, address: LineAddress, token: str | None) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        headers = [("Host", address.authority), ("Content-Type", MEDIA_TYPE), ("Transfer-Encoding", "chunked")]
        if token is not None:
            headers.append(("Authorization", f"Bearer {token}"))
        self._head: bytes = self._send(h11.Request(method="POST", target=address.target, headers=headers))
        self._rest = b""
        self._has_ended = False
        self.answered = 0

    def lines(self, bodies: list[bytes]) -> bytes:
        """Return what sends updates, each as the JSON of one; the first time with the head of the request."""
        head, self._head = self._head, b""
        return head + self._send(h11.Data(data=b"".join(body + b"\n" for body in bodies)))

    def end(self) -> bytes:
        """Return what ends the request."""
        return self._send(h11.EndOfMessage())

    def receive(self, data: bytes) -> list[dict[str, Any]]:
        """Return the answers in what was received; empty means the end of the connection. Raises `LinesEnded`.

        It is raised instead of the answer that is not complete.
        """
        answers: list[dict[str, Any]] = []
        try:
            if not self._has_ended:
                self._connection.receive_data(data)
                while (event := self._connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                    self._take(event, answers)
        except (h11.RemoteProtocolError, LinesEnded):
            self._has_ended = True
        if self._has_ended and not answers:  # Else it is raised at the next call.
            raise LinesEnded
        self.answered += len(answers)
        return answers

    def _take(self, event: Any, answers: list[dict[str, Any]]) -> None:
        match event:
            case h11.Response():
                if event.status_code != HTTPStatus.OK or not _has_lines(dict(event.headers)):
                    raise LinesEnded
            case h11.Data():
                *lines, self._rest = (self._rest + bytes(event.data)).split(b"\n")
                answers.extend(map(_parsed, lines))
            case h11.EndOfMessage() | h11.ConnectionClosed():
                raise LinesEnded
            case _:
                pass

    def _send(self, event: Any) -> bytes:
        sent: bytes | None = self._connection.send(event)
        return sent or b""


def probe(call: Call[Delivered]) -> Call[tuple[int, Delivered | RequestRejected | None]]:
    """Return the call that sends one update by line, as all of its request.

    It returns the status, and the result of the update: None if the server, or a proxy in front of it, does not know
    lines.
    """
    return Call("POST", ROUTE, _read_probe, call.body, headers={"Content-Type": MEDIA_TYPE})


def result_of(answer: Mapping[str, Any]) -> Delivered | RequestRejected:
    """Return the result of an update. Raises `ServerUnreachable` if this is no answer of ASF."""
    if "error_code" in answer:
        return RequestRejected(answer, answer.get("http_status"))
    return read_response(Delivered, answer)


def is_final(result: Delivered | RequestRejected) -> bool:
    """Return whether sending the update again would not change the result."""
    return not isinstance(result, RequestRejected) or not is_temporary(result)


def _read_probe(reply: Reply) -> tuple[int, Delivered | RequestRejected | None]:
    is_media_type = reply.headers.get("Content-Type", "").startswith(MEDIA_TYPE)
    if reply.status != HTTPStatus.OK or not is_media_type:
        return reply.status, None
    try:
        return reply.status, result_of(_parsed(reply.content))
    except (LinesEnded, ServerUnreachable):
        return reply.status, None


def _has_lines(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"").startswith(MEDIA_TYPE.encode())


def _parsed(line: bytes) -> dict[str, Any]:
    """Return an answer. Raises `LinesEnded` if the line is none."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("status") == CLOSED:
        raise LinesEnded
    return answer
