"""UI updates on their way into Socket.IO."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from asf.adapters.realtime_api import ReplayLimits, SocketIoUiUpdateEmitter, create_socketio
from asf.adapters.realtime_api.replay_limits import COUNTED_BYTES, REPLAYED_AT_ONCE
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import UiEmitFailed, Unauthorized
from asf.domain.peer import Peer, Transport
from asf.domain.updates.limits import MAX_WAITING_BYTES, MAX_WAITING_UPDATES
from asf.domain.updates.update import Handover, Position, SequencedUpdate, Subscription
from tests.support.virtual import ManualClock


class ScriptedTransport:
    """Keeps what is sent, or fails."""

    peer = Peer(Transport.SOCKETIO, "192.0.2.1")

    def __init__(self) -> None:
        self.queued_messages = self.queued_bytes = self.queued_late = 0
        self.sent: list[str] = []
        self.disconnected = self.is_gone = False
        self.failure: Exception | None = None

    def send(self, text: str) -> bool:
        if self.failure is not None:
            raise self.failure
        if not self.is_gone:
            self.sent.append(text)
        return not self.is_gone

    def send_all(self, texts: Sequence[str]) -> bool:
        return all(map(self.send, texts))

    def send_late(self, renders: Sequence[Callable[[], str]]) -> bool:
        return all(self.send(render()) for render in renders)

    def mark_active(self) -> None:
        """Change nothing: there is no join timeout here."""

    def disconnect(self) -> None:
        self.disconnected = True


class Emitter:
    """An emitter, and the transport of its one connection, with the id `sid`, in the library's server."""

    def __init__(self) -> None:
        self.transport = ScriptedTransport()
        socketio = create_socketio(Flask("tests"), "threading", "*", 1000)
        self.sid: str = socketio.server.manager.connect("engine", "/ui")
        transports: dict[str | None, MessageTransport] = {"engine": self.transport}
        self.replays = ReplayLimits(now=ManualClock().now)
        self.emitter = SocketIoUiUpdateEmitter(socketio, "/ui", transports.get, self.replays)

    def emit(self, update: SequencedUpdate, *, with_position: bool = False) -> Handover:
        return self.emitter.emit(self.sid, update, with_position=with_position)

    @property
    def events(self) -> list[Any]:
        """What was sent, as the client has it."""
        prefix = "2/ui,"
        assert all(text.startswith(prefix) for text in self.transport.sent)
        return [json.loads(text.removeprefix(prefix)) for text in self.transport.sent]


@pytest.fixture
def emitter() -> Emitter:
    """Return an emitter."""
    return Emitter()


def update_of(data: Any, seq: int = 1) -> SequencedUpdate:
    """Return an update for alice."""
    return SequencedUpdate("alice", "progress", json.dumps(data), "epoch", seq, 1.5)


@pytest.mark.parametrize("data", [None, [], [1, 2], {"a": "ä"}, "text"])
def test_data_is_always_one_argument(emitter: Emitter, data: Any) -> None:
    """Null and lists too, which Socket.IO would take for none and for several."""
    assert emitter.emit(update_of(data)) is Handover.TAKEN
    assert emitter.events == [["progress", data]]


def test_the_position_is_a_second_argument(emitter: Emitter) -> None:
    """For those that asked for it, also where the same update went to one that did not."""
    update = update_of(5)
    for with_position in (False, True, False):
        emitter.emit(update, with_position=with_position)
    plain = ["progress", 5]
    assert emitter.events == [plain, [*plain, {"epoch": "epoch", "seq": 1, "timestamp": 1.5}], plain]


def test_what_was_missed_follows_the_confirmation(emitter: Emitter) -> None:
    """In order, with the positions."""
    missed = (update_of("one", 1), update_of("two", 2))
    emitter.emitter.confirm(emitter.sid, Subscription("alice", Position("epoch", 2), recovered=True, missed=missed))
    assert len(emitter.events) == 1
    assert emitter.emitter.replay(emitter.sid, missed) is Handover.TAKEN
    confirmation, *updates = emitter.events
    assert confirmation == [
        "subscribed_ui_updates",
        {
            "status": "success",
            "client_id": "alice",
            "subscribed_to_room": "alice",
            "epoch": "epoch",
            "seq": 2,
            "recovered": True,
        },
    ]
    assert [(name, data, position["seq"]) for name, data, position in updates] == [
        ("progress", "one", 1),
        ("progress", "two", 2),
    ]


def test_the_packet_of_a_replayed_update_is_encoded_once(emitter: Emitter) -> None:
    """For all replays; another update of the same number, in another epoch or of another client, has its own."""
    for _ in range(2):
        emitter.emitter.replay(emitter.sid, [update_of("one", 1), update_of("two", 2)])
    first, second, *again = emitter.transport.sent
    assert again[0] is first
    assert again[1] is second
    emitter.emitter.replay(emitter.sid, [replace(update_of("another", 1), epoch="later")])
    emitter.emitter.replay(emitter.sid, [replace(update_of("bob's", 1), client_id="bob")])
    assert [event[1] for event in emitter.events[-2:]] == ["another", "bob's"]


