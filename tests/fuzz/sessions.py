"""What a client does, step by step, on sockets of its own, whatever it is that it sends."""

import re
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from tests.support.bounds import PATIENCE_SECONDS

SID = b"@SID@"
"""Stands, in what is sent, for the id of the Engine.IO session that the server opened last."""

RECEIVE_SECONDS = 0.08
"""How long a step waits for an answer: nothing depends on there being one."""

SEND_SECONDS = 2.0
"""How long a step waits for room to send: what the server does not read is passed over."""

MAX_KEPT_BYTES = 256 * 1024

_OPENED = re.compile(rb'0\{"sid":"([\w=-]+)"')
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes, in as many pieces as `piece_bytes` makes of them (0: one)."""

    data: bytes
    piece_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for an answer, and take all that is there."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open one more TCP connection, and go on with that."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Go on with another of the connections that were opened."""

    number: int


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Say that nothing more will be sent, and go on reading."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection off with a RST."""


Step = Send | Receive | Open | Switch | HalfClose | Reset


@dataclass
class Tally:
    """What was counted over many sessions."""

    sessions: int = 0
    connections: int = 0
    sends: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, other: "Tally") -> None:
        """Count what another one has counted."""
        with self._lock:
            self.sessions += other.sessions
            self.connections += other.connections
            self.sends += other.sends
            self.sent_bytes += other.sent_bytes
            self.received_bytes += other.received_bytes
            for status, number in other.statuses.items():
                self.statuses[status] = self.statuses.get(status, 0) + number


def play(port: int, steps: Sequence[Step]) -> Tally:
    """Play one session against the server on that port, and return what was counted.

    What the server does to the connections changes nothing: a step that cannot be done any more is passed over.
    """
    player = _Player(port)
    try:
        for step in steps:
            player.do(step)
    finally:
        player.end()
    return player.tally


class _Player:
    def __init__(self, port: int) -> None:
        self.tally = Tally(sessions=1)
        self._port = port
        self._sid = b"none"
        self._connections: list[_Connection] = []
        self._current = 0

    def do(self, step: Step) -> None:
        match step:
            case Open():
                self._open()
            case Switch(number):
                self._current = number % max(1, len(self._connections))
            case Send(data, piece_bytes):
                self._send(data.replace(SID, self._sid), piece_bytes)
            case Receive():
                self._receive(RECEIVE_SECONDS)
            case HalfClose():
                with suppress(OSError):
                    self._connection.socket.shutdown(socket.SHUT_WR)
            case Reset():
                _reset(self._connection.socket)

    def end(self) -> None:
        for number, connection in enumerate(self._connections):
            self._current = number
            self._receive(0)
            with suppress(OSError):
                connection.socket.close()
            for status in map(int, _STATUS.findall(connection.received)):
                self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1

    @property
    def _connection(self) -> "_Connection":
        if not self._connections:
            self._open()
        return self._connections[self._current]

    def _open(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append(_Connection(connection))
        self._current = len(self._connections) - 1
        self.tally.connections += 1

    def _send(self, data: bytes, piece_bytes: int) -> None:
        pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)] if piece_bytes else [data]
        connection = self._connection.socket
        with suppress(OSError):
            connection.settimeout(SEND_SECONDS)
            for piece in pieces:
                connection.sendall(piece)
                self.tally.sends += 1
                self.tally.sent_bytes += len(piece)

    def _receive(self, seconds: float) -> None:
        connection = self._connection
        with suppress(OSError):
            connection.socket.settimeout(seconds)
            while data := connection.socket.recv(65536):
                self.tally.received_bytes += len(data)
                if len(connection.received) < MAX_KEPT_BYTES:
                    connection.received += data
                connection.socket.settimeout(0)
        opened = _OPENED.findall(connection.received)
        if opened:
            self._sid = opened[-1]


class _Connection:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
