"""The library's HTTP, with bounds.

How many connections there are, how long a request may take to arrive, and how often one may follow another.
"""

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

from asf.adapters.limits import ConnectionQuota, RateLimit

FIRST_REQUEST_SECONDS = 30.0
"""Longest time from a connection to the first byte of its first request."""

REFUSED_SECONDS = 2.0
"""Longest time from a connection for which there is no place to the end of what it asks. It has one answer, and goes:
so those who may not be refused, operators and backends, find standing room."""

IDLE_SECONDS = 75.0
"""Longest time that a connection may be silent between two requests."""

HEAD_SECONDS = 10.0
"""Longest time from the first byte of a request to the end of its head."""

BODY_SECONDS = 30.0
"""Longest time that the body of a request may take."""

REQUESTS_PER_SECOND = 100.0
REQUESTS_AT_ONCE = 200
"""How often one connection may ask. What comes sooner waits: nothing is lost, and nobody else waits for it."""

DISCARDED_AT_ONCE = 16 * 1024
"""How many bytes are read at once of a body that nobody wants."""

REFUSAL = "asf.refusal"
"""The key of a request's environment under which it says why there is no place for its connection (or None)."""

MAX_LINE_BYTES = 4096
"""Longest line between the chunks of a request's body."""

ASCII_SIGNS = string.printable.strip()
"""What is left as it is in a query."""

_END_OF_HEAD = b"\r\n\r\n"
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ConnectionPool(eventlet.GreenPool):
    """The green threads of all connections; counts these in `occupancy`."""

    def __init__(self, occupancy: ConnectionQuota) -> None:
        super().__init__(sys.maxsize)  # Its own bound would keep connections waiting, without a word.
        self._occupancy = occupancy

    def spawn(self, serve: Callable[..., object], connection: list[Any]) -> Any:
        """Serve a connection, in the library's list about it, to which is added why there is no place for it."""
        address = _host_of(connection[0])
        connection.append(self._occupancy.refusal(address))
        self._occupancy.take(address)
        thread = super().spawn(serve, connection)
        thread.link(self._served, address)
        return thread

    def _served(self, _thread: Any, address: str) -> None:
        self._occupancy.release(address)


class BoundedHttpProtocol(eventlet.wsgi.HttpProtocol):
    """Serves one connection. Requests of which `may_hurry` says so, by their path, may come as often as they like.

    Stricter than the library where two readers could take the same bytes for different requests, and silent about
    what clients do wrong.
    """

    # A WebSocket keeps the buffers for nothing: they fit a request's head.
    rbufsize = 2048
    wbufsize = 4096
    # What an application yields is sent at once, however short it is.
    minimum_chunk_size = 1
    error_message_format = '{"error_code":"ASF_BAD_REQUEST","message":"Bad request."}\n'
    error_content_type = "application/json"

    rfile: Any

    def __init__(self, connection: list[Any], server: Any, may_hurry: Callable[[str], bool]) -> None:
        self._may_hurry = may_hurry
        self._refusal = connection[-1]
        self._idle_seconds = FIRST_REQUEST_SECONDS if self._refusal is None else REFUSED_SECONDS
        self._rate = RateLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
        self._head_timeout: Any = None
        super().__init__(connection, server)

    def log_message(self, _format: str, *_arguments: object) -> None:
        """Say nothing: the library would repeat what a client has sent, past all that is set for the log."""

    def handle_one_request(self) -> None:
        """Serve one request, if it comes in time; else end the connection. A client that is gone is no error."""
        self.close_connection = True
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

    def finish(self) -> None:
        """Close the connection, whatever has become of it."""
        with suppress(OSError):
            super().finish()
        # When the last bytes of an answer cannot be written the library leaves this open, and the socket with it.
        self.rfile.close()
        self.connection.close()

    def parse_request(self) -> bool:
        """Read the head of a request, and return whether it can be served; else it has been refused."""
        head = _HeadLines(self.rfile)
        self.rfile = head
        if not super().parse_request():
            return False
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
            # As it should have been sent: what is behind here takes it for UTF-8, or for Latin-1, and fails.
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"], safe=ASCII_SIGNS, encoding="latin-1")
        environ["eventlet.input"].rfile = _BoundedLines(self.rfile)
        environ[REFUSAL] = self._refusal
        if environ.get("CONTENT_LENGTH") or environ["eventlet.input"].chunked_input:
            seconds = BODY_SECONDS if self._refusal is None else REFUSED_SECONDS
            body = environ["wsgi.input"] = TimelyInput(environ["eventlet.input"], seconds, self._end_after_answer)
            environ["eventlet.input"].discard = body.discard
        if self._refusal is not None:
            self._end_after_answer()
        if not self._may_hurry(environ["PATH_INFO"]):
            self._slow_down()
        return environ

    def _wait_for_request(self) -> bool:
        """Wait for the first byte, and tell whether one came."""
        self.connection.settimeout(self._idle_seconds)
        self._idle_seconds = IDLE_SECONDS
        try:
            begun = self.rfile.peek(1)
        except OSError:  # gone, or silent for too long
            return False
        if begun and _END_OF_HEAD not in begun:
            self._head_timeout = eventlet.Timeout(HEAD_SECONDS if self._refusal is None else REFUSED_SECONDS)
        return bool(begun)

    def _end_head(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()

    def _end_after_answer(self) -> None:
        self.close_connection = True

    def _slow_down(self) -> None:
        delay = self._rate.delay(time.monotonic())
        if delay:
            eventlet.sleep(delay)


class TimelyInput:
    """The body of a request, which must arrive within so many `seconds`.

    What reads it gets a TimeoutError else; `on_timeout` is called before.
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
        """Read what nobody has read, so that the next request can follow. Raises TimeoutError."""
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
    """Whether a request may be understood in several ways (RFC 9112, sections 5 and 6).

    Lines that are no headers, that are folded, and any doubt about the length of the body.
    """
    lengths = headers.get_all("Content-Length", [])
    codings = headers.get_all("Transfer-Encoding", [])
    return (
        bool(headers.defects)
        or any("\n" in value for value in headers.values())
        or lengths[1:] != []
        or not all(length.isascii() and length.isdigit() for length in lengths)
        or codings[1:] != []
        or not all(coding.lower() == "chunked" for coding in codings)
    )


class _HeadLines:
    """The lines of a head; tells whether there was a CR in the midst of one, which ends it for some readers."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.has_bare_cr = False

    def readline(self, size: int = -1) -> bytes:
        """Return the next line."""
        line: bytes = self._file.readline(size)
        self.has_bare_cr |= b"\r" in line.removesuffix(b"\r\n")
        return line


class _BoundedLines:
    """A request's body, without endless lines: the sizes of chunks, their extensions, and trailers."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.read = file.read

    def readline(self, size: int = -1) -> bytes:
        """Return the next line. Raises `ChunkReadError` where it is longer than `MAX_LINE_BYTES`."""
        line: bytes = self._file.readline(MAX_LINE_BYTES if size < 0 else size)
        if size < 0 and len(line) == MAX_LINE_BYTES:
            raise eventlet.wsgi.ChunkReadError("A line of the body is too long.")
        return line


def _host_of(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) else ""
