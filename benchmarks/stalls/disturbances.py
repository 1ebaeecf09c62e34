"""What is done to a server: each function prepares something, yields what does it, and checks afterwards."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
import websocket

from benchmarks.stalls.subject import TIMEOUT_SECONDS, Subject, Tool

NAMESPACE = "/api/v1/podcasts/stream"
STREAM_PATH = f"{NAMESPACE}/"
LENGTH_IN_2_BYTES = 126
"""RFC 6455, section 5.2."""

CONNECTIONS = 100
UPDATES = 1000
UPDATE_BYTES = 900
FRAMES = 5000
SEEKS = 1900
OBJECT_BYTES = 1 << 30
CROWD = 3000
CROWD_JOINS_PER_SECOND = 150
HANG_SECONDS = 20.0
REDIS_AWAY_SECONDS = 5.0

Act = Callable[[], str]
"""Does it, and returns what else is to be said about it."""


class Failed(Exception):
    """Something was lost or wrong: the figures are worth nothing."""


@contextmanager
def nothing() -> Iterator[Act]:
    """Let the bystanders listen for some seconds."""

    def act() -> str:
        time.sleep(5)
        return ""

    yield act


@contextmanager
def batches(subject: Subject, count: int) -> Iterator[Act]:
    """Send so many batches of updates at once, to a client with many connections."""
    client_id = f"client-{time.monotonic_ns()}"
    text = "x" * UPDATE_BYTES
    bodies = [
        [{"client_id": client_id, "event_name": "update", "data": [batch, number, text]} for number in range(UPDATES)]
        for batch in range(count)
    ]
    tool = Tool("subscribers", subject.port, CONNECTIONS, 100, client_id, count, UPDATES, UPDATE_BYTES)
    seconds: list[float] = []

    def send(updates: Sequence[dict[str, object]]) -> None:
        started = time.monotonic()
        answer = subject.publish(updates)
        seconds.append(time.monotonic() - started)
        if not answer.ok or any(one["status"] != "success" for one in answer.json()["results"]):
            raise Failed(answer.text[:200])

    def act() -> str:
        in_threads([lambda updates=updates: send(updates) for updates in bodies])  # type: ignore[misc]
        result = tool.result()
        if result["received"] != count * UPDATES * CONNECTIONS or result["wrong"] or result["problems"]:
            raise Failed(str(result))
        return f"answered after {max(seconds):.1f} s"

    try:
        tool.wait_for_ramp()
        yield act
    finally:
        tool.end()


def masked(payload: bytes) -> bytes:
    """Return a client's text frame, with a mask of zeros."""
    length = len(payload)
    size = (
        bytes((0x80 | length,))
        if length < LENGTH_IN_2_BYTES
        else struct.pack("!BH", 0x80 | LENGTH_IN_2_BYTES, length)
    )
    return b"\x81" + size + bytes(4) + payload


@contextmanager
def frames(subject: Subject, event: str, fields: dict[str, object]) -> Iterator[Act]:
    """Send thousands of events over Socket.IO in one write, and read what comes until the last one is answered."""
    audio = subject.audio_root / "short.mp3"
    audio.write_bytes(bytes(20_000))
    subject.notify("short", audio).raise_for_status()
    connection = _socketio(subject)
    _emit(connection, "join_stream", {"stream_id": "short", "window": 1})
    one = masked(f"42{NAMESPACE},{json.dumps([event, fields], separators=(',', ':'))}".encode())
    data = one * FRAMES + masked(f'42{NAMESPACE},["pause_stream",{{}}]'.encode())

    def act() -> str:
        assert connection.sock is not None
        sender = threading.Thread(target=connection.sock.sendall, args=[data])
        sender.start()
        while True:
            message = connection.recv()
            if isinstance(message, str) and ('"paused"' in message or "ASF_NO_SESSION" in message):
                break
            if message == "2":
                connection.send("3")
        sender.join()
        return ""

    yield act
    connection.close()


@contextmanager
def hung_mount(subject: Subject, disk: Any, *, and_also: Callable[[], object] = lambda: None) -> Iterator[Act]:
    """Let a FUSE file system hang, under listeners of its audio and others who ask for it."""
    for name in ("far.mp3", "far-growing.mp3"):
        (disk.source / name).write_bytes(bytes(400_000))
        state = "generating" if "growing" in name else "complete"
        subject.notify(name, disk.mount_point / name, state=state).raise_for_status()
    with ExitStack() as stack:
        listeners = []
        for name in ["far.mp3", "far-growing.mp3"] * 10:
            url = f"ws://127.0.0.1:{subject.port}{STREAM_PATH}{name}"
            listeners.append(websocket.create_connection(url, timeout=TIMEOUT_SECONDS))
            stack.callback(listeners[-1].close)

        def ask() -> None:
            for _ in range(5):
                requests.get(f"{subject.url}{STREAM_PATH}far.mp3", timeout=TIMEOUT_SECONDS)

        def act() -> str:
            disk.hang()
            end = time.monotonic() + HANG_SECONDS
            askers = [threading.Thread(target=ask) for _ in range(20)]
            for asker in askers:
                asker.start()
            and_also()
            time.sleep(max(0.0, end - time.monotonic()))
            disk.recover()
            for asker in askers:
                asker.join()
            return ""

        yield act


