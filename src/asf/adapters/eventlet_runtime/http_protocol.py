"""The WSGI library's HTTP protocol with limits: deadlines and rate of requests."""

import string
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import eventlet
import eventlet.wsgi
from eventlet.green import socket
from eventlet.wsgi import addr_to_host_port

from asf.adapters.eventlet_runtime.hand_over import HandOver, NotTaken
from asf.adapters.eventlet_runtime.handed_over import ConnectionState
from asf.adapters.eventlet_runtime.head_rules import HeadLines, is_ambiguous
from asf.adapters.eventlet_runtime.plain_head import END_OF_HEAD, PlainHead, read_plain_head
from asf.adapters.eventlet_runtime.precedence import PRECEDENCE
from asf.adapters.eventlet_runtime.request_body import BodyFile, DeadlineInput
from asf.adapters.eventlet_runtime.response_file import ResponseFile
from asf.adapters.eventlet_runtime.socket_control import SocketControl
from asf.adapters.eventlet_runtime.streamed_body import EventletBody
from asf.adapters.eventlet_runtime.turns import FAREWELLS, TURNS
from asf.adapters.rate_limit import RateLimit
from asf.adapters.runtime import CONNECTION_CONTROL, STREAMED_BODY
from asf.adapters.serving import HttpTimeouts
from asf.domain.errors import AsfError

REQUESTS_PER_SECOND = 100.0
REQUESTS_AT_ONCE = 200
"""Rate limit of one connection. Requests beyond it are delayed: nothing is lost, and no other connection waits."""

TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""The option that acknowledges what arrives at once; None on systems without it."""

UNESCAPED_IN_QUERY = string.printable.strip()
"""Characters of a query that are not percent-encoded."""

EMPTY_LINE_STARTS = {b"\r", b"\n"}

_NOT_TAKEN = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedHttpProtocol(eventlet.wsgi.HttpProtocol):
    """Serves one connection. Requests whose path `is_unthrottled` accepts are exempt from the rate limit.

    With `hand_over`, requests may be for other workers. Their connection goes there.

    Stricter than the library where two readers could parse the same bytes as different requests (request
    smuggling). Does not log errors of clients.
    """

    # A connection keeps the buffer: it fits a request's head.
    rbufsize = 2048
    # Each piece that an application yields is sent at once, however short it is.
    minimum_chunk_size = 1
    error_message_format = '{"error_code":"ASF_BAD_REQUEST","message":"Bad request."}\n'
    error_content_type = "application/json"

    rfile: Any
    wfile: Any
    headers: Any

    def __init__(
        self,
        connection: list[Any],
        server: Any,
        timeouts: HttpTimeouts,
        is_unthrottled: Callable[[str], bool],
        hand_over: HandOver | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._is_unthrottled = is_unthrottled
        self._rejection: AsfError | None = connection[-1]
        self._idle_seconds = self._within_limit(timeouts.first_request)
        state: ConnectionState | None = getattr(connection[1], "state", None)
        self._rate = RateLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, state.scheduled if state else 0.0)
        self._hand_over = hand_over
        self._is_handed_over = False
        self._is_kept = False  # Whether the request is known to be this worker's.
        self._head_timeout: Any = None
        self._head: PlainHead | None = None
        self._is_empty = False  # Whether the buffer is known to have nothing behind the head.
        self._server_environ: dict[str, Any] | None = None
        self._control: SocketControl | None = None
        self.environ: dict[str, Any] | None = None
        super().__init__(connection, server)

    def setup(self) -> None:
        """Open the files of the connection, as the library's method does, but without a buffer to write to."""
        self.connection = self.request
        if TCP_QUICKACK is not None:
            with suppress(OSError):
                self.connection.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = ResponseFile(self.connection)

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
        except NotTaken:
            self.connection.settimeout(self._timeouts.over_limit)
            self.wfile.write(_NOT_TAKEN)
        except OSError:
            self.close_connection = True
        finally:
            self._end_head()
            self._forget_request()

    def finish(self) -> None:
        """Close the connection in every case. Thousands may end at once."""
        FAREWELLS.checkpoint()
        if self._is_handed_over or (self._control is not None and self._control.is_reset):
            # The library would shut it down before: for the worker that has it, too; and a client of HTTP/1.0 takes
            # that for the end of the response.
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
        if self._head is not None:
            self._take_head(self._head)
            return True
        head = HeadLines(self.rfile)
        self.rfile = head
        if not super().parse_request():
            return False
        target = self.requestline.split()[1]
        if target.startswith("//"):  # The library has removed slashes: a proxy may have taken it for another path.
            self.path = target
        if head.is_cut or head.has_bare_cr or is_ambiguous(self.headers):
            self.close_connection = True
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return True

    def get_environ(self) -> dict[str, Any]:
        """Return the request's environment; its head is complete by now."""
        self._end_head()
        environ: dict[str, Any] = super().get_environ() if self._head is None else self._environ_of(self._head)
        if not environ.get("QUERY_STRING", "").isascii():
            # As it should have been sent: applications decode it as UTF-8, or as Latin-1, and fail.
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"], safe=UNESCAPED_IN_QUERY, encoding="latin-1")
        environ["eventlet.input"].rfile = BodyFile(self.rfile, is_empty=self._is_empty)
        environ[STREAMED_BODY] = partial(
            EventletBody, environ["eventlet.input"], self._close_after_response, environ["eventlet.posthooks"]
        )
        if self._control is not None:
            self._control.is_followed = True
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
        descriptor = self.connection.fileno()
        if self._control is not None:  # Of a connection that serves requests. Those of listeners may be thousands.
            PRECEDENCE.add(descriptor)
        try:
            first = self.rfile.peek(1) if self._hand_over is None else self._first_bytes(self._hand_over)
            if (
                first[:1] in EMPTY_LINE_STARTS
            ):  # Some clients send an empty line behind a body (RFC 9112, section 2.2).
                self.rfile.readline(len(b"\r\n"))
                first = self.rfile.peek(1)
        except OSError:  # disconnected, or silent for too long
            return False
        finally:
            PRECEDENCE.discard(descriptor)
        if not first and self._control is not None and not self._is_handed_over:
            self._control.note_end()
        if not first or (self._hand_over is not None and not self._keeps(first, is_read=False)):
            return False
        plain = read_plain_head(first)
        if plain is not None:
            self._head, length = plain
            self._is_empty = length == len(first)
            self.rfile.read(length)  # From the buffer.
        elif END_OF_HEAD not in first:
            self._head_timeout = eventlet.Timeout(self._within_limit(self._timeouts.head))
        return True

    def _read_request_line(self) -> bytes:
        """Return the first line of the request. One whose head has been read is not read again."""
        if self._head is None:
            line: bytes = super()._read_request_line()
            if not line or (not line.endswith(b"\n") and len(line) < self.server.url_length_limit):
                return b""  # The connection has ended.
            return line if self._hand_over is None or self._keeps(line, is_read=True) else b""
        self.connection.settimeout(self.server.socket_timeout)
        return self._head.request_line.encode()

    def _take_head(self, head: PlainHead) -> None:
        """Set what the library's own parser sets."""
        self.requestline = head.request_line
        self.command, self.path, self.request_version = head.method, head.target, "HTTP/1.1"
        self.headers = head  # All that the library asks it for is `get`.
        self.close_connection = (head.get("connection") or "").lower() == "close"

    def _environ_of(self, head: PlainHead) -> dict[str, Any]:
        """Return the environment as the library's method does, for a request whose head has been read."""
        if self._server_environ is None:
            host, port = addr_to_host_port(self.request.getsockname())
            client_host, client_port = addr_to_host_port(self.client_address)
            self._server_environ = self.server.get_environ() | {
                "SERVER_PROTOCOL": "HTTP/1.0",  # As the library says of all requests.
                "SERVER_NAME": host,
                "SERVER_PORT": str(port),
                "REMOTE_ADDR": client_host,
                "REMOTE_PORT": str(client_port),
                "GATEWAY_INTERFACE": "CGI/1.1",
            }
        length = head.get("content-length") or "0"
        body = eventlet.wsgi.Input(self.rfile, length, self.connection)
        return {
            **self._server_environ,
            **head.environ(),
            "wsgi.input": body,
            "eventlet.input": body,
            "eventlet.posthooks": [],
            "eventlet.set_idle": self._set_idle,
        }

    def _set_idle(self) -> None:
        self.conn_state[2] = eventlet.wsgi.STATE_IDLE

    def _first_bytes(self, hand_over: HandOver) -> bytes:
        """Wait for the first byte, and return what has arrived: nothing if it has ended, or was handed over."""
        waited = hand_over.wait(self.connection, self.rfile, self._state)
        self._is_handed_over = waited is None
        return waited or b""

    def _keeps(self, line: bytes, *, is_read: bool) -> bool:
        """Return whether this worker is to answer the request that begins with `line`, if that is complete.

        `is_read` says whether it was read, or is in the buffer still.
        """
        if self._hand_over is not None and b"\n" in line and not self._is_kept:
            self._is_kept = self._hand_over.keeps_request(
                self.connection, self.rfile, line, self._state, is_read=is_read
            )
            self._is_handed_over = not self._is_kept
        return not self._is_handed_over

    @property
    def _state(self) -> ConnectionState:
        return ConnectionState(self._rejection is None, self._rate.scheduled)

    def _end_head(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()

    def _forget_request(self) -> None:
        """Drop the request: it refers to this object. Without the cycles both are freed without the collector."""
        self._head = None
        self._is_empty = self._is_kept = False
        environ, self.environ = self.environ, None
        if environ is not None:
            vars(environ["eventlet.input"]).pop("discard", None)
            environ.pop("eventlet.set_idle")

    def _within_limit(self, seconds: float) -> float:
        """Return the timeout of this connection, which is `seconds` unless it is over a limit."""
        return seconds if self._rejection is None else self._timeouts.over_limit

    def _close_after_response(self) -> None:
        self.close_connection = True

    def _throttle(self) -> None:
        delay = self._rate.delay(time.monotonic())
        if delay:
            eventlet.sleep(delay)
