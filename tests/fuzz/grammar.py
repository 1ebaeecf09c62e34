"""What clients may send, right, nearly right and wrong: Hypothesis strategies of whole sessions, layer by layer.

Each layer is carried by valid ones of the layers below as often as not, so that what is wrong in it is looked at.
"""

import base64
import itertools
import json
import struct
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.sessions import SID, HalfClose, Open, Receive, Reset, Send, Step, Switch

STREAM = "fuzzed"
"""A stream of some length that there is, for what is nearly right to begin with."""

FILE = "audio/fuzzed.mp3"
"""Its file, below the directory of the server."""
STREAM_PATH = b"/api/v1/podcasts/stream/"
AUDIO_NAMESPACE = "/api/v1/podcasts/stream"
UI_NAMESPACE = "/ui_updates"
SEPARATOR = "\x1e"

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

T = TypeVar("T")


def mostly(usual: SearchStrategy[T], *unusual: SearchStrategy[T], times: int = 3) -> SearchStrategy[T]:
    """Return a strategy that takes `usual` so many times as often as one of the others."""
    others = st.one_of(*unusual)
    # Not one of all: that counts the branches of the branches, and nothing would be right any more in the end.
    return st.integers(0, times).flatmap(lambda number: others if number == times else usual)


# Bytes and numbers

junk = st.binary(max_size=40)
long_junk = st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=8), st.integers(1, 3000))
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 4096, 2**31, 2**32, 2**53 - 1, 2**53, 2**63, 2**64, 10**400]), st.integers()
)

# JSON, as text, as it need not be what a JSON writer would write

json_scalars = st.one_of(
    st.sampled_from(
        [
            "null",
            "true",
            "false",
            "NaN",
            "Infinity",
            "-Infinity",
            "-0",
            "1e400",
            "1.5",
            "0.0",
            '""',
            '"\\ud800"',
            '"\\u0000"',
            '" "',
            '"\\udfff\\ud800"',
            '"\\u2028"',
            "9" * 5000,
            "1e-9999",
            '"' + "x" * 300 + '"',
            "'x'",
            '{"_placeholder":true,"num":0}',
            '{"_placeholder":true,"num":-1}',
            '{"_placeholder":true,"num":"0"}',
            '{"_placeholder":true,"num":{}}',
            '{"_placeholder":true,"num":9}',
            '{"_placeholder":1,"num":null}',
        ]
    ),
    numbers.map(str),
    st.text(max_size=8).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
)


def _array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(items: list[tuple[str, str]]) -> str:
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in items)}}}"


names = st.one_of(
    st.sampled_from(["stream_id", "client_id", "offset", "_placeholder", "num", "event", ""]), st.text(max_size=5)
)
json_values = st.recursive(
    json_scalars,
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(_array),
        st.lists(st.tuples(names, values), max_size=3).map(_object),
    ),
    max_leaves=6,
)
deep_json = st.builds(
    lambda depth, opening: opening * depth + "0" + {"[": "]", '{"a":': "}"}[opening] * depth,
    st.sampled_from([30, 63, 64, 65, 300, 990, 1200, 9000]),
    st.sampled_from(["[", '{"a":']),
)
broken_json = st.builds(lambda text, cut: text[: -1 - cut], json_values, st.integers(0, 5))
any_json = st.one_of(json_values, json_values, deep_json, broken_json)