@contextmanager
def seeks(subject: Subject, url: str) -> Iterator[Act]:
    """Seek in a large object, all over it, in one write."""
    subject.notify("object", url).raise_for_status()
    connection = _socketio(subject)
    _emit(connection, "join_stream", {"stream_id": "object"})
    while not isinstance(connection.recv(), bytes):
        pass
    step = OBJECT_BYTES // SEEKS
    offsets = [number * 977 % SEEKS * step for number in range(SEEKS)] + [OBJECT_BYTES - 1000]
    packets = [f'42{NAMESPACE},["seek_stream",{{"offset":{offset}}}]' for offset in offsets]
    data = b"".join(masked(packet.encode()) for packet in packets)

    def act() -> str:
        assert connection.sock is not None
        connection.sock.sendall(data)
        while True:
            message = connection.recv()
            if isinstance(message, str) and "end_of_stream" in message:
                break
            if message == "2":
                connection.send("3")
        return ""

    yield act
    connection.close()


@contextmanager
def announcement(subject: Subject, content: Path) -> Iterator[Act]:
    """Announce a stream that many wait for."""
    stream_id = f"late-{time.monotonic_ns()}"
    tool = _crowd(subject, stream_id, content)

    def act() -> str:
        path = subject.audio_root / f"{stream_id}.mp3"
        path.write_bytes(content.read_bytes())
        subject.notify(stream_id, path).raise_for_status()
        assert tool.result() == {"heard": True}
        return ""

    try:
        tool.wait_for_ramp()
        yield act
    finally:
        tool.end()


@contextmanager
def disconnection(subject: Subject, content: Path) -> Iterator[Act]:
    """Let many listeners disconnect at once."""
    tool = _crowd(subject, _long_stream(subject, content), content)

    def act() -> str:
        tool.end()
        return ""

    try:
        tool.wait_for_ramp()
        yield act
    finally:
        tool.end()


@contextmanager
def batch_while_many_join(subject: Subject, content: Path) -> Iterator[Act]:
    """Send a batch to many connections, while many others join."""
    with batches(subject, 1) as send:
        stream_id = f"late-{time.monotonic_ns()}"
        tools: list[Tool] = []

        def act() -> str:
            tools.append(_crowd(subject, stream_id, content))
            time.sleep(1)
            said = send()
            tools[0].wait_for_ramp()
            return said

        try:
            yield act
        finally:
            for tool in tools:
                tool.end()


@contextmanager
def shutdown(subject: Subject, content: Path, listeners: Tool) -> Iterator[Act]:
    """Send SIGTERM while many listen. All sessions end when the drain is over."""
    tool = _crowd(subject, _long_stream(subject, content), content)
    tool.wait_for_ramp()

    def act() -> str:
        listeners.ask("drain")
        subject.process.terminate()
        subject.process.wait(TIMEOUT_SECONDS)
        return ""

    try:
        yield act
    finally:
        tool.end()


def in_threads(works: Sequence[Callable[[], object]]) -> None:
    """Do these at once. Raises the first exception."""
    errors: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _crowd(subject: Subject, stream_id: str, content: Path) -> Tool:
    mode = "sio" if stream_id == "long" else "wait"
    return Tool("listeners", mode, subject.port, CROWD, CROWD_JOINS_PER_SECOND, 600, 0, stream_id, content)


def _long_stream(subject: Subject, content: Path) -> str:
    path = subject.audio_root / "long.mp3"
    path.write_bytes(content.read_bytes())
    subject.notify("long", path).raise_for_status()
    return "long"


def _socketio(subject: Subject) -> websocket.WebSocket:
    url = f"ws://127.0.0.1:{subject.port}/socket.io/?EIO=4&transport=websocket"
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    connection = websocket.create_connection(url, timeout=TIMEOUT_SECONDS, sockopt=options)
    connection.send(f"40{NAMESPACE},")
    while "connection_ack" not in str(connection.recv()):
        pass
    return connection


def _emit(connection: websocket.WebSocket, event: str, fields: dict[str, object]) -> None:
    connection.send(f"42{NAMESPACE},{json.dumps([event, fields])}")
