"""A TCP proxy that cuts connections in their midst."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

PIECE_BYTES = 4096


class CuttingProxy:
    """Forwards connections to `target_port`, which may change, and cuts the one that brings the next doomed byte.

    `cuts` says after how many bytes towards the client, or `towards_server`, counted over all connections, each cut
    is made.
    """

    def __init__(self, target_port: int, cuts: Iterator[int], *, towards_server: bool = False) -> None:
        self.target_port = target_port
        self._towards_server = towards_server
        self.cuts_made = 0
        self._cuts = cuts
        self._next_cut = next(cuts, None)
        self._forwarded = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut all connections now."""
        with self._lock:
            cut, self._open = self._open, []
        _cut(*cut)

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target_port))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._forward_back, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            self._send_on(source, target)
        _cut(source, target)

    def _send_on(self, source: socket.socket, target: socket.socket) -> None:
        self._pass_on(source, target, is_counted=self._towards_server)

    def _forward_back(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            self._pass_on(source, target, is_counted=not self._towards_server)
        _cut(source, target)

    def _pass_on(self, source: socket.socket, target: socket.socket, *, is_counted: bool) -> None:
        while piece := source.recv(PIECE_BYTES):
            allowed, cut = self._allowed(len(piece)) if is_counted else (len(piece), False)
            target.sendall(piece[:allowed])
            if cut:
                break

    def _allowed(self, length: int) -> tuple[int, bool]:
        with self._lock:
            if self._next_cut is None or self._forwarded + length <= self._next_cut:
                self._forwarded += length
                return length, False
            allowed = self._next_cut - self._forwarded
            self._forwarded = self._next_cut
            self._next_cut = next(self._cuts, None)
            self.cuts_made += 1
            return allowed, True


def _cut(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
