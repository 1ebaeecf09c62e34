"""The long-polling requests of one Engine.IO connection: GETs that wait for packets, and POSTs that bring some.

Browsers repeat a request when its connection is reset before the first byte of a response: Chromium and Firefox do so
on connections that they have used before, for GET and POST alike. So a request may arrive twice, and a response may
have been written to a connection that nobody reads. Two requests are the same if they have the same value of `t`,
which Engine.IO's clients change with each request, and come over different connections.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from engineio import exceptions
from engineio.packet import CLOSE, NOOP, Packet

from asf.adapters.engineio.packet_queue import PacketQueue
from asf.adapters.rate_limit import RateLimit
from asf.adapters.runtime import ConnectionControl, Runtime, control_of

PACKETS_PER_SECOND = 2_000.0
PACKETS_AT_ONCE = 5_000
"""Rate limit of the packets that one client posts: that of frames on a WebSocket."""

MAX_REPEATS = 5
"""How often the same response is sent. A client that asks again does not change `t`, and could not be served."""

POLL_RESPONSE = "asf.poll_response"
"""Key of a request's WSGI environment: the `PollResponse` that answers it, if it takes packets."""

_IS_WEBSOCKET = re.compile(r"(?:EIO=4&)?transport=websocket(?:&|$)")
"""What the query of a WebSocket begins with, by all known clients: it need not be parsed."""

SEPARATOR = "\x1e"
"""Between two packets (Engine.IO protocol 4, "HTTP long-polling")."""


class InvalidPoll(exceptions.EngineIOError):
    """A request that cannot be handled: the library answers it with 400 and ends the connection."""


class PollResponse:
    """The packets that answer a poll; kept until the client asks for more, and so has received them."""

    __slots__ = ("_polls", "control", "is_written", "key", "packets", "times_sent")

    def __init__(self, polls: "Polls", key: str | None, control: ConnectionControl, packets: list[Packet]) -> None:
        self._polls = polls
        self.key = key
        self.control = control
        """The connection that carried it last."""
        self.packets = packets
        self.is_written = False
        """Whether the kernel has taken all of it."""
        self.times_sent = 1

    def deliver(self, body: bytes) -> Iterator[bytes]:
        """Yield the body of the response, and note whether it could be written."""
        number = self.times_sent
        is_written = False
        try:
            yield body
            is_written = True
        finally:
            if number == self.times_sent:
                self.is_written = is_written
                if not is_written:
                    self._polls.take_back(self)


