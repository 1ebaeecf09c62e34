"""A stream over Socket.IO, a plain WebSocket and HTTP, and what each of them rejects."""

import socket
import struct
import time
from typing import Any
from urllib.parse import quote

import pytest
import requests
import websocket

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import SECRET_KEY

AUDIO = audio_of(300_001)
CONTROL_EVENTS = ["stream_status", "start_of_stream", "end_of_stream"]
FAST = {"ASF_STREAM_SLEEP_INTERVAL": "0"}


@pytest.fixture(scope="module")
def stream(server: ServerProcess) -> str:
    """Return the id of a stream with `AUDIO`."""
    server.announce("transports", AUDIO)
    return "transports"


def epoch_of(server: ServerProcess, stream_id: str) -> str:
    """Return the current epoch of a stream."""
    answer = requests.get(f"{server.url}/asf/internal/streams/{stream_id}", timeout=PATIENCE_SECONDS)
    return str(answer.json()["epoch"])


def test_the_plain_websocket_speaks_as_documented(server: ServerProcess, stream: str) -> None:
    """Control messages with section 3's fields, audio in binary messages, and close code 1000 after the end."""
    listener = PlainListener(server.url, stream)
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    assert [message["event"] for message in listener.messages] == [
        "stream_status",
        "start_of_stream",
        "end_of_stream",
    ]
    start = listener.messages[1]
    assert {name: start[name] for name in ("stream_id", "offset", "total_bytes", "chunk_size", "content_type")} == {
        "stream_id": stream,
        "offset": 0,
        "total_bytes": len(AUDIO),
        "chunk_size": 4096,
        "content_type": "audio/mpeg",
    }
    assert start["epoch"] == epoch_of(server, stream)


def test_the_plain_websocket_is_commanded_by_json(server: ServerProcess) -> None:
    """Pause, resume, seek, acknowledge and leave."""
    audio = audio_of(2_000_000)
    server.announce("long", audio)
    listener = PlainListener(server.url, "long", window=100_000, offset=1000)
    listener.receive_until_bytes(90_000)
    listener.send({"event": "pause"})
    assert listener.receive_until("stream_status")["status"] == "paused"
    listener.send({"event": "ack", "received": 1000 + len(listener.audio)})
    listener.send({"event": "seek", "offset": 1_999_000})
    listener.audio.clear()
    assert listener.receive_until("start_of_stream")["offset"] == 1_999_000
    listener.send({"event": "ack", "received": 5_000_000})
    assert listener.receive_until("error")["error_code"] == "ASF_INVALID_ACK"
    listener.send({"event": "resume"})
    listener.receive_until("end_of_stream")
    assert listener.audio == audio[1_999_000:]
    assert listener.receive_to_the_end() == 1000
    leaving = PlainListener(server.url, "long")
    leaving.send({"event": "leave"})
    assert leaving.receive_to_the_end() == 1000
    assert leaving.messages[-1]["status"] == "left"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"ack"',
        "{}",
        '{"event": 1}',
        '{"event": "dance"}',
        '{"event": ["ack"]}',
        '{"event": "ack"}',
        '{"event": "ack", "received": "5"}',
        '{"event": "ack", "received": -1}',
        '{"event": "ack", "received": 1.5}',
        '{"event": "ack", "received": true}',
        '{"event": "seek", "offset": null}',
        '{"event": "seek", "offset": 1e300}',
        '{"event": "seek", "offset": 9007199254740992}',
        '{"event": "pause", "stream_id": 5}',
        "[" * 5000,
        b"\x00\x01",
    ],
)
def test_a_bad_message_is_answered_and_closes_the_plain_websocket(
    server: ServerProcess, message: str | bytes
) -> None:
    """With 1003, after a message that says what was wrong."""
    server.announce("long", audio_of(2_000_000))
    listener = PlainListener(server.url, "long")
    if isinstance(message, bytes):
        listener.socket.send_binary(message)
    else:
        listener.send(message)
    assert listener.receive_to_the_end() == 1003
    assert listener.messages[-1]["event"] == "error"
    assert listener.messages[-1]["error_code"] == listener.close_reason == "ASF_INVALID_PAYLOAD"


