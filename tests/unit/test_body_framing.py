"""Where the body of a request ends, however the connection cuts it into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.eventlet_runtime.body_framing import MAX_LINE_BYTES, MAX_TRAILER_BYTES, ChunkedBody, SizedBody

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
EXTENSIONS = st.sampled_from([b"", b";a=b", b" ;x", b'\t;name="v"'])
TRAILERS = st.sampled_from([b"", b"Expires: now\r\n", b"A: b\r\nC: d\r\n"])


def fed(body: ChunkedBody | SizedBody, data: bytes, cuts: list[int]) -> bytes:
    """Feed data in pieces, until the body is complete or broken; return what belongs to the body."""
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    found = b""
    for left, right in pairwise(places):
        found += body.feed(data[left:right])
        if body.is_complete or body.problem:
            break
    return found


def encoded(chunks: list[bytes], extension: bytes, trailer: bytes, *, upper: bool) -> bytes:
    """Return chunks as a client sends them."""
    size = "{:X}" if upper else "{:x}"
    lines = [size.format(len(chunk)).encode() + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks]
    return b"".join([*lines, b"000\r\n", trailer, b"\r\n"])


@given(CHUNKS, EXTENSIONS, TRAILERS, st.booleans(), st.lists(st.integers(0, 1000), max_size=12))
def test_chunks_are_joined(
    chunks: list[bytes], extension: bytes, trailer: bytes, upper: bool, cuts: list[int]
) -> None:
    """Whatever the cuts, extensions and trailers."""
    body = ChunkedBody()
    assert fed(body, encoded(chunks, extension, trailer, upper=upper), cuts) == b"".join(chunks)
    assert body.is_complete
    assert body.problem is None
    assert body.rest == b""


@given(CHUNKS, st.binary(max_size=30))
def test_what_is_behind_the_body_is_not_a_part_of_it(chunks: list[bytes], rest: bytes) -> None:
    """In chunks and by length."""
    body = ChunkedBody()
    assert body.feed(encoded(chunks, b"", b"", upper=False) + rest) == b"".join(chunks)
    assert body.rest == rest
    audio = b"".join(chunks)
    sized = SizedBody(len(audio))
    assert sized.feed(audio + rest) == audio
    assert sized.is_complete
    assert sized.rest == rest


@given(st.binary(max_size=60), st.lists(st.integers(0, 1000), max_size=12))
def test_a_length_counts(audio: bytes, cuts: list[int]) -> None:
    """Whatever the cuts."""
    body = SizedBody(len(audio))
    assert fed(body, audio, cuts) == audio
    assert body.is_complete
    assert not SizedBody(len(audio) + 1).is_complete


@pytest.mark.parametrize(
    ("data", "audio"),
    [
        (b"hello\r\n", b""),
        (b"0x5\r\n01234\r\n", b""),
        (b"-5\r\n", b""),
        (b" 5\r\n", b""),
        (b"5\n01234\r\n", b""),
        (b"\r\n", b""),
        (b"5\r\n0123456\r\n", b"01234"),
        (b"5\r\n01234\n", b"01234"),
        (b"5\r\n01234\r\n1\r\n5\r\nno\r\n", b"012345"),
        (b"1" * 16 + b"\r\n", b""),
        (b"5;" + b"a" * MAX_LINE_BYTES, b""),
        (b"0\r\n" + b"A: b\r\n" * (MAX_TRAILER_BYTES // 5), b""),
    ],
)
@given(cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_what_is_not_a_body_is_found_out(data: bytes, audio: bytes, cuts: list[int]) -> None:
    """What came before counts."""
    body = ChunkedBody()
    assert fed(body, data, cuts) == audio
    assert body.problem
    assert not body.is_complete


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    """Whatever a stranger sends."""
    body = ChunkedBody()
    for piece in pieces:
        body.feed(piece)
