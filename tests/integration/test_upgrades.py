"""The upgrade from long polling to a WebSocket, stopped at every step: nothing is lost, repeated or out of order."""

import json
import socket
import time
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.examples import examples
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess

UPDATES = "/ui_updates"
PIECE_BYTES = 5_000
STEPS = 7
GROWTH_SECONDS = 0.05
"""Within this time the server has noticed that audio has grown, most often."""

NUMBERS = count()
AUDIO = audio_of(PIECE_BYTES * STEPS * 2)


@pytest.fixture
def sessions() -> Iterator[list["Session"]]:
    """Return a list of sessions, whose connections are closed at the end."""
    opened: list[Session] = []
    yield opened
    for session in opened:
        session.close()


class Session(WireListener):
    """A client on long polling that hears growing audio and subscribes to UI updates, all in one session.

    `updates` are the numbers that it was sent.
    """

    def __init__(self, server: ServerProcess, *, settles: bool) -> None:
        self.updates: list[int] = []
        self._is_subscribed = False
        super().__init__(server.url, polling=True)
        self._server = server
        self._name = f"upgrade-{next(NUMBERS)}"
        self._settles = settles
        self._path = server.audio_root / f"{self._name}.mp3"
        self._path.write_bytes(b"")
        self.published = 0
        server.notify(self._name, str(self._path), state="generating").raise_for_status()
        self.emit("join_stream", {"stream_id": self._name})
        self.send(f"40{UPDATES},")
        self.send(f"42{UPDATES},{json.dumps(['subscribe_to_ui_updates', {'client_id': self._name}])}")
        while not self._is_subscribed:
            self.receive()

    @property
    def written(self) -> bytes:
        """The audio so far."""
        return AUDIO[: PIECE_BYTES * self.published]

    def publish(self, times: int) -> None:
        """Send an update, and let the audio grow, so often."""
        for _ in range(times):
            self._server.send_ui_update(self._name, "progress", self.published).raise_for_status()
            with self._path.open("ab") as file:
                file.write(AUDIO[len(self.written) :][:PIECE_BYTES])
            self.published += 1
        if times and self._settles:
            time.sleep(GROWTH_SECONDS)

    def begin_poll(self, key: str) -> "Poll":
        """Send a poll, and do not wait for the response."""
        return Poll(self._server, f"/socket.io/?EIO=4&transport=polling&sid={self.sid}&t={key}")

    def complete(self) -> None:
        """Announce that the audio is complete, and receive all."""
        self._server.notify(self._name, str(self._path)).raise_for_status()
        self.receive_until("end_of_stream")
        while len(self.updates) < self.published:
            self.receive()

    def _take(self, packet: str | bytes) -> None:
        if isinstance(packet, str) and packet.startswith(f"42{UPDATES},"):
            name, payload = json.loads(packet.removeprefix(f"42{UPDATES},"))
            self._is_subscribed |= name == "subscribed_ui_updates"
            if name == "progress":
                self.updates.append(payload)
        else:
            super()._take(packet)


class Poll:
    """One poll, on a connection of its own."""

    def __init__(self, server: ServerProcess, target: str) -> None:
        self._target = target
        self._server = server
        self._send()

    def response(self) -> str:
        """Wait for the response, and return its body."""
        with self._socket, self._socket.makefile("rb") as file:
            head = b"".join(iter(file.readline, b"\r\n")).decode().lower()
            assert head.startswith("http/1.1 200"), head
            length = int(head.split("content-length:")[1].split()[0])
            return file.read(length).decode()

    def repeat(self) -> None:
        """Lose the connection, with its response if there is one, and send the same again, as browsers do."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()
        self._send()

    def _send(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._server.port), PATIENCE_SECONDS)
        self._socket.sendall(f"GET {self._target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


@settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
@given(
    published=st.lists(st.integers(0, 2), min_size=STEPS, max_size=STEPS),
    waits=st.booleans(),
    repeats=st.booleans(),
    further_polls=st.integers(0, 2),
    settles=st.booleans(),
)
@example(published=[1] * STEPS, waits=True, repeats=False, further_polls=0, settles=True)
@example(published=[1] * STEPS, waits=True, repeats=True, further_polls=1, settles=True)
@example(published=[2] * STEPS, waits=False, repeats=False, further_polls=0, settles=False)
def test_an_upgrade_loses_nothing(
    server: ServerProcess,
    sessions: list[Session],
    published: list[int],
    waits: bool,
    repeats: bool,
    further_polls: int,
    settles: bool,
) -> None:
    """Updates and audio at each step: a poll may wait, be repeated, or follow before the client has read the pong.

    As engine.io-client does, the client completes its polls before it sends the upgrade packet. Whatever came over
    the WebSocket between the pong and that packet, it would drop.
    """
    session = Session(server, settles=settles)
    sessions.append(session)
    poll = session.begin_poll("first") if waits else None
    session.publish(published[0])
    upgraded = session.open_websocket()
    session.publish(published[1])
    upgraded.send("2probe")
    session.publish(published[2])
    assert upgraded.recv() == "3probe"
    session.publish(published[3])
    if poll is not None:
        if repeats:
            poll.repeat()
        session.take_answer(poll.response())
    for number in range(further_polls):
        session.take_answer(session.begin_poll(f"further-{number}").response())
    session.publish(published[4])
    assert upgraded.sock is not None
    upgraded.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        upgraded.sock.recv(1, socket.MSG_PEEK)
    upgraded.sock.settimeout(PATIENCE_SECONDS)
    upgraded.send("5")
    session.websocket = upgraded
    session.publish(published[5])
    while len(session.updates) < session.published:
        session.receive()
    session.publish(published[6])
    session.complete()
    assert session.updates == list(range(session.published))
    assert bytes(session.audio) == session.written
