"""Joining yields where the catalog or the audio is remote: whatever happens meanwhile, no session is lost."""

import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryCatalogStore
from asf.domain.errors import (
    AsfError,
    AudioUnavailable,
    CatalogUnavailable,
    Draining,
    InternalError,
    StreamNotFound,
    StreamStalled,
    TooManyListeners,
)
from asf.domain.streaming.events import StartOfStream, StreamFailed
from asf.domain.streaming.look_ups import LOOK_UPS_AT_ONCE, LookUps
from asf.domain.streaming.session import ListenRequest
from asf.domain.streams.stream import AudioEnding, AudioStream, QueueLocator, StreamState
from tests.support.virtual import QueuedAudioSources, ScriptedListener, VirtualServer

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
        self.remembers = False

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

    def peek(self, stream_id: str) -> AudioStream | None:
        stream = self._streams.get(stream_id)
        is_known = self.is_local or (self.remembers and stream and stream.state is not StreamState.GENERATING)
        return stream if is_known else None

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
        if not self.is_local:
            self.pass_turn()

    def pass_turn(self) -> None:
        """Let other tasks run."""
        for action in self.turns.popleft() if self.turns else ():
            action()


class Scene:
    """One server with listeners, and what may happen around it.

    Either the catalog is `distant` or the audio; "in tasks": what waits for it does so in a task of its own, which
    runs when the scene says so; "remembered": streams that have ended are found at once.
    """

    def __init__(self, distant: str = "catalog") -> None:
        audio_is_distant = distant.startswith("audio")
        self.store = DistantStore()
        self.store.is_local = audio_is_distant
        self.store.remembers = "remembered" in distant
        self.tasks: deque[Callable[[], object]] = deque()
        self.audios = {"one": AUDIO[:10_000]}
        self.endings: dict[str, AudioEnding] = {}
        queues = QueuedAudioSources(self.audios, self.endings)
        queues.while_opening = self.store.pass_turn
        self.server = VirtualServer(
            self.audios,
            4096,
            0.01,
            queues if audio_is_distant else None,
            store=self.store,
            wait_seconds=100,
            stall_seconds=50,
            give_up_seconds=200,
            spawn=self.tasks.append if distant.endswith("in tasks") else None,
        )
        self.locator = QueueLocator("one") if audio_is_distant else self.server.sources.locate("one")
        self.listeners: list[ScriptedListener] = []

    def announce(self, state: StreamState, epoch: str = "first") -> None:
        if state is StreamState.COMPLETE:
            self.audios["one"] = AUDIO
            self.endings["one"] = AudioEnding(StreamState.COMPLETE)
        self.store.change("s", AudioStream("s", self.locator, state, epoch))

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

    def run_task(self) -> None:
        """Run the task that was spawned first, if there is one."""
        if self.tasks:
            self.tasks.popleft()()

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
            "task": self.run_task,
        }

    def errors(self) -> list[AsfError]:
        """Return what ended listeners early."""
        events = [event for listener in self.listeners for event in listener.events]
        return [event.error for event in events if isinstance(event, StreamFailed)]

    def finish(self) -> None:
        """Complete the audio, deliver all messages, and let time pass until there is nothing left to do."""
        self.store.turns.clear()
        self.announce(StreamState.COMPLETE, "second")
        while self.store.messages or self.tasks:
            self.store.deliver()
            self.run_task()
        self.resume()
        self.server.run_until_idle()


ACTIONS = sorted(Scene().actions)
action_lists = st.lists(st.lists(st.sampled_from(ACTIONS), max_size=3))


