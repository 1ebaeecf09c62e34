"""The body of a request, read from the connection as it arrives: implements `StreamedBody`."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from eventlet import getcurrent, hubs

from asf.adapters.eventlet_runtime.body_framing import ChunkedBody, SizedBody
from asf.adapters.eventlet_runtime.turns import TURNS
from asf.adapters.runtime import BodyInterrupted, BrokenBody

RECEIVED_AT_ONCE = 64 * 1024
"""Maximum number of bytes that one call of `read` returns, and that the process holds of a body."""

LINGER_SECONDS = 2.0
"""How long a client may go on to send a body that is read no further. Closing the connection at once would reset it,
and the client might not see the response."""


def take_buffered(file: Any) -> bytes:
    """Return what the buffer of a file of a socket holds, so that the rest can be received from the socket.

    The socket must not wait: an empty buffer is filled once, with what has arrived.
    """
    try:
        taken: bytes = file.read(len(file.peek(1)))
    except OSError:  # Receiving will fail likewise.
        return b""
    return taken


class EventletBody:
    """The body of the request with this `eventlet.input`.

    `close_after_response` lets the server close the connection; `after_response` is `eventlet.posthooks`.
    Receives from the socket, past the server's buffer, in pieces as large as they come. What was received behind the
    body is dropped with the connection.
    """

    def __init__(
        self, request_input: Any, close_after_response: Callable[[], object], after_response: list[Any]
    ) -> None:
        self._input = request_input
        self._socket = request_input.get_socket()
        self._close_after_response = close_after_response
        chunked = request_input.chunked_input
        self._framing = ChunkedBody() if chunked else SizedBody(request_input.content_length or 0)
        self._early: bytes | None = None
        self._write_timeout = self._socket.gettimeout()
        self._timeout: float | None = self._write_timeout
        self._is_interrupted = False
        self._has_lingered = False
        self._reader: Any = None  # The green thread that waits for bytes.
        # Called if the connection stays open, or else after every response.
        request_input.discard = self.linger
        after_response.append((lambda _environ: self.linger(), (), {}))

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, after waiting for some. See `StreamedBody`."""
        TURNS.checkpoint()
        framing = self._framing
        while not framing.is_complete:
            if self._is_interrupted:
                raise BodyInterrupted
            if framing.problem is not None:
                self._close_after_response()
                raise BrokenBody(f"The body is not valid: {framing.problem}.")
            received = self._receive(timeout)
            if not received:
                self._close_after_response()
                raise BrokenBody("The connection was closed before the end of the body.")
            if piece := framing.feed(received):
                return piece
        if framing.rest:
            self._close_after_response()
        return b""

    def interrupt(self) -> None:
        """Let `read` raise `BodyInterrupted`."""
        self._is_interrupted = True
        self._close_after_response()
        if self._reader is not None:
            hubs.get_hub().schedule_call_global(0, self._end_wait)

    def linger(self) -> None:
        """Read and drop what the client still sends, for a while. The response has been sent. Safe to repeat."""
        if self._framing.is_complete or self._has_lingered or self._input.should_send_hundred_continue:
            return
        self._has_lingered = True
        end = time.monotonic() + LINGER_SECONDS
        with suppress(OSError, BrokenBody):
            while (left := end - time.monotonic()) > 0 and (received := self._receive(left)):
                self._framing.feed(received)
                if self._is_over():
                    return
                TURNS.checkpoint()
        self._close_after_response()

    def _is_over(self) -> bool:
        """Return whether all of the body was received, and nothing behind it."""
        return self._framing.is_complete and not self._framing.rest

    def _end_wait(self) -> None:
        """End the wait for bytes, if it has not ended meanwhile."""
        if self._reader is not None:
            self._reader.throw(BodyInterrupted())

    def _receive(self, timeout: float) -> bytes:
        """Return what has arrived; empty at the end of the connection. Raises TimeoutError, `BrokenBody`."""
        try:
            if self._early is None and (early := self._begin()):
                return early
            self._set_timeout(timeout)
            self._reader = getcurrent()
            received: bytes = self._socket.recv(RECEIVED_AT_ONCE)
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            self._close_after_response()
            raise BrokenBody("The connection was lost before the end of the body.") from error
        finally:
            self._reader = None
            self._set_timeout(self._write_timeout)  # The response may be written meanwhile.
        return received

    def _begin(self) -> bytes:
        """Ask a client to send that waits for this, and return what the server's buffer has of the body."""
        if self._input.should_send_hundred_continue:
            self._input.send_hundred_continue_response()
            self._input.is_hundred_continue_response_sent = True
        self._set_timeout(0)  # Read what the buffer holds, without waiting.
        self._early = self._input.rfile.buffered()
        return self._early

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self._timeout = seconds
            self._socket.settimeout(seconds)
