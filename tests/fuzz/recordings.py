"""What real clients send, recorded by a proxy, and what becomes of it when it is changed here and there."""

import json
import re
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import requests
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.grammar import AUDIO_NAMESPACE, STREAM, UI_NAMESPACE, frame, masks
from tests.fuzz.sessions import SID, Open, Receive, Send, Step, Switch
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.ordered_client import InOrder
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess

OFFSET = 150_000
"""Where the recorded listeners begin: the rest of the stream is enough."""

MAX_PIECES = 30
"""Longest part of a recording that is played."""

_SID = re.compile(rb"(?<=[?&]sid=)[\w%=-]+")
_LENGTH = re.compile(rb"(?i)(?<=\r\ncontent-length: )\d+")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one of a client's connections sent at once: an HTTP request, or the payload of a WebSocket frame.

    `first_byte` is that of the frame, with flags and opcode; None for a request.
    """

    connection: int
    data: bytes
    first_byte: int | None = None


Recording = Sequence[Piece]


class RecordingProxy:
    """Forwards connections to a port, and keeps what clients send as `pieces`, in the order in which it comes."""

    def __init__(self, target_port: int) -> None:
        self.pieces: list[Piece] = []
        self._target_port = target_port
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        """Take no more connections, and wait until those that there are have ended."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def _accept(self) -> None:
        number = 0
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                keep = _Reader(number, self._keep).read
                for source, target, see in ((client, server, keep), (server, client, lambda _data: None)):
                    self._threads.append(threading.Thread(target=_forward, args=(source, target, see), daemon=True))
                    self._threads[-1].start()
                number += 1

    def _keep(self, piece: Piece) -> None:
        with self._lock:
            self.pieces.append(piece)


