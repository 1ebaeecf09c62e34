"""What an operator reads."""

import json
import platform
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
import requests

from asf import __version__
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import SECRET_KEY


@pytest.mark.one_process("each worker numbers its own sessions")
def test_production_logs_json_and_one_line_for_each_join_and_end(tmp_path: Path) -> None:
    """With bytes, duration and outcome, and without what was in the query."""
    server = ServerProcess(tmp_path, {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY})
    server.announce("s", b"audio")
    PlainListener(server.url, "s", token="geheim").receive_to_the_end()  # noqa: S106 - it shall not be in the log
    assert requests.get(f"{server.stream_url('s')}?token=geheim", timeout=PATIENCE_SECONDS).content == b"audio"
    assert requests.get(f"{server.stream_url('t')}?token=geheim", timeout=PATIENCE_SECONDS).status_code == 404
    eventually(lambda: sum("session ended" in line for line in server.log) == 2)
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    ended = [line for line in lines if "outcome" in line]
    assert [(line["stream_id"], line["outcome"], line["bytes"]) for line in ended] == [("s", "complete", 5)] * 2
    assert all(0 <= line["seconds"] < PATIENCE_SECONDS for line in ended)
    started = [line for line in lines if line["message"].startswith("session started ")]
    assert [(line["stream_id"], line["offset"]) for line in started] == [("s", 0)] * 2
    assert [(line["transport"], line["address"]) for line in started] == [
        ("websocket", "127.0.0.1"),
        ("http", "127.0.0.1"),
    ]
    assert [line["session"] for line in started] == [line["session"] for line in ended]
    assert all(
        map(re.fullmatch, (r"websocket-\w{6}-1\.1", r"http-\w{6}-1\.2"), (line["session"] for line in started))
    )
    rejected = [line for line in lines if line["message"].startswith("join rejected ")]
    assert [(line["stream_id"], line["code"]) for line in rejected] == [("t", "ASF_STREAM_NOT_FOUND")]
    assert [(line["transport"], line["address"]) for line in rejected] == [("http", "127.0.0.1")]
    assert not any("geheim" in line for line in server.log)


def test_debug_mode_logs_text(tmp_path: Path) -> None:
    """For people."""
    server = ServerProcess(tmp_path)
    server.announce("s", b"audio")
    PlainListener(server.url, "s").receive_to_the_end()
    eventually(
        lambda: any(
            re.search(
                r"session ended session=websocket-\w{6}-1\.1 stream_id=s outcome=complete bytes=5 seconds=[\d.]+$",
                line,
            )
            for line in server.log
        )
    )
    assert server.stop() == 0


@pytest.mark.one_process("each worker is a node")
def test_the_first_lines_and_the_metrics_have_version_and_node(tmp_path: Path) -> None:
    """So have /asf/health and the list of nodes. An operator sees at once which server writes a log."""
    server = ServerProcess(tmp_path)
    assert re.search(
        rf"ASF {re.escape(__version__)} on Python {re.escape(platform.python_version())}$", server.log[0]
    )
    (node,) = requests.get(f"{server.url}/asf/internal/nodes", timeout=PATIENCE_SECONDS).json()["nodes"]
    assert any(line.endswith(f"This node is {node['node']}\n") for line in server.log[:4])
    labels = f'python="{platform.python_version()}",version="{__version__}"'
    assert f"asf_build_info{{{labels}}} 1.0" in server.metrics()
    assert server.stop() == 0