@given(
    st.sampled_from(["catalog", "catalog in tasks", "remembered catalog in tasks", "audio", "audio in tasks"]),
    st.sampled_from([None, "generating", "complete"]),
    action_lists,
    st.lists(st.sampled_from(ACTIONS), max_size=12),
)
@example("catalog", None, [[], [], ["generating"]], [])  # announced after the look-up, before it is followed
@example("catalog", "generating", [[], [], ["complete"]], [])  # completed after the look-up, before that
@example("catalog", None, [[], [], [], ["generating", "message"]], [])  # the message overtakes the answer
@example("catalog", "generating", [["disconnect"]], [])  # disconnected while it is looked up
@example("catalog", "generating", [["join"], ["join"], ["join"]], [])
@example("audio in tasks", "complete", [], ["leave"])  # before the task begins
@example("audio in tasks", "complete", [["join"]], ["task", "task"])  # while it is opened
@example(
    "audio in tasks", None, [["regenerated", "message"]], ["complete", "message", "task"]
)  # regenerated meanwhile
@example("audio in tasks", None, [["delete", "message"]], ["complete", "message", "task"])  # deleted meanwhile
@example("audio in tasks", None, [["generating", "message"]], ["complete", "message", "task", "complete", "message"])
def test_whatever_happens_meanwhile(
    distant: str, before: str | None, turns: list[list[str]], afterwards: list[str]
) -> None:
    """Each session ends as its stream does, as soon as that is known, and nothing is held for ended sessions."""
    scene = Scene(distant)
    if before is not None:
        scene.actions[before]()
    scene.store.turns.extend([scene.actions[name] for name in names] for names in turns)
    scene.join()
    for name in afterwards:
        scene.actions[name]()
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


def test_commands_are_handled_while_the_audio_is_opened() -> None:
    """Each at once, as by a session that waits; what they have changed counts when it starts."""
    scene = Scene("audio in tasks")
    scene.announce(StreamState.COMPLETE)
    scene.join()
    (listener,) = scene.listeners
    assert listener.events == []
    scene.pause()
    scene.server.service.seek("listener", 5000)
    scene.run_task()
    scene.server.run(1.0)
    assert listener.kinds == ["paused", "joined", "StartOfStream"]
    scene.resume()
    scene.server.run_until_idle()
    assert listener.received == AUDIO[5000:]
    assert scene.server.observer.rejections == []


def test_who_leaves_while_the_audio_is_opened_has_left_at_once() -> None:
    """The audio that is opened nevertheless is closed."""
    scene = Scene("audio in tasks")
    scene.announce(StreamState.COMPLETE)
    scene.store.turns.append([scene.leave])
    scene.join()
    scene.run_task()
    assert scene.listeners[0].kinds == ["left"]
    assert len(scene.server.service) == len(scene.server.pool) == scene.server.observer.joins == 0


def test_a_join_that_was_replaced_before_its_task_began_opens_nothing() -> None:
    """A burst of joins costs one look-up."""
    scene = Scene("audio in tasks")
    scene.announce(StreamState.COMPLETE)
    for _ in range(5):
        scene.join()
    openings: list[None] = []
    scene.store.turns.extend([[lambda: openings.append(None)]] * 5)
    while scene.tasks:
        scene.run_task()
    assert len(openings) == 1
    assert [listener.kinds[:2] for listener in scene.listeners] == [[]] * 4 + [["joined", "StartOfStream"]]


def test_of_many_joins_few_look_ups_run_at_once() -> None:
    """While a store does not answer; the last join is looked up as soon as one of them has ended."""
    tasks: list[Callable[[], object]] = []
    look_ups = LookUps(tasks.append)
    done: list[int] = []
    for number in range(50):
        look_ups.start("listener", partial(done.append, number))
    look_ups.start("other", partial(done.append, 50))
    assert len(tasks) == len(look_ups) == LOOK_UPS_AT_ONCE + 1
    while tasks:
        tasks.pop(0)()
    assert done == [*range(LOOK_UPS_AT_ONCE), 50, 49]
    assert len(look_ups) == 0