@pytest.mark.parametrize(
    ("query", "code", "error_code"),
    [
        ({"offset": "-1"}, 1003, "ASF_INVALID_PAYLOAD"),
        ({"offset": "1.5"}, 1003, "ASF_INVALID_PAYLOAD"),
        ({"offset": "x"}, 1003, "ASF_INVALID_PAYLOAD"),
        ({"window": "0"}, 1003, "ASF_INVALID_PAYLOAD"),
        ({"wait": "maybe"}, 1003, "ASF_INVALID_PAYLOAD"),
        ({"epoch": "other"}, 4409, "ASF_EPOCH_CHANGED"),
    ],
)
def test_a_bad_query_is_rejected(
    server: ServerProcess, stream: str, query: dict[str, str], code: int, error_code: str
) -> None:
    """With a message and a close code."""
    listener = PlainListener(server.url, stream, **query)
    assert listener.receive_to_the_end() == code
    assert listener.messages[-1]["event"] == "stream_error"
    assert listener.messages[-1]["error_code"] == error_code


def test_a_join_that_fails_returns_the_requested_offset(server: ServerProcess) -> None:
    """A client that rejoins there loses nothing and repeats nothing."""
    assert server.notify("missing", str(server.audio_root / "missing.mp3")).status_code == 200
    listener = PlainListener(server.url, "missing", offset=1000)
    assert listener.receive_to_the_end() == 4404
    error = listener.messages[-1]
    assert (error["error_code"], error["offset"]) == ("ASF_AUDIO_UNAVAILABLE", 1000)


def test_an_unknown_stream_closes_with_4404(server: ServerProcess) -> None:
    """Whatever characters are in its name."""
    for stream_id in ("nowhere", "a/b", "ü 1", "%"):
        listener = PlainListener(server.url, stream_id)
        assert listener.receive_to_the_end() == 4404
        assert listener.messages[-1]["stream_id"] == stream_id
        assert listener.messages[-1]["offset"] == 0
        assert requests.get(server.stream_url(quote(stream_id, safe="")), timeout=PATIENCE_SECONDS).status_code == 404


def test_a_listener_that_waits_is_pinged(start_server: StartServer) -> None:
    """So that no proxy takes its connection for dead; audio continues around the pings."""
    server = start_server({"TEST_PING_SECONDS": "0.2", "TEST_UNANSWERED_PINGS": "1000000"}, observed=True)
    listener = PlainListener(server.url, "s", wait="true")
    listener.receive_until("stream_status")
    for _ in range(3):
        assert listener.socket.recv_data(control_frame=True)[0] == websocket.ABNF.OPCODE_PING
    server.announce("s", AUDIO)
    listener.receive_to_the_end()
    assert listener.audio == AUDIO


def test_a_message_that_is_too_big_closes_with_1009(server: ServerProcess) -> None:
    """`ASF_MAX_MESSAGE_BYTES` holds for every transport."""
    listener = PlainListener(server.url, "announced-never", wait="true")
    assert listener.socket.sock is not None
    listener.socket.sock.sendall(struct.pack("!BBQI", 0x81, 0x80 | 127, 65537, 0))  # the frame's header is enough
    assert listener.receive_to_the_end() == 1009


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("path", "message", "answer"),
    [
        (b"/api/v1/podcasts/stream/later?wait=true", b'{"event":"leave"}', b'"left"'),
        (b"/socket.io/?EIO=4&transport=websocket", b"40/api/v1/podcasts/stream,", b"connection_ack"),
    ],
)
@pytest.mark.parametrize("at_once", [10, 10_000])
def test_a_first_frame_may_come_in_the_same_segment_as_the_handshake(
    server: ServerProcess, path: bytes, message: bytes, answer: bytes, at_once: int
) -> None:
    """Nothing of it is lost, whether a part or all of it is there by then."""
    frame = struct.pack("!BBI", 0x81, 0x80 | len(message), 0) + message
    data = HANDSHAKE % path + frame
    cut = min(len(HANDSHAKE % path) + at_once, len(data))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(data[:cut])
        received = client.recv(4096)
        assert received.startswith(b"HTTP/1.1 101 ")
        client.sendall(data[cut:])
        while answer not in received:
            more = client.recv(4096)
            assert more, received
            received += more


def test_other_origins_are_rejected(start_server: StartServer) -> None:
    """Of browsers; other programs send none. Pages of allowed origins may read the audio."""
    server = start_server(FAST | {"ASF_CORS_ALLOWED_ORIGINS": "https://app.example"})
    server.announce("s", AUDIO)
    url = server.stream_url("s")
    with pytest.raises(websocket.WebSocketBadStatusException) as rejection:
        websocket.create_connection(
            url.replace("http", "ws"), origin="https://evil.example", timeout=PATIENCE_SECONDS
        )
    assert rejection.value.status_code == 403
    websocket.create_connection(
        url.replace("http", "ws"), origin="https://app.example", timeout=PATIENCE_SECONDS
    ).shutdown()
    websocket.create_connection(url.replace("http", "ws"), suppress_origin=True, timeout=PATIENCE_SECONDS).shutdown()
    allowed = requests.get(url, headers={"Origin": "https://app.example"}, timeout=PATIENCE_SECONDS)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    other = requests.get(url, headers={"Origin": "https://evil.example"}, timeout=PATIENCE_SECONDS)
    assert "Access-Control-Allow-Origin" not in other.headers


def test_origins_of_apps_are_allowed_as_they_send_them(start_server: StartServer) -> None:
    """On every transport: of apps, extensions, pages without an origin, and of hosts in another spelling."""
    listed = {
        "capacitor://localhost": "capacitor://localhost",
        "ionic://localhost": "ionic://localhost",
        "tauri://localhost": "tauri://localhost",
        "chrome-extension://Abcdef": "chrome-extension://Abcdef",
        "null": "null",
        "https://App.Example.com:443": "https://app.example.com",
        "https://bücher.example:8443": "https://xn--bcher-kva.example:8443",
    }
    server = start_server(FAST | {"ASF_CORS_ALLOWED_ORIGINS": ", ".join(listed)})
    server.announce("s", AUDIO)
    url = server.stream_url("s")
    for origin in listed.values():
        played = requests.get(url, headers={"Origin": origin}, timeout=PATIENCE_SECONDS)
        assert played.headers["Access-Control-Allow-Origin"] == origin
        polled = requests.get(_polling_url(server), headers={"Origin": origin}, timeout=PATIENCE_SECONDS)
        assert polled.headers["Access-Control-Allow-Origin"] == origin
        websocket.create_connection(url.replace("http", "ws"), origin=origin, timeout=PATIENCE_SECONDS).shutdown()
    for origin in ("https://app.example.com:8443", "tauri://other", "chrome-extension://abcdef"):
        refused = requests.get(_polling_url(server), headers={"Origin": origin}, timeout=PATIENCE_SECONDS)
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert refused.status_code != 200


def _polling_url(server: ServerProcess) -> str:
    return f"{server.url}/socket.io/?EIO=4&transport=polling"


def test_the_simulation(start_server: StartServer) -> None:
    """The same texts over both, in debug mode."""
    server = start_server()
    texts = ["Audio chunk 1", "Audio chunk 2", "Audio chunk 3", "End of stream"]
    plain = PlainListener(server.url, "simulation")
    assert plain.receive_to_the_end() == 1000
    assert plain.texts == texts
    assert [message["event"] for message in plain.messages] == CONTROL_EVENTS
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "simulation"})
    listener.receive_until("end_of_stream")
    assert [payload for name, payload in listener.events if name == "audio_chunk"] == texts
    listener.close()
    production = start_server({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY, "ASF_DATABASE": ":memory:"})
    assert PlainListener(production.url, "simulation").receive_to_the_end() == 4404


