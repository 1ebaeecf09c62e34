"""Routers of several servers on one log, which yields to other tasks, and whose messages may be lost."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters import memory_update_log
from asf.adapters.memory_update_log import MAX_BYTES, InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import NotSubscribed, UiEmitFailed
from asf.domain.updates.limits import MAX_WAITING_UPDATES
from asf.domain.updates.replay import MAX_REPLAYS
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import (
    EVERYTHING,
    AppendResult,
    Handover,
    Position,
    Recovery,
    SequencedUpdate,
    Subscription,
    UiUpdate,
)
from tests.support.examples import examples
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

DEEPEST = 3
"""How many waits may be nested."""


class Server:
    """One server: a router, its part of the log, and the messages that are on their way to it."""

    is_local = False

    def __init__(
        self, core: InMemoryUpdateLog, pause: Callable[[], None], checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        self.messages: deque[SequencedUpdate] = deque()
        self.followers: dict[str, int] = {}
        self.core = core
        self.pause = pause
        self.is_lost = self.was_interrupted = self.is_reading = self.is_looking = False
        self.others: list[Server] = []
        self.on_appended: Callable[[SequencedUpdate], object]
        self.on_interrupted: Callable[[], object]
        self.tasks: deque[Callable[[], object]] = deque()
        self.subscribers = ScriptedSubscribers()
        clock = ManualClock()
        access = AccessControl(None, Expiries(), clock, lambda: None)
        self.router = UiUpdateRouter(
            self.subscribers, self, access, clock, RecordingObserver(), self.tasks.append, checkpoint
        )

    # The log.

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        self.on_appended = on_appended
        self.on_interrupted = on_interrupted

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        appended = self.core.append(update, timestamp, now)
        if not appended.duplicate:
            for server in self.others:
                if update.client_id in server.followers:
                    server.messages.append(appended.update)
        subscribers = sum(server.followers.get(update.client_id, 0) for server in self.others)
        self.pause()
        return replace(appended, is_broadcast=True, subscribers=subscribers)

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        self.pause()
        self._check()
        recovery = self.core.recover(client_id, since, now)
        self.pause()
        self._check()
        return recovery

    def follow(self, client_id: str) -> None:
        self.pause()
        self._check()
        self.followers[client_id] = self.followers.get(client_id, 0) + 1
        self.pause()

    def unfollow(self, client_id: str) -> None:
        self.followers[client_id] -= 1
        if not self.followers[client_id]:
            del self.followers[client_id]

    def _check(self) -> None:
        if self.is_lost:
            raise UiEmitFailed("lost")

    # What its threads do.

    def read(self, *, again: bool = False) -> None:
        """Receive the next message; perhaps twice."""
        if self.messages and not self.is_reading:
            self.is_reading = True
            update = self.messages.popleft()
            for _ in range(1 + again):
                self.on_appended(update)
            self.is_reading = False

    def work(self) -> None:
        """Run the oldest task that the router spawned."""
        if self.tasks:
            self.tasks.popleft()()

    def interrupt(self) -> None:
        """Lose the messages that are on their way."""
        self.messages.clear()
        self.was_interrupted = True

    def look(self) -> None:
        """Recover what was missed, after an interruption."""
        if self.was_interrupted and not self.is_looking:
            self.is_looking, self.was_interrupted = True, False
            try:
                self.on_interrupted()
            except UiEmitFailed:
                self.was_interrupted = True
            self.is_looking = False


def is_subscribed(server: Server, connection_id: str) -> bool:
    """Return whether the router has a subscription of the connection."""
    return bool(server.router._subscribers.of_connection(connection_id))  # noqa: SLF001


class Tab:
    """What a browser tab has, over all its connections, since the last confirmation that it missed something."""

    def __init__(self, *, with_position: bool) -> None:
        self.with_position = with_position
        self.server: Server | None = None
        self.connection_id = ""
        self.received: list[int] = []
        self.start = 0

    def take(self) -> None:
        """Read what was sent, and see whether the connection was ended."""
        if self.server is None:
            return
        sent = self.server.subscribers.sent.get(self.connection_id, [])
        for item in sent:
            if isinstance(item, Subscription):
                if not item.recovered:
                    self.received, self.start = [], item.latest.seq
                elif not self.received and not self.start:
                    self.start = item.latest.seq - len(item.missed)  # It asked for all that is kept.
            else:
                self.received.append(item.seq)
        sent.clear()
        subscribers = self.server.subscribers
        failed = self.connection_id in subscribers.outcomes and not is_subscribed(self.server, self.connection_id)
        if failed or self.connection_id in subscribers.broken_off:
            self.server = None

    @property
    def last(self) -> Position:
        """The position that it knows."""
        seq = self.received[-1] if self.received else self.start
        return Position("epoch", seq) if seq else EVERYTHING


class World:
    """Two servers, four tabs, and what may happen to them."""

    def __init__(self, data: st.DataObject) -> None:
        self.core = core = InMemoryUpdateLog(6, 60.0, lambda: "epoch")
        self.data = data
        self.depth = 0
        self.servers = [Server(core, self.pause, self.pause) for _ in range(2)]
        for server in self.servers:
            server.others = self.servers
        self.tabs = [Tab(with_position=number != 3) for number in range(4)]
        self.numbers = count(1)
        self.connections = count(1)

    def pause(self) -> None:
        """Yield: something else may happen."""
        if self.depth < DEEPEST:
            self.depth += 1
            for _ in range(self.data.draw(st.integers(0, 2))):
                self.step()
            self.depth -= 1

    def step(self) -> None:  # noqa: C901 - one case for each thing
        """Let one thing happen."""
        server = self.data.draw(st.sampled_from(self.servers))
        tab = self.data.draw(st.sampled_from(self.tabs))
        action = self.data.draw(
            st.sampled_from(
                [
                    "publish",
                    "publish",
                    "read",
                    "twice",
                    "work",
                    "come",
                    "come",
                    "cut",
                    "fail",
                    "end",
                    "lose",
                    "look",
                    "redis",
                ]
            )
        )
        match action:
            case "publish":
                self.publish(server)
            case "work":
                server.work()
            case "fail" if tab.server is not None:
                tab.server.subscribers.outcomes[tab.connection_id] = UiEmitFailed("broken")
            case "read" | "twice":
                server.read(again=action == "twice")
            case "come":
                self.come(tab, server)
            case "cut" if tab.server is not None:
                tab.take()
                if tab.server is not None:
                    tab.server.router.drop(tab.connection_id)
                    tab.server = None
            case "end" if tab.server is not None:
                tab.take()
                self.end(tab)
            case "lose":
                server.interrupt()
            case "look":
                server.look()
            case "redis":
                server.is_lost = not server.is_lost
        self.check()

    def publish(self, server: Server) -> None:
        """Publish; it fails exactly if a connection to the server failed, and the update is kept all the same."""
        number = next(self.numbers)
        with suppress(UiEmitFailed):
            server.router.publish(UiUpdate("alice", "n", number))
        assert self.core.recover("alice", None, 0.0).latest.seq >= number

    def come(self, tab: Tab, server: Server) -> None:
        """Subscribe on a new connection, or again on the one that there is."""
        tab.take()
        if tab.server is None:
            tab.server, tab.connection_id = server, f"connection-{next(self.connections)}"
        server, connection_id = tab.server, tab.connection_id
        since = tab.last if tab.with_position else None
        try:
            server.router.subscribe(connection_id, "alice", since)
        except UiEmitFailed:
            tab.take()
            if not is_subscribed(server, connection_id) and tab.connection_id == connection_id:
                tab.server = None  # It gets the error, and closes.

    def end(self, tab: Tab) -> None:
        """End the subscription; on the same connection another may start."""
        server = tab.server
        if server is not None:
            with suppress(NotSubscribed):  # It does not know yet that it was closed.
                server.router.unsubscribe(tab.connection_id, "alice")
            tab.server = None

    def check(self) -> None:
        """No tab has a gap, a repeat or a change of order."""
        for tab in self.tabs:
            tab.take()
            if tab.received and tab.with_position:
                assert tab.received == list(range(tab.start + 1, tab.start + 1 + len(tab.received)))
            assert tab.received == sorted(set(tab.received))

    def finalize(self) -> None:
        """Deal with all that is under way, with a Redis that answers."""
        self.depth = DEEPEST
        for server in self.servers:
            server.is_lost = False
            server.look()
            while server.messages or server.tasks:
                server.read()
                server.work()
        self.check()


@settings(max_examples=examples(300))
@given(data=st.data())
def test_whatever_happens_meanwhile_nobody_misses_anything(data: st.DataObject) -> None:
    """While one waits for the log, others subscribe, leave, publish; messages are lost, the log comes and goes."""
    world = World(data)
    for _ in range(data.draw(st.integers(1, 30))):
        world.step()
    world.finalize()
    published = world.core.recover("alice", None, 0.0).latest.seq
    for tab in world.tabs:
        if tab.server is None or not is_subscribed(tab.server, tab.connection_id):
            continue
        if tab.with_position:
            assert (tab.received[-1] if tab.received else tab.start) == published
    for server in world.servers:
        subscribed = server.router.subscriptions
        assert server.followers.get("alice", 0) == subscribed
        subscribers = server.router._subscribers.of_client("alice")  # noqa: SLF001
        assert not any(one.holds_back for one in subscribers)
        for subscriber in subscribers:
            server.router.drop(subscriber.connection_id)
        assert server.router._attempts._open == {}  # noqa: SLF001
        assert server.followers == {}
        assert server.router.subscriptions == 0


class Scripted:
    """A server that performs one scripted action at each wait, and none after the last."""

    def __init__(
        self, *actions: Callable[["Scripted"], object], history: int = 6, max_bytes: int = MAX_BYTES
    ) -> None:
        self.actions = deque(actions)
        epochs = count(1)
        self.core = InMemoryUpdateLog(history, 60.0, lambda: f"epoch-{next(epochs)}", max_bytes)
        self.server = Server(self.core, self._pause)
        self.other = Server(self.core, lambda: None)
        self.server.others = self.other.others = [self.server, self.other]
        self.router = self.server.router

    def publish(self, times: int = 1) -> None:
        """Publish updates at another server, without reading their messages yet."""
        for number in range(times):
            self.other.router.publish(UiUpdate("alice", "n", number))

    def read_all(self) -> None:
        """Read all messages, and run the tasks that they spawn."""
        while self.server.messages or self.server.tasks:
            self.server.read()
            self.server.work()

    def numbers(self, connection_id: str = "tab") -> list[int]:
        """Return the numbers of the updates that a connection has."""
        return [update.seq for update in self.server.subscribers.updates(connection_id)]

    def _pause(self) -> None:
        if self.actions:
            self.actions.popleft()(self)


def nothing(_scripted: Scripted) -> None:
    """Other tasks do nothing."""


def test_messages_that_are_lost_while_the_log_answers_are_recovered() -> None:
    """The answer was given before; the search for missed updates came before the subscription had it."""

    def lose(scripted: Scripted) -> None:
        scripted.publish()
        scripted.server.interrupt()
        scripted.server.look()

    scripted = Scripted(nothing, nothing, nothing, lose)
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    assert scripted.numbers() == [1]


def test_what_comes_while_the_log_answers_is_held_and_bounded() -> None:
    """It comes after the confirmation; a connection for which too much would be held is closed."""

    def flood(times: int) -> Callable[[Scripted], None]:
        def publish_and_read(scripted: Scripted) -> None:
            scripted.publish(times)
            scripted.read_all()

        return publish_and_read

    scripted = Scripted(nothing, nothing, nothing, flood(MAX_WAITING_UPDATES))
    scripted.router.subscribe("tab", "alice")
    assert scripted.numbers() == list(range(1, MAX_WAITING_UPDATES + 1))
    scripted = Scripted(nothing, nothing, nothing, flood(MAX_WAITING_UPDATES + 1))
    scripted.router.subscribe("tab", "alice")
    assert scripted.server.subscribers.broken_off == ["tab"]
    assert scripted.server.subscribers.sent == {}
    assert scripted.router.subscriptions == 0
    assert scripted.server.followers == {}


def test_a_gap_that_cannot_be_filled_is_made_known_where_possible() -> None:
    """A subscriber with positions is closed, and reconnects; one without gets what there is."""
    scripted = Scripted(history=2)
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    scripted.router.subscribe("simple", "alice")
    scripted.publish(5)
    scripted.server.interrupt()
    scripted.publish()
    scripted.read_all()
    assert scripted.server.subscribers.broken_off == ["tab"]
    assert scripted.numbers("simple") == [5, 6]
    scripted.publish()
    scripted.read_all()
    assert scripted.numbers("simple") == [5, 6, 7]


def test_another_epoch_ends_a_subscription_with_positions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without gets what is left of the old epoch, and then the new one, in this order."""
    monkeypatch.setattr(memory_update_log, "MAX_CLIENTS", 1)
    scripted = Scripted()
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    scripted.router.subscribe("simple", "alice")
    scripted.publish()
    scripted.server.interrupt()
    scripted.publish()
    scripted.server.read()
    scripted.other.router.publish(UiUpdate("bob", "n", 1))
    scripted.publish()
    scripted.read_all()
    assert scripted.server.subscribers.broken_off == ["tab"]
    received = [(one.epoch, one.seq) for one in scripted.server.subscribers.updates("simple")]
    assert received == [("epoch-1", 2), ("epoch-2", 1)]


