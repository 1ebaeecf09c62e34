"""Each update reaches exactly the connections that subscribed to its client, and none is lost."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asf.adapters import memory_update_log
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.grant import Grant
from asf.domain.errors import (
    IdempotencyConflict,
    InvalidClientId,
    InvalidEventName,
    InvalidIdempotencyKey,
    NotSubscribed,
    TooManySubscriptions,
    UiEmitFailed,
    UiNamespaceMissing,
    Unauthorized,
)
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import EVERYTHING, Handover, Position, SequencedUpdate, Subscription, UiUpdate
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers, ScriptedTokens

HISTORY = 4
HISTORY_SECONDS = 60.0


class VirtualRouter:
    """A router with a log in memory, on a manual clock."""

    def __init__(self, *, with_namespace: bool = True, tokens: ScriptedTokens | None = None) -> None:
        epochs = count(1)
        self.clock = ManualClock()
        self.subscribers = ScriptedSubscribers()
        self.observer = RecordingObserver()
        self.log = InMemoryUpdateLog(HISTORY, HISTORY_SECONDS, lambda: f"epoch-{next(epochs)}")
        self.expiries = Expiries()
        self.woken = 0
        access = AccessControl(tokens, self.expiries, self.clock, self._wake)
        self.router = UiUpdateRouter(
            self.subscribers if with_namespace else None, self.log, access, self.clock, self.observer
        )

    def run(self, seconds: float) -> None:
        """Let time pass, and whatever ends meanwhile."""
        self.clock.advance(seconds)
        self.expiries.fire(self.clock.now())

    def _wake(self) -> None:
        self.woken += 1


@dataclass
class Tab:
    """A browser tab that wants all updates of one client: what it got, over all its connections."""

    client_id: str
    connection_id: str | None = None
    last: Position = EVERYTHING
    received: list[SequencedUpdate] = field(default_factory=list)
    """Since the last confirmation that it has missed something."""


class RouterMachine(RuleBasedStateMachine):
    """Tabs come, go and come back while updates are published, expire and overflow the history."""

    def __init__(self) -> None:
        super().__init__()
        self.virtual = VirtualRouter()
        self.router = self.virtual.router
        self.tabs = [Tab("alice"), Tab("alice"), Tab("bob")]
        self.live: dict[str, tuple[str, list[SequencedUpdate]]] = {}  # connections that know only the seeds
        self.connections = (f"connection-{number}" for number in count(1))
        self.published: dict[str, list[SequencedUpdate]] = {"alice": [], "bob": []}
        self.numbers = count(1)

    tabs_numbers = st.integers(0, 2)
    client_ids = st.sampled_from(["alice", "bob"])

    @rule(number=tabs_numbers)
    def come_back(self, number: int) -> None:
        """Subscribe with the last known position; on a connection that is subscribed, replace the subscription."""
        tab = self.tabs[number]
        if tab.connection_id is None:
            tab.connection_id = next(self.connections)
        self._take(tab)
        last = tab.last
        sent = self.virtual.subscribers.sent.setdefault(tab.connection_id, [])
        sent.clear()
        self.router.subscribe(tab.connection_id, tab.client_id, tab.last)
        if self.virtual.subscribers.outcomes.get(tab.connection_id) is Handover.TOO_SLOW:
            tab.connection_id = None  # It is broken off instead.
            return
        subscription = sent.pop(0)
        assert isinstance(subscription, Subscription)
        assert subscription.client_id == tab.client_id
        assert list(subscription.missed) == sent
        if not subscription.recovered:
            assert sent == []
            tab.received = []
            tab.last = subscription.latest
        self._take(tab)
        assert self.virtual.observer.recoveries[-1] == ("recovered" if subscription.recovered else "not_recovered")
        # Nothing that is still kept may be refused.
        lost = [one for one in self.published[tab.client_id][:-HISTORY] if one.seq > last.seq]
        expired = self.virtual.clock.timestamp() - HISTORY_SECONDS
        assert (
            subscription.recovered or lost or any(one.timestamp <= expired for one in self.published[tab.client_id])
        )

    @rule(number=tabs_numbers)
    def lose(self, number: int) -> None:
        """Cut the connection of a tab."""
        tab = self.tabs[number]
        if tab.connection_id is not None:
            self._take(tab)
            self.router.drop(tab.connection_id)
            tab.connection_id = None

    @rule(number=tabs_numbers)
    def stop_reading(self, number: int) -> None:
        """Make the next hand-over to a tab find it too slow."""
        tab = self.tabs[number]
        if tab.connection_id is not None:
            self.virtual.subscribers.outcomes[tab.connection_id] = Handover.TOO_SLOW

    @rule(client_id=client_ids)
    def come_without_a_position(self, client_id: str) -> None:
        """Subscribe as the seeds have it."""
        connection_id = next(self.connections)
        self.router.subscribe(connection_id, client_id)
        (subscription,) = self.virtual.subscribers.sent.pop(connection_id)
        assert isinstance(subscription, Subscription)
        assert (subscription.recovered, subscription.missed) == (None, ())
        self.live[connection_id] = (client_id, [])

    @precondition(lambda self: self.live)
    @rule()
    def unsubscribe(self) -> None:
        """End a subscription; a second time there is none."""
        connection_id, (client_id, _) = self.live.popitem()
        self.router.unsubscribe(connection_id, client_id)
        with pytest.raises(NotSubscribed):
            self.router.unsubscribe(connection_id, client_id)

    @rule(client_id=client_ids)
    def publish(self, client_id: str) -> None:
        """Send an update."""
        tabs = [tab for tab in self.tabs if tab.client_id == client_id and tab.connection_id]
        slow = [tab for tab in tabs if tab.connection_id in self.virtual.subscribers.outcomes]
        live = {key: value for key, value in self.live.items() if value[0] == client_id}
        before = self.virtual.observer.dropped
        published = self.router.publish(UiUpdate(client_id, "progress", next(self.numbers)))
        assert published.subscribers == len(tabs) - len(slow) + len(live)
        assert self.virtual.observer.dropped == before + len(slow)
        assert self.virtual.observer.updates.pop() == ("relayed" if published.subscribers else "no_subscriber")
        kept = self.virtual.log.recover(client_id, EVERYTHING, self.virtual.clock.now()).updates[-1]
        assert (kept.epoch, kept.seq) == (published.epoch, published.seq)
        self.published[client_id].append(kept)
        for connection_id, (_, expected) in live.items():
            expected.append(kept)
            assert self.virtual.subscribers.updates(connection_id) == expected
        for tab in slow:
            tab.connection_id = None

    @rule(seconds=st.floats(1, HISTORY_SECONDS * 1.1))
    def wait(self, seconds: float) -> None:
        """Let updates expire."""
        self.virtual.clock.advance(seconds)

    @invariant()
    def what_a_tab_got_is_gapless(self) -> None:
        """Over all its connections, since the last confirmation that it has missed something."""
        for tab in self.tabs:
            self._take(tab)
            numbers = [update.seq for update in tab.received]
            assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
            assert tab.received == [one for one in self.published[tab.client_id] if one.seq in set(numbers)]
            if tab.connection_id is not None and numbers:
                assert tab.received[-1] == self.published[tab.client_id][-1]

    @invariant()
    def nothing_is_left(self) -> None:
        """Closed connections leave no trace."""
        subscribed = len(self.live) + sum(tab.connection_id is not None for tab in self.tabs)
        assert self.router.subscriptions == subscribed
        subscribers = self.router._subscribers  # noqa: SLF001
        for groups in (subscribers._by_client, subscribers._by_connection):  # noqa: SLF001
            assert sum(map(len, groups.values())) == subscribed
            assert all(groups.values())
        assert self.router._attempts._open == {}  # noqa: SLF001

    def _take(self, tab: Tab) -> None:
        """Let a tab read what it was sent."""
        if tab.connection_id is not None:
            sent = self.virtual.subscribers.sent.get(tab.connection_id, [])
            for update in sent:
                assert isinstance(update, SequencedUpdate)
                tab.received.append(update)
                tab.last = Position(update.epoch, update.seq)
            sent.clear()


TestRouter = RouterMachine.TestCase


@pytest.fixture
def virtual() -> VirtualRouter:
    """Return a router."""
    return VirtualRouter()


def test_one_broken_connection_does_not_keep_the_others_waiting(virtual: VirtualRouter) -> None:
    """They are served, and the publisher gets an error all the same: not every subscriber has it."""
    for connection in ("c1", "c2"):
        virtual.router.subscribe(connection, "alice")
    virtual.subscribers.outcomes["c1"] = UiEmitFailed("broken")
    with pytest.raises(UiEmitFailed, match="1 of 2"):
        virtual.router.publish(UiUpdate("alice", "done", None))
    assert len(virtual.subscribers.updates("c2")) == 1
    assert virtual.observer.updates == ["ASF_SOCKETIO_EMIT_FAILED"]


def test_after_an_error_the_same_update_again_is_a_success(virtual: VirtualRouter) -> None:
    """The connection that failed is not subscribed any more; the others do not get it twice."""
    for connection in ("c1", "c2"):
        virtual.router.subscribe(connection, "alice")
    virtual.subscribers.outcomes["c1"] = UiEmitFailed("broken")
    with pytest.raises(UiEmitFailed):
        virtual.router.publish(UiUpdate("alice", "done", None, "key"))
    published = virtual.router.publish(UiUpdate("alice", "done", None, "key"))
    assert (published.duplicate, published.seq, published.subscribers) == (True, 1, 1)
    assert len(virtual.subscribers.updates("c2")) == 1
    assert virtual.observer.updates == ["ASF_SOCKETIO_EMIT_FAILED", "duplicate"]


def test_a_key_that_belongs_to_something_else(virtual: VirtualRouter) -> None:
    """Nothing is published, and the outcome is counted."""
    virtual.router.publish(UiUpdate("alice", "done", 1, "key"))
    with pytest.raises(IdempotencyConflict):
        virtual.router.publish(UiUpdate("alice", "done", 2, "key"))
    assert virtual.observer.updates == ["no_subscriber", "ASF_IDEMPOTENCY_CONFLICT"]


def test_a_log_that_forgot_a_client_ends_subscriptions_with_positions(
    virtual: VirtualRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next update, which has another epoch; the others get that."""
    monkeypatch.setattr(memory_update_log, "MAX_CLIENTS", 1)
    virtual.router.publish(UiUpdate("alice", "n", 1))
    virtual.router.subscribe("tab", "alice", EVERYTHING)
    virtual.router.subscribe("simple", "alice")
    virtual.router.publish(UiUpdate("bob", "n", 1))
    published = virtual.router.publish(UiUpdate("alice", "n", 2))
    assert published.seq == 1
    assert virtual.subscribers.broken_off == ["tab"]
    assert [(one.epoch, one.seq) for one in virtual.subscribers.updates("simple")] == [(published.epoch, 1)]