def test_the_level_debug_names_each_request(tmp_path: Path) -> None:
    """Its method, path and address, over each transport; never its query, and nothing of libraries."""
    server = ServerProcess(
        tmp_path, {"ASF_LOG_LEVEL": "debug", "ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}
    )
    server.announce("s", b"audio")
    requests.get(f"{server.stream_url('s')}?token=geheim", timeout=PATIENCE_SECONDS)
    PlainListener(server.url, "s", token="geheim").receive_to_the_end()  # noqa: S106 - it shall not be in the log
    requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling&token=geheim", timeout=PATIENCE_SECONDS)
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    debug = [line for line in lines if line["level"] == "DEBUG"]
    stream = "/api/v1/podcasts/stream/s"
    assert [(line["method"], line["path"]) for line in debug] == [
        ("POST", "/asf/internal/notify_new_audio"),
        ("GET", stream),
        ("GET", stream),
        ("GET", "/socket.io/"),
    ]
    assert {line["address"] for line in debug} == {"127.0.0.1"}
    assert not any("geheim" in line for line in server.log)


FORGED = '%0A{"time":"now","level":"ERROR","logger":"asf","message":"forged"}%0A%1b[2J%9b%e2%80%a8'
"""What would be a line of the log, and a command to the terminal, if it were written there as it stands."""

WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
SOCKETIO = "/socket.io/?EIO=4&transport"

REQUESTS = [
    f"GET /socket.io/{FORGED}?EIO=4&transport=websocket HTTP/1.1\r\n{WEBSOCKET}",
    f"GET {SOCKETIO}=websocket&sid={FORGED} HTTP/1.1\r\n{WEBSOCKET}",
    f"GET {SOCKETIO}=websocket HTTP/1.1\r\n{WEBSOCKET}Origin: \x1b[2J\r\n",
    f"GET /api/v1/podcasts/stream/{FORGED}?wait=1&token={FORGED} HTTP/1.1\r\n{WEBSOCKET}",
    f"GET /api/v1/podcasts/stream/{FORGED} HTTP/1.1\r\nRange: \x1b[2J\r\n",
    f"GET {SOCKETIO}=polling&sid={FORGED} HTTP/1.1\r\n",
    f"GET {SOCKETIO}={FORGED} HTTP/1.1\r\n",
    f"POST /{FORGED} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\x1b",
    f"\x1b[2J /{FORGED} HTTP/1.1\r\n",
    f"GET /\x1b[2J{FORGED} HTTP/1.1\r\nHost: \x1b[2J\r\nContent-Type: \x1b;;=\x1b\r\n",
    "\x1b[2J\n",
]

EVENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ (worker=\d )?[\w.]+: ")
"""How each line of the log begins in debug mode."""

MESSAGES = [b"", b"x", b"9", b"2", b"\x1b[2J", b"4\x1b[2J", b"40/\x1b[2J\n,", b"42\x1b[2J", b"45-\n\x1b", b"\xff"]
"""Of WebSockets: no packets of Engine.IO or Socket.IO, an empty one first."""


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a WebSocket frame of a client, with a mask of zeros."""
    return struct.pack("!BBI", 0x80 | opcode, 0x80 | len(payload), 0) + payload


def reset(connection: socket.socket) -> None:
    """End a connection with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def exchange(server: ServerProcess, data: bytes, end: Callable[[socket.socket], object], then: bytes = b"") -> None:
    """Send bytes and, when something has been answered, more; then end the connection, whatever is answered."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
    with suppress(OSError):
        connection.sendall(data)
        if then:
            connection.recv(1)
            connection.sendall(then)
    end(connection)


def opening_of(path: str) -> bytes:
    """Return the handshake of a WebSocket."""
    return f"GET {path} HTTP/1.1\r\n{WEBSOCKET}Host: a\r\n\r\n".encode()


def send_everything(server: ServerProcess) -> None:
    """Send all of it at each door, and end each connection in either way."""
    for request, end in product(REQUESTS, [reset, socket.socket.close]):
        exchange(server, request.encode("latin-1") + b"Host: a\r\n\r\n", end)
    doors = [f"{SOCKETIO}=websocket", "/api/v1/podcasts/stream/later?wait=1"]
    for path, message, (opcode, end) in product(doors, MESSAGES, [(1, reset), (2, socket.socket.close), (9, reset)]):
        exchange(server, opening_of(path), end, frame(opcode, message) * 3)


@pytest.mark.parametrize("production", [True, False])
def test_nothing_that_a_client_sends_reaches_the_log_but_through_the_logger(tmp_path: Path, production: bool) -> None:
    """One event a line, without control characters, and little of it: however connections end, at any door."""
    settings = {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY} if production else {}
    server = ServerProcess(tmp_path, settings)

    for _ in range(10):
        send_everything(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(opening_of(f"{SOCKETIO}=websocket") + frame(1, b""))
        while connection.recv(65536):
            pass
    assert server.stop() == 0
    for line in server.log:
        assert line.endswith("\n")
        assert line[:-1].isprintable(), line
        assert json.loads(line)["message"] != "forged" if production else EVENT.match(line), line
    about_sessions = re.compile("session (started|ended)|join rejected")
    others = [line for line in server.logged() if not about_sessions.search(line)]
    assert sum(map(len, others)) < 20_000, others


@pytest.mark.parametrize("door", ["Socket.IO", "long polling", "WebSocket", "HTTP"])
def test_each_rejected_join_is_logged_and_counted(start_server: StartServer, door: str) -> None:
    """With its reason, whatever the transport: a missing file, an unknown stream, no token, an invalid request.

    An operator reads which file is missing.
    """
    server = start_server()
    path = server.announce("gone", b"audio")
    path.unlink()
    locked = start_server({"ASF_REQUIRE_TOKENS": "True"})
    for one, stream_id in ((server, "gone"), (server, "unknown"), (locked, "s")):
        _join(door, one, {"stream_id": stream_id})
    expected = {"ASF_AUDIO_UNAVAILABLE": "gone", "ASF_STREAM_NOT_FOUND": "unknown"}
    if door != "HTTP":  # which has no such parameter
        _join(door, server, {"stream_id": "s", "offset": "-x"})
        expected["ASF_INVALID_PAYLOAD"] = "s"
    eventually(lambda: len(_rejections(server)) == len(expected) and len(_rejections(locked)) == 1)
    for code, stream_id in expected.items():
        assert any(f"stream_id={stream_id} code={code}" in line for line in _rejections(server)), _rejections(server)
        assert f'asf_joins_rejected_total{{code="{code}"}} 1.0' in server.metrics()
    (missing,) = (line for line in _rejections(server) if 'details="No such file' in line)
    assert re.search(rf"filepath={re.escape(str(path))} transport=\S+ address=127\.0\.0\.1$", missing)
    assert 'stream_id=s code=ASF_UNAUTHORIZED details="The token is missing."' in _rejections(locked)[0]


def _join(door: str, server: ServerProcess, fields: dict[str, str]) -> None:
    """Try to join, and wait for the answer."""
    if door == "HTTP":
        assert not requests.get(server.stream_url(fields["stream_id"]), timeout=PATIENCE_SECONDS).ok
    elif door == "WebSocket":
        PlainListener(server.url, **fields).receive_to_the_end()
    else:
        listener = WireListener(server.url, polling=door == "long polling")
        listener.emit("join_stream", fields)
        listener.receive_until("error" if "offset" in fields else "stream_error")
        listener.close()


def _rejections(server: ServerProcess) -> list[str]:
    return [line for line in server.log if "join rejected" in line]