def test_a_held_update_is_delivered_although_the_log_has_nothing_any_more() -> None:
    """To a subscriber without positions; the one before it is lost."""
    scripted = Scripted(max_bytes=1)
    scripted.router.subscribe("simple", "alice")
    scripted.publish()
    scripted.server.interrupt()
    scripted.publish()
    scripted.read_all()
    assert scripted.numbers("simple") == [2]


def test_a_subscriber_that_stays_behind_is_closed() -> None:
    """One of whose updates another is lost during each replay; its client reconnects."""

    def lose_one_more(scripted: Scripted) -> None:
        scripted.publish()
        scripted.server.messages.clear()
        scripted.publish()
        scripted.server.read()

    scripted = Scripted(history=100)
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    lose_one_more(scripted)
    scripted.actions.extend([nothing, lose_one_more] * (MAX_REPLAYS - 1))
    scripted.server.work()
    assert scripted.numbers() == list(range(1, 2 * MAX_REPLAYS + 1))
    lose_one_more(scripted)
    scripted.actions.extend([nothing, lose_one_more] * MAX_REPLAYS)
    scripted.server.work()
    assert scripted.server.subscribers.broken_off == ["tab"]
    assert scripted.router.subscriptions == 0


def test_a_subscription_that_was_ended_meanwhile_stays_ended() -> None:
    """At each wait, by unsubscribing and by leaving."""
    endings: list[Callable[[Scripted], object]] = [
        lambda scripted: scripted.router.unsubscribe("tab", "alice"),
        lambda scripted: scripted.router.drop("tab"),
    ]
    for end in endings:
        for wait in range(4):
            scripted = Scripted(*[nothing] * wait, end)
            scripted.router.subscribe("tab", "alice", EVERYTHING)
            scripted.publish()
            scripted.read_all()
            assert scripted.server.subscribers.sent == {}
            assert scripted.router.subscriptions == 0
            assert scripted.server.followers == {}


def test_a_subscription_that_is_replaced_meanwhile_counts_once() -> None:
    """Only the later one is confirmed, and each update comes once."""
    for wait in range(4):
        scripted = Scripted(*[nothing] * wait, lambda scripted: scripted.router.subscribe("tab", "alice"))
        scripted.router.subscribe("tab", "alice", EVERYTHING)
        scripted.publish()
        scripted.read_all()
        (confirmation, *_) = scripted.server.subscribers.sent["tab"]
        assert isinstance(confirmation, Subscription)
        assert confirmation.recovered is None
        assert scripted.numbers() == [1]
        assert scripted.server.followers == {"alice": 1}


@pytest.mark.parametrize("heard_first", [False, True])
def test_a_publisher_learns_that_a_connection_to_its_server_failed(*, heard_first: bool) -> None:
    """As with a log in memory: whichever comes first, the broadcast or the answer of the log; the update is kept."""
    scripted = Scripted()
    for connection_id in ("tab", "other"):
        scripted.router.subscribe(connection_id, "alice", EVERYTHING)
    scripted.server.subscribers.outcomes["tab"] = UiEmitFailed("broken")
    if heard_first:
        scripted.actions.append(lambda scripted: scripted.read_all())
    with pytest.raises(UiEmitFailed, match="1 of 2 connections: broken"):
        scripted.router.publish(UiUpdate("alice", "n", 1, "key"))
    scripted.read_all()
    assert scripted.numbers("other") == [1]
    assert scripted.router.subscriptions == 1
    again = scripted.router.publish(UiUpdate("alice", "n", 1, "key"))
    assert (again.seq, again.duplicate, again.subscribers) == (1, True, 1)
    scripted.read_all()
    assert scripted.numbers("other") == [1]


