"""An HTTP proxy in front of an object store, that counts what is asked for, and can be slow, fail and cut off."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE_BYTES = 16 * 1024


class StoreProxy:
    """Forwards requests, with their signatures as they are, to the store at `target_port`.

    `asked` has method, path and range of each request in their order. From when they are set, answers begin after
    `delay` seconds; the next `failures` requests are answered with status 500; the next `cuts` answers to a GET are
    cut off in the midst of their bodies; and while it `hangs`, no answer comes at all.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.asked: list[tuple[str, str, str | None]] = []
        self.delay = 0.0
        self.failures = 0
        self.cuts = 0
        self._lock = threading.Lock()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The value of `ASF_S3_ENDPOINT_URL` for it."""
        return f"http://127.0.0.1:{self.port}"

    def blocks(self, path: str) -> Counter[str | None]:
        """Return how often each range of an object was asked for."""
        with self._lock:
            return Counter(part for method, asked, part in self.asked if method == "GET" and asked == path)

    def hang(self) -> None:
        """Answer nothing any more."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._goes_on.set()

    def close(self) -> None:
        """End it."""
        self.go_on()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, method: str, path: str, part: str | None) -> tuple[bool, bool]:
        """Take note of a request, and tell whether it fails and whether its answer is cut off."""
        with self._lock:
            self.asked.append((method, path, part))
            if self.failures > 0:
                self.failures -= 1
                return True, False
            if self.cuts > 0 and method == "GET":
                self.cuts -= 1
                return False, True
            return False, False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                fails, is_cut = proxy._take(self.command, self.path, self.headers["Range"])
                proxy._goes_on.wait()
                time.sleep(proxy.delay)
                if fails:
                    self.send_response(500)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                with closing(http.client.HTTPConnection("127.0.0.1", proxy.target_port)) as store:
                    self.forward_to(store, is_cut=is_cut)

            def forward_to(self, store: http.client.HTTPConnection, *, is_cut: bool) -> None:
                length = int(self.headers["Content-Length"] or 0)
                store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    store.putheader(name, value)
                store.endheaders(self.rfile.read(length))
                answer = store.getresponse()
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in {"connection", "transfer-encoding"}:
                        self.send_header(name, value)
                self.end_headers()
                whole = int(answer.headers["Content-Length"] or 0)
                with suppress(OSError):  # Nobody may want it any more.
                    for piece in _pieces(answer, whole // 2 if is_cut else whole):
                        self.wfile.write(piece)
                self.close_connection = is_cut or self.close_connection

            do_GET = do_HEAD = do_PUT = forward  # noqa: N815 - so they are called

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler


def _pieces(answer: http.client.HTTPResponse, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := answer.read(min(PIECE_BYTES, length))):
        length -= len(piece)
        yield piece
