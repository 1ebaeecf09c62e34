"""A proxy whose paths go silent: connections stay open and nothing gets through, as if a phone left its network."""

import socket
import threading
from contextlib import suppress
from itertools import repeat

from tests.support.cutting_proxy import PIECE_BYTES, CuttingProxy

NEVER = 1 << 60
"""Bytes."""


class BlackHole(CuttingProxy):
    """Forwards connections to `target_port`. `accepted` counts them."""

    def __init__(self, target_port: int) -> None:
        self.accepted = 0
        self._silent = threading.Event()
        super().__init__(target_port, repeat(NEVER))

    def silence(self) -> None:
        """Let nothing through any more on the connections there are, in either direction. Later ones work."""
        silent, self._silent = self._silent, threading.Event()
        silent.set()

    def _send_on(self, source: socket.socket, target: socket.socket) -> None:
        self.accepted += 1
        self._forward_unless(self._silent, source, target)

    def _forward_back(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            self._forward_unless(self._silent, source, target)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @staticmethod
    def _forward_unless(silent: threading.Event, source: socket.socket, target: socket.socket) -> None:
        while piece := source.recv(PIECE_BYTES):
            if not silent.is_set():
                target.sendall(piece)
        if silent.is_set():  # Nobody hears of the end either.
            threading.Event().wait()
