"""A WebSocket connection of a server: sends without waiting where that is possible, and receives within limits."""

import math
import time
from collections.abc import Callable
from contextlib import suppress

from wsproto.events import CloseConnection, Ping, Pong
from wsproto.frame_protocol import CloseReason

from asf.adapters.rate_limit import RateLimit
from asf.adapters.runtime import RawConnection
from asf.adapters.websocket.frames import EMPTY_CLOSE_FRAME, close_frame, pong_frame
from asf.adapters.websocket.receiver import MessageReceiver
from asf.adapters.websocket.sender import FrameSender

FRAMES_PER_SECOND = 2_000.0
FRAMES_AT_ONCE = 5_000
"""Rate limit of one client's frames. Frames beyond it are read later: TCP throttles the client, and nothing is lost.

A listener that acknowledges every chunk at the default pace sends a hundred a second."""

THROTTLED_NOTICE_SECONDS = 10.0
"""Shortest time between two notices to a client that it is throttled."""

_MIN_WAIT_SECONDS = 0.001


class DirectWebSocket(FrameSender):
    """One WebSocket connection. One task receives; any may send.

    `message_timeout` returns how many seconds the next message may take (None: no limit); after that the connection
    is considered ended, unless `is_excused` grants the client the same time again. `timeout`, in seconds, limits
    every silence of a client that is not behind with its reading (None: no limit). `on_throttled` is called when
    frames arrive faster than the rate limit, at most every `THROTTLED_NOTICE_SECONDS`, `on_pong` with the payload of
    each pong. `received_frames` counts all frames that were received.
    """

    def __init__(self, connection: RawConnection, max_message_bytes: int) -> None:
        super().__init__(connection)
        self.message_timeout: Callable[[], float | None] = _no_limit
        self.is_excused: Callable[[], bool] = _never
        self.on_throttled: Callable[[], None] | None = None
        self.on_pong: Callable[[bytes], None] | None = None
        self.received_frames = 0
        self._receiver = MessageReceiver(max_message_bytes)
        self._frame_rate = RateLimit(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self._throttled_at = -math.inf
        self._received_ahead: list[str | bytes] = []
        self._has_ended = False

    def wait_ahead(self) -> bool:
        """Receive the next message and keep it for `wait`. Returns False at the end of the connection."""
        message = self.wait()
        self._received_ahead = [] if message is None else [message]
        return message is not None

    def wait(self) -> str | bytes | None:
        """Wait for the next message. Returns None at the end of the connection, whatever the reason."""
        if self._received_ahead:
            return self._received_ahead.pop()
        if self._has_ended:
            return None
        message = None
        try:
            message = self._next_message()
        except OSError:  # It has failed: for example, the peer has vanished, or was silent for too long.
            self.close(CloseReason.INTERNAL_ERROR, "Internal Server Error")
        finally:
            if message is None:
                self._has_ended = True
                self.discard_pending()
        return message

    def pause(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        self._connection.pause(seconds)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection, with a close frame if possible. The receiving task sees the end of the connection."""
        self.send_close(EMPTY_CLOSE_FRAME if code is None else close_frame(code, reason))
        self._connection.abort()

    def _next_message(self) -> str | bytes | None:
        """Return the next message, or None when the client or this side has closed. Raises OSError."""
        seconds = self.message_timeout()
        due = None if seconds is None else time.monotonic() + seconds
        while True:
            # Bytes may have arrived for thousands of messages, and more be there whenever these have been handled.
            self._connection.checkpoint()
            received = self._receiver.next_frame()
            if received is None:
                data = self._receive(due)
                if not data:
                    return None
                self._receiver.feed(data)
                continue
            self.received_frames += 1
            self._throttle()
            if isinstance(received, str | bytes):
                return received
            if isinstance(received, Ping):
                self.send_frame(pong_frame(received.payload))
            elif isinstance(received, Pong):
                if self.on_pong is not None:
                    self.on_pong(bytes(received.payload))
            elif isinstance(received, CloseConnection):
                self.close(received.code, received.reason or "")
                return None

    def _receive(self, due: float | None) -> bytes:
        """Return bytes; none at the end of the connection, or when the message is overdue. Raises OSError."""
        self.flush()
        if due is None:
            while True:
                try:
                    return self._connection.receive(self.timeout)
                except TimeoutError:
                    if self.timeout is None or not self.intake.is_behind(self.timeout):
                        raise
        while True:
            with suppress(TimeoutError):
                return self._connection.receive(max(_MIN_WAIT_SECONDS, due - time.monotonic()))
            if not self.is_excused():
                return b""
            due = time.monotonic() + (self.message_timeout() or 0.0)

    def _throttle(self) -> None:
        """Pause if frames arrive faster than the rate limit."""
        now = time.monotonic()
        delay = self._frame_rate.delay(now)
        if not delay:
            return
        if self.on_throttled is not None and now - self._throttled_at >= THROTTLED_NOTICE_SECONDS:
            self._throttled_at = now
            self.on_throttled()
        self._connection.pause(delay)


def _no_limit() -> None:
    return None


def _never() -> bool:
    return False