@pytest.mark.parametrize("outcome", [Handover.GONE, Handover.TOO_SLOW, UiEmitFailed("broken")])
def test_a_connection_that_cannot_be_confirmed_is_not_subscribed(
    virtual: VirtualRouter, outcome: Handover | UiEmitFailed
) -> None:
    """Its client may come back."""
    virtual.subscribers.outcomes["c1"] = outcome
    if isinstance(outcome, UiEmitFailed):
        with pytest.raises(UiEmitFailed):
            virtual.router.subscribe("c1", "alice")
    else:
        virtual.router.subscribe("c1", "alice")
    assert virtual.router.subscriptions == 0
    assert virtual.observer.dropped == (outcome is Handover.TOO_SLOW)


def test_one_connection_may_watch_several_clients(virtual: VirtualRouter) -> None:
    """Each by itself: ending one leaves the others."""
    for client_id in ("alice", "bob"):
        virtual.router.subscribe("c1", client_id)
    virtual.router.unsubscribe("c1", "alice")
    for client_id in ("alice", "bob"):
        virtual.router.publish(UiUpdate(client_id, "progress", 1))
    assert [update.client_id for update in virtual.subscribers.updates("c1")] == ["bob"]
    virtual.router.drop("c1")
    assert virtual.router.subscriptions == 0


