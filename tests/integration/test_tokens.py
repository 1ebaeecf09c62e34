"""Tokens at every door of a real server: let in, refused, and shown out when they expire."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from asf.adapters.jwt_tokens import JwtTokens
from asf.client import RequestRejected, StreamRejected, Subscribed, Update, listen, watch
from asf.domain.access.grant import Grant
from tests.integration.test_ui_updates import Subscriber, has
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually

KEY = "a-key-of-more-than-32-characters-to-sign-with"
NOW = time.time()
"""Where the servers' wall clock stands still: a token lasts from when it is shown, however late that is."""

LOCKED = {
    "ASF_REQUIRE_TOKENS": "True",
    "ASF_SECRET_KEY": KEY,
    "ASF_STREAM_SLEEP_INTERVAL": "0",
    "TEST_WALL_CLOCK": str(NOW),
}
AUDIO = audio_of(100_001)
LIFETIMES = (1.5, 6.0, 30.0)
"""How long a token is valid that is to expire while it is used; longer where the machine was too busy to use it."""


def token(seconds: float = 60, *, streams: str = "demo", clients: str = "alice", key: str = KEY) -> str:
    """Return a token that ends so many seconds from now."""
    grant = Grant("alice", NOW + seconds, frozenset({streams}), frozenset({clients}))
    return JwtTokens(key).mint(grant)


