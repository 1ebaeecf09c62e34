"""The event loop is shared: whatever one client or backend asks for, the others have their turns meanwhile."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NamedTuple

import pytest
import requests

from tests.integration.test_ui_updates import Subscriber, has
from tests.support.audience import (
    LONG_AUDIO_BYTES,
    PLAIN,
    SOCKET_IO,
    Audience,
    LightListener,
    lost_bytes,
)
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, SEPARATOR, WireListener
from tests.support.faults import BATCHES_OF_UPDATES, BURST_OF_MESSAGES
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.unit.test_direct_websocket import masked_text

MIN_ANSWERS = 10
"""Answers that others get while the server does something in turns; in a single turn there are one or two."""


class Bystander:
    """Asks again as soon as it has an answer: counts how often others have their turn."""

    def __init__(self, server: ServerProcess) -> None:
        self.answers = 0
        self._url = f"{server.url}/asf/health"
        self._stopped = threading.Event()

    def run(self) -> None:
        with requests.Session() as session:
            while not self._stopped.is_set():
                assert session.get(self._url, timeout=PATIENCE_SECONDS).status_code == 200
                self.answers += 1

    def stop(self) -> None:
        self._stopped.set()


@contextmanager
def bystander(server: ServerProcess) -> Iterator[Bystander]:
    """Let a bystander ask while the context lasts."""
    other = Bystander(server)
    thread = threading.Thread(target=other.run)
    thread.start()
    eventually(lambda: other.answers or None)
    try:
        yield other
    finally:
        other.stop()
        thread.join()


def send_batch(server: ServerProcess, client_id: str, numbers: range, text: str) -> list[dict[str, Any]]:
    """Publish updates in one request, and return their results."""
    updates = [{"client_id": client_id, "event_name": "n", "data": [number, text]} for number in numbers]
    answer = requests.post(
        f"{server.url}/asf/internal/send_ui_updates", json={"updates": updates}, timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 200
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@BATCHES_OF_UPDATES
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_batches_for_many_connections_hold_up_nobody_and_lose_nothing(server: ServerProcess, transport: str) -> None:
    """Two at once, of 1000 updates of 900 bytes each: more than may wait for one connection."""
    client_id = f"many-{transport}"
    answered: list[int] = []

    def send(first: int) -> list[dict[str, Any]]:
        with bystander(server) as other:
            results = send_batch(server, client_id, range(first, first + 1000), "x" * 900)
            answered.append(other.answers)
        return results

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            tabs = [await stack.enter_async_context(Subscriber(server.url, [transport])) for _ in range(10)]
            for tab in tabs:
                await tab.subscribe({"client_id": client_id, "since": {"epoch": "", "seq": 0}})
                await tab.until(has("subscribed_ui_updates"))
            sent = await asyncio.gather(*(asyncio.to_thread(send, first) for first in (0, 1000)))
            assert [one["subscribers"] for results in sent for one in results] == [10] * 2000
            for tab in tabs:
                await tab.until(lambda events: len(events) == 2002)
                assert [event[2]["seq"] for event in tab.events[2:]] == list(range(1, 2001))
                for first in (0, 1000):
                    numbers = [event[1][0] for event in tab.events[2:] if first <= event[1][0] < first + 1000]
                    assert numbers == list(range(first, first + 1000))

    asyncio.run(scenario())
    assert min(answered) >= MIN_ANSWERS


class Flood(NamedTuple):
    """What one client sends at once, on a connection that is open, and how to see that all of it was handled."""

    socket: socket.socket
    data: bytes
    is_handled: Callable[[], bool]


def plain_flood(server: ServerProcess, command: str) -> Flood:
    """Thousands of commands on a plain WebSocket."""
    listener = PlainListener(server.url, "s", window=1)
    while not listener.audio:
        listener.receive()

    def is_handled() -> bool:
        listener.receive()
        return bool(listener.messages) and listener.messages[-1].get("status") == "paused"

    frames = masked_text(command) * 3000 + masked_text('{"event":"pause"}')
    assert listener.socket.sock is not None
    return Flood(listener.socket.sock, frames, is_handled)


def socketio_flood(server: ServerProcess, event: str) -> Flood:
    """Thousands of events over Socket.IO on a WebSocket."""
    listener = WireListener(server.url, polling=False)
    listener.emit("join_stream", {"stream_id": "s", "window": 1})
    listener.receive_until_bytes(1)

    def is_handled() -> bool:
        listener.receive()
        return any(isinstance(data, dict) and data.get("status") == "paused" for _, data in listener.events[-1:])

    frames = masked_text(f"42{NAMESPACE},{event}") * 3000 + masked_text(f'42{NAMESPACE},["pause_stream"]')
    return Flood(listener.socket, frames, is_handled)


def polling_flood(server: ServerProcess, event: str) -> Flood:
    """Thousands of events over Socket.IO in long-polling requests of 16 each, sent one behind the other at once."""
    listener = WireListener(server.url, polling=True)
    listener.emit("join_stream", {"stream_id": "s", "window": 1})
    listener.receive_until_bytes(1)
    body = SEPARATOR.join([f"42{NAMESPACE},{event}"] * 16).encode()
    head = (
        f"POST /socket.io/?EIO=4&transport=polling&sid={listener.sid} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
    answers = bytearray()

    def is_handled() -> bool:
        data = connection.recv(1 << 16)
        assert data
        answers.extend(data)
        return answers.count(b"200 OK") == 180

    return Flood(connection, (head + body) * 180, is_handled)


SEEK = '{"event":"seek","offset":0}'
ACK = '{"event":"ack","received":0}'


@BURST_OF_MESSAGES
@pytest.mark.parametrize(
    ("flood", "command"),
    [
        (plain_flood, SEEK),
        (plain_flood, ACK),
        (socketio_flood, '["seek_stream",{"offset":0}]'),
        (socketio_flood, '["audio_ack",{"received":0}]'),
        (socketio_flood, '["join_stream",{"stream_id":"s","window":1}]'),
        (polling_flood, '["audio_ack",{"received":0}]'),
    ],
)
def test_a_client_that_sends_thousands_of_messages_at_once_holds_up_nobody(
    server: ServerProcess, flood: Callable[[ServerProcess, str], Flood], command: str
) -> None:
    """Its messages are all handled, in order; others have their turns in between."""
    server.announce("s", bytes(20_000))
    sent = flood(server, command)
    sender = threading.Thread(target=sent.socket.sendall, args=[sent.data])
    with bystander(server) as other:
        before = other.answers
        sender.start()
        while not sent.is_handled():
            assert other.answers < 1_000_000
        answers = other.answers - before
    sender.join()
    sent.socket.close()
    assert answers >= MIN_ANSWERS


def test_hundreds_that_disconnect_at_once_hold_up_nobody(start_server: StartServer) -> None:
    """Their sessions end in turns; others have theirs in between, and a listener hears every byte."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "1"})  # So that the listeners have little to do.
    audio = audio_of(LONG_AUDIO_BYTES)
    server.announce("s", audio)
    with Audience() as audience, Audience() as others:
        transports = [(SOCKET_IO, PLAIN)[number % 2] for number in range(200)]
        audience.join(*(LightListener(server.port, "s", audio, one, returns=False) for one in transports))
        others.join(LightListener(server.port, "s", audio, PLAIN))
        for some in (audience, others):
            some.wait_until(lambda listener: listener.hears)
        with bystander(server) as other:
            before = other.answers
            audience.reset(audience.listeners)
            eventually(lambda: "\nasf_listeners 1.0\n" in server.metrics())
            answers = other.answers - before
        others.leap(left=5000)
        others.wait_for_all()
    assert lost_bytes(others.listeners) == 0
    assert answers >= MIN_ANSWERS
