"""Each update reaches exactly the connections that subscribed to its client."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from asf.domain import UiUpdate, UiUpdateRouter
from asf.domain.errors import InvalidClientId, InvalidEventName, UiEmitFailed, UiNamespaceMissing
from tests.support.virtual import ManualClock, RecordingObserver

connections = st.sampled_from(["c1", "c2", "c3"])
clients = st.sampled_from(["alice", "bob"])


class RecordingEmitter:
    """Keeps what is emitted; connections in `broken` fail."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.emitted: list[tuple[str, UiUpdate]] = []
        self.broken = broken

    def emit(self, connection_id: str, update: UiUpdate) -> None:
        if connection_id in self.broken:
            raise UiEmitFailed("broken")
        self.emitted.append((connection_id, update))


class RouterMachine(RuleBasedStateMachine):
    """The router against a plain model: a set of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.emitter = RecordingEmitter()
        self.observer = RecordingObserver()
        self.router = UiUpdateRouter(self.emitter, ManualClock(), self.observer)
        self.model: set[tuple[str, str]] = set()
        self.number = 0

    @rule(connection=connections, client=clients)
    def subscribe(self, connection: str, client: str) -> None:
        """Subscribe, for the first time or again."""
        self.router.subscribe(connection, client)
        self.model.add((connection, client))

    @rule(connection=connections)
    def drop(self, connection: str) -> None:
        """Lose a connection."""
        self.router.drop(connection)
        self.model = {pair for pair in self.model if pair[0] != connection}

    @rule(client=clients)
    def publish(self, client: str) -> None:
        """Send an update."""
        self.number += 1
        self.emitter.emitted.clear()
        update = UiUpdate(client, "progress", self.number)
        receivers = {connection for connection, subscribed in self.model if subscribed == client}
        assert self.router.publish(update) == len(receivers)
        assert self.observer.updates.pop() == ("relayed" if receivers else "no_subscriber")
        assert sorted(self.emitter.emitted, key=lambda pair: pair[0]) == [(one, update) for one in sorted(receivers)]

    @invariant()
    def nothing_is_left_behind(self) -> None:
        """Connections that are gone leave no trace."""
        assert set(self.router._clients) == {connection for connection, _ in self.model}  # noqa: SLF001
        assert set(self.router._connections) == {client for _, client in self.model}  # noqa: SLF001


TestRouter = RouterMachine.TestCase


def test_one_broken_connection_does_not_keep_the_others_waiting() -> None:
    """They are served, and the answer is an error all the same: not every subscriber has it."""
    emitter = RecordingEmitter(broken=frozenset({"c1"}))
    observer = RecordingObserver()
    router = UiUpdateRouter(emitter, ManualClock(), observer)
    for connection in ("c1", "c2"):
        router.subscribe(connection, "alice")
    with pytest.raises(UiEmitFailed, match="1 of 2"):
        router.publish(UiUpdate("alice", "done", None))
    assert [connection for connection, _ in emitter.emitted] == ["c2"]
    assert observer.updates == ["ASF_SOCKETIO_EMIT_FAILED"]


def test_without_a_namespace_nothing_is_accepted() -> None:
    """A server that relays nothing says so."""
    observer = RecordingObserver()
    with pytest.raises(UiNamespaceMissing):
        UiUpdateRouter(None, ManualClock(), observer).publish(UiUpdate("alice", "done", None))
    assert observer.updates == ["ASF_CONFIG_ERROR_UI_NAMESPACE"]


def test_what_breaks_the_rules_is_refused() -> None:
    """Before anything else happens."""
    with pytest.raises(InvalidClientId):
        UiUpdate(" ", "done", None)
    with pytest.raises(InvalidEventName):
        UiUpdate("alice", "disconnect", None)