def in_time(attempt: Callable[[float], bool]) -> None:
    """Try with tokens that last longer and longer, until one lasted for what was to be done with it."""
    assert any(attempt(seconds) for seconds in LIFETIMES), "No token lasted long enough"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server that wants tokens, with the streams `demo`, `other` and `endless`, which is being made."""
    server = ServerProcess(tmp_path_factory.mktemp("locked"), LOCKED, observed=True)
    server.announce("demo", AUDIO)
    server.announce("other", AUDIO)
    path = server.audio_root / "endless.mp3"
    path.write_bytes(AUDIO)
    server.notify("endless", str(path), state="generating").raise_for_status()
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)
    assert not any("eyJ" in line for line in server.log), "a token in the log"


@dataclass
class Heard:
    """What came of listening to the end: audio, the error if there was one, and how the door said so."""

    audio: bytes
    error_code: str | None
    said: Any


def over_socketio(server: ServerProcess, stream_id: str, presented: str | None, *, polling: bool) -> Heard:
    """Join with the field `token`."""
    listener = WireListener(server.url, polling=polling)
    request = {"stream_id": stream_id} | ({} if presented is None else {"token": presented})
    listener.emit("join_stream", request)
    while True:
        for name, payload in listener.events:
            if name == "stream_error" or payload.get("event") == "end_of_stream":
                listener.close()
                return Heard(bytes(listener.audio), payload.get("error_code"), payload.get("retryable"))
        listener.receive()


def over_websocket(server: ServerProcess, stream_id: str, presented: str | None) -> Heard:
    """Open the plain WebSocket with `?token=`."""
    query = {} if presented is None else {"token": presented}
    listener = PlainListener(server.url, stream_id, **query)
    code = listener.receive_to_the_end()
    return Heard(bytes(listener.audio), listener.messages[-1].get("error_code"), code)


def over_http(server: ServerProcess, stream_id: str, presented: str | None, *, in_query: bool) -> Heard:
    """Play with `?token=` or a bearer token."""
    query = {"token": presented} if in_query and presented is not None else {}
    headers = {"Authorization": f"Bearer {presented}"} if not in_query and presented is not None else {}
    audio = bytearray()
    with requests.get(
        server.stream_url(stream_id), params=query, headers=headers, stream=True, timeout=PATIENCE_SECONDS
    ) as response:
        if response.status_code != 200:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            return Heard(b"", response.json()["error_code"], response.status_code)
        try:
            for piece in response.iter_content(None):
                audio += piece
        except requests.exceptions.ChunkedEncodingError:
            return Heard(bytes(audio), "broken off", response.status_code)
    return Heard(bytes(audio), None, response.status_code)


def listen_at(door: str, server: ServerProcess, stream_id: str, presented: str | None) -> Heard:
    """Listen at one of the doors to the end."""
    match door:
        case "socketio-polling" | "socketio-websocket":
            return over_socketio(server, stream_id, presented, polling=door.endswith("polling"))
        case "websocket":
            return over_websocket(server, stream_id, presented)
        case _:
            return over_http(server, stream_id, presented, in_query=door.endswith("query"))


REFUSED: dict[str, Any] = {
    "socketio-polling": False,
    "socketio-websocket": False,
    "websocket": 4401,
    "http-query": 401,
    "http-header": 401,
}
"""What each door says of a refusal: that it cannot be retried, the close code, or the status."""


@pytest.mark.parametrize("door", REFUSED)
def test_a_token_opens_every_door(locked: ServerProcess, door: str) -> None:
    """For the stream that it names, or for all."""
    assert listen_at(door, locked, "demo", token()).audio == AUDIO
    heard = listen_at(door, locked, "other", token(streams="*"))
    assert (heard.audio, heard.error_code) == (AUDIO, None)


@pytest.mark.parametrize("door", REFUSED)
def test_no_other_token_is_accepted(locked: ServerProcess, door: str) -> None:
    """None, a wrong or an expired one, one for another stream; and nobody hears which streams there are."""
    bad = [None, "", "x", token(key=KEY[::-1]), token(-1), token(streams="other"), token(clients="demo", streams="")]
    for stream_id, presented in [*(("demo", one) for one in bad), ("unknown", None), ("unknown", token())]:
        heard = listen_at(door, locked, stream_id, presented)
        assert heard == Heard(b"", "ASF_UNAUTHORIZED", REFUSED[door]), (stream_id, presented)


@pytest.mark.parametrize("door", REFUSED)
def test_sessions_end_with_the_token(locked: ServerProcess, door: str) -> None:
    """In the midst of a stream that is still being made; over HTTP nothing but breaking off can tell.

    Not before its time; and that it is not later is shown in virtual time (tests/unit/test_streaming.py).
    """

    def attempt(seconds: float) -> bool:
        begun = time.monotonic()
        heard = listen_at(door, locked, "endless", token(seconds, streams="endless"))
        assert time.monotonic() - begun > seconds - 0.1
        if door.startswith("http"):
            assert (heard.error_code, heard.said) == ("broken off", 200)
        else:
            assert (heard.error_code, heard.said) == ("ASF_UNAUTHORIZED", REFUSED[door])
        assert AUDIO.startswith(heard.audio)
        return heard.audio == AUDIO

    in_time(attempt)
    eventually(lambda: "asf_listeners 0.0" in locked.metrics())


def test_a_waiting_and_a_paused_listener_are_shown_out_too(locked: ServerProcess) -> None:
    """Though nothing is sent to them."""

    def attempt(seconds: float) -> bool:
        waiting = PlainListener(locked.url, "later", wait="true", token=token(seconds, streams="*"))
        paused = PlainListener(locked.url, "endless", token=token(seconds, streams="*"))
        paused.send({"event": "pause"})
        assert waiting.receive_until("stream_status")["status"] == "waiting"
        for listener in (waiting, paused):
            assert listener.receive_to_the_end() == 4401
            assert listener.messages[-1]["error_code"] == listener.close_reason == "ASF_UNAUTHORIZED"
        statuses = [one["status"] for one in paused.messages if one["event"] == "stream_status"]
        assert statuses in (["joined"], ["joined", "paused"])
        return statuses == ["joined", "paused"]

    in_time(attempt)


def lines_of(server: ServerProcess, wanted: set[str]) -> set[str]:
    """Return which of these lines the metrics have."""
    return wanted & set(server.metrics().splitlines())


def test_a_player_that_does_not_read_is_cut_off_when_its_token_expires(locked: ServerProcess) -> None:
    """It would hold its connection for ever."""
    audio = audio_of(20_000_000)
    locked.announce("large", audio)

    def attempt(seconds: float) -> bool:
        with socket.create_connection(("127.0.0.1", locked.port), timeout=PATIENCE_SECONDS) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            path = f"/api/v1/podcasts/stream/large?token={token(seconds, streams='large')}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            seen = eventually(partial(lines_of, locked, {"asf_listeners_blocked 1.0", "asf_listeners 0.0"}))
            eventually(lambda: "asf_listeners 0.0" in locked.metrics())
            received = 0
            with suppress(ConnectionResetError):
                while piece := connection.recv(1_000_000):
                    received += len(piece)
            assert received < len(audio)
        return "asf_listeners_blocked 1.0" in seen

    in_time(attempt)


def test_a_new_token_is_taken_by_joining_again(locked: ServerProcess) -> None:
    """On the same connection; the session goes on behind the end of the first token."""
    in_time(partial(joined_again, locked))


def joined_again(locked: ServerProcess, seconds: float) -> bool:
    """Join again with another token, and hear on. Returns whether the first one lasted until then."""
    listener = WireListener(locked.url, polling=False)
    begun = time.monotonic()
    listener.emit("join_stream", {"stream_id": "endless", "token": token(seconds, streams="endless")})
    listener.receive_until("start_of_stream")
    expired_at = time.monotonic() + seconds
    while len(listener.audio) < len(AUDIO):
        listener.receive()
    more = {"offset": len(AUDIO), "token": token(3600.0, streams="endless")}
    listener.emit("join_stream", {"stream_id": "endless", **more})
    while [one.get("status") for _, one in listener.events].count("joined") < 2:
        listener.receive()
    if time.monotonic() > begun + seconds:
        listener.close()
        return False
    eventually(lambda: time.monotonic() > expired_at + 0.5)
    path = locked.audio_root / "endless.mp3"
    with path.open("ab") as file:
        file.write(b"more")
    try:
        while not listener.audio.endswith(b"more"):
            listener.receive()
    finally:
        path.write_bytes(AUDIO)
        locked.notify("endless", str(path), state="failed").raise_for_status()
        locked.notify("endless", str(path), state="generating").raise_for_status()
    assert not any(payload.get("error_code") == "ASF_UNAUTHORIZED" for _, payload in listener.events)
    listener.close()
    return True


def test_ranges_and_heads_require_tokens_too(locked: ServerProcess) -> None:
    """No request learns of a stream what its token does not grant."""
    url = locked.stream_url("demo")
    assert requests.head(url, timeout=PATIENCE_SECONDS).status_code == 401
    assert requests.get(url, headers={"Range": "bytes=0-1"}, timeout=PATIENCE_SECONDS).status_code == 401
    opened = requests.head(url, params={"token": token()}, timeout=PATIENCE_SECONDS)
    assert (opened.status_code, opened.headers["Content-Length"]) == (200, str(len(AUDIO)))
    part = requests.get(url, params={"token": token()}, headers={"Range": "bytes=5-9"}, timeout=PATIENCE_SECONDS)
    assert (part.status_code, part.content) == (206, AUDIO[5:10])
    unchanged = {"If-None-Match": opened.headers["ETag"]}
    assert requests.get(url, headers=unchanged, timeout=PATIENCE_SECONDS).status_code == 401
    assert (
        requests.get(url, params={"token": token()}, headers=unchanged, timeout=PATIENCE_SECONDS).status_code == 304
    )
    basic = requests.get(url, params={"token": token()}, auth=("alice", "secret"), timeout=PATIENCE_SECONDS)
    assert basic.status_code == 200


def test_a_page_of_another_origin_may_send_the_header(locked: ServerProcess) -> None:
    """Its browser asks first."""
    asked = requests.options(
        locked.stream_url("demo"),
        headers={
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
        timeout=PATIENCE_SECONDS,
    )
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Headers"].lower() == "authorization"


@pytest.mark.parametrize("presented", [None, 5, ["x"], {"a": 1}, True, "x", "a.b.c"])
def test_a_token_of_any_shape_is_answered(locked: ServerProcess, presented: object) -> None:
    """With the documented error, on both namespaces; the connection stays."""
    listener = WireListener(locked.url, polling=False)
    listener.emit("join_stream", {"stream_id": "demo", "token": presented})
    assert listener.receive_until("stream_error")["error_code"] == "ASF_UNAUTHORIZED"
    listener.emit("join_stream", {"stream_id": "demo", "token": token()})
    listener.receive_until("end_of_stream")
    assert listener.audio == AUDIO
    listener.close()

    async def scenario() -> None:
        async with Subscriber(locked.url, ["websocket"]) as tab:
            await tab.subscribe({"client_id": "alice", "token": presented})
            await tab.until(has("ui_error"))
            await tab.subscribe({"client_id": "alice", "token": token()})
            await tab.until(has("subscribed_ui_updates"))
            (error,) = [event[1] for event in tab.events if event[0] == "ui_error"]
            assert (error["error_code"], error["message"]) == ("ASF_UNAUTHORIZED", "A valid token is required.")

    asyncio.run(scenario())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
def test_a_subscription_is_for_its_client_and_ends_with_its_token(
    locked: ServerProcess, transports: list[str]
) -> None:
    """The subscriber hears of it, and a new token brings it back without a gap."""
    client_id = f"alice-{transports[0]}"  # The tab of the other case may still be there.

    async def scenario(seconds: float) -> bool:
        async with Subscriber(locked.url, transports) as tab:
            await tab.subscribe({"client_id": "bob", "token": token()})
            await tab.until(has("ui_error"))
            tab.events.clear()
            await tab.subscribe({"client_id": client_id, "token": token(seconds, clients=client_id)})
            await tab.until(has("subscribed_ui_updates"))
            confirmed = tab.events[0][1]
            first = await asyncio.to_thread(locked.send_ui_update, client_id, "first", 1)
            if first.json()["subscribers"] == 0:
                return False
            await tab.until(has("ui_error"))
            assert [event[0] for event in tab.events] == ["subscribed_ui_updates", "first", "ui_error"]
            error = tab.events[-1][1]
            assert (error["error_code"], error["client_id"]) == ("ASF_UNAUTHORIZED", client_id)
            missed = await asyncio.to_thread(locked.send_ui_update, client_id, "missed", 2)
            assert missed.json()["subscribers"] == 0
            since = {"epoch": confirmed["epoch"], "seq": first.json()["seq"]}
            await tab.subscribe({"client_id": client_id, "since": since, "token": token(clients=client_id)})
            await tab.until(has("missed"))
            assert [event[0] for event in tab.events][3:] == ["subscribed_ui_updates", "missed"]
            return True

    in_time(lambda seconds: asyncio.run(scenario(seconds)))


def test_where_no_token_is_wanted_it_is_ignored(start_server: StartServer) -> None:
    """Whatever it is."""
    server = start_server({"ASF_SECRET_KEY": KEY, "ASF_STREAM_SLEEP_INTERVAL": "0"})
    server.announce("demo", AUDIO)
    for door in REFUSED:
        for presented in (None, "x", token(-1)):
            assert listen_at(door, server, "demo", presented).audio == AUDIO
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "demo", "token": {"not": "text"}})
    listener.receive_until("end_of_stream")
    listener.close()


def test_a_server_waits_for_a_token_of_ten_years(start_server: StartServer) -> None:
    """Longer than the event loop can sleep: it does not mind."""
    server = start_server(LOCKED, observed=True)
    path = server.audio_root / "endless.mp3"
    path.write_bytes(b"audio")
    server.notify("endless", str(path), state="generating").raise_for_status()
    listener = PlainListener(server.url, "endless", token=token(3650 * 86_400, streams="endless"))
    listener.receive_until_bytes(5)
    listener.send({"event": "pause"})
    listener.receive_until("stream_status")
    assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).ok
    listener.close()
    eventually(lambda: "asf_listeners 0.0" in server.metrics())


def test_tokens_are_never_logged(start_server: StartServer) -> None:
    """Not even that of a request which fails in the middle, or of one that breaks HTTP."""
    server = start_server(LOCKED, observed=True)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        head = f"GET /api/v1/podcasts/stream/demo?token={token()} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
        connection.sendall(f"{head}\r\n\r\nno number\r\n".encode())
        while connection.recv(1000):
            pass
    for refusable in (token(), token(-1)):
        assert over_websocket(server, "unknown", refusable).error_code is not None
        assert over_http(server, "unknown", refusable, in_query=True).error_code is not None
    assert server.stop() == 0
    assert len(server.log) > 3
    assert "eyJ" not in "".join(server.log)


def test_the_python_clients_bring_tokens(locked: ServerProcess) -> None:
    """And say so when they are refused, or shown out."""
    audio = bytearray()
    listen(locked.url, "demo", audio.extend, token=token())
    assert audio == AUDIO
    for presented, stream_id in ((None, "demo"), (token(LIFETIMES[0], streams="*"), "endless")):
        with pytest.raises(StreamRejected) as refusal:
            listen(locked.url, stream_id, lambda _chunk: None, token=presented)
        assert refusal.value.error_code == "ASF_UNAUTHORIZED"

    def attempt(seconds: float) -> bool:
        client_id = f"carol-{seconds}"
        watching = watch(locked.url, client_id, history=True, token=token(seconds, clients=client_id))
        assert isinstance(next(watching), Subscribed)
        if locked.send_ui_update(client_id, "progress", 1).json()["subscribers"] == 0:
            return False
        update = next(watching)
        assert isinstance(update, Update)
        assert update.data == 1
        with pytest.raises(RequestRejected) as ended:
            next(watching)
        assert ended.value.error_code == "ASF_UNAUTHORIZED"
        return True

    in_time(attempt)


def test_the_command_line_makes_and_brings_tokens(locked: ServerProcess, tmp_path: Path) -> None:
    """With the key of the environment, or of .env."""
    (tmp_path / ".env").write_text(f"ASF_SECRET_KEY={KEY}\n")
    before = time.time()
    made = asf("token", "alice", "--stream", "demo", "--client", "dave", "--expires", "5m", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, b"")
    presented = made.stdout.decode().strip()
    grant = JwtTokens(KEY).verify(presented, time.time())
    assert grant == Grant("alice", grant.expires_at, frozenset({"demo"}), frozenset({"dave"}))
    assert before + 300 - 1 <= grant.expires_at <= time.time() + 300

    out = tmp_path / "out.mp3"
    heard = asf("listen", "demo", "-o", str(out), url=locked.url, environment={"ASF_TOKEN": presented})
    assert heard.returncode == 0, heard.stderr
    assert out.read_bytes() == AUDIO
    locked.send_ui_update("dave", "progress", 7)
    seen = asf("watch", "dave", "--history", "-n", "1", "--token", presented, url=locked.url)
    assert json.loads(seen.stdout)["data"] == 7
    for command, option in ((("listen", "other"), "--stream"), (("watch", "alice"), "--client")):
        refused = asf(*command, "--token", presented, url=locked.url)
        assert refused.returncode == 1
        assert b"ASF_UNAUTHORIZED" in refused.stderr
        assert f"asf token NAME {option} ID" in refused.stderr.decode()
        assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "key", "word"),
    [
        (("alice", "--stream", "demo"), "", "ASF_SECRET_KEY"),
        (("alice", "--stream", "demo"), "short-secret", "ASF_SECRET_KEY"),
        (("alice",), KEY, "grant nothing"),
        (("alice", "--stream", ""), KEY, "grant nothing"),
        (("", "--stream", "demo"), KEY, "SUBJECT"),
        (("alice", "--stream", "demo", "--expires", "0s"), KEY, "1h"),
        (("alice", "--stream", "demo", "--expires", "-1h"), KEY, "1h"),
        (("alice", "--stream", "demo", "--expires", "soon"), KEY, "1h"),
        (("alice", "--stream", "demo", "--expires", "11y"), KEY, "1h"),
        (("alice", "--stream", "demo", "--expires", "3651d"), KEY, "3650d"),
    ],
)
def test_why_a_token_cannot_be_made(arguments: tuple[str, ...], key: str, word: str, tmp_path: Path) -> None:
    """In words, with exit code 2; the key is not shown."""
    refused = asf("token", *arguments, cwd=tmp_path, environment={"ASF_SECRET_KEY": key})
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert word in refused.stderr.decode()
    assert b"Traceback" not in refused.stderr
    assert b"short-secret" not in refused.stderr
