"""The lines of HTTP heads as RFC 9112 has them, and as it forbids them; and sessions on long polling."""

import string

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.grammar import AUDIO_NAMESPACE, STREAM, STREAM_PATH, mostly
from tests.fuzz.sessions import SID, HalfClose, Open, Receive, Reset, Send, Step, Switch

TOKEN_CHARACTERS = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
"""RFC 9110, section 5.6.2."""

VALUE_BYTES = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What a field's value may hold (RFC 9110, section 5.5): visible characters, spaces, tabs and obs-text."""

optional_space = st.sampled_from([b"", b" ", b"\t", b"  ", b" \t \t", b" " * 200])
"""OWS (RFC 9110, section 5.6.3)."""

unknown_names = st.text(st.sampled_from(list(TOKEN_CHARACTERS.decode())), min_size=1, max_size=20).map(
    lambda name: b"X" + name.encode()
)
value_bytes = st.lists(st.sampled_from(list(VALUE_BYTES)), max_size=40).map(bytes)
list_elements = st.sampled_from([b"a", b"", b" ", b'"q,x"', b"b;q=0.5", b'W/"x"', b"(comment, more)", b"0-1"])
lists = st.builds(
    lambda elements, times: b",".join(elements * times),
    st.lists(list_elements, min_size=1, max_size=8),
    st.sampled_from([1, 1, 2, 50]),
)
values = st.one_of(st.just(b""), value_bytes, lists)
"""Field values: empty ones, any characters that are allowed, long lists with empty elements."""


def _line(name: bytes, before: bytes, value: bytes, after: bytes) -> bytes:
    return name + b":" + before + value + after


allowed_lines = st.builds(_line, unknown_names, optional_space, values, optional_space)
"""Field lines that every server must take (RFC 9112, section 5)."""

forbidden_lines = st.one_of(
    # A folded line (section 5.2), a space in front of the colon (5.1), a CR alone (2.2), a NUL (RFC 9110, 5.5).
    st.builds(
        lambda line, fold: line + b"\r\n" + fold + b"more", allowed_lines, st.sampled_from([b" ", b"\t", b"  "])
    ),
    st.builds(lambda name, value: name + b" :" + value, unknown_names, value_bytes),
    st.builds(lambda name, value: name + b": a\rb" + value, unknown_names, value_bytes),
    st.builds(lambda name: name, unknown_names),
    st.builds(lambda value: b":" + value, value_bytes),
)
"""Lines on which two readers may disagree."""


def head(method: bytes, path: bytes, version: bytes, lines: list[bytes]) -> bytes:
    """Return a request without a body."""
    return b"\r\n".join([b" ".join([method, path, version]), b"Host: 127.0.0.1", *lines]) + b"\r\n\r\n"


versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"])
connection_lines = st.sampled_from(
    [b"Connection: close", b"Connection: keep-alive", b"connection:\tKeep-Alive , close", b"Connection:", b"X:"]
)

# Conditions and ranges (RFC 9110, sections 13 and 14)

etags = st.sampled_from([b'"x"', b'W/"x"', b"*", b'""', b'"a", W/"b" ,, "c"', b'"' + b"e" * 2000 + b'"', b"x", b'"'])
http_dates = st.sampled_from(
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"",
    ]
)
positions = st.sampled_from([b"", b"0", b"1", b"499", b"199999", b"200000", b"200001", b"00000000000000000001"])
range_values = st.builds(
    lambda unit, pairs, space: unit + b"=" + (b"," + space).join(first + b"-" + last for first, last in pairs),
    st.sampled_from([b"bytes", b"Bytes", b"items", b""]),
    st.lists(st.tuples(positions, positions), max_size=4),
    optional_space,
)
condition_lines = st.one_of(
    st.builds(
        _line,
        st.sampled_from([b"If-Match", b"If-None-Match", b"if-range", b"IF-RANGE"]),
        optional_space,
        etags,
        optional_space,
    ),
    st.builds(
        _line,
        st.sampled_from([b"If-Modified-Since", b"If-Unmodified-Since", b"If-Range"]),
        optional_space,
        http_dates,
        optional_space,
    ),
    st.builds(_line, st.sampled_from([b"Range", b"range"]), optional_space, range_values, optional_space),
)