def test_an_epoch_that_is_not_the_remembered_one_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener may have it from a server that has stored it, and not counted that yet."""
    scene = Scene("remembered catalog in tasks")
    scene.announce(StreamState.COMPLETE)
    remembered = scene.store.peek("s")
    assert remembered is not None
    scene.announce(StreamState.COMPLETE, "second")
    monkeypatch.setattr(scene.store, "peek", lambda _stream_id: remembered)
    listener = ScriptedListener()
    scene.listeners.append(listener)
    scene.server.service.join("listener", ListenRequest("s", epoch="second"), listener)
    scene.run_task()
    scene.finish()
    assert scene.errors() == []
    assert listener.received == AUDIO


@pytest.mark.parametrize("distant", ["catalog in tasks", "audio in tasks"])
def test_an_error_of_a_task_reaches_the_listener(distant: str) -> None:
    """As an event; it counts as a rejected join, and nothing is held."""
    scene = Scene(distant)
    scene.announce(StreamState.COMPLETE)
    scene.join()
    if distant.startswith("catalog"):
        scene.store.is_unavailable = True
    else:
        scene.audios.clear()
    scene.run_task()
    expected = CatalogUnavailable if distant.startswith("catalog") else AudioUnavailable
    assert [type(error) for error in scene.errors()] == [expected]
    assert scene.server.observer.rejections == [expected.error_code]
    assert scene.server.observer.outcomes == []
    assert len(scene.server.service) == len(scene.server.pool) == 0


def fail_unexpectedly() -> None:
    """Fail as only a bug does."""
    raise LookupError


def test_an_unexpected_failure_of_a_task_reaches_the_listener(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the listener does not wait for ever."""
    scene = Scene("audio in tasks")
    scene.announce(StreamState.COMPLETE)
    scene.store.turns.append([fail_unexpectedly])
    scene.join()
    scene.run_task()
    assert [type(error) for error in scene.errors()] == [InternalError]
    assert "Joining stream 's' failed" in caplog.text
    assert len(scene.server.service) == 0


def test_an_announcement_does_not_wait_until_the_audio_is_open() -> None:
    """It is opened in a task, once for all sessions that wait."""
    scene = Scene("audio in tasks")
    listeners = [scene.server.join("s", f"l{number}", wait=True) for number in range(5)]
    scene.announce(StreamState.COMPLETE)
    scene.store.deliver()
    assert [listener.kinds for listener in listeners] == [["waiting"]] * 5
    scene.store.on_change("s", scene.store.get("s"))  # Told again: it is under way.
    assert len(scene.tasks) == 1
    scene.run_task()
    scene.server.run_until_idle()
    assert [listener.received for listener in listeners] == [AUDIO] * 5


@pytest.mark.parametrize("news", ["delete", "regenerated"])
def test_what_is_opened_for_an_earlier_announcement_is_not_sent(news: str) -> None:
    """The sessions that wait start on what the stream is by then, or wait on."""
    scene = Scene("audio in tasks")
    listener = scene.server.join("s", wait=True)
    scene.announce(StreamState.GENERATING)
    scene.store.turns.append([scene.actions[news], scene.store.deliver])
    scene.store.deliver()
    scene.run_task()
    assert listener.kinds == ["waiting"]
    assert len(scene.server.pool) == 0
    scene.finish()
    start = listener.events[2]
    assert isinstance(start, StartOfStream)
    assert start.epoch == "second"
    assert listener.received == AUDIO


def test_audio_that_cannot_be_opened_ends_those_who_wait_for_it(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the reason, they get one error each."""
    scene = Scene("audio in tasks")
    listeners = [scene.server.join("s", f"l{number}", wait=True) for number in range(3)]
    scene.announce(StreamState.COMPLETE)
    scene.store.turns.append([fail_unexpectedly])
    scene.store.deliver()
    scene.run_task()
    assert [listener.kinds for listener in listeners] == [["waiting", "StreamFailed"]] * 3
    assert "Opening the audio of stream 's' failed" in caplog.text
    assert len(scene.server.service) == 0


def test_a_file_that_is_not_local_is_opened_in_a_task() -> None:
    """As on a file system of another machine: for a join, and for those who wait. Commands do not wait for it."""
    tasks: deque[Callable[[], object]] = deque()
    server = VirtualServer(
        {"far": AUDIO, "near": AUDIO}, spawn=tasks.append, is_local=lambda locator: locator.text != "far"
    )
    near, far = server.join("near", "near"), server.join("far", "far")
    assert (near.kinds[:1], far.kinds) == (["joined"], [])
    server.service.pause("far")
    assert far.kinds == ["paused"]
    waiting = server.join("later", "waiting", wait=True)
    server.announce("later", "far")
    assert waiting.kinds == ["waiting"]
    while tasks:
        tasks.popleft()()
    server.service.resume("far")
    server.run_until_idle()
    assert far.received == waiting.received == AUDIO
