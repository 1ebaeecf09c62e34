"""The listener emitter on a plain WebSocket."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import eventlet
import pytest
from eventlet.green import socket

from asf.adapters.eventlet_runtime.raw_connection import EventletConnection
from asf.adapters.realtime_api.plain_websocket import PlainWebSocketEmitter
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import close_frame
from asf.adapters.websocket.plain import PlainWebSocket
from tests.contracts.listener_emitter import ListenerEmitterContract
from tests.unit.test_frames import messages_in

NORMAL_CLOSE = close_frame(1000, "")


class TestPlainWebSocketEmitter(ListenerEmitterContract):
    """The contract, over a socket pair with small buffers."""

    class Probe(ListenerEmitterContract.Probe):
        def __init__(self) -> None:
            self.near_end, self.far_end = socket.socketpair()
            self.near_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self.far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.websocket = DirectWebSocket(EventletConnection(self.near_end), 1000)
            self.connection = PlainWebSocket(self.websocket, lambda _connection: None)
            self.reading = True
            self._received = bytearray()

        def received(self) -> list[str | bytes]:
            before = -1
            while self.reading and before != len(self._received):
                before = len(self._received)
                for _ in range(3):  # Tasks that wait to write run.
                    eventlet.sleep(0)
                with suppress(BlockingIOError):
                    self._received += self.far_end.fd.recv(1 << 20, socket.MSG_DONTWAIT)
            frames, _, _ = bytes(self._received).partition(NORMAL_CLOSE)
            return [one if isinstance(one, bytes) else word_of(one) for one in messages_in(frames)]

        def stop_reading(self) -> None:
            self.reading = False

        def read_on(self) -> None:
            self.reading = True

    @pytest.fixture
    def probe(self) -> Iterator[Probe]:
        probe = self.Probe()
        yield probe
        probe.websocket.break_off()
        probe.near_end.close()
        probe.far_end.close()

    @pytest.fixture
    def emitter(self, probe: Probe) -> PlainWebSocketEmitter:
        return PlainWebSocketEmitter(probe.connection)


def word_of(message: str) -> str:
    """Return the word for a message that the contract uses."""
    payload: dict[str, Any] = json.loads(message)
    return str(payload.get("status") or payload["event"])
