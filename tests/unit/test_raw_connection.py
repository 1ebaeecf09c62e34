"""eventlet's connections, over a socket pair."""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace

import eventlet
import pytest
from eventlet import wsgi
from eventlet.green import socket

from asf.adapters.eventlet_runtime.raw_connection import EventletConnection, take_connection
from asf.adapters.eventlet_runtime.request_body import BodyFile
from tests.contracts.raw_connection import RawConnectionContract
from tests.support.bounds import PATIENCE_SECONDS


class TestEventletConnection(RawConnectionContract):
    """The contract, with green threads."""

    class Line:
        def __init__(self) -> None:
            self.near_end, self.far_end = socket.socketpair()
            for end in (self.near_end, self.far_end):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.connection = EventletConnection(self.near_end)

        def send(self, data: bytes) -> None:
            self.far_end.sendall(data)

        def receive(self) -> bytes:
            with suppress(BlockingIOError):
                return bytes(self.far_end.fd.recv(1 << 20, socket.MSG_DONTWAIT))
            return b""

        def close(self) -> None:
            self.far_end.close()

        def spawn(self, work: Callable[[], object]) -> None:
            eventlet.spawn(work)

        def wait_until(self, condition: Callable[[], object]) -> None:
            with eventlet.Timeout(PATIENCE_SECONDS):
                while not condition():
                    eventlet.sleep(0)

    @pytest.fixture
    def line(self) -> Iterator[Line]:
        line = self.Line()
        yield line
        line.connection.when_writable(None)
        line.near_end.close()
        line.far_end.close()


LONG = bytes(range(256)) * 200
"""More than is read at once, and no multiple of that."""


@pytest.mark.parametrize(
    ("buffered", "arrived"), [(b"", b""), (b"ab", b""), (b"", b"cd"), (b"ab", b"cd"), (b"ab", LONG)]
)
def test_what_arrived_behind_the_request_is_received_first(buffered: bytes, arrived: bytes) -> None:
    """Whether the WSGI server's buffer holds it already or the kernel does; and nothing is waited for."""
    near_end, far_end = socket.socketpair()
    file = near_end.makefile("rb", 2048)
    far_end.sendall(b"head\r\n" + buffered)
    assert file.readline() == b"head\r\n"
    if arrived:
        far_end.sendall(arrived)
    idle: list[bool] = []
    request_input = SimpleNamespace(get_socket=lambda: near_end, rfile=BodyFile(file, is_empty=False))
    with eventlet.Timeout(PATIENCE_SECONDS):
        connection = take_connection(request_input, lambda: idle.append(True))
    assert idle == [True]
    assert wsgi.WSGI_LOCAL.already_handled
    far_end.sendall(b"later")
    received = b""
    while len(received) < len(buffered + arrived + b"later"):
        received += connection.receive(PATIENCE_SECONDS)
    assert received == buffered + arrived + b"later"
    file.close()
    near_end.close()
    far_end.close()


def test_a_connection_that_fails_while_it_is_taken_fails_when_it_is_used() -> None:
    """Taking it raises nothing."""

    class BrokenFile(io.RawIOBase):
        def peek(self, _size: int = -1) -> bytes:
            raise ConnectionResetError

    near_end, far_end = socket.socketpair()
    rfile = BodyFile(BrokenFile(), is_empty=False)
    connection = take_connection(SimpleNamespace(get_socket=lambda: near_end, rfile=rfile), lambda: None)
    far_end.close()
    assert connection.receive(None) == b""
    near_end.close()
