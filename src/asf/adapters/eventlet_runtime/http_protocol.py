"""The WSGI library's HTTP protocol with limits: number of connections, deadlines and rate of requests."""

import string
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import eventlet
import eventlet.wsgi

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.eventlet_runtime.socket_control import SocketControl
from asf.adapters.eventlet_runtime.turns import FAREWELLS, TURNS
from asf.adapters.rate_limit import RateLimit
from asf.adapters.runtime import CONNECTION_CONTROL
from asf.adapters.serving import HttpTimeouts
from asf.domain.errors import AsfError

REQUESTS_PER_SECOND = 100.0
REQUESTS_AT_ONCE = 200
"""Rate limit of one connection. Requests beyond it are delayed: nothing is lost, and no other connection waits."""

DISCARDED_AT_ONCE = 16 * 1024
"""Bytes that are read at once of a body that the application did not read."""

MAX_LINE_BYTES = 4096
"""Longest line between the chunks of a request's body."""

UNESCAPED_IN_QUERY = string.printable.strip()
"""Characters of a query that are not percent-encoded."""

EMPTY_LINE_STARTS = {b"\r", b"\n"}

_END_OF_HEAD = b"\r\n\r\n"
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ConnectionPool(eventlet.GreenPool):
    """The green threads of all connections; counts these in `quota`."""

    def __init__(self, quota: ConnectionQuota) -> None:
        super().__init__(sys.maxsize)  # Its own limit would keep connections waiting without a response.
        self._quota = quota

    def spawn(self, serve: Callable[..., object], connection: list[Any]) -> Any:
        """Serve a connection, given as the library's list. Appends the error if it is over a limit, else None."""
        address = _host_of(connection[0])
        connection.append(self._quota.rejection(address))
        self._quota.take(address)
        thread = super().spawn(serve, connection)
        thread.link(self._served, address)
        return thread

    def _served(self, _thread: Any, address: str) -> None:
        self._quota.release(address)