def test_what_is_replayed_is_counted(emitter: Emitter) -> None:
    """By number, or by size if that is more."""
    emitter.emitter.emit(emitter.sid, update_of(1), with_position=True)
    assert emitter.replays.delay(emitter.transport) == 0
    emitter.emitter.replay(emitter.sid, [update_of(seq, seq) for seq in range(REPLAYED_AT_ONCE // 2)])
    assert emitter.replays.delay(emitter.transport) == 0
    emitter.emitter.replay(emitter.sid, [update_of("x" * COUNTED_BYTES * REPLAYED_AT_ONCE)])
    assert emitter.replays.delay(emitter.transport) > 0
    assert emitter.replays.delay(ScriptedTransport()) == 0


def test_a_replay_to_a_connection_that_has_ended(emitter: Emitter) -> None:
    """It is not a failure; a transport that fails is."""
    assert emitter.emitter.replay("another", [update_of(1)]) is Handover.GONE
    emitter.transport.is_gone = True
    assert emitter.emitter.replay(emitter.sid, [update_of(1)]) is Handover.GONE
    emitter.transport.is_gone, emitter.transport.failure = False, RuntimeError("no queue")
    with pytest.raises(UiEmitFailed, match="RuntimeError: no queue"):
        emitter.emitter.replay(emitter.sid, [update_of(2)])
    assert emitter.transport.disconnected


def test_a_subscription_without_since_has_no_recovered(emitter: Emitter) -> None:
    """The key is not there at all."""
    emitter.emitter.confirm(emitter.sid, Subscription("alice", Position("epoch", 0), recovered=None))
    assert "recovered" not in emitter.events[0][1]


def test_a_connection_that_has_ended(emitter: Emitter) -> None:
    """It is not a failure, whenever that is found."""
    assert emitter.emitter.emit("another", update_of(1), with_position=False) is Handover.GONE
    emitter.transport.is_gone = True
    assert emitter.emit(update_of(1)) is Handover.GONE


@pytest.mark.parametrize(
    ("waiting", "limit"), [("queued_messages", MAX_WAITING_UPDATES), ("queued_bytes", MAX_WAITING_BYTES)]
)
def test_a_subscriber_that_does_not_read_is_disconnected(emitter: Emitter, waiting: str, limit: int) -> None:
    """At the limit, and not before it. From half of the limit on the outcome says that much waits."""
    setattr(emitter.transport, waiting, limit // 2 - 1)
    assert emitter.emit(update_of(0)) is Handover.TAKEN
    setattr(emitter.transport, waiting, limit // 2)
    assert emitter.emit(update_of(0)) is Handover.FILLING
    assert emitter.emitter.waiting(emitter.sid) == 0.5
    assert emitter.emitter.waiting("unknown") == 0
    setattr(emitter.transport, waiting, limit - 1)
    assert emitter.emit(update_of(1)) is Handover.FILLING
    setattr(emitter.transport, waiting, limit)
    assert emitter.emit(update_of(2)) is Handover.TOO_SLOW
    assert emitter.transport.disconnected
    assert emitter.events == [["progress", 0], ["progress", 0], ["progress", 1]]


def test_a_subscriber_that_does_not_read_a_replay_may_not_ask_for_another(emitter: Emitter) -> None:
    """Queued replays do not count against live updates, though."""
    emitter.transport.queued_late = MAX_WAITING_UPDATES
    assert emitter.emit(update_of(1)) is Handover.TAKEN
    again = Subscription("alice", Position("epoch", 1), recovered=True, missed=(update_of(1),))
    assert emitter.emitter.confirm(emitter.sid, again) is Handover.TOO_SLOW
    assert emitter.transport.disconnected


def test_a_failure_is_reported_and_logged(emitter: Emitter, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it was; the library's exception does not cross the port, and the connection is ended."""
    emitter.transport.failure = RuntimeError("no queue")
    with pytest.raises(UiEmitFailed, match="RuntimeError: no queue"):
        emitter.emit(update_of(1))
    assert "Emitting a UI update failed" in caplog.text
    assert emitter.transport.disconnected


def test_the_end_of_a_subscription_is_reported(emitter: Emitter) -> None:
    """With its client id, as a connection may have several."""
    reason = Unauthorized("The token has expired.")
    assert emitter.emitter.end(emitter.sid, "alice", reason) is Handover.TAKEN
    assert emitter.emitter.end("gone", "alice", reason) is Handover.GONE
    error = {"message": "A valid token is required.", "error_code": "ASF_UNAUTHORIZED"}
    assert emitter.events == [["ui_error", error | {"details": "The token has expired.", "client_id": "alice"}]]
