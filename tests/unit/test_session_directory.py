"""The list of sessions of a node: what it says of each, its order and pages, and how it ends one."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import AsfError, Disconnected, InternalError
from asf.domain.operations import directory
from asf.domain.operations.audiences import Audiences
from asf.domain.operations.directory import SessionDirectory
from asf.domain.operations.entries import Kind, SessionEntry, SessionFilter, number_of
from asf.domain.operations.listeners import Listeners
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.events import StreamFailed
from asf.domain.streams.stream import StreamState
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import EVERYTHING
from tests.support.virtual import RecordingObserver, ScriptedSubscribers, VirtualServer
from tests.unit.test_uploads import Node as UploadNode

AUDIO = bytes(range(250)) * 400
FIRST = (0, 0)


class VirtualNode:
    """A node in virtual time, with listeners, subscribers and uploads."""

    def __init__(self, name: str = "n", **options: Any) -> None:
        self.server = VirtualServer({"s": AUDIO, "t": AUDIO}, **options)
        clock = self.server.clock
        self.subscribers = ScriptedSubscribers()
        epochs = count(1)
        log = InMemoryUpdateLog(100, 100.0, lambda: f"updates-{next(epochs)}")
        access = AccessControl(None, Expiries(), clock, lambda: None)
        self.router = UiUpdateRouter(self.subscribers, log, access, clock, RecordingObserver())
        self.uploading = UploadNode()
        self.uploading.clock.time = clock.time
        self.looks = 0
        listeners = Listeners(name, self.server.admission, self.server.pump, self.server.slow_listeners, clock)
        self.directory = SessionDirectory(
            name,
            "tag",
            self.server.service,
            listeners,
            self.router,
            self.uploading.uploads,
            clock,
            self._checkpoint,
        )
        self.audiences = Audiences(self.server.audience, listeners)

    def entries(self, after: tuple[int, int] = FIRST, limit: int = 1000, **wanted: Any) -> list[SessionEntry]:
        """Return a page."""
        return self.directory.page(SessionFilter(**wanted), after, limit)

    def ids(self, after: tuple[int, int] = FIRST, limit: int = 1000, **wanted: Any) -> list[str]:
        """Return the ids on a page."""
        return [entry.id for entry in self.entries(after, limit, **wanted)]

    def entry(self) -> SessionEntry:
        """Return the only entry."""
        (entry,) = self.entries()
        return entry

    def pages(self, limit: int) -> Iterator[str]:
        """Yield the ids on all pages, one after the other."""
        after = FIRST
        while page := self.entries(after, limit):
            yield from (entry.id for entry in page)
            after = (list(Kind).index(page[-1].kind), number_of(page[-1].id))

    def _checkpoint(self) -> None:
        self.looks += 1


@pytest.fixture
def node() -> VirtualNode:
    """Return a node."""
    return VirtualNode()


def test_a_listener_that_is_sent_audio(node: VirtualNode) -> None:
    """Who it is, since when, and where it is."""
    node.server.run(5.0)
    listener = node.server.join("s", "anna")
    started = node.server.clock.timestamp()
    node.server.run(0.02)
    entry = node.entry()
    assert (entry.id, entry.kind, entry.node) == ("anna.1", Kind.LISTENER, "n")
    assert (entry.stream_id, entry.state, entry.waits_for, entry.blocked) == ("s", "flowing", None, False)
    assert entry.peer == Peer(Transport.HTTP, "192.0.2.1")
    assert entry.since == pytest.approx(started, abs=0.01)
    assert entry.bytes == entry.offset == listener.received_bytes > 0
    assert entry.behind_bytes == len(AUDIO) - listener.received_bytes
    assert (entry.epoch, entry.silent_seconds, entry.client_id) == ("epoch-1", None, None)


def test_a_listener_that_does_not_read(node: VirtualNode) -> None:
    """It is blocked, for as long as it has read nothing."""
    node.server.join("s", "anna", capacity=2000)
    node.server.run(12.0)
    entry = node.entry()
    assert (entry.blocked, entry.waits_for) == (True, "client")
    assert entry.silent_seconds is not None
    assert 8.0 < entry.silent_seconds <= 12.0


def test_a_listener_that_waits_for_its_stream(node: VirtualNode) -> None:
    """It has no audio yet."""
    node.server.join("later", "anna", wait=True)
    entry = node.entry()
    assert (entry.state, entry.waits_for, entry.behind_bytes, entry.epoch) == ("waiting", "announcement", None, None)
    node.server.service.pause("anna")
    assert (node.entry().state, node.entry().waits_for) == ("waiting", "resume")


def test_a_listener_that_has_paused(node: VirtualNode) -> None:
    """It waits for itself."""
    node.server.join("s", "anna")
    node.server.service.pause("anna")
    assert (node.entry().state, node.entry().waits_for) == ("paused", "resume")


def test_a_listener_whose_window_is_full(node: VirtualNode) -> None:
    """It has not acknowledged enough."""
    node.server.join("s", "anna", window=3000)
    node.server.run(1.0)
    assert (node.entry().offset, node.entry().waits_for) == (3000, "acknowledgement")


def test_a_listener_at_the_live_edge(node: VirtualNode) -> None:
    """It has everything so far; later the audio has stalled."""
    node.server.announce("growing", "s", StreamState.GENERATING)
    node.server.join("growing", "anna")
    node.server.run(2.0)
    assert (node.entry().state, node.entry().waits_for, node.entry().behind_bytes) == ("flowing", "growth", 0)
    node.server.run(20.0)
    assert (node.entry().state, node.entry().waits_for) == ("stalled", "growth")


def test_a_listener_whose_stream_is_being_looked_up() -> None:
    """Its join is not answered yet."""
    tasks: list[Any] = []
    node = VirtualNode(spawn=tasks.append, is_local=lambda _locator: False)
    node.server.join("s", "anna")
    assert (node.entry().state, node.entry().waits_for) == ("joining", "look_up")
    tasks.pop()()
    assert (node.entry().state, node.entry().waits_for) == ("flowing", None)


def test_a_subscriber(node: VirtualNode) -> None:
    """One entry for each client that a connection has subscribed to."""
    node.router.subscribe("tab", "alice", EVERYTHING)
    node.router.subscribe("tab", "bob")
    alice, bob = node.entries()
    assert (alice.id, alice.kind, alice.client_id, alice.state) == ("tab.1", Kind.SUBSCRIBER, "alice", "live")
    assert alice.peer == Peer(Transport.SOCKETIO, "address of tab")
    assert (bob.id, bob.client_id, bob.stream_id, bob.bytes) == ("tab.2", "bob", None, None)
    assert node.ids(client_id="bob") == ["tab.2"]
    node.router.drop("tab")
    assert not node.entries()


def test_an_upload(node: VirtualNode) -> None:
    """How much has come, of which stream."""
    peer = Peer(Transport.HTTP, "198.51.100.7")
    writer = node.uploading.uploads.begin("new", print, peer=peer)
    writer.write(b"x" * 300)
    entry = node.entry()
    assert (entry.id, entry.kind, entry.stream_id) == ("upload-tag.1", Kind.UPLOAD, "new")
    assert (entry.bytes, entry.offset, entry.state, entry.peer) == (300, 300, "uploading", peer)
    writer.close()
    assert not node.entries()


@pytest.fixture
def busy(node: VirtualNode) -> VirtualNode:
    """Return a node with some of all kinds, with numbers of one and two digits."""
    for number in range(12):
        node.server.join("st"[number % 2], f"listener-{number}", wait=True)
        node.router.subscribe("tab", f"client-{number}")
    for number in range(3):
        node.uploading.begin(f"upload-{number}")
    return node


def test_pages_have_everything_once_in_order(busy: VirtualNode) -> None:
    """By kind, then by age, whatever the size of the pages."""
    everything = busy.ids()
    assert [one.split("-")[0].split(".")[0] for one in everything] == (
        ["listener"] * 12 + ["tab"] * 12 + ["upload"] * 3
    )
    for limit in (1, 5, 12, 100):
        assert list(busy.pages(limit)) == everything


def test_the_place_in_the_list_is_stable(busy: VirtualNode) -> None:
    """What starts and ends between two pages neither repeats nor hides anything else."""
    first = busy.ids(limit=6)
    last = number_of(first[-1])
    for ended in ("listener-2", "listener-5", "listener-8"):
        busy.server.service.disconnect(ended)
    busy.server.join("s", "listener-3")  # Again: with another number.
    rest = busy.ids((0, last))
    assert not {*rest} & {*first}
    assert rest[:6] == [
        "listener-6.7",
        "listener-7.8",
        "listener-9.10",
        "listener-10.11",
        "listener-11.12",
        "listener-3.13",
    ]


def test_filters_are_combined(busy: VirtualNode) -> None:
    """All properties must match."""
    assert len(busy.ids(kind=Kind.LISTENER)) == 12
    assert busy.ids(kind=Kind.LISTENER, stream_id="t")[:2] == ["listener-1.2", "listener-3.4"]
    assert busy.ids(stream_id="upload-1") == ["upload-tag.2"]
    assert len(busy.ids(address="192.0.2.1")) == 12
    assert not busy.ids(address="192.0.2.1", kind=Kind.UPLOAD)
    assert busy.ids(address="address of tab", client_id="client-7") == ["tab.8"]
    assert not busy.ids(stream_id="s", client_id="client-7")
    assert len(busy.ids(after=(2, 0))) == 3


def test_a_client_behind_a_proxy_is_found_by_its_address() -> None:
    """And by that of the proxy."""
    peer = Peer(Transport.HTTP, "127.0.0.1", "203.0.113.9, 10.0.0.1")
    assert all(map(peer.has_address, ("127.0.0.1", "203.0.113.9", "10.0.0.1")))
    assert not any(map(peer.has_address, ("203.0.113", "", "203.0.113.9, 10.0.0.1")))


def test_ending_a_listener(busy: VirtualNode) -> None:
    """It receives why; the others hear on. There is no second time."""
    anna = busy.server.join("s", "anna")
    assert busy.directory.end("anna.13", Disconnected()) is Kind.LISTENER
    last = anna.events[-1]
    assert isinstance(last, StreamFailed)
    assert (type(last.error), last.offset) == (Disconnected, anna.received_bytes)
    assert busy.directory.end("anna.13", Disconnected()) is None
    assert len(busy.ids(kind=Kind.LISTENER)) == 12


def test_an_id_of_an_earlier_session_ends_nothing(node: VirtualNode) -> None:
    """The listener has joined again meanwhile."""
    node.server.join("s", "anna")
    node.server.join("t", "anna")
    for wrong in ("anna.1", "anna", "anna.2.2", "", ".", "anna.x"):
        assert node.directory.end(wrong, Disconnected()) is None
    assert node.ids() == ["anna.2"]


def test_ending_a_subscription(busy: VirtualNode) -> None:
    """Only that one."""
    assert busy.directory.end("tab.3", Disconnected()) is Kind.SUBSCRIBER
    assert busy.subscribers.ended == [("tab", "client-2", "ASF_DISCONNECTED")]
    assert len(busy.ids(kind=Kind.SUBSCRIBER)) == 11


def test_ending_an_upload(node: VirtualNode) -> None:
    """Its request fails with the error."""
    told: list[AsfError] = []
    writer = node.uploading.begin(told=told)
    assert node.directory.end("upload-tag.1", Disconnected()) is Kind.UPLOAD
    assert [type(one) for one in told] == [Disconnected]
    with pytest.raises(Disconnected):
        writer.write(b"x")


def test_other_tasks_run_between_few_sessions(node: VirtualNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and however few of them are wanted."""
    monkeypatch.setattr(directory, "LOOKS_AT_ONCE", 10)
    for number in range(100):
        node.server.join("s", f"listener-{number}")
        node.router.subscribe("tab", f"client-{number}") if number < 90 else None
    node.looks = 0
    assert not node.ids(address="nobody's")
    assert node.looks == 19


