"""How far the peer of a connection has taken what was sent: over real connections."""

import socket as system_socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

import eventlet
import pytest
from eventlet.green import socket

from asf.adapters.eventlet_runtime import socket_control, tcp_progress
from asf.adapters.eventlet_runtime.raw_connection import EventletConnection
from asf.adapters.eventlet_runtime.socket_control import RESET_SECONDS, SocketControl
from asf.adapters.eventlet_runtime.tcp_progress import PatientSocket, progress_of
from asf.adapters.runtime import Progress
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.vanishing import vanish


class Line:
    """A TCP connection with small buffers, accepted by a `PatientSocket`."""

    def __init__(self) -> None:
        listening = PatientSocket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        self.far_end = socket.socket()
        self.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.far_end.connect(listening.getsockname())
        self.near_end, _ = listening.accept()
        listening.close()
        self.near_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def fill(self) -> EventletConnection:
        """Write until nothing more is taken, also when what is under way has arrived."""
        connection = EventletConnection(self.near_end)
        idle_looks = 0
        while idle_looks < 10:
            idle_looks = 0 if connection.write_now(bytes(4096)) else idle_looks + 1
            eventlet.sleep(0.02 if idle_looks else 0)
        return connection

    def read(self, length: int) -> int:
        """Return how many bytes were there."""
        with suppress(BlockingIOError):
            return len(self.far_end.fd.recv(length, socket.MSG_DONTWAIT))
        return 0


@pytest.fixture(params=["TCP_INFO", "what the kernel holds"])
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Return a connection, on systems that count what is acknowledged, and on those that do not."""
    if request.param != "TCP_INFO":
        monkeypatch.setattr(tcp_progress, "TCP_INFO", None)
    line = Line()
    yield line
    line.near_end.close()
    line.far_end.close()


def ends_in_a_reset(line: Line) -> bool:
    """Read to the end; return whether that is an error (which the library's own `recv` hides)."""
    with eventlet.Timeout(PATIENCE_SECONDS):
        while True:
            try:
                if not line.far_end.fd.recv(65536, socket.MSG_DONTWAIT):
                    return False
            except BlockingIOError:
                eventlet.sleep(0.01)
            except ConnectionResetError:
                return True


def until_progress(line: Line, connection: EventletConnection) -> None:
    """Read until the kernel tells of it."""
    before = connection.progress().acknowledged
    with eventlet.Timeout(PATIENCE_SECONDS):
        while connection.progress().acknowledged == before:
            line.read(1000)
            eventlet.sleep(0.01)
    assert connection.progress().acknowledged > before


def test_what_the_peer_reads_is_progress_before_there_is_room_to_write(line: Line) -> None:
    """And nothing else is."""
    connection = line.fill()
    still = connection.progress()
    assert still.answers
    eventlet.sleep(0.1)
    assert connection.progress() == still
    assert not still.has_all
    until_progress(line, connection)
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not connection.progress().has_all:
            line.read(1000)
            eventlet.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.parametrize("has_room", [True, False])
def test_a_machine_that_has_vanished_does_not_answer(has_room: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the kernel asks it for what was sent, or for room: which it answers while it is there."""
    monkeypatch.setattr(tcp_progress, "ANSWER_MILLISECONDS", 50)
    line = Line()
    connection = EventletConnection(line.near_end) if has_room else line.fill()
    eventlet.sleep(0.5)
    assert connection.progress().answers
    connection.write_now(b"x")
    assert connection.progress().answers, "It has been silent, but was asked only now."
    vanish(line.far_end)
    if has_room:
        connection.write_now(b"x")
    with eventlet.Timeout(PATIENCE_SECONDS):
        while connection.progress().answers:
            eventlet.sleep(0.01)
    line.near_end.close()
    line.far_end.close()


def test_a_closed_connection_tells_nothing(line: Line) -> None:
    """And raises nothing."""
    line.near_end.close()
    assert progress_of(line.near_end.fd, 5) == Progress(5, answers=True)


def test_sending_times_out_when_the_peer_takes_nothing(line: Line) -> None:
    """Sending raises what it raises with the library."""
    line.fill()
    line.near_end.settimeout(0.2)
    with eventlet.Timeout(PATIENCE_SECONDS), pytest.raises(TimeoutError):
        line.near_end.send(b"x")


def test_a_socket_waits_once_for_a_peer_that_takes_nothing(line: Line) -> None:
    """What the library has left, and tries to send once more, does not wait again."""
    line.fill()
    line.near_end.settimeout(0.1)
    with eventlet.Timeout(PATIENCE_SECONDS):
        with pytest.raises(TimeoutError):
            line.near_end.send(b"x")
        with pytest.raises(BlockingIOError):
            line.near_end.send(b"x")


@pytest.mark.parametrize("steps", [5])
def test_sending_waits_for_a_peer_that_takes_something(
    line: Line, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """As long as each look finds progress."""
    progress = iter(range(1, steps))
    looks: list[int] = []

    def progress_at_each_look(_socket: system_socket.socket) -> Progress:
        looks.append(next(progress, steps - 1))
        return Progress(looks[-1], answers=True)

    line.fill()
    line.near_end.settimeout(0.02)
    monkeypatch.setattr(tcp_progress, "progress_of", progress_at_each_look)
    with eventlet.Timeout(PATIENCE_SECONDS), pytest.raises(TimeoutError):
        line.near_end.send(b"x")
    assert looks == [1, 2, 3, 4, 4]


def test_a_socket_that_never_waits_does_not_wait_to_send(line: Line) -> None:
    """As sockets do that were set so."""
    line.fill()
    line.near_end.settimeout(0)
    with pytest.raises(BlockingIOError):
        line.near_end.send(b"x")


def test_a_reset_waits_until_all_has_arrived(line: Line) -> None:
    """Then the peer reads an error in the place of the end."""
    control = SocketControl(line.near_end, None)
    line.near_end.sendall(b"all of it")
    with eventlet.Timeout(PATIENCE_SECONDS):
        control.reset()
    assert control.is_reset
    line.near_end.close()
    assert line.far_end.recv(100) == b"all of it"
    assert ends_in_a_reset(line)


def test_a_reset_does_not_wait_for_a_peer_that_takes_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not take is discarded."""
    monkeypatch.setattr("asf.adapters.eventlet_runtime.socket_control.RESET_SECONDS", 0.1)
    line.fill()
    with eventlet.Timeout(PATIENCE_SECONDS):
        SocketControl(line.near_end, None).reset()
    line.near_end.close()
    assert ends_in_a_reset(line)


def test_a_reset_does_not_wait_for_a_client_that_has_gone(line: Line) -> None:
    """What the kernel holds for it stays as it is."""
    line.fill()
    line.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.far_end.close()
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not SocketControl(line.near_end, None).is_gone():
            eventlet.sleep(0.01)
    control = SocketControl(line.near_end, None)
    with eventlet.Timeout(RESET_SECONDS / 2):
        control.reset()
    assert control.is_reset


@pytest.mark.skipif(socket_control.TCP_INFO is None, reason="other systems do not tell")
@pytest.mark.parametrize("is_followed", [True, False])
def test_a_reset_is_known_before_it_is_read(line: Line, is_followed: bool) -> None:
    """And is none of the request before the latest."""
    control = SocketControl(line.near_end, None)
    assert not control.was_reset
    control.is_followed = is_followed
    line.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.far_end.close()
    assert control.was_reset is not is_followed
    line.near_end.close()
    assert control.was_reset is not is_followed