RIGHT: dict[str, SearchStrategy[str]] = {
    "stream_id": st.sampled_from([json.dumps(STREAM), '"simulation"', '"unknown"', '"growing"']),
    "offset": st.sampled_from(["0", "1", "4096", "199999", "200000", "200001"]),
    "epoch": st.sampled_from(['""', '"other"', "null"]),
    "window": st.sampled_from(["1", "4096", "100000", "null"]),
    "wait": st.sampled_from(["true", "false"]),
    "cues_since": st.sampled_from(["0", "1", "1000000"]),
    "cues": st.one_of(
        st.sampled_from(["true", "false"]),
        st.lists(
            st.builds(
                lambda start, more: f'{{"start":{start}{more}}}',
                st.sampled_from(["0", "1.5", "-1", "1e9", "null"]),
                st.sampled_from(["", ',"text":"<b>"', ',"id":"a"', ',"end":0', ',"kind":"word"', ',"data":[]']),
            ),
            max_size=3,
        ).map(_array),
    ),
    "token": st.sampled_from(["null", '"token"', '"a.b.c"', '"eyJhbGciOiJub25lIn0.e30."', "5"]),
    "received": st.sampled_from(["0", "4096", "10000"]),
    "client_id": st.sampled_from(['"fuzzed"', '"somebody"']),
    "since": st.sampled_from(['{"epoch":"","seq":0}', '{"epoch":"x","seq":5}', "null"]),
    "event_name": st.sampled_from(['"progress"', '"connect"', '"ui_error"']),
    "data": st.sampled_from(["{}", "null", '{"percent":5}']),
    "idempotency_key": st.sampled_from(['"k1"', '"k2"']),
    "filepath": st.sampled_from(
        [json.dumps(FILE), '"audio/growing.mp3"', '"/etc/passwd"', '"queue:x"', '"s3://a/b"', '"file:///%00"']
    ),
    "state": st.sampled_from(['"complete"', '"generating"', '"failed"']),
    "content_type": st.sampled_from(['"audio/mpeg"', '"text/html"']),
    "metadata": st.sampled_from(["{}", '{"title":"x"}']),
    "reason": st.sampled_from(['"because"']),
    "updates": st.lists(json_values, max_size=3).map(_array),
    "event": st.sampled_from(['"ack"', '"pause"', '"resume"', '"seek"', '"leave"', '"dance"']),
}


def payload(*fields: str) -> SearchStrategy[str]:
    """Return the text of JSON objects with these fields, most of them there, and most right."""
    each = [st.tuples(st.just(field), mostly(RIGHT[field], any_json, times=9), st.integers(0, 5)) for field in fields]
    made = st.tuples(*each).map(lambda drawn: _object([(name, text) for name, text, left_out in drawn if left_out]))
    return mostly(made, any_json, times=7)


# HTTP

