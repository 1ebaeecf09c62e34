"""A listener on the plain WebSocket of a stream's URL."""

import json
import struct
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import websocket

from tests.support.bounds import PATIENCE_SECONDS


class _ClosingWebSocket(websocket.WebSocket):
    """Answers a close frame as every WebSocket does; it is no failure if the server has not waited for that."""

    def send_close(self, *arguments: Any, **options: Any) -> None:
        with suppress(OSError):
            super().send_close(*arguments, **options)


class PlainListener:
    """Keeps what it is told in `messages`, other text in `texts`, and what it hears in `audio`."""

    def __init__(self, url: str, stream_id: str, **query: Any) -> None:
        address = f"{url.replace('http', 'ws', 1)}/api/v1/podcasts/stream/{quote(stream_id, safe='')}"
        self.socket = websocket.create_connection(
            f"{address}?{urlencode(query)}", timeout=PATIENCE_SECONDS, class_=_ClosingWebSocket
        )
        self.messages: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.audio = bytearray()
        self.close_code: int | None = None
        self.close_reason = ""

    def send(self, message: Any) -> None:
        """Send JSON, or text as it is."""
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def close(self) -> None:
        """Break the connection off."""
        self.socket.shutdown()

    def receive(self) -> None:
        """Receive one message."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.close_code = struct.unpack("!H", data[:2])[0]
            self.close_reason = data[2:].decode()
            self.socket.shutdown()
        elif opcode == websocket.ABNF.OPCODE_BINARY:
            self.audio += data
        elif data.startswith(b"{"):
            self.messages.append(json.loads(data))
        else:
            self.texts.append(data.decode())

    def receive_until(self, event: str) -> dict[str, Any]:
        """Receive until a message of that event came; return it."""
        while not (self.messages and self.messages[-1]["event"] == event):
            assert self.close_code is None, self.messages
            self.receive()
        return self.messages[-1]

    def receive_until_bytes(self, length: int) -> None:
        """Receive until there is so much audio."""
        while len(self.audio) < length:
            assert self.close_code is None, self.messages
            self.receive()

    def receive_to_the_end(self) -> int:
        """Receive until the server closes; return the close code."""
        while self.close_code is None:
            self.receive()
        return self.close_code
