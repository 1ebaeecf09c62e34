"""The workers of a server that has several, as processes."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess, children_of, eventually

REDIS = "redis-server"


def workers_of(server: ServerProcess) -> list[int]:
    """Return the ids of the workers, in the order of their start."""
    return sorted(server.pids()[1:])


def redis_of(server: ServerProcess) -> int:
    """Return the id of the private Redis."""
    (pid,) = (pid for pid, command in children_of(server.pid).items() if REDIS in command)
    return pid


def kill(pid: int) -> None:
    """End a process without a word (SIGKILL)."""
    os.kill(pid, signal.SIGKILL)


def begin(server: ServerProcess) -> str:
    """Begin a session of Engine.IO on long polling, and return its id."""
    answer = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    match = re.search(r'"sid":"([^"]+)"', answer.text)
    assert match is not None, answer.text
    return match[1]


def sessions_of_both(server: ServerProcess) -> tuple[str, str]:
    """Return the ids of two sessions of different workers."""
    sids: dict[str, str] = {}

    def both() -> bool:
        sid = begin(server)
        sids[sid.split("-")[0]] = sid
        return len(sids) == 2

    eventually(both)
    first, second = sids.values()
    return first, second


def answer_of(connection: socket.socket) -> bytes:
    """Return the next response on a connection, whose body has a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    match = re.search(rb"(?i)content-length: (\d+)", head)
    assert match is not None, head
    while len(body) < int(match[1]):
        body += _some(connection)
    assert len(body) == int(match[1])
    return head + b"\r\n\r\n" + body


def connect(server: ServerProcess) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def request_of(sid: str, more: bytes = b"") -> bytes:
    """Return the head of a request that posts a pong to a session, and its body."""
    return (
        f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n".encode()
        + more
        + b"\r\n3"
    )


def pongs(server: ServerProcess, *sids: str) -> Iterator[bytes]:
    """Post a pong to each session, all over one connection, and yield the responses."""
    with closing(connect(server)) as connection:
        for sid in sids:
            connection.sendall(request_of(sid))
            yield answer_of(connection)


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    assert received, "The server has closed the connection"
    return received