methods = mostly(
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE"]),
    st.sampled_from([b"PUT", b"get", b"CONNECT", b"TRACE", b"", b"G" * 9000, b"\x00", b"PRI"]),
    junk,
)
versions = mostly(
    st.just(b"HTTP/1.1"),
    st.sampled_from([b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.99", b"HTTP/x", b"http/1.1", b""]),
)
escapes = st.sampled_from(
    [
        b"%00",
        b"%",
        b"%zz",
        b"%ff",
        b"%ed%a0%80",
        b"%0d%0aX:1",
        b"..",
        b"%2e%2e",
        b"//",
        b"?",
        b"#",
        b"%2f",
        b"\\",
        b"\xc3\xa4",
        b"\xff",
        b";",
        b"%C0%AF",
        b"a" * 300,
        b"%F0%9F%8E%A7",
        b"\x00",
        b"\x1f",
        b"http://x",
        b"*",
    ]
)
paths = st.one_of(
    st.sampled_from(
        [
            b"/",
            b"/asf/health",
            b"/asf/ready",
            b"/metrics",
            b"/asf/openapi.json",
            b"/asf/internal/streams",
            b"/console/",
            b"/socket.io/",
            b"/socket.io",
            b"/asf/internal/streams/fuzzed",
            b"/api/v1/podcasts/cues/" + STREAM.encode(),
            b"/api/v1/podcasts/cues/" + STREAM.encode() + b"?format=vtt",
            b"*",
            b"/console/static/../index.html",
            b"",
            b"/asf/internal/notify_new_audio",
            b"/asf/internal/send_ui_update",
            b"/asf/internal/send_ui_updates",
            b"http://127.0.0.1/asf/health",
            b"/console/console.css",
        ]
    ),
    st.builds(lambda tail: STREAM_PATH + b"".join(tail), st.lists(escapes, max_size=4)),
    st.just(STREAM_PATH + STREAM.encode()),
    st.builds(lambda tail: b"/" + b"".join(tail), st.lists(escapes, max_size=4)),
)
query_values = st.one_of(
    st.sampled_from(
        [b"0", b"-1", b"1_0", b"%D9%A3", b"1e3", b"true", b"maybe", b"", b"%00", b"%ff", b"9" * 5000, b"x"]
    )
)
queries = st.lists(
    st.builds(
        lambda name, value: name + b"=" + value,
        st.sampled_from(
            [
                b"offset",
                b"epoch",
                b"window",
                b"wait",
                b"cues",
                b"since",
                b"format",
                b"token",
                b"limit",
                b"cursor",
                b"",
                b"%ff",
                b"j",
            ]
        ),
        query_values,
    ),
    max_size=3,
).map(lambda parts: (b"?" + b"&".join(parts)) if parts else b"")
ranges = mostly(
    st.builds(lambda a, b: b"bytes=%d-%d" % (a, b), st.integers(0, 250_000), st.integers(0, 250_000)),
    st.sampled_from(
        [
            b"bytes=",
            b"bytes=-",
            b"bytes=-0",
            b"bytes=0-0,1-1",
            b"bytes=0-" + b",0-" * 500,
            b"bytes=--5",
            b"items=0-1",
            b"bytes=1_0-2_0",
            b"bytes=" + b"9" * 5000 + b"-",
            b"bytes=\xb2-",
            b"bytes=5-1",
            b"bytes = 0 - 1",
            b"\xff",
            b"bytes=-99999999999999999999",
            b"bytes=0-18446744073709551616",
        ]
    ),
    junk,
)
dates = st.sampled_from(
    [
        b"Mon, 01 Jan 2024 00:00:00 GMT",
        b"Mon, 01 Jan 2024 00:00:00 +99999999999999999",
        b"Mon, 01 Jan 0000 00:00:00 GMT",
        b"Mon, 01 Jan 2024 99:99:99 GMT",
        b"Mon, 01 Jan 999999999999 00:00:00 GMT",
        b"0",
        b"yesterday",
        b"Mon, 31 Feb 2024",
        b"Mon, 01 Jan 2024 00:00:00 -2400",
        b'"etag"',
        b'W/"x"',
        b"*",
        b'"',
        b"\xff",
    ]
)
headers = st.one_of(
    st.builds(lambda value: b"Range: " + value, ranges),
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from([b"If-Range", b"If-Modified-Since", b"If-None-Match", b"If-Match", b"If-Unmodified-Since"]),
        dates,
    ),
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from(
            [
                b"Origin",
                b"Access-Control-Request-Headers",
                b"Access-Control-Request-Method",
                b"Host",
                b"Cookie",
                b"X",
                b"Authorization",
                b"Connection",
                b"Accept-Encoding",
                b"Expect",
                b"Sec-Fetch-Site",
                b"X-Forwarded-For",
                b"Upgrade",
                b"Sec-WebSocket-Version",
                b"Sec-WebSocket-Key",
                b"Sec-WebSocket-Extensions",
                b"Content-Type",
            ]
        ),
        mostly(
            st.sampled_from(
                [
                    b"x",
                    b"http://a",
                    b"Bearer x",
                    b"keep-alive",
                    b"close",
                    b"upgrade",
                    b"websocket",
                    b"13",
                    b"100-continue",
                    b"application/json",
                    b"GET",
                    b"permessage-deflate; server_max_window_bits=x",
                ]
            ),
            st.sampled_from(
                [b"", b"a\r\n b", b"a\r\n\tb", b"\xff\xfe", b"\x00", b"a\rb", b"[::1", b"a b:99999999", b"h2c"]
            ),
            junk,
        ),
    ),
    st.sampled_from(
        [b"", b":", b"no colon", b" folded", b"X" * 9000, b"X: " + b"y" * 9000, b"A B: c", b"\xff: x", b": x"]
    ),
    junk,
)
transfer = st.sampled_from(
    [b"chunked", b"Chunked", b"gzip, chunked", b"chunked, chunked", b"identity", b"\x0bchunked", b"", b"chunked "]
)
lengths = st.sampled_from([b"-1", b"x", b"", b"1_0", b"+5", b" 5", b"5, 5", b"99999999999999999999", b"\xb2", b"0x5"])