class BoundedHttpProtocol(eventlet.wsgi.HttpProtocol):
    """Serves one connection. Requests whose path `is_unthrottled` accepts are exempt from the rate limit.

    Stricter than the library where two readers could parse the same bytes as different requests (request
    smuggling). Does not log errors of clients.
    """

    # A WebSocket keeps the buffers without using them: they fit a request's head.
    rbufsize = 2048
    wbufsize = 4096
    # Each piece that an application yields is sent at once, however short it is.
    minimum_chunk_size = 1
    error_message_format = '{"error_code":"ASF_BAD_REQUEST","message":"Bad request."}\n'
    error_content_type = "application/json"

    rfile: Any

    def __init__(
        self, connection: list[Any], server: Any, timeouts: HttpTimeouts, is_unthrottled: Callable[[str], bool]
    ) -> None:
        self._timeouts = timeouts
        self._is_unthrottled = is_unthrottled
        self._rejection: AsfError | None = connection[-1]
        self._idle_seconds = self._within_limit(timeouts.first_request)
        self._rate = RateLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
        self._head_timeout: Any = None
        self._control: SocketControl | None = None
        self.environ: dict[str, Any] | None = None
        super().__init__(connection, server)

    def log_message(self, _format: str, *_arguments: object) -> None:
        """Log nothing: the library would write what a client has sent to standard error, past the log's settings."""

    def handle_one_request(self) -> None:
        """Serve one request if it arrives in time; else end the connection. A disconnected client is not an error."""
        self.close_connection = True
        TURNS.checkpoint()  # Many requests may have arrived together.
        try:
            if self._wait_for_request():
                super().handle_one_request()
        except eventlet.Timeout as timeout:
            if timeout is not self._head_timeout:
                raise
            self.close_connection = True
            self.wfile.write(_TIMED_OUT)
        except OSError:
            self.close_connection = True
        finally:
            self._end_head()
            self._forget_request()

    def finish(self) -> None:
        """Close the connection in every case. Thousands may end at once."""
        FAREWELLS.checkpoint()
        if self._control is not None and self._control.is_reset:
            # The library would shut it down before, which a client of HTTP/1.0 takes for the end of the response.
            with suppress(OSError):
                self.wfile.close()
        else:
            with suppress(OSError):
                super().finish()
        # When the last bytes of a response cannot be written the library leaves this open, and the socket with it.
        self.rfile.close()
        self.connection.close()

    def parse_request(self) -> bool:
        """Read the head of a request, and return whether it can be served; else it has been rejected."""
        head = _HeadLines(self.rfile)
        self.rfile = head
        if not super().parse_request():
            return False
        target = self.requestline.split()[1]
        if target.startswith("//"):  # The library has removed slashes: a proxy may have taken it for another path.
            self.path = target
        if head.has_bare_cr or _is_ambiguous(self.headers):
            self.close_connection = True
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return True

    def get_environ(self) -> dict[str, Any]:
        """Return the request's environment; its head is complete by now."""
        self._end_head()
        environ: dict[str, Any] = super().get_environ()
        if not environ.get("QUERY_STRING", "").isascii():
            # As it should have been sent: applications decode it as UTF-8, or as Latin-1, and fail.
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"], safe=UNESCAPED_IN_QUERY, encoding="latin-1")
        environ["eventlet.input"].rfile = _BoundedLines(self.rfile)
        environ[CONNECTION_CONTROL] = self._control = SocketControl(self.connection, self._rejection)
        if environ.get("CONTENT_LENGTH") or environ["eventlet.input"].chunked_input:
            seconds = self._within_limit(self._timeouts.body)
            body = environ["wsgi.input"] = DeadlineInput(
                environ["eventlet.input"], seconds, self._close_after_response
            )
            environ["eventlet.input"].discard = body.discard
        if self._rejection is not None:
            self._close_after_response()
        if not self._is_unthrottled(environ["PATH_INFO"]):
            self._throttle()
        return environ

    def _wait_for_request(self) -> bool:
        """Wait for the first byte, and return whether it arrived."""
        self.connection.settimeout(self._idle_seconds)
        self._idle_seconds = self._timeouts.idle
        try:
            first = self.rfile.peek(1)
            if (
                first[:1] in EMPTY_LINE_STARTS
            ):  # Some clients send an empty line behind a body (RFC 9112, section 2.2).
                self.rfile.readline(len(b"\r\n"))
                first = self.rfile.peek(1)
        except OSError:  # disconnected, or silent for too long
            return False
        if not first and self._control is not None:
            self._control.note_end()
        if first and _END_OF_HEAD not in first:
            self._head_timeout = eventlet.Timeout(self._within_limit(self._timeouts.head))
        return bool(first)

    def _end_head(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()

    def _forget_request(self) -> None:
        """Drop the request: it refers to this object. Without the cycles both are freed without the collector."""
        environ, self.environ = self.environ, None
        if environ is not None:
            vars(environ["eventlet.input"]).pop("discard", None)

    def _within_limit(self, seconds: float) -> float:
        """Return the timeout of this connection, which is `seconds` unless it is over a limit."""
        return seconds if self._rejection is None else self._timeouts.over_limit

    def _close_after_response(self) -> None:
        self.close_connection = True

    def _throttle(self) -> None:
        delay = self._rate.delay(time.monotonic())
        if delay:
            eventlet.sleep(delay)


class DeadlineInput:
    """The body of a request, which must arrive within `seconds`.

    Otherwise `on_timeout` is called, and reading raises TimeoutError.
    """

    def __init__(self, body: Any, seconds: float, on_timeout: Callable[[], object]) -> None:
        self._body = body
        self._on_timeout = on_timeout
        self._due = time.monotonic() + seconds

    def read(self, size: int | None = None) -> bytes:
        """Return at most `size` bytes. Raises TimeoutError."""
        return self._in_time(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        """Return the rest of a line, at most `size` bytes of it. Raises TimeoutError."""
        return self._in_time(self._body.readline, size)

    def discard(self) -> None:
        """Read what the application has not read, so that the next request can follow. Raises TimeoutError."""
        while self.read(DISCARDED_AT_ONCE):
            pass

    def _in_time(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        try:
            with eventlet.Timeout(max(0.001, self._due - time.monotonic()), TimeoutError()):
                return read(size)
        except TimeoutError:
            self._on_timeout()
            raise


def _is_ambiguous(headers: Message) -> bool:
    """Return whether two parsers may disagree about a request (RFC 9112, sections 5 and 6).

    Malformed header lines, folded ones, and any doubt about the length of the body.
    """
    lengths = headers.get_all("Content-Length", [])
    codings = headers.get_all("Transfer-Encoding", [])
    return (
        bool(headers.defects)
        or any("\n" in value for value in headers.values())
        or lengths[1:] != []
        or not all(length.isascii() and length.isdigit() for length in lengths)
        or codings[1:] != []
        or bool(lengths and codings)
        or not all(coding.lower() == "chunked" for coding in codings)
    )


class _HeadLines:
    """The lines of a head. `has_bare_cr`: one contained a CR before its end, where some parsers end the line."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.has_bare_cr = False

    def readline(self, size: int = -1) -> bytes:
        """Return the next line."""
        line: bytes = self._file.readline(size)
        self.has_bare_cr |= b"\r" in line.removesuffix(b"\r\n")
        return line


class _BoundedLines:
    """A request's body with bounded lines: the sizes of chunks, their extensions, and trailers."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.read = file.read

    def readline(self, size: int = -1) -> bytes:
        """Return the next line. Raises `ChunkReadError` if it is longer than `MAX_LINE_BYTES`."""
        line: bytes = self._file.readline(MAX_LINE_BYTES if size < 0 else size)
        if size < 0 and len(line) == MAX_LINE_BYTES:
            raise eventlet.wsgi.ChunkReadError("A line of the body is too long.")
        return line


def _host_of(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) else ""
