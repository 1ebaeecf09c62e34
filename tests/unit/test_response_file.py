"""Responses are sent whole and in order, however little the connection takes at a time."""

import pytest

from asf.adapters.eventlet_runtime.response_file import ResponseFile


class Line:
    """A connection that takes `at_once` bytes at a time, and fails once it has taken `limit`."""

    def __init__(self, at_once: int, limit: int = 1000) -> None:
        self.at_once = at_once
        self.limit = limit
        self.taken = b""
        self.sends = 0

    def send(self, data: memoryview) -> int:
        if len(self.taken) >= self.limit:
            raise TimeoutError
        self.sends += 1
        self.taken += data[: self.at_once]
        return min(self.at_once, len(data))


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_all_is_sent_at_the_flush(at_once: int) -> None:
    """Not before."""
    line = Line(at_once)
    file = ResponseFile(line)
    file.writelines([b"head", b"body"])
    assert file.write(b"rest") == 4
    assert line.taken == b""
    file.flush()
    file.flush()
    assert line.taken == b"headbodyrest"


def test_what_could_not_be_sent_is_sent_later() -> None:
    """In front of what comes then, and when the file is closed."""
    line = Line(3, limit=3)
    file = ResponseFile(line)
    file.write(b"head")
    with pytest.raises(TimeoutError):
        file.flush()
    line.limit = 1000
    file.write(b"body")
    file.close()
    assert line.taken == b"headbody"


def test_one_piece_is_sent_by_one_call() -> None:
    """As several pieces are."""
    line = Line(100)
    ResponseFile(line).flush()
    file = ResponseFile(line)
    file.writelines([b"a", b"b"])
    file.flush()
    assert line.sends == 1
