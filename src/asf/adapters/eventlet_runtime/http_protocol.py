"""The library's HTTP, with bounds.

How many connections there are, how long a request may take to arrive, and how often one may follow another.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import eventlet
import eventlet.wsgi

from asf.domain.limits import Occupancy, RateLimit

FIRST_REQUEST_SECONDS = 30.0
"""Longest time from a connection to the first byte of its first request."""

IDLE_SECONDS = 75.0
"""Longest time that a connection may be silent between two requests."""

HEAD_SECONDS = 10.0
"""Longest time from the first byte of a request to the end of its head."""

BODY_SECONDS = 30.0
"""Longest time that the body of a request may take."""

REQUESTS_PER_SECOND = 100.0
REQUESTS_AT_ONCE = 200
"""How often one connection may ask. What comes sooner waits: nothing is lost, and nobody else waits for it."""

REFUSAL = "asf.refusal"
"""The key of a request's environment under which it says why there is no place for its connection (or None)."""

_END_OF_HEAD = b"\r\n\r\n"
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ConnectionPool(eventlet.GreenPool):
    """The green threads of all connections; counts these in `occupancy`."""

    def __init__(self, occupancy: Occupancy) -> None:
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
    """Serves one connection. Requests that `is_urgent` knows by their path may come as often as they like."""

    # A WebSocket keeps the buffers for nothing: they fit a request's head.
    rbufsize = 2048
    wbufsize = 4096
    # What an application yields is sent at once, however short it is.
    minimum_chunk_size = 1

    def __init__(self, connection: list[Any], server: Any, is_urgent: Callable[[str], bool]) -> None:
        self._is_urgent = is_urgent
        self._refusal = connection[-1]
        self._idle_seconds = FIRST_REQUEST_SECONDS
        self._rate = RateLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
        self._head_timeout: Any = None
        super().__init__(connection, server)

    def handle_one_request(self) -> None:
        """Serve one request, if it comes in time; else end the connection."""
        self.close_connection = True
        try:
            if self._wait_for_request():
                super().handle_one_request()
        except eventlet.Timeout as timeout:
            if timeout is not self._head_timeout:
                raise
            self.close_connection = True
            self.wfile.write(_TIMED_OUT)
        finally:
            self._end_head()

    def get_environ(self) -> dict[str, Any]:
        """Return the request's environment; its head is complete by now."""
        self._end_head()
        environ: dict[str, Any] = super().get_environ()
        environ[REFUSAL] = self._refusal
        if environ.get("CONTENT_LENGTH") or environ["eventlet.input"].chunked_input:
            environ["wsgi.input"] = TimelyInput(environ["eventlet.input"], self._end_after_answer)
        if not self._is_urgent(environ["PATH_INFO"]):
            self._slow_down()
            if self._refusal is not None:
                self._end_after_answer()
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
            self._head_timeout = eventlet.Timeout(HEAD_SECONDS)
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
    """The body of a request, which must arrive within `BODY_SECONDS`.

    What reads it gets a TimeoutError else; `on_timeout` is called before.
    """

    def __init__(self, body: Any, on_timeout: Callable[[], object]) -> None:
        self._body = body
        self._on_timeout = on_timeout
        self._due = time.monotonic() + BODY_SECONDS

    def read(self, size: int | None = None) -> bytes:
        """Return at most `size` bytes. Raises TimeoutError."""
        return self._in_time(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        """Return the rest of a line, at most `size` bytes of it. Raises TimeoutError."""
        return self._in_time(self._body.readline, size)

    def _in_time(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        try:
            with eventlet.Timeout(max(0.001, self._due - time.monotonic()), TimeoutError()):
                return read(size)
        except TimeoutError:
            self._on_timeout()
            raise


def _host_of(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) else ""
