"""A real receiver of webhooks, which verifies what it is sent, and can do anything but answer well."""

import hashlib
import hmac
import json
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.support.processes import eventually

KEY = bytes(range(100, 132))
SECRET = "whsec_" + b64encode(KEY).decode()
"""A value of ASF_WEBHOOK_SECRET."""


class Received(NamedTuple):
    """One request that was received."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The body as JSON."""
        message: dict[str, Any] = json.loads(self.body)
        return message

    @property
    def what(self) -> tuple[str, str]:
        """The type of the event, and the stream."""
        return self.message["type"], self.message["data"]["stream_id"]

    def is_signed_with(self, key: bytes) -> bool:
        """Return whether one of the signatures is right, as Standard Webhooks describes them."""
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        signatures = [one.partition(",") for one in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and b64decode(text) == expected for version, _, text in signatures)


Answer = int | tuple[int, Mapping[str, str]] | Callable[["_Handler"], object]
"""A status, a status with headers, or a function that does something else with the connection."""


class WebhookReceiver:
    """Listens on a port of the loopback interface. Requests get the `answers` in order, and then the last one."""

    def __init__(self, *answers: Answer) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = list(answers) or [204]
        self.release = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The URL to send webhooks to."""
        return f"http://127.0.0.1:{self.port}/asf?hook=1"

    @property
    def events(self) -> list[tuple[str, str]]:
        """What was received, each attempt."""
        return [one.what for one in list(self.received)]

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def wait_for(self, number: int) -> list[Received]:
        """Wait until so many requests were received, and return them."""
        eventually(lambda: len(self.received) >= number)
        return self.received[:number]

    def take(self, request: Received) -> Answer:
        """Record a request, and return what to answer."""
        with self._lock:
            self.received.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    receiver: WebhookReceiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients give up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.receiver.take(Received(self.path, dict(self.headers), body))
        if callable(answer):
            answer(self)
            return
        status, headers = (answer, {}) if isinstance(answer, int) else answer
        self.send_response(status)
        for name, value in ({"Content-Length": "0"} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - a redirect that is followed arrives here

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def hang(handler: _Handler) -> None:
    """Answer nothing until the receiver ends."""
    handler.server.receiver.release.wait()
    handler.close_connection = True


def drip(handler: _Handler) -> None:
    """Send a header that never ends, byte by byte, until the client gives up."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    with suppress(OSError):
        while not handler.server.receiver.release.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()
    handler.close_connection = True


def reset(handler: _Handler) -> None:
    """Reset the connection instead of answering."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()
    handler.close_connection = True


def babble(handler: _Handler) -> None:
    """Answer something that is not HTTP."""
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")
    handler.close_connection = True