def test_a_publisher_does_not_learn_of_connections_to_other_servers() -> None:
    """Its update is kept and on its way; the connection is dropped where it is."""
    scripted = Scripted()
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    scripted.server.subscribers.outcomes["tab"] = UiEmitFailed("broken")
    assert scripted.other.router.publish(UiUpdate("alice", "n", 1)).subscribers == 1
    scripted.read_all()
    assert scripted.router.subscriptions == 0


@pytest.mark.parametrize("heard_first", [False, True])
@pytest.mark.parametrize("outcome", [Handover.GONE, Handover.TOO_SLOW])
def test_connections_that_took_nothing_are_not_counted(outcome: Handover, *, heard_first: bool) -> None:
    """Which is no error: of those the server knows why."""
    scripted = Scripted()
    for connection_id in ("tab", "other"):
        scripted.router.subscribe(connection_id, "alice", EVERYTHING)
    scripted.server.subscribers.outcomes["tab"] = outcome
    if heard_first:
        scripted.actions.append(lambda scripted: scripted.read_all())
    assert scripted.router.publish(UiUpdate("alice", "n", 1)).subscribers == 1
    assert scripted.router.subscriptions == 1


def test_an_update_that_overtakes_another_one_waits_for_its_broadcast() -> None:
    """The log answers two publishers in any order; subscribers get the updates in theirs, without asking the log."""
    scripted = Scripted()
    scripted.router.subscribe("tab", "alice", EVERYTHING)
    scripted.actions.append(lambda scripted: scripted.router.publish(UiUpdate("alice", "n", 2)))
    scripted.router.publish(UiUpdate("alice", "n", 1))
    assert scripted.numbers() == [1]
    assert not scripted.server.tasks
    scripted.read_all()
    assert scripted.numbers() == [1, 2]


def test_a_log_that_blocks_a_replay_holds_up_nobody_else() -> None:
    """A broadcast is dealt with at once, also for a subscriber that is behind; its replay is a task of its own."""
    scripted = Scripted()
    for client_id in ("alice", "bob"):
        scripted.router.subscribe(client_id, client_id, EVERYTHING)
    scripted.publish()
    scripted.server.interrupt()
    scripted.publish()
    scripted.other.router.publish(UiUpdate("bob", "n", 1))
    asked: list[str] = []
    scripted.actions.append(lambda _scripted: asked.append("recover"))
    scripted.server.read()
    scripted.server.read()
    assert scripted.numbers("bob") == [1]
    assert (asked, scripted.numbers("alice")) == ([], [])
    scripted.publish()
    scripted.read_all()
    assert (asked, scripted.numbers("alice")) == (["recover"], [1, 2, 3])