def test_what_ends_while_others_run_is_left_out(node: VirtualNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owners know it no longer."""
    monkeypatch.setattr(directory, "LOOKS_AT_ONCE", 1)
    for number in range(4):
        node.server.join("s", f"listener-{number}")
        node.router.subscribe("tab", f"client-{number}")

    def end_another() -> None:
        node.server.service.disconnect(f"listener-{node.looks}")
        node.router.drop("tab")

    monkeypatch.setattr(node, "_checkpoint", end_another)
    ids: list[str] = []
    for entry in node.directory._find_listeners(SessionFilter(), 0):  # noqa: SLF001 - between two of them
        ids.append(entry.id)
        node.server.service.end("listener-2.3", InternalError())
    assert ids == ["listener-0.1", "listener-1.2", "listener-3.4"]


def test_the_streams_that_have_listeners(busy: VirtualNode) -> None:
    """By id, with counts."""
    busy.server.join("s", "slow", capacity=1000)
    busy.server.run(0.02)
    first, second = busy.audiences.page("", 10)
    assert (first["stream_id"], first["listeners"], first["blocked"]) == ("s", 7, 1)
    assert first["transports"] == {"http": 7}
    assert first["bytes"] > 6 * 1000
    assert (second["stream_id"], second["listeners"], second["blocked"]) == ("t", 6, 0)
    assert [one["stream_id"] for one in busy.audiences.page("", 1)] == ["s"]
    assert [one["stream_id"] for one in busy.audiences.page("s", 10)] == ["t"]
    assert not busy.audiences.page("t", 10)
