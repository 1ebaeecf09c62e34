"""Joining yields where the catalog is remote: whatever happens meanwhile, no session is lost."""

import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryCatalogStore
from asf.domain.errors import AsfError, CatalogUnavailable, Draining, StreamNotFound, StreamStalled, TooManyListeners
from asf.domain.streaming.events import StreamFailed
from asf.domain.streaming.session import ListenRequest
from asf.domain.streams.stream import AudioStream, StreamState
from tests.support.virtual import ScriptedListener, VirtualServer

AUDIO = random.Random(1).randbytes(30_000)


class DistantStore(InMemoryCatalogStore):
    """Other tasks run while an answer is awaited, and messages about changes arrive late.

    `turns` are what they do, one for each time that a call yields.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: deque[list[Callable[[], object]]] = deque()
        self.wanted: set[str] = set()
        self.followed: set[str] = set()
        self.messages: deque[tuple[str, AudioStream | None]] = deque()
        self.is_unavailable = False

    def follow(self, stream_id: str) -> AudioStream | None:
        self.wanted.add(stream_id)
        self._wait()
        if stream_id in self.wanted:
            self.followed.add(stream_id)  # Although the caller has not got the confirmation yet.
        self._wait()
        return self.get(stream_id)

    def unfollow(self, stream_id: str) -> None:
        self.wanted.discard(stream_id)
        self.followed.discard(stream_id)

    def get(self, stream_id: str) -> AudioStream | None:
        self._wait()
        stream = super().get(stream_id)
        self._wait()
        return stream

    def change(self, stream_id: str, stream: AudioStream | None) -> None:
        """Do what was announced to another server."""
        self._streams.pop(stream_id, None)
        if stream is not None:
            self._streams[stream_id] = stream
        if stream_id in self.followed:
            self.messages.append((stream_id, stream))

    def deliver(self) -> None:
        """Let one message arrive."""
        if self.messages:
            self.on_change(*self.messages.popleft())

    def _wait(self) -> None:
        if self.is_unavailable:
            raise CatalogUnavailable
        for action in self.turns.popleft() if self.turns else ():
            action()


class Scene:
    """One server with listeners, and what may happen around it."""

    def __init__(self) -> None:
        self.store = DistantStore()
        self.audios = {"one": AUDIO[:10_000]}
        self.server = VirtualServer(
            self.audios, 4096, 0.01, store=self.store, wait_seconds=100, stall_seconds=50, give_up_seconds=200
        )
        self.listeners: list[ScriptedListener] = []

    def announce(self, state: StreamState, epoch: str = "first") -> None:
        if state is StreamState.COMPLETE:
            self.audios["one"] = AUDIO
        self.store.change("s", AudioStream("s", self.server.sources.locate("one"), state, epoch))

    def join(self) -> None:
        listener = ScriptedListener()
        self.listeners.append(listener)
        with suppress(AsfError):
            self.server.service.join("listener", ListenRequest("s", wait=True), listener)

    def leave(self) -> None:
        with suppress(AsfError):
            self.server.service.leave("listener")

    def pause(self) -> None:
        with suppress(AsfError):
            self.server.service.pause("listener")

    def resume(self) -> None:
        with suppress(AsfError):
            self.server.service.resume("listener")

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        return {
            "generating": lambda: self.announce(StreamState.GENERATING),
            "complete": lambda: self.announce(StreamState.COMPLETE),
            "failed": lambda: self.announce(StreamState.FAILED),
            "regenerated": lambda: self.announce(StreamState.GENERATING, "second"),
            "delete": lambda: self.store.change("s", None),
            "message": self.store.deliver,
            "join": self.join,
            "leave": self.leave,
            "pause": self.pause,
            "resume": self.resume,
            "disconnect": lambda: self.server.service.disconnect("listener"),
            "drain": self.server.service.drain,
            "pass": lambda: self.server.run(0.05),
        }

    def errors(self) -> list[AsfError]:
        """Return what ended listeners early."""
        events = [event for listener in self.listeners for event in listener.events]
        return [event.error for event in events if isinstance(event, StreamFailed)]

    def finish(self) -> None:
        """Complete the audio, deliver all messages, and let time pass until there is nothing left to do."""
        self.store.turns.clear()
        self.announce(StreamState.COMPLETE, "second")
        while self.store.messages:
            self.store.deliver()
        self.resume()
        self.server.run_until_idle()


ACTIONS = sorted(Scene().actions)


@given(st.sampled_from([None, "generating", "complete"]), st.lists(st.lists(st.sampled_from(ACTIONS), max_size=3)))
@example(None, [[], [], ["generating"]])  # announced after the look-up, before it is followed
@example("generating", [[], [], ["complete"]])  # completed after the look-up, before it is followed
@example(None, [[], [], [], ["generating", "message"]])  # the message overtakes the answer
@example("generating", [["disconnect"]])  # disconnected while it is looked up
@example("generating", [["join"], ["join"], ["join"]])
def test_whatever_happens_meanwhile(before: str | None, turns: list[list[str]]) -> None:
    """Each session ends as its stream does, as soon as that is known, and nothing is held for ended sessions."""
    scene = Scene()
    if before is not None:
        scene.actions[before]()
    scene.store.turns.extend([scene.actions[name] for name in names] for names in turns)
    scene.join()
    scene.finish()
    for error in scene.errors():
        assert not isinstance(error, StreamStalled), "It missed the end"
        assert not (isinstance(error, StreamNotFound) and error.details), "It missed the announcement"
    for listener in scene.listeners:
        assert AUDIO.startswith(listener.received)
        if "EndOfStream" in listener.kinds:
            assert listener.received == AUDIO
    assert len(scene.server.service) == 0
    assert len(scene.server.pool) == 0
    assert scene.server.waiting.next_time is None
    assert not scene.store.followed


def test_a_stream_that_is_deleted_during_a_join_ends_as_a_deleted_one() -> None:
    """After what was written of it, and without waiting until it stalls."""
    scene = Scene()
    scene.announce(StreamState.GENERATING)
    scene.store.turns.extend([[], [], [lambda: scene.store.change("s", None)]])
    scene.join()
    scene.server.run(1.0)
    assert scene.listeners[0].received == AUDIO[:10_000]
    assert [type(error) for error in scene.errors()] == [StreamNotFound]


def test_a_session_counts_while_it_is_let_in() -> None:
    """So that joins while the catalog is asked do not exceed the limit."""
    scene = Scene()
    server = VirtualServer(scene.audios, store=scene.store, max_listeners=1)
    rejections = []

    def join_meanwhile() -> None:
        with pytest.raises(TooManyListeners) as rejection:
            server.join("s", "other", wait=True)
        rejections.append(rejection)

    scene.store.turns.append([join_meanwhile])
    server.join("s", wait=True)
    assert len(rejections) == 1
    assert len(server.service) == 1


def test_a_join_during_which_the_drain_starts_is_rejected() -> None:
    """No session starts on a server that shuts down."""
    scene = Scene()
    scene.announce(StreamState.COMPLETE)
    scene.store.turns.append([scene.server.service.drain])
    with pytest.raises(Draining):
        scene.server.join("s")
    assert len(scene.server.service) == len(scene.server.pool) == 0
    assert scene.server.observer.joins == 0


def test_a_second_join_replaces_a_pending_one_without_an_event() -> None:
    """The listener has one session."""
    scene = Scene()
    scene.announce(StreamState.COMPLETE)
    scene.store.turns.append([scene.join])
    scene.join()
    first, second = scene.listeners
    assert first.events == []
    assert second.kinds[:2] == ["joined", "StartOfStream"]
    assert scene.server.observer.joins == 1


def test_growing_audio_is_sent_while_the_catalog_is_unavailable() -> None:
    """Its end follows when the catalog is back."""
    scene = Scene()
    scene.announce(StreamState.GENERATING)

    def fail() -> None:
        scene.store.is_unavailable = True

    scene.store.turns.extend([[], [fail]])
    scene.join()
    scene.audios["one"] = AUDIO
    scene.server.run(5.0)
    assert scene.listeners[0].received == AUDIO
    scene.store.is_unavailable = False
    scene.store.on_change("s", AudioStream("s", scene.server.sources.locate("one"), StreamState.COMPLETE, "first"))
    scene.server.run_until_idle()
    assert scene.listeners[0].kinds[-1] == "EndOfStream"
    assert len(scene.server.service) == 0