def chunked(body: bytes, sizes: list[bytes], ending: bytes) -> bytes:
    """Return a body in two chunks, with sizes as they should be, or others in place of them."""
    halves = [body[: len(body) // 2], body[len(body) // 2 :]]
    said = [b"%x" % len(half) for half in halves]
    said[: len(sizes)] = sizes
    return b"".join(size + b"\r\n" + half + b"\r\n" for size, half in zip(said, halves, strict=False)) + ending


chunk_sizes = st.lists(
    st.sampled_from([b"-5", b"5;x=y", b"x", b"", b"ffffffffffffffffff", b"0", b"1_0", b"+5", b" 5", b"5" * 3000]),
    max_size=2,
)
endings = mostly(
    st.just(b"0\r\n\r\n"), st.sampled_from([b"0\r\nX: y\r\n\r\n", b"0\r\n", b"", b"0\r\n" + b"T: " + b"x" * 9000])
)


def request(
    method: bytes, path: bytes, version: bytes, fields: list[bytes], body: bytes | None = None, length: bytes = b""
) -> bytes:
    """Return one request. Its length is told as it is, unless `length` tells another."""
    head = [b" ".join([method, path, version]), *fields]
    if body is not None:
        head.append(b"Content-Length: " + (length or b"%d" % len(body)))
    return b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")


json_bodies = st.one_of(
    payload("stream_id", "filepath", "state", "content_type", "metadata", "reason"),
    payload("client_id", "event_name", "data", "idempotency_key"),
    payload("updates"),
    payload("cues", "epoch"),
    any_json,
).map(lambda text: text.encode("utf-8", "surrogatepass"))
bodies = mostly(json_bodies, junk, long_junk)
api_paths = st.sampled_from(
    [
        b"/asf/internal/notify_new_audio",
        b"/asf/internal/send_ui_update",
        b"/asf/internal/send_ui_updates",
        b"/asf/internal/streams/" + STREAM.encode() + b"/cues",
    ]
)

HOST = b"Host: 127.0.0.1"
JSON = b"Content-Type: application/json"

plain_requests = st.builds(
    lambda method, path, query, version, fields: request(method, path + query, version, [HOST, *fields]),
    methods,
    paths,
    queries,
    versions,
    st.lists(headers, max_size=3),
)
playback_requests = st.builds(
    lambda method, fields: request(method, STREAM_PATH + STREAM.encode(), b"HTTP/1.1", [HOST, *fields]),
    st.sampled_from([b"GET", b"GET", b"HEAD", b"OPTIONS", b"POST"]),
    st.lists(headers, min_size=1, max_size=3),
)
api_requests = st.builds(
    lambda path, body, length, fields: request(b"POST", path, b"HTTP/1.1", [HOST, JSON, *fields], body, length),
    api_paths,
    bodies,
    mostly(st.just(b""), lengths),
    st.lists(headers, max_size=1),
)
chunked_requests = st.builds(
    lambda path, coding, body, sizes, ending: (
        request(b"POST", path, b"HTTP/1.1", [HOST, JSON, b"Transfer-Encoding: " + coding])
        + chunked(body, sizes, ending)
    ),
    st.one_of(api_paths, paths, st.just(b"/socket.io/?EIO=4&transport=polling&sid=" + SID)),
    mostly(st.just(b"chunked"), transfer),
    bodies,
    chunk_sizes,
    endings,
)
upload_fields = st.one_of(
    st.builds(
        lambda value: b"Upload-Offset: " + value,
        st.sampled_from([b"0", b"1", b"-1", b"00", b"+1", b"", b"\xb2", b"1_0", b"9" * 5000, b"0, 0"]),
    ),
    st.builds(lambda value: b"Upload-Complete: " + value, st.sampled_from([b"?0", b"?1", b"?2", b"", b"?0, ?1"])),
    st.builds(
        lambda value: b"Content-Type: " + value,
        st.sampled_from([b"audio/mpeg", b"audio/" + b"x" * 300, b"text/html", b"multipart/form-data", b"\xff"]),
    ),
    st.sampled_from(
        [b"Expect: 100-continue", b"Expect: x", b"Content-Encoding: gzip", b"Content-Range: bytes 0-1/2"]
    ),
    headers,
)
upload_requests = st.builds(
    lambda method, tail, fields, coding, body, sizes, ending: (
        request(method, b"/asf/internal/streams/" + tail + b"/audio", b"HTTP/1.1", [HOST, *coding, *fields])
        + chunked(body, sizes, ending)
    ),
    mostly(st.sampled_from([b"PUT", b"PATCH"]), st.sampled_from([b"HEAD", b"POST", b"GET"])),
    mostly(st.just(b"uploaded"), st.one_of(st.just(b"uploaded/audio"), escapes)),
    st.lists(upload_fields, max_size=3),
    mostly(st.just([b"Transfer-Encoding: chunked"]), st.sampled_from([[], [b"Content-Length: 5"]])),
    bodies,
    chunk_sizes,
    endings,
)
engineio_requests = st.builds(
    lambda method, version, transport, sid, more, fields: request(
        method, b"/socket.io/?EIO=" + version + b"&transport=" + transport + sid + more, b"HTTP/1.1", [HOST, *fields]
    ),
    mostly(st.just(b"GET"), st.sampled_from([b"POST", b"OPTIONS", b"PUT", b"DELETE"])),
    mostly(st.just(b"4"), st.sampled_from([b"3", b"", b"4&EIO=5", b"\xff"])),
    mostly(st.just(b"polling"), st.sampled_from([b"websocket", b"flashsocket", b"", b"polling&transport=websocket"])),
    mostly(st.just(b""), st.sampled_from([b"&sid=" + SID, b"&sid=x%0aForged: line", b"&sid="])),
    mostly(st.just(b""), st.sampled_from([b"&j=0", b"&j=x", b"&b64=1", b"&t=" + b"x" * 3000])),
    st.lists(
        st.one_of(
            st.sampled_from(
                [b"Upgrade: websocket", b"Connection: Upgrade", b"Upgrade: WebSocket", b"Origin: http://a"]
            ),
            st.sampled_from(
                [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 7"]
            ),
            headers,
        ),
        max_size=4,
    ),
)
http_messages = st.one_of(
    plain_requests,
    playback_requests,
    api_requests,
    chunked_requests,
    upload_requests,
    engineio_requests,
    st.builds(lambda message, cut: message[: max(1, len(message) - cut)], plain_requests, st.integers(1, 60)),
    junk,
    long_junk,
)


def _sends(messages: SearchStrategy[bytes]) -> SearchStrategy[list[Step]]:
    """Return the sending of a message, whole or in pieces, and perhaps a wait for the answer."""
    sizes = st.sampled_from([0, 0, 0, 0, 100, 7])
    return st.builds(
        lambda message, size, waits: [
            Send(message, size if len(message) < 4000 else 0),
            *([Receive()] if waits else []),
        ],
        messages,
        sizes,
        st.booleans(),
    )


breaks: SearchStrategy[list[Step]] = st.sampled_from([[HalfClose(), Receive()], [Reset()], [Open()], [Switch(0)], []])


nothing: SearchStrategy[list[Step]] = st.just([])


def _joined(parts: list[list[Step]]) -> list[Step]:
    return [step for part in parts for step in part]


http_sessions: SearchStrategy[list[Step]] = st.lists(
    st.one_of(_sends(http_messages), _sends(http_messages), breaks), min_size=1, max_size=4
).map(_joined)
"""Connections on which HTTP is spoken, more or less."""


# WebSocket frames

close_codes = st.sampled_from([0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1015, 2999, 3000, 4999, 5000, 65535])
close_payloads = st.one_of(
    st.builds(lambda code, reason: struct.pack("!H", code) + reason, close_codes, st.one_of(st.just(b""), junk)),
    st.sampled_from([b"", b"\x03", b"\x03\xe8\xff\xfe"]),
)


def frame(
    payload: bytes,
    opcode: int = 1,
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
    key: bytes = b"\x37\xfa\x21\x3d",
    claimed: int | None = None,
    form: int = 0,
) -> bytes:
    """Return a frame (RFC 6455, section 5.2) that claims a length of `claimed` bytes, or the one that it has.

    `form` is the least number of bytes that the length is written in beside the seven bits: 0, 2 or 8.
    """
    length = len(payload) if claimed is None else claimed
    first = (final << 7) | (reserved << 4) | opcode
    mask = masked << 7
    if length < 126 and form == 0:
        head = struct.pack("!BB", first, mask | length)
    elif length < 65536 and form <= 2:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    if not masked:
        return head + payload
    keys = (key * (len(payload) // 4 + 1))[: len(payload)]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")
    return head + key + hidden.to_bytes(len(payload), "big")


masks = st.sampled_from([b"\x37\xfa\x21\x3d", b"\0\0\0\0", b"\xff\xff\xff\xff"])
texts = st.one_of(
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"", b"\xc0\xaf"]),
    long_junk,
)


def fragmented(payload: bytes, cuts: list[int], opcode: int, between: bytes) -> bytes:
    """Return a message in fragments, with something between the first two."""
    places = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    parts = [payload[a:b] for a, b in itertools.pairwise(places)]
    frames = [frame(part, 0 if n else opcode, final=n == len(parts) - 1) for n, part in enumerate(parts)]
    return frames[0] + between + b"".join(frames[1:])


def odd_frames(payloads: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Return frames that are wrong in themselves, or oddly made, around these payloads."""
    return st.one_of(
        st.builds(
            frame,
            payloads,
            st.integers(0, 15),
            final=st.booleans(),
            reserved=mostly(st.just(0), st.integers(0, 7)),
            masked=st.integers(0, 3).map(bool),
            key=masks,
            claimed=mostly(
                st.none(), st.sampled_from([0, 1, 125, 126, 65535, 65536, 65537, 2**31, 2**63, 2**64 - 1])
            ),
            form=st.sampled_from([0, 2, 8]),
        ),
        st.builds(frame, st.one_of(payloads, st.binary(min_size=120, max_size=130)), st.sampled_from([8, 9, 10])),
        st.builds(frame, close_payloads, st.just(8)),
        st.builds(
            fragmented,
            payloads,
            st.lists(st.integers(0, 10_000), max_size=5),
            st.sampled_from([1, 2]),
            st.sampled_from(
                [b"", frame(b"ping", 9), frame(b"", 1), frame(b"\x03\xe8", 8), frame(b"", 10, final=False)]
            ),
        ),
        st.builds(lambda count: frame(b"", 1, final=False) + frame(b"", 0, final=False) * count, st.integers(1, 100)),
        st.builds(lambda count: frame(b"x" * 100, 9) * count, st.integers(1, 100)),
        junk,
    )


def frames(payloads: SearchStrategy[bytes], opcodes: SearchStrategy[int]) -> SearchStrategy[bytes]:
    """Return frames around these payloads, most of them whole and right."""
    right = st.builds(frame, payloads, opcodes, key=masks)
    return mostly(right, odd_frames(payloads))


handshake_headers: SearchStrategy[list[bytes]] = mostly(st.just([]), st.lists(headers, max_size=2))


def handshake(path: bytes, version: bytes = b"13", fields: list[bytes] | None = None, key: bytes = KEY) -> bytes:
    """Return a WebSocket handshake."""
    lines = [HOST, b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: " + key]
    return request(b"GET", path, b"HTTP/1.1", [*lines, b"Sec-WebSocket-Version: " + version, *(fields or [])])


plain_paths = st.builds(
    lambda stream_id, query: STREAM_PATH + stream_id + query,
    mostly(
        st.just(STREAM.encode()),
        st.sampled_from([b"unknown", b"simulation", b"growing"]),
        st.lists(escapes, max_size=3).map(b"".join),
    ),
    mostly(st.just(b""), queries, st.sampled_from([b"?wait=true", b"?window=4096", b"?offset=150000"])),
)
plain_messages = mostly(
    payload("event", "offset", "received", "stream_id").map(lambda text: text.encode("utf-8", "surrogatepass")), texts
)

plain_sessions: SearchStrategy[list[Step]] = st.builds(
    lambda path, fields, version, at_once, parts: [
        Send(handshake(path, version, fields)),
        *([] if at_once else [Receive()]),
        *_joined(parts),
    ],
    plain_paths,
    handshake_headers,
    mostly(st.just(b"13"), st.sampled_from([b"8", b"7", b"", b"x"])),
    mostly(st.just(0), st.just(1), times=5),
    st.lists(mostly(_sends(frames(plain_messages, mostly(st.just(1), st.just(2), times=9))), breaks), max_size=5),
)
"""Connections to the plain WebSocket of a stream."""


# Socket.IO packets, and Engine.IO packets around them

EVENTS = {
    "join_stream": ("stream_id", "offset", "epoch", "window", "wait", "cues", "cues_since", "token"),
    "leave_stream": ("stream_id",),
    "pause_stream": ("stream_id",),
    "resume_stream": ("stream_id",),
    "seek_stream": ("offset",),
    "audio_ack": ("received",),
    "subscribe_to_ui_updates": ("client_id", "since", "token"),
    "unsubscribe_from_ui_updates": ("client_id",),
}
namespaces = mostly(
    st.sampled_from([AUDIO_NAMESPACE, UI_NAMESPACE]),
    st.sampled_from(["", "/", "/nowhere", AUDIO_NAMESPACE + "?token=x", "/" + "n" * 2000, "/a\nb", "no slash"]),
)
ack_ids = mostly(st.just(""), st.sampled_from(["0", "1", "99999999999999999999", "9" * 150, "\u00b2", "-1", "01"]))


def _packet(kind: str, attachments: str, namespace: str, ack_id: str, data: str) -> str:
    return f"{kind}{attachments}{namespace and namespace + ','}{ack_id}{data}"


events = st.sampled_from(sorted(EVENTS)).flatmap(
    lambda name: st.builds(
        lambda text, more: _array([json.dumps(name), text, *more]),
        payload(*EVENTS[name]),
        mostly(st.just([]), st.lists(json_values, max_size=2)),
    )
)
odd_events = st.one_of(
    st.builds(
        lambda name, text: _array([name, text]),
        st.sampled_from(
            [
                '"connect"',
                '"disconnect"',
                '"connect_error"',
                '"error"',
                '"message"',
                '"*"',
                '"__disconnect_final"',
                "7",
                "null",
                "[]",
                "{}",
                '""',
                '"\\ud800"',
                '"command"',
                '"_on_command"',
                '"trigger_event"',
                '"emit"',
            ]
        ),
        json_values,
    ),
    st.sampled_from(["[]", "{}", '""', '"join_stream"', "null", "", "["]),
    any_json,
)


def _to_its_namespace(event: str, ack_id: str) -> str:
    namespace = UI_NAMESPACE if "subscribe_" in event else AUDIO_NAMESPACE
    return _packet("2", "", namespace, ack_id, event)


right_packets = st.builds(_to_its_namespace, events, mostly(st.just(""), st.just("7")))
odd_packets = st.one_of(
    st.builds(_packet, st.just("2"), st.just(""), namespaces, ack_ids, mostly(events, odd_events, times=1)),
    st.builds(
        _packet,
        mostly(st.sampled_from(["0", "1"]), st.sampled_from(["3", "4", "7", "9", "", "x", "\u00b2"])),
        st.just(""),
        namespaces,
        ack_ids,
        mostly(st.just(""), any_json),
    ),
    st.builds(
        _packet,
        st.sampled_from(["5", "6"]),
        mostly(st.just("1-"), st.sampled_from(["0-", "2-", "", "-", "99999999999-", "9999-", "\u00b2-", "-1-"])),
        namespaces,
        ack_ids,
        mostly(events, odd_events),
    ),
)
right_texts = right_packets.map(lambda packet: "4" + packet)
odd_texts = st.one_of(
    odd_packets.map(lambda packet: "4" + packet),
    odd_packets.map(lambda packet: "4" + packet),
    st.sampled_from(
        [
            "2",
            "2probe",
            "3",
            "3probe",
            "5",
            "6",
            "0{}",
            "1",
            "7",
            "9x",
            "",
            "4",
            "4null",
            "4[1,2]",
            '4{"a":1}',
            "x",
            "b",
            "b!",
            "bAAAA",
            "bA",
            "b" + "A" * 4000,
            "²",
            "4" * 40,
            "\x00",
        ]
    ),
)
engineio_texts = mostly(right_texts, odd_texts, times=2)
RIGHT_CONNECTS = [f"40{AUDIO_NAMESPACE},", f"40{UI_NAMESPACE},"]
connects = st.sampled_from(
    [
        f"40{AUDIO_NAMESPACE},",
        f"40{UI_NAMESPACE},",
        f'40{AUDIO_NAMESPACE},{{"token":"x"}}',
        "40",
        f"41{AUDIO_NAMESPACE},",
    ]
)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


attachments = st.builds(lambda data: frame(data, 2), st.one_of(junk, st.just(b"\xff" * 70_000)))
socketio_frames = mostly(
    st.builds(lambda text: frame(_encoded(text)), engineio_texts),
    frames(engineio_texts.map(_encoded), st.just(1)),
    st.builds(lambda text: frame(_encoded(text)), connects),
    attachments,
    st.builds(lambda text, times: frame(_encoded(text)) * times, engineio_texts, st.integers(2, 40)),
)

WEBSOCKET = b"/socket.io/?EIO=4&transport=websocket"
POLLING = b"/socket.io/?EIO=4&transport=polling"


def _beginning(texts: list[str]) -> list[Step]:
    return [*(Send(frame(_encoded(text))) for text in texts), Receive()]


begun = mostly(st.just(RIGHT_CONNECTS), st.lists(connects, max_size=2)).map(_beginning)
websocket_steps = st.lists(mostly(_sends(socketio_frames), breaks, times=9), min_size=1, max_size=8).map(_joined)
websocket_sessions: SearchStrategy[list[Step]] = st.builds(
    lambda fields, beginning, steps: [Send(handshake(WEBSOCKET, fields=fields)), Receive(), *beginning, *steps],
    handshake_headers,
    begun,
    websocket_steps,
)
"""Connections that speak Socket.IO over a WebSocket from the start."""


def _post(packets: list[str]) -> bytes:
    body = _encoded(SEPARATOR.join(packets))
    return request(b"POST", POLLING + b"&sid=" + SID, b"HTTP/1.1", [HOST], body)


POLL = request(b"GET", POLLING + b"&sid=" + SID, b"HTTP/1.1", [HOST])
poll: SearchStrategy[list[Step]] = st.just([Send(POLL), Receive()])
polled_texts = mostly(
    engineio_texts,
    junk.map(lambda data: "b" + base64.b64encode(data).decode()),
    st.sampled_from(["d=", "d=4", "d=%ff", SEPARATOR, SEPARATOR * 20]),
)
posts = st.one_of(
    st.lists(polled_texts, max_size=4).map(_post),
    st.lists(polled_texts, min_size=15, max_size=18).map(_post),
    st.builds(
        lambda body, length: request(b"POST", POLLING + b"&sid=" + SID, b"HTTP/1.1", [HOST], body, length),
        texts,
        mostly(st.just(b""), lengths),
    ),
)
upgrade_packets = st.lists(
    mostly(st.sampled_from(["2probe", "5"]), st.sampled_from(["5", "2", "3probe", "", "6", "x"]), engineio_texts),
    max_size=3,
)


def _upgrade(texts: list[str], *, waits: bool, polls: bool) -> list[Step]:
    steps: list[Step] = [Open(), Send(handshake(WEBSOCKET + b"&sid=" + SID))]
    if waits:
        steps.append(Receive())
    for text in texts:
        steps += [Send(frame(_encoded(text))), Receive()]
    if polls:
        steps += [Switch(0), Send(POLL), Receive(), Switch(-1)]
    return steps


upgrades = st.builds(
    _upgrade, mostly(st.just(["2probe", "5"]), upgrade_packets), waits=st.booleans(), polls=st.booleans()
)
polling_sessions: SearchStrategy[list[Step]] = st.builds(
    lambda texts, before, upgrade, after: [
        Send(request(b"GET", POLLING, b"HTTP/1.1", [HOST])),
        Receive(),
        Send(_post(texts)),
        Receive(),
        *before,
        *upgrade,
        *after,
    ],
    mostly(st.just(RIGHT_CONNECTS), st.lists(connects, max_size=2)),
    st.lists(st.one_of(_sends(posts), poll, breaks), max_size=4).map(_joined),
    mostly(upgrades, nothing),
    st.one_of(websocket_steps, st.lists(st.one_of(_sends(posts), upgrades, breaks), max_size=3).map(_joined)),
)
"""Connections that begin on long polling, and may be upgraded, or not quite."""

message_sessions: SearchStrategy[list[Step]] = st.one_of(
    plain_sessions, websocket_sessions, polling_sessions, _sends(api_requests)
)
"""Connections that speak of streams and updates, and of what becomes of these meanwhile."""


def side_by_side(sessions: SearchStrategy[list[Step]]) -> SearchStrategy[list[list[Step]]]:
    """Return several sessions, to be played at the same time."""
    return st.lists(sessions, min_size=1, max_size=8)
