"""Joining takes time where the catalog is far away: whatever happens meanwhile, nobody is forgotten."""

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
    """Others have their turns while an answer is awaited, and news of changes arrive late.

    `turns` are what they do, one for each time that somebody waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: deque[list[Callable[[], object]]] = deque()
        self.wanted: set[str] = set()
        self.followed: set[str] = set()
        self.news: deque[tuple[str, AudioStream | None]] = deque()
        self.is_lost = False

    def follow(self, stream_id: str) -> AudioStream | None:
        self.wanted.add(stream_id)
        self._wait()
        if stream_id in self.wanted:
            self.followed.add(stream_id)  # Although whoever waits for the confirmation has not got it yet.
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
        """Do what another server has been told about a stream."""
        self._streams.pop(stream_id, None)
        if stream is not None:
            self._streams[stream_id] = stream
        if stream_id in self.followed:
            self.news.append((stream_id, stream))

    def tell(self) -> None:
        """Let one piece of news arrive."""
        if self.news:
            self.on_change(*self.news.popleft())

    def _wait(self) -> None:
        if self.is_lost:
            raise CatalogUnavailable
        for action in self.turns.popleft() if self.turns else ():
            action()


class Place:
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
            "anew": lambda: self.announce(StreamState.GENERATING, "second"),
            "delete": lambda: self.store.change("s", None),
            "news": self.store.tell,
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
        """Let the audio be made to its end, let all news arrive, and time pass until nothing is left to do."""
        self.store.turns.clear()
        self.announce(StreamState.COMPLETE, "second")
        while self.store.news:
            self.store.tell()
        self.resume()
        self.server.run_until_idle()


ACTIONS = sorted(Place().actions)


@given(st.sampled_from([None, "generating", "complete"]), st.lists(st.lists(st.sampled_from(ACTIONS), max_size=3)))
@example(None, [[], [], ["generating"]])  # announced after it was looked for, before it is followed
@example("generating", [[], [], ["complete"]])  # completed after it was looked for, before it is followed
@example(None, [[], [], [], ["generating", "news"]])  # the news overtake the answer
@example("generating", [["disconnect"]])  # gone while it is looked for
@example("generating", [["join"], ["join"], ["join"]])
def test_whatever_happens_meanwhile(before: str | None, turns: list[list[str]]) -> None:
    """Everybody hears how it ends, as soon as that is known, and nothing is kept of those who are gone."""
    place = Place()
    if before is not None:
        place.actions[before]()
    place.store.turns.extend([place.actions[name] for name in names] for names in turns)
    place.join()
    place.finish()
    for error in place.errors():
        assert not isinstance(error, StreamStalled), "Its end was not heard of"
        assert not (isinstance(error, StreamNotFound) and error.details), "Its announcement was not heard of"
    for listener in place.listeners:
        assert AUDIO.startswith(listener.received)
        if "EndOfStream" in listener.kinds:
            assert listener.received == AUDIO
    assert len(place.server.service) == 0
    assert len(place.server.pool) == 0
    assert place.server.waiting.next_time is None
    assert not place.store.followed


def test_a_stream_that_is_deleted_while_somebody_joins_ends_as_one() -> None:
    """After what there was of it, and not when nothing has come for long."""
    place = Place()
    place.announce(StreamState.GENERATING)
    place.store.turns.extend([[], [], [lambda: place.store.change("s", None)]])
    place.join()
    place.server.run(1.0)
    assert place.listeners[0].received == AUDIO[:10_000]
    assert [type(error) for error in place.errors()] == [StreamNotFound]


def test_who_waits_to_be_let_in_has_a_place() -> None:
    """However many come while the catalog is asked."""
    place = Place()
    server = VirtualServer(place.audios, store=place.store, max_listeners=1)
    refusals = []

    def come_too() -> None:
        with pytest.raises(TooManyListeners) as refusal:
            server.join("s", "other", wait=True)
        refusals.append(refusal)

    place.store.turns.append([come_too])
    server.join("s", wait=True)
    assert len(refusals) == 1
    assert len(server.service) == 1


def test_who_is_let_in_too_late_is_told_so() -> None:
    """A server that is being shut down while a listener joins is none to begin on."""
    place = Place()
    place.announce(StreamState.COMPLETE)
    place.store.turns.append([place.server.service.drain])
    with pytest.raises(Draining):
        place.server.join("s")
    assert len(place.server.service) == len(place.server.pool) == 0
    assert place.server.observer.joins == 0


def test_an_earlier_attempt_to_join_is_given_up_without_a_word() -> None:
    """Whoever asks twice is let in once."""
    place = Place()
    place.announce(StreamState.COMPLETE)
    place.store.turns.append([place.join])
    place.join()
    first, second = place.listeners
    assert first.events == []
    assert second.kinds[:2] == ["joined", "StartOfStream"]
    assert place.server.observer.joins == 1


def test_audio_that_grows_goes_on_while_the_catalog_is_lost() -> None:
    """Only its end is heard of later."""
    place = Place()
    place.announce(StreamState.GENERATING)

    def lose() -> None:
        place.store.is_lost = True

    place.store.turns.extend([[], [lose]])
    place.join()
    place.audios["one"] = AUDIO
    place.server.run(5.0)
    assert place.listeners[0].received == AUDIO
    place.store.is_lost = False
    place.store.on_change("s", AudioStream("s", place.server.sources.locate("one"), StreamState.COMPLETE, "first"))
    place.server.run_until_idle()
    assert place.listeners[0].kinds[-1] == "EndOfStream"
    assert len(place.server.service) == 0