def test_a_listener_that_leaves_the_plain_websocket_leaves_nothing_behind(start_server: StartServer) -> None:
    """By closing or by breaking off, in mid-stream."""
    server = start_server(observed=True)
    server.announce("s", audio_of(60_000_000))

    def listen_a_little(length: int) -> None:
        listener = PlainListener(server.url, "s")
        listener.receive_until_bytes(length)
        if length % 2:
            listener.socket.close()
        else:
            listener.close()

    listen_a_little(1)
    eventually(lambda: not server.open_files())
    greenlets, sockets = server.greenlets(), server.sockets()
    for length in range(10):
        listen_a_little(length)
    eventually(lambda: not server.open_files())
    eventually(lambda: server.greenlets() <= greenlets)
    eventually(lambda: server.sockets() <= sockets)


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_listener_that_stops_reading_loses_its_session(start_server: StartServer, transport: str) -> None:
    """Over these transports its connection, too."""
    limits = {"ASF_SLOW_LISTENER_SECONDS": "0.5", "ASF_HTTP_PAUSE_SECONDS": "0.5"}
    server = start_server(FAST | limits, observed=True)
    server.announce("s", audio_of(60_000_000))
    PlainListener(server.url, "unknown").receive_to_the_end()  # starts the green threads of pings and closes
    greenlets = server.greenlets()
    if transport == "websocket":
        stalled: Any = PlainListener(server.url, "s")
    else:
        stalled = socket.create_connection(("127.0.0.1", server.port))
        stalled.sendall(b"GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: "asf_joins_total 1.0" in server.metrics())
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    eventually(lambda: not server.open_files())
    eventually(lambda: server.greenlets() <= greenlets)
    stalled.close()


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=65536-131071", 206, slice(65536, 131072)),
        ("bytes=299990-", 206, slice(299_990, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=299990-9999999", 206, slice(299_990, None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("bytes=300001-", 416, None),
        ("bytes=5-1", 416, None),
    ],
)
def test_ranges(server: ServerProcess, stream: str, header: str, status: int, part: slice | None) -> None:
    """As RFC 9110, section 14, has it."""
    answer = requests.get(server.stream_url(stream), headers={"Range": header}, timeout=PATIENCE_SECONDS)
    assert answer.status_code == status
    if part is None:
        assert answer.json()["error_code"] == "ASF_RANGE_NOT_SATISFIABLE"
        assert answer.headers["Content-Range"] == f"bytes */{len(AUDIO)}"
    else:
        assert answer.content == AUDIO[part]
        assert answer.headers["Content-Length"] == str(len(AUDIO[part]))
        assert answer.headers["Content-Type"] == "audio/mpeg"


def test_conditional_requests(server: ServerProcess, stream: str) -> None:
    """ETags: nothing is sent twice, and no range of another audio."""
    url = server.stream_url(stream)
    whole = requests.get(url, timeout=PATIENCE_SECONDS)
    etag = whole.headers["ETag"]
    assert whole.content == AUDIO
    assert requests.get(url, headers={"If-None-Match": etag}, timeout=PATIENCE_SECONDS).status_code == 304
    same = requests.get(url, headers={"Range": "bytes=5-9", "If-Range": etag}, timeout=PATIENCE_SECONDS)
    assert (same.status_code, same.content) == (206, AUDIO[5:10])
    other = requests.get(url, headers={"Range": "bytes=5-9", "If-Range": '"other"'}, timeout=PATIENCE_SECONDS)
    assert (other.status_code, other.content) == (200, AUDIO)
    head = requests.head(url, timeout=PATIENCE_SECONDS)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(AUDIO)))
    assert (head.headers["ETag"], head.headers["Accept-Ranges"]) == (etag, "bytes")
    assert requests.post(url, timeout=PATIENCE_SECONDS).json()["error_code"] == "ASF_METHOD_NOT_ALLOWED"
    time.sleep(0.02)  # so that the clock of the file system has moved on
    server.announce(stream, AUDIO[::-1], f"{stream}.mp3")
    assert requests.get(url, headers={"If-None-Match": etag}, timeout=PATIENCE_SECONDS).content == AUDIO[::-1]
    server.announce(stream, AUDIO, f"{stream}.mp3")


def test_an_empty_audio_over_http(server: ServerProcess) -> None:
    """Is nothing, and no error."""
    server.announce("empty", b"")
    for method in ("GET", "HEAD"):
        answer = requests.request(method, server.stream_url("empty"), timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")


def test_the_session_is_commanded_over_socketio(server: ServerProcess) -> None:
    """Starting at any offset, pausing, seeking and leaving."""
    audio = audio_of(2_000_000)
    server.announce("long", audio)
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "long", "offset": 1_000_000, "epoch": epoch_of(server, "long")})
    assert listener.receive_until("start_of_stream")["offset"] == 1_000_000
    listener.emit("pause_stream", {})
    listener.receive_until_status("paused")
    assert audio[1_000_000:].startswith(listener.audio)
    listener.audio.clear()
    listener.emit("seek_stream", {"offset": 1_950_000})
    listener.emit("resume_stream", {"stream_id": "long"})
    listener.receive_until("end_of_stream")
    assert listener.audio == audio[1_950_000:]
    listener.emit("join_stream", {"stream_id": "long"})
    listener.receive_until_status("joined")
    listener.emit("leave_stream")
    listener.receive_until_status("left")
    listener.close()


@pytest.mark.one_process("with Redis a join that waits for it is replaced by the next one")
def test_joins_behind_one_another_switch_to_another_stream(server: ServerProcess) -> None:
    """Each ends the session before it."""
    server.announce("long", audio_of(2_000_000))
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "long"})
    listener.receive_until_status("joined")
    listener.emit("leave_stream")
    listener.receive_until_status("left")
    listener.emit("join_stream", {"stream_id": "long"})
    listener.emit("join_stream", {"stream_id": "simulation"})
    listener.receive_until("audio_chunk")
    statuses = [payload["status"] for name, payload in listener.events if name == "stream_status"]
    assert statuses[-4:] == ["left", "joined", "left", "joined"]
    listener.close()


