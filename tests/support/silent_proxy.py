"""A proxy that accepts WebSockets, and lets nothing of what clients send on them through."""

import socket
from itertools import repeat

from tests.support.cutting_proxy import PIECE_BYTES, CuttingProxy

NEVER = 1 << 60
"""Bytes."""


class SilentProxy(CuttingProxy):
    """Forwards requests to `target_port`, and of a WebSocket its handshake only."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port, repeat(NEVER))

    def _send_on(self, source: socket.socket, target: socket.socket) -> None:
        head = source.recv(PIECE_BYTES)
        target.sendall(head)
        is_websocket = b"upgrade: websocket" in head.lower()
        while piece := source.recv(PIECE_BYTES):
            if not is_websocket:
                target.sendall(piece)
