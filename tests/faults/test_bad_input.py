"""Bad input at every door: refused with the error code of the contract; those who behave hear nothing of it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
import requests
import websocket

from tests.fuzz.bystanders import Bystanders
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess

STREAM = "there"
AUDIO_BYTES = 3_000_000
"""Enough for a stream to be under way when the next message comes."""

UI_NAMESPACE = "/ui_updates"
SECRET_KEY = "k" * 32
DEEP = "[" * 65 + "]" * 65

Ask = Callable[[ServerProcess, Any], str]


# The doors: each sends something, and returns the error code that came back.


def notify(server: ServerProcess, body: Any) -> str:
    """Announce audio."""
    return _post(server, "notify_new_audio", body)


def send_ui_update(server: ServerProcess, body: Any) -> str:
    """Send a UI update."""
    return _post(server, "send_ui_update", body)


def post_cues(server: ServerProcess, body: Any) -> str:
    """Post cues."""
    return _post(server, f"streams/{STREAM}/cues", body)


def request(server: ServerProcess, line: str) -> str:
    """Send a request with a method and a path."""
    method, path = line.split(" ", 1)
    return _code_of(requests.request(method, server.url + path, timeout=PATIENCE_SECONDS))


def play(server: ServerProcess, headers: dict[str, str]) -> str:
    """Fetch a stream by its URL."""
    return _code_of(requests.get(server.stream_url(STREAM), headers=headers, timeout=PATIENCE_SECONDS))


def emit(server: ServerProcess, event: tuple[str, Any]) -> str:
    """Send an event to the namespace of audio, when a stream is under way."""
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": STREAM, "window": 4096})
    listener.receive_until("start_of_stream")
    listener.events.clear()
    listener.emit(*event)
    while not any(name in {"error", "stream_error"} for name, _ in listener.events):
        listener.receive()
    listener.close()
    return next(str(payload["error_code"]) for name, payload in listener.events if name in {"error", "stream_error"})


def subscribe(server: ServerProcess, event: tuple[str, Any]) -> str:
    """Send an event to the namespace of UI updates."""
    url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
    subscriber = websocket.create_connection(url, timeout=PATIENCE_SECONDS)
    subscriber.send(f"40{UI_NAMESPACE},")
    subscriber.send(f"42{UI_NAMESPACE},{json.dumps(event)}")
    while not (packet := str(subscriber.recv())).startswith(f'42{UI_NAMESPACE},["ui_error"'):
        assert "subscribed_ui_updates" not in packet
    subscriber.shutdown()
    return str(json.loads(packet.removeprefix(f"42{UI_NAMESPACE},"))[1]["error_code"])


def join_by_url(server: ServerProcess, query: dict[str, str]) -> str:
    """Join by the plain WebSocket."""
    return _end_of(PlainListener(server.url, **({"stream_id": STREAM} | query)))


def command(server: ServerProcess, message: str | bytes) -> str:
    """Send a message on a plain WebSocket, when a stream is under way."""
    listener = PlainListener(server.url, STREAM, window=4096)
    listener.receive_until("start_of_stream")
    if isinstance(message, bytes):
        listener.socket.send_binary(message)
    else:
        listener.send(message)
    return _end_of(listener)


def _post(server: ServerProcess, route: str, body: Any) -> str:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{server.url}/asf/internal/{route}"
    return _code_of(requests.post(url, data, headers={"Content-Type": "application/json"}, timeout=PATIENCE_SECONDS))


def _code_of(answer: requests.Response) -> str:
    assert 400 <= answer.status_code < 500, answer.text
    return f"{answer.status_code} {answer.json()['error_code']}"


def _end_of(listener: PlainListener) -> str:
    return f"{listener.receive_to_the_end()} {listener.messages[-1]['error_code']}"


# The table


@dataclass(frozen=True)
class Row:
    """What is sent at a door, and what is answered. `door` names the door in the ledger."""

    door: str
    ask: Ask
    sent: Any
    answer: str


def rows(door: str, ask: Ask, answer: str, *sent: Any) -> list[Row]:
    """Return rows with the same answer."""
    return [Row(door, ask, one, answer) for one in sent]


NO_IDS: list[Any] = ["", " ", "\t\n", 5, None, True, [], {}, ["there"], "x" * 256, "a\x00b", "\x7f", "\ud800"]
"""What is no identifier."""

NO_NUMBERS: list[Any] = [-1, 1.5, "5", None, True, [], {}, 2**53, 1e300, 10**90]
"""What is no offset."""

NO_FLAGS: list[Any] = [0, 1, "true", None, []]
NO_TEXTS: list[Any] = [5, [], {}, True]
"""What is neither true nor false, and what is no text."""

NO_OBJECTS: list[Any] = ["text", 5, 1.5, True, [], [{"stream_id": STREAM}]]
"""What is no object."""

NOTIFY, SENDUI, HTTP = "the internal API, announcements", "the internal API, UI updates", "HTTP"
CUES = "the internal API, cues"
AUDIO, UI, URL, MESSAGE = (
    "Socket.IO, audio",
    "Socket.IO, UI updates",
    "plain WebSocket, queries",
    "plain WebSocket, messages",
)
TOKENS = "tokens"

NO_PATHS: list[Any] = [
    "",
    " ",
    5,
    None,
    [],
    "/etc/passwd",
    "../../x",
    "a\x00b",
    "ftp://a/b",
    "file:///etc/passwd",
    "\ud800",
]
"""What is no path below an audio root."""

BAD_FIELDS: list[dict[str, Any]] = [
    {"state": "done"},
    {"state": 5},
    {"content_type": "text/html"},
    {"content_type": "audio/x\r\nX: y"},
    {"metadata": []},
    {"metadata": {"title": "x" * 20_000}},
    {"reason": "x" * 1001},
    {"reason": "\ud800"},
]
"""What is wrong with an announcement beside its two first fields."""

MALFORMED = [
    b"{",
    b"nonsense",
    b"{'a': 1}",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": "\xff"}',
    b"\xff",
    b'{"a":1}{"a":1}',
]
UNUSABLE = [b"", b"  ", b"null", b"[]", b"{}", b'"text"', b"5"]
FILE = "there.mp3"
NO_CUES: list[Any] = [None, 5, "text", {}, [], [{"start": 1}] * 1001]
NO_CUE: list[Any] = [None, 5, "text", [], {}, {"start": None}]
NO_TIMES: list[Any] = ["1", True, -1, 10**9, 10**400, []]
NO_CUE_TEXTS: list[Any] = [5, [], "x" * 65536, "\u20ac" * 22000, "\ud800"]

TABLE = [
    *rows(NOTIFY, notify, "400 ASF_NOTIFY_MALFORMED_JSON", *MALFORMED, f'{{"a": {DEEP}}}'.encode()),
    *rows(NOTIFY, notify, "400 ASF_NOTIFY_INVALID_PAYLOAD", *UNUSABLE),
    *rows(NOTIFY, notify, "400 ASF_NOTIFY_INVALID_STREAM_ID", {"filepath": FILE}),
    *rows(
        NOTIFY, notify, "400 ASF_NOTIFY_INVALID_STREAM_ID", *({"stream_id": one, "filepath": FILE} for one in NO_IDS)
    ),
    *rows(
        NOTIFY,
        notify,
        "400 ASF_NOTIFY_INVALID_FILEPATH",
        {"stream_id": "bad"},
        *({"stream_id": "bad", "filepath": one} for one in NO_PATHS),
    ),
    *rows(
        NOTIFY,
        notify,
        "400 ASF_NOTIFY_INVALID_FIELD",
        *({"stream_id": STREAM, "filepath": "AUDIO_ROOT/x.mp3"} | one for one in BAD_FIELDS),
    ),
    *rows(NOTIFY, notify, "413 ASF_PAYLOAD_TOO_LARGE", b" " * (1024 * 1024 + 1)),
    *rows(SENDUI, send_ui_update, "400 ASF_SENDUI_MALFORMED_JSON", *MALFORMED, f'{{"a": {DEEP}}}'.encode()),
    *rows(SENDUI, send_ui_update, "400 ASF_SENDUI_INVALID_PAYLOAD", *UNUSABLE),
    *rows(
        SENDUI,
        send_ui_update,
        "400 ASF_SENDUI_INVALID_CLIENT_ID",
        {"event_name": "e", "data": 1},
        *({"client_id": one, "event_name": "e", "data": 1} for one in NO_IDS),
    ),
    *rows(
        SENDUI,
        send_ui_update,
        "400 ASF_SENDUI_INVALID_EVENT_NAME",
        {"client_id": "c", "data": 1},
        *(
            {"client_id": "c", "event_name": one, "data": 1}
            for one in [*NO_IDS, "connect", "disconnect", "newListener"]
        ),
    ),
    *rows(SENDUI, send_ui_update, "400 ASF_SENDUI_MISSING_DATA", {"client_id": "c", "event_name": "e"}),
    *rows(
        SENDUI,
        send_ui_update,
        "400 ASF_SENDUI_INVALID_IDEMPOTENCY_KEY",
        *(
            {"client_id": "c", "event_name": "e", "data": 1, "idempotency_key": one}
            for one in ("", 5, "x" * 129, "\x00")
        ),
    ),
    *rows(CUES, post_cues, "400 ASF_CUES_MALFORMED_JSON", *MALFORMED, f'{{"a": {DEEP}}}'.encode()),
    *rows(CUES, post_cues, "400 ASF_CUES_INVALID_PAYLOAD", *UNUSABLE),
    *rows(
        CUES,
        post_cues,
        "400 ASF_CUES_INVALID_PAYLOAD",
        *({"cues": one} for one in NO_CUES),
        {"cues": [{"start": 1}], "epoch": 5},
        {"cues": [{"start": 1}], "epoch": []},
    ),
    *rows(
        CUES,
        post_cues,
        "400 ASF_CUES_INVALID_CUE",
        *({"cues": [{"start": 1}, one]} for one in NO_CUE),
        *({"cues": [{"start": one}]} for one in NO_TIMES),
        *({"cues": [{"start": 1, "end": one}]} for one in [0.5, *NO_TIMES]),
        *({"cues": [{"start": 1, "id": one}]} for one in NO_IDS if one is not None),
        *({"cues": [{"start": 1, "kind": one}]} for one in NO_IDS if one is not None),
        *({"cues": [{"start": 1, "text": one}]} for one in NO_CUE_TEXTS),
        {"cues": [{"start": 1, "data": "\ud800"}]},
    ),
    *rows(
        CUES, post_cues, "409 ASF_EPOCH_CHANGED", *({"cues": [{"start": 1}], "epoch": one} for one in ("", "other"))
    ),
    *rows(CUES, post_cues, "413 ASF_PAYLOAD_TOO_LARGE", b" " * (1024 * 1024 + 1)),
    *rows(
        HTTP,
        request,
        "400 ASF_INVALID_QUERY",
        *(f"GET /api/v1/podcasts/cues/{STREAM}?since={one}" for one in ("-1", "x", "1.5", "", "9" * 5000)),
        f"GET /api/v1/podcasts/cues/{STREAM}?format=srt",
        *(f"GET /asf/internal/streams?limit={one}" for one in ("0", "-1", "1001", "x", "1.5", "", "9" * 5000)),
    ),
    *rows(
        HTTP,
        request,
        "404 ASF_STREAM_NOT_FOUND",
        "GET /asf/internal/streams/unknown",
        "DELETE /asf/internal/streams/unknown",
        *(
            f"GET /api/v1/podcasts/{kind}/{one}"
            for kind in ("stream", "cues")
            for one in ("unknown", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "x" * 5000, "%ED%A0%80")
        ),
    ),
    *rows(
        HTTP,
        request,
        "404 ASF_NOT_FOUND",
        "GET /asf/nowhere",
        "GET /asf/internal",
        "POST /asf/%00",
        "GET /api/v1/podcasts/stream/",
    ),
    *rows(
        HTTP,
        request,
        "405 ASF_METHOD_NOT_ALLOWED",
        "GET /asf/internal/send_ui_update",
        "PUT /asf/health",
        "NONSENSE /metrics",
    ),
    *rows(
        HTTP,
        play,
        "416 ASF_RANGE_NOT_SATISFIABLE",
        *(
            {"Range": one}
            for one in (f"bytes={AUDIO_BYTES}-", "bytes=99999999999-", "bytes=5-1", "bytes=" + "9" * 30 + "-")
        ),
    ),
    *rows(
        AUDIO, emit, "ASF_JOIN_INVALID_PAYLOAD", ("join_stream", None), *(("join_stream", one) for one in NO_OBJECTS)
    ),
    *rows(
        AUDIO,
        emit,
        "ASF_JOIN_INVALID_PAYLOAD",
        ("join_stream", {}),
        *(("join_stream", {"stream_id": one}) for one in NO_IDS),
    ),
    *rows(
        AUDIO,
        emit,
        "ASF_INVALID_PAYLOAD",
        *(("join_stream", {"stream_id": STREAM, "offset": one}) for one in NO_NUMBERS),
        *(("join_stream", {"stream_id": STREAM, "window": one}) for one in [0, *NO_NUMBERS] if one is not None),
        *(("join_stream", {"stream_id": STREAM, "wait": one}) for one in NO_FLAGS),
        *(("join_stream", {"stream_id": STREAM, "cues": one}) for one in NO_FLAGS),
        *(("join_stream", {"stream_id": STREAM, "cues_since": one}) for one in NO_NUMBERS),
        *(("join_stream", {"stream_id": STREAM, "epoch": one}) for one in NO_TEXTS),
        *(("seek_stream", {"offset": one}) for one in NO_NUMBERS),
        *(("audio_ack", {"received": one}) for one in NO_NUMBERS),
        *((name, one) for name in ("seek_stream", "audio_ack", "pause_stream") for one in NO_OBJECTS),
        *((name, {"stream_id": 5}) for name in ("leave_stream", "pause_stream", "resume_stream")),
    ),
    *rows(AUDIO, emit, "ASF_INVALID_ACK", ("audio_ack", {"received": AUDIO_BYTES})),
    *rows(
        AUDIO,
        emit,
        "ASF_NO_SESSION",
        *((name, {"stream_id": "other"}) for name in ("leave_stream", "pause_stream", "resume_stream")),
    ),
    *rows(AUDIO, emit, "ASF_STREAM_NOT_FOUND", ("join_stream", {"stream_id": "unknown"})),
    *rows(
        AUDIO,
        emit,
        "ASF_EPOCH_CHANGED",
        *(("join_stream", {"stream_id": STREAM, "epoch": one}) for one in ("", "other", "\ud800")),
    ),
    *rows(
        UI,
        subscribe,
        "ASF_SUBSCRIBE_INVALID_PAYLOAD",
        *(
            (name, one)
            for name in ("subscribe_to_ui_updates", "unsubscribe_from_ui_updates")
            for one in [None, {}, *NO_OBJECTS, *({"client_id": no_id} for no_id in NO_IDS)]
        ),
    ),
    *rows(
        UI,
        subscribe,
        "ASF_INVALID_PAYLOAD",
        *(
            ("subscribe_to_ui_updates", {"client_id": "c", "since": one})
            for one in [*NO_OBJECTS, {}, {"epoch": ""}, {"seq": 0}, {"epoch": 5, "seq": 0}]
        ),
        *(("subscribe_to_ui_updates", {"client_id": "c", "since": {"epoch": "", "seq": one}}) for one in NO_NUMBERS),
    ),
    *rows(UI, subscribe, "ASF_NOT_SUBSCRIBED", ("unsubscribe_from_ui_updates", {"client_id": "other"})),
    *rows(
        URL,
        join_by_url,
        "1003 ASF_INVALID_PAYLOAD",
        *({"offset": one} for one in ("-1", "1.5", "x", "1e3", "9" * 5000, str(2**53), "NaN")),
        *({"window": one} for one in ("0", "-1", "x")),
        *({"wait": one} for one in ("maybe", "2")),
        *({"cues": one} for one in ("maybe", "2")),
        *({"cues_since": one} for one in ("-1", "x", str(2**53))),
        *({"stream_id": one} for one in (" ", "x" * 256, "a\x00b", "\x7f")),
    ),
    *rows(
        URL,
        join_by_url,
        "4404 ASF_STREAM_NOT_FOUND",
        *({"stream_id": one} for one in ("unknown", "a/b", "%", "\u00fc")),
    ),
    *rows(URL, join_by_url, "4409 ASF_EPOCH_CHANGED", {"epoch": "other"}),
    *rows(
        MESSAGE,
        command,
        "1003 ASF_INVALID_PAYLOAD",
        *(
            "",
            "{",
            "null",
            "[]",
            "5",
            '"ack"',
            "{}",
            "[" * 5000,
            "\x00",
            '{"event": 1}',
            '{"event": "dance"}',
            '{"event": null}',
        ),
        *(json.dumps({"event": "seek", "offset": one}) for one in NO_NUMBERS),
        *(json.dumps({"event": "ack", "received": one}) for one in NO_NUMBERS),
        *(json.dumps({"event": one, "stream_id": 5}) for one in ("pause", "resume", "leave")),
        *(b"", b"\x00", b'{"event": "pause"}', b"\xff" * 1000),
    ),
]


class Beside:
    """A server, those who behave there, and how many rows were tried at each door."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.bystanders = Bystanders(server)
        self.tried: Counter[str] = Counter()