def test_subscriptions_of_one_connection_are_bounded(virtual: VirtualRouter) -> None:
    """Replacing one is always possible."""
    for number in range(MAX_SUBSCRIPTIONS):
        virtual.router.subscribe("c1", f"client-{number}")
    with pytest.raises(TooManySubscriptions):
        virtual.router.subscribe("c1", "one more")
    virtual.router.subscribe("c1", "client-0", EVERYTHING)
    virtual.router.subscribe("c2", "one more")
    assert virtual.router.subscriptions == MAX_SUBSCRIPTIONS + 1


def test_without_a_namespace_nothing_is_accepted() -> None:
    """A server that relays nothing says so."""
    virtual = VirtualRouter(with_namespace=False)
    with pytest.raises(UiNamespaceMissing):
        virtual.router.publish(UiUpdate("alice", "done", None))
    with pytest.raises(UiNamespaceMissing):
        virtual.router.subscribe("c1", "alice")
    assert virtual.observer.updates == ["ASF_CONFIG_ERROR_UI_NAMESPACE"]


def test_invalid_updates_are_rejected() -> None:
    """By the value object itself."""
    with pytest.raises(InvalidClientId):
        UiUpdate(" ", "done", None)
    with pytest.raises(InvalidEventName):
        UiUpdate("alice", "disconnect", None)
    with pytest.raises(InvalidIdempotencyKey):
        UiUpdate("alice", "done", None, "x" * 129)