def test_flow_control_over_socketio(server: ServerProcess) -> None:
    """Nothing beyond the window; acknowledging lets it go on."""
    audio = audio_of(2_000_000)
    server.announce("long", audio)
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "long", "window": 40_000, "offset": 1_800_000})
    while len(listener.audio) < 200_000:
        sent = len(listener.audio)
        while len(listener.audio) < min(sent + 36_000, 200_000):
            listener.receive()
        assert len(listener.audio) - sent <= 40_000
        listener.emit("audio_ack", {"received": 1_800_000 + len(listener.audio)})
    listener.receive_until("end_of_stream")
    assert listener.audio == audio[1_800_000:]
    listener.close()


@pytest.mark.parametrize(
    ("event", "payload", "answer", "error_code"),
    [
        ("join_stream", {"stream_id": "transports", "offset": -1}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "offset": 2**53}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "offset": 0.5}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "offset": "5"}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "window": 0}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "wait": "yes"}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "epoch": 5}, "error", "ASF_INVALID_PAYLOAD"),
        ("join_stream", {"offset": 5}, "error", "ASF_JOIN_INVALID_PAYLOAD"),
        ("join_stream", {"stream_id": "transports", "epoch": "other"}, "stream_error", "ASF_EPOCH_CHANGED"),
        ("pause_stream", {}, "error", "ASF_NO_SESSION"),
        ("resume_stream", [], "error", "ASF_INVALID_PAYLOAD"),
        ("leave_stream", {"stream_id": "transports"}, "error", "ASF_NO_SESSION"),
        ("seek_stream", {"offset": 5}, "error", "ASF_NO_SESSION"),
        ("seek_stream", {}, "error", "ASF_INVALID_PAYLOAD"),
        ("audio_ack", {"received": 5}, "error", "ASF_NO_SESSION"),
        ("audio_ack", {"received": None}, "error", "ASF_INVALID_PAYLOAD"),
    ],
)
def test_bad_events_are_answered(
    server: ServerProcess, stream: str, event: str, payload: Any, answer: str, error_code: str
) -> None:
    """The connection stays open."""
    listener = WireListener(server.url, polling=False)
    listener.emit(event, payload)
    assert listener.receive_until(answer)["error_code"] == error_code
    listener.emit("join_stream", {"stream_id": stream, "offset": len(AUDIO) + 5})
    listener.receive_until("end_of_stream")
    assert listener.audio == b""
    listener.close()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"state": "done"}, "state"),
        ({"state": None}, "state"),
        ({"state": 1}, "state"),
        ({"content_type": "text/html"}, "content_type"),
        ({"content_type": "audio/mpeg\r\nX: y"}, "content_type"),
        ({"content_type": 5}, "content_type"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "metadata"),
        ({"reason": "x" * 2000}, "reason"),
    ],
)
def test_bad_fields_of_an_announcement_are_named(server: ServerProcess, fields: dict[str, Any], field: str) -> None:
    """And nothing is announced."""
    answer = server.notify("bad", str(server.audio_root / "bad.mp3"), **fields)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ASF_NOTIFY_INVALID_FIELD")
    assert f"'{field}'" in answer.json()["message"]
    assert requests.get(f"{server.url}/asf/internal/streams/bad", timeout=PATIENCE_SECONDS).status_code == 404


def test_what_is_announced_of_an_audio_is_returned(server: ServerProcess) -> None:
    """Its media type and its metadata, over each transport and in the list."""
    path = server.audio_root / "described"
    path.write_bytes(AUDIO)
    metadata = {"title": "Über alles", "tags": [1, None]}
    server.notify("described", str(path), content_type="audio/opus; rate=48000", metadata=metadata).raise_for_status()
    listener = PlainListener(server.url, "described", offset=len(AUDIO))
    start = listener.receive_until("start_of_stream")
    assert (start["content_type"], start["metadata"]) == ("audio/opus; rate=48000", metadata)
    assert (
        requests.head(server.stream_url("described"), timeout=PATIENCE_SECONDS).headers["Content-Type"]
        == "audio/opus; rate=48000"
    )
    kept = requests.get(f"{server.url}/asf/internal/streams/described", timeout=PATIENCE_SECONDS).json()
    assert kept["metadata"] == metadata
    listener.close()
