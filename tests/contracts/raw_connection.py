"""What every `RawConnection` promises to the WebSockets on it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import pytest

from asf.adapters.runtime import RawConnection


class RawConnectionContract:
    """Inherit, and provide the fixture `line`."""

    class Line(Protocol):
        """A connection, its far end, and the runtime that both are used under."""

        connection: RawConnection

        def send(self, data: bytes) -> None:
            """Let the far end send."""
            ...

        def receive(self) -> bytes:
            """Return what has arrived at the far end, if anything."""
            ...

        def close(self) -> None:
            """Close the far end."""
            ...

        def spawn(self, work: Callable[[], object]) -> None:
            """Run `work` in a task."""
            ...

        def wait_until(self, condition: Callable[[], object]) -> None:
            """Let other tasks run until the condition holds. Fails if that takes too long."""
            ...

    @pytest.fixture
    def line(self) -> Line:
        raise NotImplementedError

    def test_bytes_are_received_as_they_arrive(self, line: Line) -> None:
        line.send(b"one")
        assert line.connection.receive(None) == b"one"
        received: list[bytes] = []
        line.spawn(lambda: received.append(line.connection.receive(5)))
        line.send(b"two")
        line.wait_until(lambda: received == [b"two"])
        line.close()
        assert line.connection.receive(None) == b""

    def test_silence_is_an_error_after_the_timeout(self, line: Line) -> None:
        with pytest.raises(TimeoutError):
            line.connection.receive(0.01)
        line.send(b"late")
        assert line.connection.receive(None) == b"late"

    def test_writing_takes_what_the_kernel_takes_and_tells_when_there_is_room_again(self, line: Line) -> None:
        data = bytes(range(256)) * 4096
        written = line.connection.write_now(memoryview(data))
        assert 0 < written < len(data)
        while taken := line.connection.write_now(data[written:]):
            written += taken
        called: list[int] = []

        def write_more() -> None:
            nonlocal written
            called.append(written)
            written += line.connection.write_now(data[written:])
            if written < len(data):
                line.connection.when_writable(write_more)

        line.connection.when_writable(lambda: called.append(-1))  # replaced by the next one
        line.connection.when_writable(write_more)
        received = bytearray()

        def has_all() -> bool:
            received.extend(line.receive())
            return len(received) == len(data)

        line.wait_until(has_all)
        assert received == data
        assert -1 not in called
        count = len(called)
        line.connection.pause(0.01)
        assert len(called) == count

    def test_what_the_far_end_takes_is_progress(self, line: Line) -> None:
        while line.connection.write_now(bytes(4096)):
            pass
        before = line.connection.progress()
        assert before.answers
        assert line.connection.progress().acknowledged == before.acknowledged

        def has_progressed() -> bool:
            line.receive()
            return line.connection.progress().acknowledged > before.acknowledged

        line.wait_until(has_progressed)

    def test_a_cancelled_callback_is_not_called(self, line: Line) -> None:
        called: list[bool] = []
        line.connection.when_writable(lambda: called.append(True))
        line.connection.when_writable(None)
        line.connection.when_writable(None)
        line.connection.pause(0.01)
        assert called == []

    def test_a_broken_connection_cannot_be_written_to_and_calls_back(self, line: Line) -> None:
        while line.connection.write_now(bytes(4096)):
            pass
        called: list[bool] = []
        line.connection.when_writable(lambda: called.append(True))
        line.close()
        line.wait_until(lambda: called)
        with suppress(ConnectionError):
            line.connection.write_now(b"more")
        with pytest.raises(BrokenPipeError):
            line.connection.write_now(b"more")

    def test_abort_ends_receiving_and_writing(self, line: Line) -> None:
        ended: list[bytes] = []
        line.spawn(lambda: ended.append(line.connection.receive(None)))
        line.connection.pause(0)
        for _ in range(2):
            line.connection.abort()
        line.wait_until(lambda: ended == [b""])
        with pytest.raises(OSError, match="Broken pipe"):
            line.connection.write_now(b"more")

    def test_what_was_taken_arrives_after_an_abort(self, line: Line) -> None:
        assert line.connection.write_now(b"last words") == 10
        line.connection.abort()
        received = bytearray()

        def has_all() -> bool:
            with suppress(ConnectionError):
                received.extend(line.receive())
            return received == b"last words"

        line.wait_until(has_all)

    def test_an_event_wakes_all_that_wait_for_it(self, line: Line) -> None:
        event = line.connection.make_event()
        assert not event.wait(0.01)
        woken: list[bool] = []
        for _ in range(3):
            line.spawn(lambda: woken.append(event.wait()))
        line.connection.pause(0)
        assert woken == []
        for _ in range(2):
            event.set()
        line.wait_until(lambda: woken == [True] * 3)
        assert event.wait(0.01)
