"""Lines in a body, however it arrives."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from asf.adapters.http_api.updates.line_splitter import TOO_LONG, LineSplitter

MAX_BYTES = 8
LINES = st.lists(st.binary(max_size=2 * MAX_BYTES + 2).map(lambda line: line.replace(b"\n", b"\r")), max_size=10)


def split(data: bytes, cuts: list[int]) -> list[bytes | None]:
    """Return the lines of data that arrives in pieces."""
    splitter = LineSplitter(MAX_BYTES)
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    lines: list[bytes | None] = []
    for left, right in pairwise(places):
        lines += splitter.feed(data[left:right])
    return lines + splitter.end()


@given(LINES, st.binary(max_size=2 * MAX_BYTES), st.lists(st.integers(0, 1000), max_size=12))
@example([b"12345678", b"123456789"], b"", [])
@example([b"1234567890"], b"", [9, 10])
@example([], b"123456789", [8])
def test_the_lines_are_the_same_whatever_the_pieces(lines: list[bytes], rest: bytes, cuts: list[int]) -> None:
    """Each once and in order; those that are too long are replaced, the others are not affected."""
    last = rest.replace(b"\n", b"\r")
    expected = [line if len(line) <= MAX_BYTES else TOO_LONG for line in (*lines, *([last] if last else []))]
    assert split(b"".join(line + b"\n" for line in lines) + last, cuts) == expected


def test_a_line_is_rejected_before_its_end() -> None:
    """Nothing of it is kept meanwhile."""
    splitter = LineSplitter(MAX_BYTES)
    assert splitter.feed(b"12345678") == []
    assert splitter.feed(b"9") == [TOO_LONG]
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert splitter.held_bytes == 0
    assert splitter.feed(b"\nnext\n") == [b"next"]
    assert splitter.end() == []