def _forward(source: socket.socket, target: socket.socket, see: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            see(data)
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()


class _Reader:
    """Cuts what one connection sends into pieces."""

    def __init__(self, number: int, keep: Callable[[Piece], None]) -> None:
        self._number = number
        self._keep = keep
        self._rest = b""
        self._is_websocket = False

    def read(self, data: bytes) -> None:
        self._rest += data
        while piece := self._frame() if self._is_websocket else self._request():
            self._keep(piece)

    def _request(self) -> Piece | None:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        length = int((_LENGTH.search(head) or [0])[0])
        if not end or len(rest) < length:
            return None
        self._rest = rest[length:]
        self._is_websocket = b"Sec-WebSocket-Key" in head
        return Piece(self._number, _SID.sub(SID, head) + end + rest[:length])

    def _frame(self) -> Piece | None:
        """Return the next frame; clients mask theirs, and this takes the mask off."""
        if len(self._rest) < 2:
            return None
        length = self._rest[1] & 127
        size = {126: 2, 127: 8}.get(length, 0)
        start = 2 + size + 4
        if size:
            length = int.from_bytes(self._rest[2 : 2 + size], "big")
        if len(self._rest) < start + length:
            return None
        key = self._rest[start - 4 : start]
        data = bytes(byte ^ key[at % 4] for at, byte in enumerate(self._rest[start : start + length]))
        piece = Piece(self._number, data, self._rest[0])
        self._rest = self._rest[start + length :]
        return piece


# The clients


def record(server: ServerProcess) -> list[Recording]:
    """Let real clients listen and subscribe, one after the other; return what each sent."""
    clients: list[Callable[[str], None]] = [
        lambda url: _listen_over_socketio(url, ["websocket"]),
        lambda url: _listen_over_socketio(url, ["polling"]),
        lambda url: _listen_over_socketio(url, ["polling", "websocket"]),
        _listen_over_websocket,
        _fetch_ranges,
    ]
    recordings: list[Recording] = []
    for client in clients:
        proxy = RecordingProxy(server.port)
        client(proxy.url)
        proxy.close()
        assert proxy.pieces
        recordings.append(proxy.pieces)
    assert any(piece.first_byte is not None and piece.data == b"2probe" for piece in recordings[2])
    return recordings


def _listen_over_socketio(url: str, transports: list[str]) -> None:
    client = InOrder(reconnection=False, request_timeout=PATIENCE_SECONDS)
    ended = threading.Event()
    received = OFFSET

    def on_chunk(data: bytes) -> None:
        nonlocal received
        received += len(data)
        client.emit("audio_ack", {"received": received}, AUDIO_NAMESPACE)

    def on_control(control: dict[str, object]) -> None:
        if control["event"] == "end_of_stream":
            ended.set()

    client.on("audio_chunk", on_chunk, AUDIO_NAMESPACE)
    client.on("audio_control", on_control, AUDIO_NAMESPACE)
    client.on("ui_connection_ack", lambda _data: None, namespace=UI_NAMESPACE)
    client.connect(
        url, namespaces=[AUDIO_NAMESPACE, UI_NAMESPACE], transports=transports, wait_timeout=int(PATIENCE_SECONDS)
    )
    client.emit("subscribe_to_ui_updates", {"client_id": "fuzzed", "since": {"epoch": "", "seq": 0}}, UI_NAMESPACE)
    client.emit("join_stream", {"stream_id": STREAM, "offset": OFFSET, "window": 16384}, AUDIO_NAMESPACE)
    client.emit("pause_stream", {}, AUDIO_NAMESPACE)
    client.emit("resume_stream", {"stream_id": STREAM}, AUDIO_NAMESPACE)
    assert ended.wait(PATIENCE_SECONDS)
    client.emit("join_stream", {"stream_id": STREAM}, AUDIO_NAMESPACE)
    client.call("seek_stream", {"offset": OFFSET}, AUDIO_NAMESPACE)
    client.call("leave_stream", {}, AUDIO_NAMESPACE)
    client.disconnect()


def _listen_over_websocket(url: str) -> None:
    listener = PlainListener(url, STREAM, offset=OFFSET, window=16384)
    while listener.close_code is None:
        before = len(listener.audio)
        listener.receive()
        if len(listener.audio) > before:
            listener.send({"event": "ack", "received": OFFSET + len(listener.audio)})
    listener = PlainListener(url, "unknown", wait="true")
    for event in ("pause", "resume"):
        listener.send({"event": event})
    listener.send(json.dumps({"event": "leave"}))
    listener.receive_to_the_end()


def _fetch_ranges(url: str) -> None:
    with requests.Session() as session:
        address = f"{url}/api/v1/podcasts/stream/{STREAM}"
        etag = session.head(address, timeout=PATIENCE_SECONDS).headers["ETag"]
        for headers in (
            {"Range": "bytes=0-99"},
            {"Range": "bytes=199000-"},
            {"Range": "bytes=-1000", "If-Range": etag},
            {"If-None-Match": etag},
        ):
            session.get(address, headers=headers, timeout=PATIENCE_SECONDS)


# The changes


Change = Callable[[list[Piece]], list[Piece]]


def _at(pieces: list[Piece], place: int, change: Callable[[bytes], bytes]) -> list[Piece]:
    """Change the data of one piece."""
    if not pieces:
        return pieces
    place %= len(pieces)
    piece = pieces[place]
    return [*pieces[:place], replace(piece, data=change(piece.data)), *pieces[place + 1 :]]


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Return the data with one bit changed."""
    if not data:
        return data
    at %= len(data)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


places = st.integers(0, 10_000)
some_bytes = st.one_of(
    st.binary(min_size=1, max_size=20), st.sampled_from([b"\x00", b"\xff" * 4, b"\r\n", b"[", b'{"', b"%00"])
)


def _changes_of_data(recordings: Sequence[Recording]) -> SearchStrategy[Callable[[bytes], bytes]]:
    others = st.sampled_from([piece.data for recording in recordings for piece in recording])
    return st.one_of(
        st.builds(lambda at, bit: lambda data: flipped(data, at, bit), places, st.integers(0, 7)),
        st.builds(lambda at: lambda data: data[: at % (len(data) + 1)], places),
        st.builds(
            lambda at, more: lambda data: data[: at % (len(data) + 1)] + more + data[at % (len(data) + 1) :],
            places,
            some_bytes,
        ),
        st.builds(
            lambda at, times: lambda data: data + data[at % (len(data) + 1) :] * times, places, st.integers(1, 20)
        ),
        st.builds(
            lambda at, other: lambda data: data[: at % (len(data) + 1)] + other[at % (len(other) + 1) :],
            places,
            others,
        ),
    )


def _changes_of_order() -> SearchStrategy[Change]:
    return st.one_of(
        st.builds(
            lambda at: lambda pieces: pieces[: at % (len(pieces) + 1)] + pieces[at % (len(pieces) + 1) + 1 :], places
        ),
        st.builds(
            lambda at, times: lambda pieces: pieces + pieces[at % (len(pieces) + 1) :][:3] * times,
            places,
            st.integers(1, 5),
        ),
        st.builds(
            lambda at, to: (
                lambda pieces: [
                    replace(piece, connection=to) if number == at % max(1, len(pieces)) else piece
                    for number, piece in enumerate(pieces)
                ]
            ),
            places,
            st.integers(0, 3),
        ),
        st.builds(
            lambda at, first_byte: (
                lambda pieces: [
                    replace(piece, first_byte=first_byte)
                    if number == at % max(1, len(pieces)) and piece.first_byte is not None
                    else piece
                    for number, piece in enumerate(pieces)
                ]
            ),
            places,
            st.integers(0, 255),
        ),
        st.builds(
            lambda at: lambda pieces: pieces[at % (len(pieces) + 1) :] + pieces[: at % (len(pieces) + 1)], places
        ),
    )


def _rendered(piece: Piece, key: bytes, *, repairs: bool) -> bytes:
    """Return a piece as it is sent: a frame under a new mask; a request, perhaps, with the length that it has now."""
    if piece.first_byte is not None:
        first = piece.first_byte
        return frame(piece.data, first & 15, final=bool(first >> 7), reserved=first >> 4 & 7, key=key)
    head, end, body = piece.data.partition(b"\r\n\r\n")
    return (_LENGTH.sub(b"%d" % len(body), head) if repairs else head) + end + body


def mutated(recordings: Sequence[Recording]) -> SearchStrategy[list[Step]]:
    """Return sessions: recordings with a few changes, below the masks and lengths, or above them."""
    of_data = _changes_of_data(recordings)
    change: SearchStrategy[Change] = st.one_of(
        st.builds(lambda place, of_one: lambda pieces: _at(pieces, place, of_one), places, of_data),
        st.builds(lambda place, of_one: lambda pieces: _at(pieces, place, of_one), places, of_data),
        _changes_of_order(),
    )

    def session(
        recording: Recording,
        changes: list[Change],
        raw: list[tuple[int, Callable[[bytes], bytes]]],
        key: bytes,
        *,
        repairs: bool,
    ) -> list[Step]:
        pieces = list(recording[:MAX_PIECES])
        for one in changes:
            pieces = one(pieces)
        pieces = pieces[: 2 * MAX_PIECES]
        sent = [_rendered(piece, key, repairs=repairs) for piece in pieces]
        for place, of_one in raw:
            if sent:
                sent[place % len(sent)] = of_one(sent[place % len(sent)])
        return _steps([piece.connection for piece in pieces], sent)

    return st.builds(
        session,
        st.sampled_from(list(recordings)),
        st.lists(change, max_size=4),
        st.lists(st.tuples(places, of_data), max_size=2),
        masks,
        repairs=st.booleans(),
    )


def _steps(connections: list[int], sent: list[bytes]) -> list[Step]:
    steps: list[Step] = []
    known: list[int] = []
    for connection, data in zip(connections, sent, strict=True):
        if connection not in known:
            known.append(connection)
            steps.append(Open())
        else:
            steps.append(Switch(known.index(connection)))
        steps.append(Send(data))
        if data.endswith(b"\r\n\r\n") or len(steps) % 5 == 0:  # what there is an answer to, and now and then
            steps.append(Receive())
    return steps