@pytest.fixture(scope="module")
def beside(server: ServerProcess, ledger: Ledger) -> Iterator[Beside]:
    """Return a server with listeners that notice every byte that they miss; what was tried goes into the ledger."""
    server.announce(STREAM, audio_of(AUDIO_BYTES), FILE)
    beside = Beside(server)
    yield beside
    beside.bystanders.end()
    assert not beside.bystanders.failures
    assert (beside.bystanders.lost, beside.bystanders.updates_lost) == (0, 0)
    for door, tried in beside.tried.items():
        ledger.note(
            f"bad input: {door}",
            tried=tried,
            unit="inputs",
            must_hold="each receives the error code of the contract; other clients lose nothing",
            lost=beside.bystanders.lost + beside.bystanders.updates_lost,
            measured=f"other clients: {beside.bystanders.joins:,} streams, {beside.bystanders.updates:,} updates",
        )


def _name(row: Row) -> str:
    return f"{row.ask.__name__}-{ascii(row.sent)[:60]}"


@pytest.mark.parametrize("row", TABLE, ids=_name)
def test_bad_input_is_answered(beside: Beside, row: Row) -> None:
    """With the error code that the contract has for it."""
    sent = row.sent
    if isinstance(sent, dict) and str(sent.get("filepath")).startswith("AUDIO_ROOT"):
        sent = sent | {"filepath": str(beside.server.audio_root / "x.mp3")}
    assert row.ask(beside.server, sent) == row.answer
    beside.tried[row.door] += 1


