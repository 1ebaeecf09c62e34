"""A stand-in for a service with OpenAI's speech API: says what it is told to, a piece at a time."""

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.bounds import PATIENCE_SECONDS


class SpeechServer:
    """Answers each request with `pieces` in chunks, each when `release` lets it. It may break off at the end."""

    def __init__(self, pieces: Sequence[bytes], *, breaks: bool = False) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._pieces = pieces
        self._breaks = breaks
        self._released = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def release(self, pieces: int = 1) -> None:
        """Let it say so many pieces more. The end takes one as well."""
        self._released.release(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        speech = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/audio/speech" or not request.get("input"):
                    self.send_error(400)
                    return
                speech.requests.append(request)
                speech.authorizations.append(self.headers["Authorization"])
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in speech._pieces:
                    speech._released.acquire(timeout=PATIENCE_SECONDS)
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                speech._released.acquire(timeout=PATIENCE_SECONDS)
                if speech._breaks:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler
