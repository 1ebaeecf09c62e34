"""Requests, frames and packets that are wrong: each is refused for what it is, and the log stays quiet and short."""

import json
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import websocket

from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

HANDSHAKE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
POST = b"POST /asf/internal/notify_new_audio HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def connect(server: ServerProcess) -> socket.socket:
    """Return a bare connection."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def ask(server: ServerProcess, request: bytes) -> bytes:
    """Send bytes, and return all that is answered until the server closes, or for a second says nothing more."""
    with connect(server) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
        connection.settimeout(1)
        with suppress(TimeoutError):
            while data := connection.recv(65536):
                answer += data
    return answer


def reset(connection: socket.socket) -> None:
    """Break a connection off with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def log_after(server: ServerProcess, lines: int) -> list[str]:
    """Return what was logged since there were so many lines, when a later session has been logged, too.

    Without what the server says of a machine that is busy.
    """
    listener = PlainListener(server.url, "later", wait="true")
    listener.receive_until("stream_status")
    listener.close()
    eventually(lambda: any("session ended" in line and "stream_id=later" in line for line in server.log[lines:]))
    return [line for line in server.logged(lines) if "stream_id=later" not in line]


@pytest.mark.parametrize("line", [b"\x00\xff nonsense", b"G" * 7000, b"GET / HTTP/9.9", b"FOO /\xff\x1b[2J HTTP/1.x"])
def test_a_line_that_is_no_request_is_not_logged(server: ServerProcess, line: bytes) -> None:
    """Whoever sends it would write the log, a few kilobytes at a time."""
    lines = len(server.log)
    assert b"<" not in ask(server, line + b"\r\n\r\n").partition(b"\r\n")[0]
    assert not log_after(server, lines)


@pytest.mark.parametrize("begun", [b"GET / HTT", b"GET / HTTP/1.1\r\nHos", POST + b"Content-Length: 5\r\n\r\nab"])
def test_a_connection_that_is_reset_in_a_request_is_no_error(server: ServerProcess, begun: bytes) -> None:
    """The client is gone; nothing is to be said."""
    lines = len(server.log)
    for _ in range(5):
        connection = connect(server)
        connection.sendall(begun)
        time.sleep(0.02)  # so that the server is in the midst of reading
        reset(connection)
    assert not log_after(server, lines)


def test_an_upgrade_that_is_none_is_refused(server: ServerProcess) -> None:
    """`Upgrade` without `Connection: Upgrade` (RFC 9110, section 7.8)."""
    request = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n"
    assert ask(server, request).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"])
def test_text_that_is_not_utf8_closes_the_plain_websocket(server: ServerProcess, text: bytes) -> None:
    """With 1007 (RFC 6455, section 8.1)."""
    lines = len(server.log)
    listener = PlainListener(server.url, "unknown-yet", wait="true")
    listener.receive_until("stream_status")
    listener.socket.send_frame(websocket.ABNF.create_frame(text, websocket.ABNF.OPCODE_BINARY))
    assert listener.receive_to_the_end() == 1003
    listener = PlainListener(server.url, "unknown-yet", wait="true")
    listener.receive_until("stream_status")
    assert listener.socket.sock is not None
    listener.socket.sock.sendall(struct.pack("!BBI", 0x81, 0x80 | len(text), 0) + text)
    assert listener.receive_to_the_end() == 1007
    assert not [line for line in log_after(server, lines) if "ERROR" in line or "Traceback (" in line]


def test_a_message_in_fragments_may_arrive_in_many_pieces(server: ServerProcess) -> None:
    """TCP cuts where it likes: only the frames count."""
    server.announce("s", audio_of(1000))
    client = WireListener(server.url, polling=False)
    assert client.websocket is not None
    packet = f'42{NAMESPACE},["join_stream",{{"stream_id":"s"}}]'.encode()
    raw = client.websocket.sock
    assert raw is not None
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for first, part in ((0x01, packet[:5]), (0x80, packet[5:] + b" " * 100)):
        for byte in struct.pack("!BBI", first, 0x80 | min(len(part), 125), 0) + part[:125]:
            raw.sendall(bytes([byte]))
            time.sleep(0.001)  # so that each is a piece of its own
    client.receive_until("end_of_stream")
    client.close()


def test_a_header_does_not_lift_the_bound_on_silence(start_server: StartServer) -> None:
    """`Upgrade` in a request that upgrades nothing: whoever does not read the answer is not waited for."""
    server = start_server({"TEST_ANSWER_SECONDS": "0.5", "ASF_SLOW_LISTENER_SECONDS": "0.5"}, observed=True)
    sockets = server.sockets()
    with connect(server) as connection:
        eventually(lambda: server.sockets() > sockets)
        connection.sendall(b"GET /asf/openapi.json HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\r\n" * 200)
        eventually(lambda: server.sockets() <= sockets)


@pytest.mark.parametrize(
    ("begun", "more"),
    [(b"1", b"0"), (b"5;", b"x"), (b"0\r\nX: ", b"y")],
    ids=["size", "ext", "trailer"],
)
def test_a_line_in_a_chunked_body_is_bounded(server: ServerProcess, begun: bytes, more: bytes) -> None:
    """A chunk's size, its extensions, and trailers: nobody keeps megabytes of them."""
    memory = server.memory()
    with connect(server) as connection, suppress(OSError):
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(begun + more * 20_000_000)
    assert server.memory() - memory < 10_000_000


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 1_0",
        b"Content-Length: +5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding : chunked",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_body_of_ambiguous_length_is_rejected(server: ServerProcess, framing: bytes) -> None:
    """What one reader takes for a body another takes for the next request (RFC 9112, section 11.2)."""
    answer = ask(server, POST + framing + b"\r\n\r\n" + b"GET /asf/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), answer
    assert json.loads(body)["error_code"] == "ASF_BAD_REQUEST"


@pytest.mark.parametrize("packet", ["5", "40/nowhere,", f"40{NAMESPACE},"])
def test_answers_to_a_client_that_does_not_read_are_bounded(server: ServerProcess, packet: str) -> None:
    """Whatever it is that they answer."""
    client = WireListener(server.url, polling=False)
    assert client.websocket is not None
    raw = client.websocket.sock
    assert raw is not None
    memory = server.memory()
    data = packet.encode()
    frames = (struct.pack("!BBI", 0x81, 0x80 | len(data), 0) + data) * 10_000
    raw.settimeout(HUNG_SECONDS)  # A server that reads no more has bounded them.
    with suppress(OSError):
        for _ in range(40):
            raw.sendall(frames)
    assert server.memory() - memory < 15_000_000
    client.close()


def test_invalid_packets_do_not_fill_the_log(server: ServerProcess) -> None:
    """However many they are; and nothing that clients send is an error of the server."""
    lines = len(server.log)
    client = WireListener(server.url, polling=False)
    for packet in [
        "4x",
        "42/nowhere,[]",
        f"42{NAMESPACE},[]",
        f"42{NAMESPACE},{{",
        "45-",
        f"43{NAMESPACE},1[]",
    ] * 300:
        client.send(packet)
    client.close()
    ask(server, b"GET /socket.io/?EIO=4&transport=polling&sid=x%0aForged:%20line HTTP/1.1\r\nHost: localhost\r\n\r\n")
    ask(server, b"GET /socket.io/?EIO=3&transport=carrier%0dpigeon HTTP/1.1\r\nHost: localhost\r\n\r\n")
    logged = log_after(server, lines)
    assert not [line for line in logged if "ERROR" in line or line.startswith("Forged")]
    assert sum(map(len, logged)) < 20_000


def test_a_waiting_listener_does_not_fill_the_log(server: ServerProcess) -> None:
    """What is no stream id is not waited for at any door."""
    lines = len(server.log)
    listener = PlainListener(server.url, "x" * 5000, wait="true")
    assert listener.receive_to_the_end() == 1003
    assert listener.messages[-1]["error_code"] == "ASF_INVALID_PAYLOAD"
    assert sum(map(len, log_after(server, lines))) < 1000


@pytest.mark.parametrize(
    "header",
    [
        "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 +99999999999999999",
        "If-Range: Mon, 01 Jan 2024 00:00:00 +99999999999999999\r\nRange: bytes=0-1",
        "Range: bytes=" + "9" * 5000 + "-",
        "Origin: a\r\n b",
        "Host: [::1",
        "Host: xn--\xff",
    ],
)
def test_a_header_that_makes_no_sense_is_no_failure(server: ServerProcess, header: str) -> None:
    """It is refused or passed over."""
    server.announce("s", audio_of(1000))
    lines = len(server.log)
    request = f"GET /api/v1/podcasts/stream/s HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n"
    answer = ask(server, request.encode("latin-1"))
    assert answer[9:10] in {b"2", b"4"}, answer
    assert not [line for line in log_after(server, lines) if "Traceback (" in line]


@pytest.mark.parametrize("path", ["/api/v1/podcasts/stream/s", "/socket.io/?EIO=4"])
def test_a_preflight_that_makes_no_sense_is_no_failure(server: ServerProcess, path: str) -> None:
    """Folded lines in what would be said back."""
    request = (
        f"OPTIONS {path} HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n b\r\nAccess-Control-Request-Method: GET\r\n"
        "Access-Control-Request-Headers: a\r\n b\r\nConnection: close\r\n\r\n"
    )
    answer = ask(server, request.encode())
    assert answer[9:10] in {b"2", b"4"}, answer
    assert b"\r\n b" not in answer


@pytest.mark.parametrize("behind", [b"", b"GET /asf/health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_a_listener_that_goes_while_the_audio_rests_is_noticed(
    start_server: StartServer, behind: bytes, end: Callable[[socket.socket], None]
) -> None:
    """Over HTTP, where nothing is sent that would fail: it keeps no place, and no connection."""
    server = start_server()
    path = server.audio_root / "growing.mp3"
    path.write_bytes(b"audio")
    server.notify("growing", str(path), state="generating").raise_for_status()
    connection = connect(server)
    connection.sendall(b"GET /api/v1/podcasts/stream/growing HTTP/1.1\r\nHost: localhost\r\n\r\n" + behind)
    eventually(lambda: "asf_listeners 1.0" in server.metrics())
    end(connection)
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    eventually(lambda: not server.open_files())


def test_a_connection_that_is_reset_before_its_answer_leaves_nothing_open(start_server: StartServer) -> None:
    """No file descriptor, although the answer cannot be written; it is not left to the garbage collector."""
    server = start_server()
    sockets = server.sockets()
    for request in (
        b"GET /asf/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        for _ in range(30):
            connection = connect(server)
            connection.sendall(request)
            reset(connection)
    eventually(lambda: server.sockets() <= sockets)


def test_what_is_sent_to_a_closed_connection_is_refused(server: ServerProcess) -> None:
    """On long polling: a packet that closes it, and more behind it, in the same payload and the next."""
    client = WireListener(server.url, polling=True)
    client.send(f"1\x1e42{NAMESPACE},[]")
    request = (
        f"POST /socket.io/?EIO=4&transport=polling&sid={client.sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n6"
    )
    assert ask(server, request.encode()).startswith(b"HTTP/1.1 400 ")
    client.close()


@pytest.mark.parametrize("packet", ["0", "2", "6", "7"])
def test_a_packet_that_no_client_sends_ends_the_connection(server: ServerProcess, packet: str) -> None:
    """On long polling, too, where nobody takes what is still queued: the answer does not wait for that."""
    client = WireListener(server.url, polling=True)
    request = (
        f"POST /socket.io/?EIO=4&transport=polling&sid={client.sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    )
    assert ask(server, (request + packet).encode()).startswith(b"HTTP/1.1 400 ")
    client.close()


@pytest.mark.parametrize("query", [b"token=\xff", b"token=\xc3\xbc", b"\xff=%ff", b"offset=0&\x80"])
def test_a_query_that_is_not_ascii_is_no_failure(server: ServerProcess, query: bytes) -> None:
    """Most clients would have percent-encoded it; it means the same."""
    server.announce("s", audio_of(1000))
    request = b"GET /api/v1/podcasts/stream/s?" + query + b" HTTP/1.1\r\nHost: localhost\r\n"
    assert ask(server, request + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(server, request + HANDSHAKE + b"Sec-WebSocket-Version: 13\r\n\r\n").startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"DELETE"])
def test_only_get_opens_a_websocket(server: ServerProcess, method: bytes) -> None:
    """RFC 6455, section 4.1."""
    request = method + b" /api/v1/podcasts/stream/s HTTP/1.1\r\nHost: localhost\r\n" + HANDSHAKE
    answer = ask(server, request + b"Sec-WebSocket-Version: 13\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("length", [65_537, 50_000_000, 10**20])
def test_what_is_posted_on_long_polling_is_bounded(server: ServerProcess, length: int) -> None:
    """By its declared length, before it is read."""
    client = WireListener(server.url, polling=True)
    memory = server.memory()
    with connect(server) as connection:
        url = f"/socket.io/?EIO=4&transport=polling&sid={client.sid}"
        connection.sendall(f"POST {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
        with suppress(OSError):
            connection.sendall(b"4" * min(length, 50_000_000))
    assert server.memory() - memory < 10_000_000
    client.close()