# Tokens, on a server that wants them

GOOD = {"sub": "somebody", "exp": 2**40, "streams": "*", "clients": "*"}

BAD_TOKENS = {
    "none": None,
    "empty": "",
    "no token": "nonsense",
    "dots": "..",
    "not ASCII": "\u00fc.\u00fc.\u00fc",
    "long": "x" * 5000,
    "another key": jwt.encode(GOOD, "o" * 32, "HS256"),
    "no signature": jwt.encode(GOOD, None, "none"),
    "another algorithm": jwt.encode(GOOD, SECRET_KEY * 2, "HS512"),
    "expired": jwt.encode(GOOD | {"exp": 1}, SECRET_KEY, "HS256"),
    "not yet valid": jwt.encode(GOOD | {"nbf": 2**40 - 1}, SECRET_KEY, "HS256"),
    "no exp": jwt.encode({name: value for name, value in GOOD.items() if name != "exp"}, SECRET_KEY, "HS256"),
    "no sub": jwt.encode({name: value for name, value in GOOD.items() if name != "sub"}, SECRET_KEY, "HS256"),
    "other ids": jwt.encode(GOOD | {"streams": ["other"], "clients": ["other"]}, SECRET_KEY, "HS256"),
    "ids of a wrong type": jwt.encode(GOOD | {"streams": 5, "clients": 5}, SECRET_KEY, "HS256"),
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, ledger: Ledger) -> Iterator[tuple[ServerProcess, Counter[str]]]:
    """Return a server that wants tokens, and what counts the tokens that were tried."""
    server = ServerProcess(
        tmp_path_factory.mktemp("locked"), {"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": SECRET_KEY}
    )
    server.announce(STREAM, audio_of(AUDIO_BYTES), FILE)
    tried: Counter[str] = Counter()
    yield server, tried
    metrics = server.metrics()
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)
    if tried.total():
        heard = re.search(r"^asf_audio_bytes_sent_total (\S+)", metrics, re.MULTILINE)
        assert heard is not None
        assert float(heard[1]) == 0
        ledger.note(
            f"bad input: {TOKENS}",
            tried=tried.total(),
            unit="tokens",
            must_hold="each is rejected as unauthorized by every transport; no audio is sent for any of them",
            lost=int(float(heard[1])),
            measured=", ".join(f"{number} at {door}" for door, number in tried.items()),
        )