def locked_router() -> VirtualRouter:
    """Return a router that wants tokens: `short` for alice and 5 seconds, `long` for everybody, longer."""
    now = ManualClock().timestamp()
    grants = {
        "short": Grant("alice", now + 5, clients=frozenset({"alice"})),
        "long": Grant("bob", now + 1000, clients=frozenset({"*"})),
    }
    return VirtualRouter(tokens=ScriptedTokens(grants))


@pytest.mark.parametrize(
    ("client_id", "token"), [("alice", None), ("alice", "unknown"), ("alice", 5), ("bob", "short")]
)
def test_a_subscription_needs_a_token_that_grants_it(client_id: str, token: object) -> None:
    """Not: no token, an unknown one, or one for another client."""
    virtual = locked_router()
    with pytest.raises(Unauthorized):
        virtual.router.subscribe("tab", client_id, EVERYTHING, token)
    assert virtual.router.publish(UiUpdate(client_id, "progress", 1)).subscribers == 0
    assert virtual.subscribers.sent == {}
    assert len(virtual.expiries) == 0


def test_a_subscription_ends_with_its_token() -> None:
    """The connection gets the reason once, and no more updates; other subscriptions continue."""
    virtual = locked_router()
    virtual.router.subscribe("tab", "alice", token="short")  # noqa: S106
    virtual.router.subscribe("tab", "bob", token="long")  # noqa: S106
    virtual.router.subscribe("other", "alice", token="long")  # noqa: S106
    assert virtual.woken == 3
    virtual.run(4.999)
    assert virtual.router.publish(UiUpdate("alice", "progress", 1)).subscribers == 2
    virtual.run(0.001)
    assert virtual.subscribers.ended == [("tab", "alice", "ASF_UNAUTHORIZED")]
    assert virtual.router.publish(UiUpdate("alice", "progress", 2)).subscribers == 1
    assert virtual.router.publish(UiUpdate("bob", "progress", 3)).subscribers == 1
    assert virtual.router.subscriptions == len(virtual.expiries) == 2


def test_a_new_token_is_taken_by_subscribing_again() -> None:
    """A bad one changes nothing."""
    virtual = locked_router()
    virtual.router.subscribe("tab", "alice", token="short")  # noqa: S106
    with pytest.raises(Unauthorized):
        virtual.router.subscribe("tab", "alice", token="unknown")  # noqa: S106
    assert virtual.router.publish(UiUpdate("alice", "progress", 1)).subscribers == 1
    virtual.router.subscribe("tab", "alice", token="long")  # noqa: S106
    virtual.run(100)
    assert virtual.subscribers.ended == []
    assert virtual.router.publish(UiUpdate("alice", "progress", 2)).subscribers == 1


def test_what_has_ended_does_not_expire() -> None:
    """By the subscriber's own wish, or as its connection is gone."""
    virtual = locked_router()
    for connection_id in ("tab", "other"):
        virtual.router.subscribe(connection_id, "alice", token="short")  # noqa: S106
    virtual.router.unsubscribe("tab", "alice")
    virtual.router.drop("other")
    assert len(virtual.expiries) == 0
    virtual.run(100)
    assert virtual.subscribers.ended == []


@pytest.mark.parametrize("outcome", [Handover.GONE, Handover.TOO_SLOW, UiEmitFailed("broken")])
def test_a_connection_that_cannot_take_the_reason_is_dropped(outcome: Handover | UiEmitFailed) -> None:
    """With all its subscriptions, as always; and the others still expire."""
    virtual = locked_router()
    for connection_id in ("tab", "other"):
        virtual.router.subscribe(connection_id, "alice", token="short")  # noqa: S106
    virtual.router.subscribe("tab", "bob", token="long")  # noqa: S106
    virtual.subscribers.outcomes["tab"] = outcome
    virtual.run(5)
    assert [connection for connection, _, _ in virtual.subscribers.ended] == ["tab", "other"]
    assert virtual.router.subscriptions == len(virtual.expiries) == 0
