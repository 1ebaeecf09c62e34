"""A listener that speaks Engine.IO and Socket.IO by hand, so that a test decides when what is sent and read."""

import base64
import json
import socket
from collections.abc import Callable, Sequence
from typing import Any

import requests
import websocket

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess

NAMESPACE = "/api/v1/podcasts/stream"
SEPARATOR = "\x1e"


class WireListener:
    """One listener. It begins on long polling, or on a WebSocket, and may upgrade in between.

    What it receives is kept in `events`, as pairs of name and payload, and in `audio`. `acknowledged` says after how
    many events, and how much audio, the event with that id was acknowledged.
    """

    def __init__(self, url: str, *, polling: bool, socket_options: Sequence[tuple[int, int, int]] = ()) -> None:
        self._url = f"{url}/socket.io/?EIO=4"
        self._session = requests.Session()
        self._socket_options = socket_options
        self.websocket: websocket.WebSocket | None = None
        self.audio = bytearray()
        self.events: list[tuple[str, Any]] = []
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.chunk_sizes: list[int] = []
        self.pings = 0
        if polling:
            opening = self._session.get(f"{self._url}&transport=polling", timeout=PATIENCE_SECONDS).text
            self.sid = json.loads(opening[1:])["sid"]
        else:
            self.websocket = self._open("")
            self.sid = json.loads(str(self.websocket.recv())[1:])["sid"]
        self.send(f"40{NAMESPACE},")
        while not any(name == "connection_ack" for name, _ in self.events):
            self.receive()

    @property
    def socket(self) -> socket.socket:
        """The socket of its WebSocket."""
        assert self.websocket is not None
        assert self.websocket.sock is not None
        return self.websocket.sock

    def send(self, packet: str) -> None:
        """Send one Engine.IO packet."""
        if self.websocket is not None:
            self.websocket.send(packet)
        else:
            url = f"{self._url}&transport=polling&sid={self.sid}"
            assert self._session.post(url, data=packet.encode(), timeout=PATIENCE_SECONDS).text == "OK"

    def emit(self, event: str, *payload: Any, number: int | str = "") -> None:
        """Send one Socket.IO event, to be acknowledged if it has a number."""
        self.send(f"42{NAMESPACE},{number}{json.dumps([event, *payload])}")

    def receive(self) -> None:
        """Receive what comes next: one message of a WebSocket, or one answer to a poll."""
        if self.websocket is not None:
            self._take(self.websocket.recv())
            return
        url = f"{self._url}&transport=polling&sid={self.sid}"
        answer = self._session.get(url, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        self.take_answer(answer.text)

    def take_answer(self, body: str) -> None:
        """Take the packets of an answer to a poll, which a test may have sent by other means."""
        for packet in body.split(SEPARATOR):
            self._take(base64.b64decode(packet[1:]) if packet.startswith("b") else packet)

    def open_websocket(self) -> websocket.WebSocket:
        """Open a WebSocket for this connection, and say nothing on it yet."""
        return self._open(f"&sid={self.sid}")

    def upgrade(self, while_probing: Callable[[], object] = lambda: None) -> None:
        """Go over from polling to a WebSocket, as the protocol's clients do."""
        upgraded = self.open_websocket()
        upgraded.send("2probe")
        assert upgraded.recv() == "3probe"
        while_probing()
        self.receive()  # the poll that the server ends now
        upgraded.send("5")
        self.websocket = upgraded

    def receive_until(self, event: str) -> Any:
        """Receive until an audio_control, stream_error or other event of that name came; return its payload.

        Fails at once where a stream_error comes instead of the start or the end of a stream.
        """
        known = len(self.events) if event in {"start_of_stream", "end_of_stream"} else None
        while True:
            for name, payload in self.events:
                if event in (name, isinstance(payload, dict) and payload.get("event")):
                    return payload
            if known is not None:
                assert not any(name == "stream_error" for name, _ in self.events[known:]), self.events[known:]
            self.receive()

    def receive_until_bytes(self, count: int) -> None:
        """Receive until so many bytes of audio came. Fails at once where a stream_error comes instead."""
        while len(self.audio) < count:
            assert not any(name == "stream_error" for name, _ in self.events), self.events
            self.receive()

    def receive_until_status(self, status: str) -> None:
        """Receive until the latest stream_status is this one."""
        while [payload["status"] for name, payload in self.events if name == "stream_status"][-1:] != [status]:
            self.receive()

    def close(self) -> None:
        """Break the connection off."""
        if self.websocket is not None:
            self.websocket.shutdown()
        self._session.close()

    def _open(self, query: str) -> websocket.WebSocket:
        url = f"{self._url.replace('http', 'ws', 1)}&transport=websocket{query}"
        cookies = "; ".join(f"{name}={value}" for name, value in self._session.cookies.items())
        return websocket.create_connection(
            url, timeout=PATIENCE_SECONDS, sockopt=self._socket_options, cookie=cookies or None
        )

    def _take(self, packet: str | bytes) -> None:
        if isinstance(packet, bytes):
            self.audio += packet
            self.chunk_sizes.append(len(packet))
        elif packet == "2":
            self.pings += 1
            self.send("3")
        elif packet.startswith(f"42{NAMESPACE},"):
            name, *payload = json.loads(packet.removeprefix(f"42{NAMESPACE},"))
            self.events.append((name, payload[0] if payload else None))
        elif packet.startswith(f"43{NAMESPACE},"):
            number = int(packet.removeprefix(f"43{NAMESPACE},").removesuffix("[]"))
            self.acknowledged[number] = (len(self.events), len(self.audio))
        elif packet.startswith("451-"):
            assert json.loads(packet.split(",", 1)[1])[0] == "audio_chunk"


def join(server: ServerProcess, stream_id: str = "s", **fields: object) -> WireListener:
    """Return a listener over a WebSocket that has asked to join."""
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": stream_id, **fields})
    return listener
