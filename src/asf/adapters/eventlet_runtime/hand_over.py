"""Connections that another worker is to serve: their descriptors (SCM_RIGHTS, unix(7)), and what was read from them.

Each worker has an inbox, a Unix socket of type SEQPACKET. The kernel keeps the state and the options of a connection;
the worker that receives it serves it as if it had accepted it.
"""

import logging
import time
from collections.abc import Sequence, Sized
from contextlib import suppress
from typing import Any

import eventlet
from eventlet import greenthread, hubs, patcher

from asf.adapters.eventlet_runtime.handed_over import QUESTION, ConnectionState, HandedOverSocket, message_of
from asf.adapters.eventlet_runtime.streamed_body import take_buffered
from asf.adapters.log_throttle import LogThrottle
from asf.adapters.workers.seat import Seat
from asf.adapters.workers.session_ids import read_request_line
from asf.adapters.workers.table import State

FULL_SECONDS = 5.0
"""How long a connection waits while the inbox of its worker is full."""

FULL_LOOK_SECONDS = 0.01
"""Interval between two attempts to put a connection into an inbox that is full."""

REST_SECONDS = 5.0
"""How long a worker that drains waits, in the end, for requests that are being answered."""

REST_LOOK_SECONDS = 0.01
"""Interval between two looks whether there are any."""

LOG_SECONDS = 10.0
"""Shortest time between two log lines about connections that could not be handed over."""

_socket = patcher.original("socket")

logger = logging.getLogger(__name__)


class NotTaken(Exception):
    """The worker that has a session does not take a connection."""


class _Draining(Exception):
    """Wakes a task that waits for a request."""


class HandOver:
    """Sends connections to other workers. `inboxes` are the sending ends of their inboxes, by slot."""

    def __init__(self, seat: Seat, inboxes: Sequence[Any]) -> None:
        self._seat = seat
        self._inboxes = inboxes
        self._throttle = LogThrottle(LOG_SECONDS)
        self._waiting: dict[object, Any] = {}

    def keeps(self, accepted: Any) -> bool:
        """Return whether this worker is to serve a connection that it has accepted; if not, another one has it."""
        slot = self._seat.lighter()
        if slot is None or not self._put(slot, accepted, None, b""):
            return True
        accepted.close()
        return False

    def keeps_request(
        self, connection: Any, file: Any, line: bytes, state: ConnectionState, *, is_read: bool
    ) -> bool:
        """Return whether this worker is to answer the request that begins with `line`, a request line or more.

        `file` is what the rest is read from, and the line itself, unless it `is_read`. May yield. A connection that
        is on its way to another worker must be closed without shutting it down.

        Raises `NotTaken`.
        """
        has_arrived, connection.arrived = getattr(connection, "arrived", False), False
        slot = self._slot_of(line, has_arrived=has_arrived)
        if slot is None:
            return True
        self._send(slot, connection, file, line if is_read else b"", state)
        return False

    def wait(self, connection: Any, file: Any, state: ConnectionState) -> bytes | None:
        """Wait for the first byte of a request, and return what has arrived: nothing at the end of the connection.

        Returns None if the connection is on its way to another worker, as this one drains. Raises OSError.
        """
        while True:
            # One that has arrived with a request may have come because that is for this worker.
            is_free = self._seat.is_draining and not getattr(connection, "early", b"")
            slot = self._seat.lighter() if is_free else None
            if slot is not None:
                self._send(slot, connection, file, b"", state)
                return None
            token = object()
            self._waiting[token] = greenthread.getcurrent()
            try:
                first: bytes = file.peek(1)
            except _Draining:
                continue
            finally:
                self._waiting.pop(token, None)
            return first

    def drain(self) -> None:
        """Hand over the connections that wait for a request, and from now on all on which one arrives."""
        self._seat.set_state(State.DRAINING)
        for token in list(self._waiting):
            hubs.get_hub().schedule_call_global(0, self._interrupt, token)

    def wait_for_rest(self, connections: Sized) -> None:
        """Wait, for a while, until no connection is left: the requests that are being answered come to their ends."""
        end = time.monotonic() + REST_SECONDS
        while len(connections) and time.monotonic() < end and self._seat.lighter() is not None:
            eventlet.sleep(REST_LOOK_SECONDS)

    def _interrupt(self, token: object) -> None:
        waiting = self._waiting.pop(token, None)
        if waiting is not None:
            waiting.throw(_Draining())

    def ask(self, slot: int) -> None:
        """Ask another worker for its metrics. One whose inbox is full is not asked."""
        with suppress(OSError):
            self._inboxes[slot].send(QUESTION)

    def gives_back(self, connection: HandedOverSocket, message: bytes) -> bool:
        """Return whether another worker has this connection now, of which `message` has arrived.

        None has it if this one has the session of its request, or all others are exhausted, too.
        """
        request = read_request_line(connection.early)
        slot = self._seat.lightest()
        if slot is None or (request is not None and request.owner == self._seat.me):
            return False
        return self._put_message(slot, connection, [message])

    def _send(self, slot: int, connection: Any, file: Any, line: bytes, state: ConnectionState) -> None:
        connection.settimeout(0)
        early = line + take_buffered(file) + getattr(connection, "early", b"")
        end = time.monotonic() + FULL_SECONDS
        while not self._put(slot, connection, state, early):
            if time.monotonic() > end:
                if self._throttle.permits():
                    logger.warning("A connection cannot be handed over: worker %d does not take it", slot)
                raise NotTaken
            eventlet.sleep(FULL_LOOK_SECONDS)

    def _slot_of(self, line: bytes, *, has_arrived: bool) -> int | None:
        """Return the slot of the worker for a request, None for this one.

        One that `has_arrived` from another worker is not handed over again without need.
        """
        request = read_request_line(line)
        if request is not None and request.owner is not None:
            if request.owner.slot == self._seat.me.slot:
                return None
            return request.owner.slot if self._seat.has(request.owner) else None
        begins = request is not None and not request.sid and not request.is_websocket
        may_go = self._seat.is_draining or (begins and not has_arrived)
        return self._seat.lighter() if may_go else None

    def _put(self, slot: int, connection: Any, state: ConnectionState | None, early: bytes) -> bool:
        """Put a connection into an inbox, and return whether there was room."""
        return self._put_message(slot, connection, message_of(state, early))

    def _put_message(self, slot: int, connection: Any, parts: Sequence[bytes]) -> bool:
        # Before: the other worker may receive it, and look how many were sent, before this one runs again.
        self._seat.note_sent(slot)
        try:
            _socket.send_fds(self._inboxes[slot], parts, [connection.fileno()])
        except OSError:  # Full, or too many descriptors are under way.
            self._seat.note_not_sent(slot)
            return False
        return True
