"""What an operator sees of a server and does to it, over real connections of all kinds."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

UI = "/ui_updates"


def ask(server: ServerProcess, route: str, token: str = "", **query: str | int) -> dict[str, Any]:
    """Return the response of a route for operators."""
    response = requests.get(
        f"{server.url}/asf/internal/{route}",
        params=query,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=PATIENCE_SECONDS,
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def sessions(server: ServerProcess, **query: str | int) -> list[dict[str, Any]]:
    """Return the sessions on one page."""
    found: list[dict[str, Any]] = ask(server, "sessions", "", **query)["sessions"]
    return found


def end(server: ServerProcess, session_id: str) -> requests.Response:
    """End a session."""
    return requests.delete(f"{server.url}/asf/internal/sessions/{session_id}", timeout=PATIENCE_SECONDS)


class HttpListener:
    """A player by URL that reads nothing but the head until it is told to."""

    def __init__(self, server: ServerProcess, stream_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /api/v1/podcasts/stream/{stream_id} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
        self._socket.sendall(head.encode())
        assert self._socket.recv(12) == b"HTTP/1.1 200"

    def is_reset(self) -> bool:
        """Read on, and return whether the connection ends by a reset."""
        try:
            while self._socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        return False

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


def subscribe(server: ServerProcess, client_id: str, token: str = "") -> WireListener:
    """Return a connection that has subscribed to the updates of a client. `token` is that of the internal API."""
    listener = WireListener(server.url, polling=False)
    listener.send(f"40{UI},")
    listener.send(f'42{UI},["subscribe_to_ui_updates",{{"client_id":"{client_id}"}}]')
    eventually(lambda: ask(server, "sessions", token, client_id=client_id)["sessions"])
    return listener


@pytest.fixture(scope="module")
def playing(server: ServerProcess) -> ServerProcess:
    """Return a server with a long stream."""
    server.announce("long", audio_of(8_000_000))
    return server


@pytest.fixture
def connected(playing: ServerProcess) -> Iterator[ServerProcess]:
    """Return a server to which one of each kind is connected: none of them reads."""
    with ExitStack() as stack:
        polling = WireListener(playing.url, polling=True)
        stack.callback(polling.close)
        polling.emit("join_stream", {"stream_id": "long"})
        stack.enter_context(closing(join(playing, "long")))
        plain = PlainListener(playing.url, "long")
        stack.callback(plain.close)
        stack.enter_context(closing(HttpListener(playing, "long")))
        stack.enter_context(closing(subscribe(playing, "alice")))
        eventually(lambda: len(sessions(playing, stream_id="long")) == 4)
        yield playing
    eventually(lambda: not sessions(playing))


def test_who_hears_a_stream_and_from_where(connected: ServerProcess) -> None:
    """One of each kind, with its address; the id is that of the log."""
    found = sessions(connected, stream_id="long", kind="listener")
    assert {one["transport"] for one in found} == {"socketio-polling", "socketio-websocket", "websocket", "http"}
    assert {one["address"] for one in found} == {"127.0.0.1"}
    (http,) = sessions(connected, address="203.0.113.9")
    assert (http["transport"], http["forwarded_for"]) == ("http", "203.0.113.9")
    for one in found:
        assert any(f"session started session={one['id']} " in line for line in connected.log), one
        assert one["node"] in {node["node"] for node in ask(connected, "nodes")["nodes"]}


@pytest.mark.one_process("each worker is a node, and has a Redis")
def test_who_is_blocked(connected: ServerProcess) -> None:
    """All of them in the end, as none reads."""
    eventually(lambda: all(one["blocked"] for one in sessions(connected, stream_id="long")))
    found = sessions(connected, stream_id="long")
    assert {one["waits_for"] for one in found} == {"client"}
    assert all(one["silent_seconds"] >= 0 and one["behind_bytes"] > 0 and one["bytes"] > 0 for one in found)
    (stream,) = ask(connected, "listeners")["streams"]
    assert (stream["stream_id"], stream["listeners"], stream["blocked"]) == ("long", 4, 4)
    assert set(stream["transports"].values()) == {1}
    (node,) = ask(connected, "nodes")["nodes"]
    assert (node["listeners"], node["listeners_blocked"], node["subscribers"]) == (4, 4, 1)
    assert node["connections"] >= 4
    assert node["memory_bytes"] > 10_000_000
    assert (node["state"], node["redis"], node["worker"], node["problems"]) == ("ready", None, None, [])


def test_pages(connected: ServerProcess) -> None:
    """The cursor leads on to the end."""
    everything = [one["id"] for one in sessions(connected)]
    assert len(everything) == 5
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask(connected, "sessions", limit=2, cursor=cursor)
        assert page["not_answering"] == []
        found += [one["id"] for one in page["sessions"]]
        cursor = page["next_cursor"]
    assert found == everything


def test_a_socketio_listener_is_disconnected(playing: ServerProcess) -> None:
    """It receives the code, which clients do not answer by joining again."""
    with closing(join(playing, "long")) as listener:
        listener.receive_until("start_of_stream")
        (session,) = sessions(playing)
        assert end(playing, session["id"]).json() == {
            "message": "Session ended",
            "session_id": session["id"],
            "node": session["node"],
            "kind": "listener",
        }
        error = listener.receive_until("stream_error")
        assert (error["error_code"], error["retryable"]) == ("ASF_DISCONNECTED", False)
        assert not sessions(playing)
        again = end(playing, session["id"])
        assert (again.status_code, again.json()["error_code"]) == (404, "ASF_SESSION_NOT_FOUND")


def test_a_plain_websocket_is_disconnected(playing: ServerProcess) -> None:
    """It is closed with a standard code."""
    listener = PlainListener(playing.url, "long")
    listener.receive_until("start_of_stream")
    assert end(playing, sessions(playing)[0]["id"]).status_code == 200
    assert listener.receive_to_the_end() == 1008
    assert listener.close_reason == listener.messages[-1]["error_code"] == "ASF_DISCONNECTED"


def test_a_player_by_url_is_disconnected(playing: ServerProcess) -> None:
    """At once, though it reads nothing: the connection is reset."""
    with closing(HttpListener(playing, "long")) as listener:
        eventually(lambda: sessions(playing) and sessions(playing)[0]["blocked"])
        assert end(playing, sessions(playing)[0]["id"]).status_code == 200
        assert listener.is_reset()


def test_a_subscriber_is_disconnected(playing: ServerProcess) -> None:
    """Its subscription ends with the code."""
    with closing(subscribe(playing, "bob")) as listener:
        (session,) = sessions(playing, kind="subscriber", client_id="bob")
        assert end(playing, session["id"]).json()["kind"] == "subscriber"
        assert listener.websocket is not None
        while "ui_error" not in (text := str(listener.websocket.recv())):
            pass
        assert '"error_code":"ASF_DISCONNECTED"' in text
        assert '"client_id":"bob"' in text


def test_an_upload_is_disconnected(playing: ServerProcess) -> None:
    """Its request is answered with the code; what has come is kept."""

    def pieces() -> Iterator[bytes]:
        yield b"x" * 5000
        (session,) = eventually(lambda: [one for one in sessions(playing, kind="upload") if one["bytes"] == 5000])
        assert (session["stream_id"], session["address"], session["offset"]) == ("up", "127.0.0.1", 5000)
        assert end(playing, session["id"]).json()["kind"] == "upload"
        yield b"y"

    url = f"{playing.url}/asf/internal/streams/up/audio"
    response = requests.put(url, data=pieces(), timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (403, "ASF_DISCONNECTED")
    assert requests.head(url, timeout=PATIENCE_SECONDS).headers["Upload-Offset"] == "5000"


def test_why_joins_are_rejected(playing: ServerProcess) -> None:
    """By code, with what each means."""
    for _ in range(3):
        requests.get(playing.stream_url("nowhere"), timeout=PATIENCE_SECONDS)
    body = ask(playing, "nodes")
    assert sum(node["joins_rejected"].get("ASF_STREAM_NOT_FOUND", 0) for node in body["nodes"]) >= 3
    assert "announced" in body["explanations"]["ASF_STREAM_NOT_FOUND"]
    latest = [
        node["latest_rejections"]["ASF_STREAM_NOT_FOUND"] for node in body["nodes"] if node["latest_rejections"]
    ]
    assert 0 <= min(latest) < PATIENCE_SECONDS


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "kind=door",
        "cursor=x",
        "cursor=a:listener:99999999999999999999",
        "cursor=" + "x" * 700,
        "stream_id=" + "x" * 300,
        "stream_id=",
        "address=" + "1" * 700,
    ],
)
def test_invalid_queries(query: str, playing: ServerProcess) -> None:
    """Are answered with what is wrong."""
    response = requests.get(f"{playing.url}/asf/internal/sessions?{query}", timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (400, "ASF_INVALID_QUERY")
    assert query.split("=", maxsplit=1)[0] in response.json()["details"]


def test_strangers_see_and_do_nothing(start_server: StartServer) -> None:
    """The routes are those of the internal API: they want its token."""
    server = start_server(
        {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY, "ASF_INTERNAL_API_TOKEN": API_TOKEN}
    )
    for method, route in (("GET", "nodes"), ("GET", "sessions"), ("GET", "listeners"), ("DELETE", "sessions/a.1")):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-Forwarded-For": "127.0.0.1"}):
            response = requests.request(
                method, f"{server.url}/asf/internal/{route}", headers=headers, timeout=PATIENCE_SECONDS
            )
            assert (response.status_code, response.json()["error_code"]) == (401, "ASF_UNAUTHORIZED")
    assert ask(server, "nodes", API_TOKEN)["nodes"][0]["state"] == "ready"