controls = st.integers(0, 0x20).map(lambda code: bytes([code])) | st.just(b"\x7f") | st.just(b"\x9b")
escaped_controls = controls.map(lambda byte: b"%%%02X" % byte[0])
controlled_paths = st.builds(
    lambda start, parts: start + b"".join(parts),
    st.sampled_from([STREAM_PATH, b"/", b"/socket.io/", b"/asf/internal/streams/", b"/console/"]),
    st.lists(mostly(escaped_controls, controls, st.sampled_from([b"a", b"{", b"[2J", b"/"])), min_size=1, max_size=5),
)

heads = st.one_of(
    st.builds(
        lambda method, version, lines: head(method, STREAM_PATH + STREAM.encode(), version, lines),
        st.sampled_from([b"GET", b"GET", b"HEAD"]),
        versions,
        st.lists(condition_lines | connection_lines, max_size=5),
    ),
    st.builds(
        lambda path, version, lines: head(b"GET", path, version, lines),
        controlled_paths,
        versions,
        st.lists(allowed_lines, max_size=2),
    ),
    st.builds(
        lambda version, lines: head(b"GET", b"/asf/health", version, lines),
        versions,
        st.lists(allowed_lines | forbidden_lines | connection_lines, max_size=8),
    ),
)


def _joined(parts: list[list[Step]]) -> list[Step]:
    return [step for part in parts for step in part]


def _sending(several: list[bytes], waits: bool) -> list[Step]:
    """Return the sending of requests, one behind the other in one write, and perhaps a wait for the answers."""
    return [Send(b"".join(several)), *([Receive()] if waits else [])]


breaks: SearchStrategy[list[Step]] = st.sampled_from([[Open()], [Switch(0)], [Reset()], [HalfClose(), Receive()]])
line_sessions: SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.builds(_sending, st.lists(heads, min_size=1, max_size=1), st.booleans()),
        st.builds(_sending, st.lists(heads, min_size=2, max_size=5), st.booleans()),
        breaks,
    ),
    min_size=1,
    max_size=5,
).map(_joined)
"""Connections with requests that have no body, of both versions of HTTP."""


# Several polls of one session

POLLING = b"/socket.io/?EIO=4&transport=polling"
poll = head(b"GET", POLLING + b"&sid=" + SID, b"HTTP/1.1", [])


def post(body: bytes, *, in_chunks: bool) -> bytes:
    """Return a polling POST."""
    lines = [b"Content-Type: text/plain"]
    if in_chunks:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines.append(b"Content-Length: %d" % len(body))
    return head(b"POST", POLLING + b"&sid=" + SID, b"HTTP/1.1", lines) + body


packets = st.sampled_from(
    [
        f"40{AUDIO_NAMESPACE},",
        f'42{AUDIO_NAMESPACE},["join_stream",{{"stream_id":"{STREAM}"}}]',
        f'42{AUDIO_NAMESPACE},["seek_stream",{{"offset":0}}]',
        f'42{AUDIO_NAMESPACE},["leave_stream",{{}}]',
        "3",
        "1",
        "2probe",
        "40/ui_updates,",
    ]
)
posts = st.builds(
    lambda several, in_chunks: post("\x1e".join(several).encode(), in_chunks=in_chunks),
    st.lists(packets, min_size=1, max_size=20),
    st.booleans(),
)
poll_steps: SearchStrategy[list[Step]] = st.one_of(
    st.just([Open(), Send(poll)]),
    st.just([Send(poll + poll), Receive()]),
    st.builds(lambda data: [Open(), Send(data), Receive()], posts),
    st.builds(lambda number: [Switch(number), Receive()], st.integers(0, 9)),
    st.builds(lambda number: [Switch(number), Reset(), Open()], st.integers(0, 9)),
    st.builds(lambda number: [Switch(number), HalfClose()], st.integers(0, 9)),
)
polling_sessions: SearchStrategy[list[Step]] = st.lists(poll_steps, min_size=2, max_size=8).map(
    lambda parts: [
        Send(head(b"GET", POLLING, b"HTTP/1.1", [])),
        Receive(),
        Send(post(f"40{AUDIO_NAMESPACE},".encode(), in_chunks=False)),
        Receive(),
        *_joined(parts),
    ]
)
"""Sessions of Engine.IO of which several connections poll, at once and one after the other."""