class Polls:
    """Answers the polls of one connection, python-engineio's object, and handles what its client posts.

    The newest poll gets the packets. A response that could not be written goes to the next poll; one that was written
    is sent again if the request is repeated. Where it is unknown what the client has, the connection is ended: the
    client connects again, and resumes at its position.
    """

    def __init__(self, connection: Any, runtime: Runtime) -> None:
        self._connection = connection
        self._queue: PacketQueue = connection.queue
        self._queue.on_put = self._wake
        self._runtime = runtime
        self._library_get: Callable[..., Any] = connection.handle_get_request
        connection.handle_get_request, connection.handle_post_request = self.handle_get, self.handle_post
        self._waiting: Any = None  # The library's event of the newest poll.
        self._response: PollResponse | None = None
        self._posted: tuple[str, int, object] | None = None
        self._rate = RateLimit(PACKETS_PER_SECOND, PACKETS_AT_ONCE)

    def handle_get(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
        """Answer a GET, as the library's method does: returns packets, or the response to a WebSocket handshake."""
        if "HTTP_UPGRADE" in environ:
            return self._library_get(environ, start_response)
        key, control = _key_of(environ), control_of(environ)
        repeated = self._repeated_response(key, control)
        if repeated is not None:
            environ[POLL_RESPONSE] = repeated
            return repeated.packets
        if self._connection.upgrading or self._connection.upgraded or not self._wait() or control.is_gone():
            return [Packet(NOOP)]  # Nothing is sent to a poll that is not the newest, or whose client has left.
        packets = self._queue.take()
        if not packets:
            return [] if self._connection.closing else [Packet(NOOP)]
        self._response = environ[POLL_RESPONSE] = PollResponse(self, key, control, packets)
        return packets

    def handle_post(self, environ: dict[str, Any]) -> None:
        """Handle the packets of a POST, as the library's method does, but any number of them.

        Raises `EngineIOError` when it is too long, or a packet is invalid. The packets before that are handled.
        """
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._connection.server.max_http_buffer_size:
            raise exceptions.ContentTooLongError
        body: bytes = environ["wsgi.input"].read(length)
        if body and not self._is_repeated(environ, body):
            for encoded in _text_of(body).split(SEPARATOR):
                self._receive(encoded)
                if self._connection.closed:
                    return

    @property
    def has_response(self) -> bool:
        """Whether packets were sent to a poll, and the client has not polled since."""
        return self._response is not None

    def take_back(self, response: PollResponse) -> None:
        """Queue the packets of a response again that could not be written."""
        if response is not self._response or self._connection.upgraded:
            # What came after them may have been sent.
            self._connection.close(wait=False, abort=True, reason=self._connection.server.reason.TRANSPORT_ERROR)
            return
        self._response = None
        self._queue.put_back(response.packets)

    def release(self) -> None:
        """Drop what is kept: there are no more polls. Without it a connection is freed without the collector."""
        self._wake()
        self._response = self._queue.on_put = None
        del self._connection.handle_get_request, self._connection.handle_post_request

    def _repeated_response(self, key: str | None, control: ConnectionControl) -> PollResponse | None:
        """Return the last response if this poll repeats the one it answered; otherwise the client has received it.

        Raises `InvalidPoll` when that is not certain.
        """
        response = self._response
        if response is None:
            return None
        is_elsewhere = control.connection is not response.control.connection
        if is_elsewhere and key is not None and key == response.key:
            if response.times_sent > MAX_REPEATS:
                raise InvalidPoll
            response.times_sent += 1
            response.control = control
            return response
        if not response.is_written or (is_elsewhere and key is None and response.control.was_reset):
            raise InvalidPoll
        self._response = None
        return None

    def _wait(self) -> bool:
        """Wait for packets. Returns False when this poll is not to have them. Raises `QueueEmpty`, as the library."""
        server = self._connection.server
        event = server.create_event()
        if self._waiting is not None:
            self._waiting.set()
        self._waiting = event
        if self._queue.empty() and not event.wait(server.ping_interval + server.ping_timeout):
            self._connection.close(wait=False, reason=server.reason.TRANSPORT_ERROR)
            raise exceptions.QueueEmpty
        if self._waiting is not event:
            return False
        self._waiting = None
        return not self._connection.upgraded

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.set()

    def _is_repeated(self, environ: Mapping[str, Any], body: bytes) -> bool:
        """Return whether this POST has been handled before, and remember it."""
        key, connection = _key_of(environ), control_of(environ).connection
        if key is None:
            return False
        earlier, self._posted = self._posted, (key, hash(body), connection)
        return earlier is not None and earlier[:2] == self._posted[:2] and earlier[2] is not connection

    def _receive(self, encoded: str) -> None:
        """Handle one packet. Raises `EngineIOError`."""
        delay = self._rate.delay(time.monotonic())
        if delay:
            self._runtime.pause(delay)
        self._runtime.checkpoint()
        try:
            packet = Packet(encoded_packet=encoded)
        except (ValueError, RecursionError) as error:  # The library parses messages as JSON.
            raise InvalidPoll from error
        if self._connection.closed:
            raise exceptions.SocketIsClosedError
        self._connection.receive(packet)
        if self._connection.closed and packet.packet_type != CLOSE:
            raise exceptions.SocketIsClosedError  # What follows is not handled.


def is_polling(environ: Mapping[str, Any]) -> bool:
    """Return whether a request is for long polling, as the library decides it."""
    query: str = environ.get("QUERY_STRING", "")
    if _IS_WEBSOCKET.match(query):
        return False
    return parse_qs(query).get("transport", ["polling"])[0] == "polling"


def _key_of(environ: Mapping[str, Any]) -> str | None:
    """Return the value of `t`, which the client changes with each request; None if it does not send any."""
    values = parse_qs(environ.get("QUERY_STRING", "")).get("t")
    return values[0] if values else None


def _text_of(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidPoll from error