def _try_on_http(server: ServerProcess, token: Any) -> str:
    query = {} if token is None else {"token": token}
    return _code_of(requests.get(server.stream_url(STREAM), query, timeout=PATIENCE_SECONDS))


def _try_on_websocket(server: ServerProcess, token: Any) -> str:
    return join_by_url(server, {} if token is None else {"token": token})


def _try_on_audio(server: ServerProcess, token: Any) -> str:
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": STREAM, "token": token})
    error = listener.receive_until("stream_error")
    listener.close()
    return str(error["error_code"])


def _try_on_updates(server: ServerProcess, token: Any) -> str:
    return subscribe(server, ("subscribe_to_ui_updates", {"client_id": "c", "token": token}))


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=list(BAD_TOKENS))
@pytest.mark.parametrize(
    ("door", "ask", "answer"),
    [
        ("HTTP", _try_on_http, "401 ASF_UNAUTHORIZED"),
        ("the plain WebSocket", _try_on_websocket, "4401 ASF_UNAUTHORIZED"),
        ("Socket.IO, audio", _try_on_audio, "ASF_UNAUTHORIZED"),
        ("Socket.IO, UI updates", _try_on_updates, "ASF_UNAUTHORIZED"),
    ],
)
def test_a_bad_token_is_refused(
    locked: tuple[ServerProcess, Counter[str]], door: str, ask: Ask, answer: str, token: str | None
) -> None:
    """Whatever is wrong with it, and wherever it is shown."""
    server, tried = locked
    assert ask(server, token) == answer
    tried[door] += 1
