"""One Engine.IO connection, as messages and audio are sent on it.

Engine.IO keeps a queue of packets for each connection and, once that is a WebSocket, a task that writes them. Audio
and messages skip the queue where possible: they are written directly to the socket when nothing is queued in front of
them. On long polling, and during the upgrade, they go through the queue.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asf.adapters.client_intake import ClientIntake
from asf.adapters.engineio.packet_queue import MAX_POLLED_BYTES, MAX_POLLED_PACKETS, PacketQueue
from asf.adapters.engineio.packets import (
    LatePacket,
    chunk_framing,
    message_frames,
    message_packet,
    shared_message_frame,
)
from asf.adapters.runtime import Progress
from asf.adapters.websocket.back_pressure import BackPressure
from asf.adapters.websocket.connection import DirectWebSocket
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.intake import Intake

MESSAGES_PER_CHUNK = 2
"""A binary event of Socket.IO is a text message and a binary one."""


LATE_BYTES_AT_ONCE = 64 * 1024
"""Size from which on messages that are created when they go out are no longer joined into one write."""

MAX_UNREAD_RESPONSES = 1000
"""Maximum number of messages queued for a client that sends. A client with more does not read, and is dropped."""


class EngineIoTransport:
    """One Engine.IO connection, from its opening to its end. `connection` is python-engineio's object for it.

    `pause` suspends the calling task for a number of seconds. `address` is that of the TCP peer of the first request,
    `forwarded_for` the `X-Forwarded-For` that came with it.
    """

    __slots__ = (
        "__weakref__",
        "_callback",
        "_connection",
        "_pings",
        "_polled",
        "_queue",
        "_websocket",
        "address",
        "back_pressure",
        "forwarded_for",
        "is_active",
        "upgrade_attempts",
    )

    def __init__(
        self, connection: Any, pause: Callable[[float], object], address: str = "", forwarded_for: str | None = None
    ) -> None:
        self.address = address
        self.forwarded_for = forwarded_for
        self._connection = connection
        self._queue: PacketQueue = connection.queue
        self._queue.on_progress = self._notify_ready
        self._websocket: DirectWebSocket | None = None
        self._callback: Callable[[], None] | None = None
        self.back_pressure = BackPressure(MAX_UNREAD_RESPONSES // 2, pause)
        """Delays a client's messages while it does not read the responses."""
        self._polled: ClientIntake | None = None
        # For each ping without a pong: how the client was taking what it was sent, and the mark for it.
        self._pings: deque[tuple[ClientIntake | None, int]] = deque()
        connection.schedule_ping = self._note_pong  # The library calls it for each pong.
        self.is_active = False
        """Whether the connection is exempt from the join timeout."""
        self.upgrade_attempts = 0
        """WebSockets that the client has opened to upgrade the connection, which may still fail."""

    @property
    def peer(self) -> Peer:
        """Who is connected, and how."""
        transport = Transport.SOCKETIO if self._connection.upgraded else Transport.POLLING
        return Peer(transport, self.address, self.forwarded_for)

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._connection.closed)

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent."""
        websocket = self._websocket
        return self._queue.empty() and (websocket is None or websocket.idle or websocket.websocket_closed)

    @property
    def queued_messages(self) -> int:
        """Number of messages in the queue, without those of `send_late`."""
        return self._queue.qsize() - self._queue.queued_late

    @property
    def queued_late(self) -> int:
        """Number of messages of `send_late` in the queue."""
        return self._queue.queued_late

    @property
    def queued_bytes(self) -> int:
        """Size of the messages in the queue, without those of `send_late`."""
        return self._queue.queued_bytes

    def attach(self, websocket: DirectWebSocket, on_throttled: Callable[[], None]) -> None:
        """Use a WebSocket, as soon as python-engineio has completed the handshake or upgrade on it."""
        self._websocket = websocket
        websocket.on_idle = self._notify_ready
        websocket.on_throttled = on_throttled

    def detach(self) -> None:
        """Drop the WebSocket: the upgrade to it has failed."""
        self._websocket = None

    def release(self) -> None:
        """Drop all callbacks: the connection is ending. Without them it is freed without the garbage collector."""
        self._callback = self._queue.on_progress = None
        vars(self._connection).pop("schedule_ping", None)
        if self._websocket is not None:
            self._websocket.on_idle = self._websocket.on_throttled = None

    def try_write(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of a batch as far as the connection takes them now; return how many were taken.

        `start` and `stop` are offsets in the audio. Each chunk follows a text message `envelope`. After fewer than
        all bytes were taken, try again when `when_ready` calls back.
        """
        if not self._connection.upgraded:
            return self._queue_chunks(batch, start, stop, envelope)
        websocket = self._websocket
        if self._queue.unsent or websocket is None or not websocket.idle:
            return 0
        return websocket.write_chunks(chunk_framing(envelope), batch, start, stop)

    def send(self, text: str) -> bool:
        """Send a text message, directly to the socket if possible, else through the queue.

        Returns False when the connection has ended.
        """
        return self.send_all((text,))

    def send_all(self, texts: Sequence[str]) -> bool:
        """Send text messages, as `send` does, in one write if possible."""
        websocket = self._direct_websocket
        if websocket is not None:
            websocket.write_whole(message_frames(texts))
            return True
        if not self._is_alive():
            return False
        for text in texts:
            self._queue.put(message_packet(text))
        return True

    def try_send(self, text: str) -> bool:
        """Send a text message if the connection takes one now, as `try_write` takes audio; return whether it does."""
        if not self._connection.upgraded:
            if not self._free_chunks or not self._is_alive():
                return False
            self._queue.put(message_packet(text))
            return True
        websocket = self._direct_websocket
        if websocket is None:
            return False
        websocket.write_whole(shared_message_frame(text))
        return True

    def send_late(self, renders: Sequence[Callable[[], str]]) -> bool:
        """Send text messages that are created when they go out. Returns False when the connection has ended."""
        rest = deque(renders)
        while rest and (websocket := self._direct_websocket) is not None:
            texts: list[str] = []
            size = 0
            while rest and size < LATE_BYTES_AT_ONCE:
                texts.append(rest.popleft()())
                size += len(texts[-1])
            websocket.write_whole(message_frames(texts))
        if rest and not self._is_alive():
            return False
        for render in rest:
            self._queue.put(LatePacket(render))
        return True

    def corked(self) -> AbstractContextManager[None]:
        """Write what is sent in this context together, as far as it is written directly. The caller must not wait."""
        return nullcontext() if self._websocket is None else self._websocket.corked()

    def mark_active(self) -> None:
        """Exempt the connection from the join timeout."""
        self.is_active = True

    def disconnect(self) -> None:
        """End the connection at once; what is queued is discarded.

        A response to a poll that is being sent may still complete, within its write timeout.
        """
        self.break_off()
        self._connection.close(wait=False, abort=True)

    def break_off(self) -> None:
        """End the WebSocket at once, if there is one; unsent data is discarded."""
        if self._websocket is not None:
            self._websocket.break_off()

    def polled(self, progress: Callable[[], Progress]) -> None:
        """Record that the client polls, on a connection of which `progress` returns how far its machine takes it."""
        self._polled = ClientIntake(progress)

    def is_taking_poll(self, period: float) -> bool:
        """Return whether the client may be taking the response to its latest poll: see `ClientIntake.is_taking`."""
        return self._polled is not None and self._polled.is_taking(period)

    def intake(self) -> Intake:
        """Return how much the client has taken: of the response to its latest poll until it has a WebSocket."""
        intake = self._intake
        return Intake(0, 0) if intake is None else intake.look()

    def note_ping(self) -> None:
        """Record that a ping is sent."""
        intake = self._intake
        self._pings.append((intake, 0 if intake is None else intake.mark()))

    def is_behind(self, period: float) -> bool:
        """Return whether the client may not have read the latest ping yet, as it reads slowly.

        `period` is as in `ClientIntake.is_taking`.
        """
        intake = self._intake
        return intake is not None and intake.is_behind(period)

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as `try_write` may take audio. None cancels an earlier callback."""
        self._callback = callback

    def _note_pong(self) -> None:
        """Record that the client has answered a ping: the first one that it has not answered, as it answers each."""
        if self._pings:
            intake, mark = self._pings.popleft()
            if intake is not None:
                intake.note_answer(mark)
        type(self._connection).schedule_ping(self._connection)

    @property
    def _intake(self) -> ClientIntake | None:
        return self._polled if self._websocket is None else self._websocket.intake

    @property
    def _direct_websocket(self) -> DirectWebSocket | None:
        """The WebSocket, if it can be written to directly: nothing is queued, unsent, or half-sent."""
        websocket = self._websocket
        if websocket is None or not self._connection.upgraded or self._queue.unsent or not websocket.idle:
            return None
        return websocket

    @property
    def _free_chunks(self) -> int:
        """Number of further chunks that can be queued: as many as fit into the next response to a poll."""
        if self._queue.queued_bytes >= MAX_POLLED_BYTES:
            return 0
        return int(max(0, MAX_POLLED_PACKETS - self._queue.qsize()) // MESSAGES_PER_CHUNK)

    def _queue_chunks(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        chunks = batch.chunks(start, stop)[: self._free_chunks]
        if not chunks or not self._is_alive():
            return 0
        for chunk in chunks:
            self._queue.put(message_packet(envelope))
            self._queue.put(message_packet(chunk))
        return sum(map(len, chunks))

    def _is_alive(self) -> bool:
        """Return whether the connection is open. Ends it when the client has not answered the last ping in time."""
        return not self._connection.closed and bool(self._connection.check_ping_timeout())

    def _notify_ready(self) -> None:
        if self._callback is None:
            return
        is_ready = self._direct_websocket is not None if self._connection.upgraded else self._free_chunks > 0
        if is_ready:
            callback, self._callback = self._callback, None
            callback()
