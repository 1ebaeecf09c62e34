"""A TCP proxy that resets connections whose client waits for the response to a poll."""

import enum
import re
import socket
import struct
import threading
from contextlib import suppress

PIECE_BYTES = 65536
POLL = re.compile(rb"^GET /socket\.io/\?[^ ]*sid=")


class Loss(enum.Enum):
    """What the server sees of a reset."""

    RESET = "It is reset on both sides while the poll waits."
    UNNOTICED = "The server's side stays open, and what it answers is lost."
    ANSWERED = "The server has answered; the answer is lost, and then it is reset on both sides."


class ResettingProxy:
    """Forwards connections to `target_port`. `url` is its address, `resets` counts the resets."""

    def __init__(self, target_port: int) -> None:
        self.resets = 0
        self._target_port = target_port
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, socket.socket] = {}  # Client's side, server's side.
        self._doomed: set[socket.socket] = set()
        self._kept: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def reset_waiting_poll(self, loss: Loss) -> bool:
        """Reset the connection of the poll that waits. Returns False when none does."""
        with self._lock:
            if not self._waiting:
                return False
            client, server = self._waiting.popitem()
            if loss is Loss.ANSWERED:
                self._doomed.add(client)
                return True
            self.resets += 1
            _reset(client)
            if loss is Loss.RESET:
                _reset(server)
            else:
                self._kept.append(server)
            return True

    def close(self) -> None:
        """Take no more connections, and end those that were left open."""
        self._listening.close()
        for one in self._kept:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                for work in (self._forward, self._forward_back):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(PIECE_BYTES):
                with self._lock:
                    server.sendall(piece)
                    if POLL.match(piece):
                        self._waiting[client] = server
        with self._lock:
            self._waiting.pop(client, None)
            if server not in self._kept:
                _end(server)

    def _forward_back(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(PIECE_BYTES):
                with self._lock:
                    self._waiting.pop(client, None)
                    if client in self._doomed:
                        self._doomed.discard(client)
                        self.resets += 1
                        _reset(client)
                        _reset(server)
                        return
                    if server not in self._kept:
                        client.sendall(piece)
        _end(client)


def _reset(connection: socket.socket) -> None:
    """End a connection with a RST, and wake the thread that receives from it: it would delay that."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    connection.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
