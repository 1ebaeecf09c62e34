"""Audio that is fetched as it is read, and audio whose source knows its end: in virtual time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.errors import (
    AsfError,
    AudioChanged,
    AudioUnavailable,
    EpochChanged,
    GenerationFailed,
    ListenerTooSlow,
    StreamStalled,
    TooManyListeners,
)
from asf.domain.streaming.events import EndOfStream, StartOfStream, StreamFailed
from asf.domain.streaming.live_edge import POLL_SECONDS
from asf.domain.streaming.session import ListenRequest
from asf.domain.streaming.slow_listeners import LOOKS
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import AudioEnding, StreamState
from tests.support.virtual import (
    FETCHED_BYTES,
    FetchedAudioSource,
    FetchedAudioSources,
    QueuedAudioSources,
    ScriptedListener,
    VirtualServer,
)

GENERATING, COMPLETE, FAILED = StreamState.GENERATING, StreamState.COMPLETE, StreamState.FAILED
AUDIO = random.Random(7).randbytes(10 * FETCHED_BYTES)


def fetching(audio: bytes = AUDIO, **options: float) -> tuple[VirtualServer, FetchedAudioSources]:
    """Return a server with a stream `s` whose audio is fetched, a block with each batch."""
    sources = FetchedAudioSources({"s": audio})
    server = VirtualServer(sources=sources, **{"chunk_bytes": FETCHED_BYTES, "chunk_seconds": 1.0} | options)  # type: ignore[arg-type]
    server.announce("s")
    return server, sources


def error_of(listener: ScriptedListener) -> AsfError:
    """Return the error that ended the listener's session."""
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    assert failure.offset == len(listener.received)
    return failure.error


def receive_all(server: VirtualServer, sources: FetchedAudioSources) -> None:
    """Let everything arrive that was asked for, and be sent."""
    server.run_until_idle()
    while sources.arrive():
        server.run_until_idle()


def only(sources: FetchedAudioSources) -> FetchedAudioSource:
    """Return the one source of which something is being fetched."""
    (source,) = sources.awaited
    return source


@given(
    offsets=st.lists(st.integers(0, len(AUDIO)), min_size=1, max_size=6),
    chunk_bytes=st.integers(1, 3 * FETCHED_BYTES),
    chunk_seconds=st.sampled_from([0.0, 0.01, 0.4]),
    turns=st.lists(st.sampled_from(["arrive", "run", "wait"]), max_size=40),
)
def test_whatever_arrives_when_each_listener_receives_its_bytes(
    offsets: list[int], chunk_bytes: int, chunk_seconds: float, turns: list[str]
) -> None:
    """However many listeners there are, from whatever offsets."""
    server, sources = fetching(chunk_bytes=chunk_bytes, chunk_seconds=chunk_seconds)
    listeners = [server.join("s", f"l{number}", offset=offset) for number, offset in enumerate(offsets)]
    for turn in turns:
        if turn == "arrive":
            sources.arrive()
        else:
            server.run(0.01 if turn == "run" else 3.0)
    receive_all(server, sources)
    for offset, listener in zip(offsets, listeners, strict=True):
        assert listener.received == AUDIO[offset:]
        assert listener.kinds == ["joined", "StartOfStream", "EndOfStream"]
    assert (len(server.service), len(server.pool)) == (0, 0)


def test_nothing_is_done_while_it_is_fetched() -> None:
    """The pump sleeps until something arrives, and then serves all sessions that await it."""
    server, sources = fetching()
    listeners = [server.join("s", f"l{number}") for number in range(5)]
    server.run_until_idle()
    assert server.pump.turn() is None
    assert [listener.received for listener in listeners] == [b""] * 5
    only(sources).arrive()
    server.run(0.0)
    assert [listener.received for listener in listeners] == [AUDIO[:FETCHED_BYTES]] * 5


@pytest.mark.parametrize("command", ["seek", "pause", "leave", "disconnect"])
def test_what_the_last_session_no_longer_wants_is_cancelled(command: str) -> None:
    """Before it has arrived, also while the session is due again because something else has."""
    server, sources = fetching()
    for listener_id in ("first", "second"):
        server.join("s", listener_id, offset=2 * FETCHED_BYTES + 5)
    server.join("s", "other")
    source = only(sources)
    arguments = (0,) if command == "seek" else ()
    getattr(server.service, command)("first", *arguments)
    server.run(0.0)
    assert source.cancelled == []
    source.asked.pop(2)
    source.arrive()
    getattr(server.service, command)("second", *arguments)
    assert source.cancelled == [2 * FETCHED_BYTES]
    server.run(0.0)
    assert 2 * FETCHED_BYTES not in source.cancelled[1:]


def test_a_session_that_awaits_the_store_is_not_slow() -> None:
    """A listener that takes audio again is not dropped, however long the next bytes are being fetched."""
    server, sources = fetching(slow_seconds=5.0)
    listener = server.join("s", capacity=10, paced=False)
    only(sources).arrive()
    server.run(0.0)
    assert len(listener.received) == 10
    assert len(server.slow_listeners) == 1
    listener.capacity = None
    listener.read(0)
    server.run(100.0)
    assert len(listener.received) == FETCHED_BYTES
    assert len(server.slow_listeners) == 0
    assert server.observer.outcomes == []


def test_a_session_that_awaits_evicted_bytes_is_not_slow() -> None:
    """Where what it could not take was evicted from the cache meanwhile."""
    server, sources = fetching(slow_seconds=5.0, cached_bytes=0)
    listener = server.join("s", capacity=10, paced=False)
    source = only(sources)
    source.arrive()
    server.run(4.0)
    source.forget()
    listener.capacity = None
    listener.read(0)
    server.run(100.0)
    assert len(listener.received) == 10
    assert server.observer.outcomes == []
    receive_all(server, sources)
    assert listener.received == AUDIO


def test_a_listener_that_takes_nothing_of_what_arrived_is_slow() -> None:
    """From when the bytes were offered."""
    server, sources = fetching(slow_seconds=5.0)
    listener = server.join("s", capacity=0)
    server.run(100.0)
    only(sources).arrive()
    server.run(4.9)
    assert server.observer.outcomes == []
    server.run(0.2 + 2 * 5.0 / LOOKS)
    assert isinstance(error_of(listener), ListenerTooSlow)


@pytest.mark.parametrize("error", [AudioUnavailable("The store is gone."), AudioChanged("It was replaced.")])
def test_a_failed_fetch_ends_the_sessions_that_need_it(error: AudioUnavailable) -> None:
    """With the offset of each; other sessions are not affected."""
    server, sources = fetching()
    first, second = server.join("s", "1", paced=False), server.join("s", "2", paced=False)
    ahead = server.join("s", "3", offset=5 * FETCHED_BYTES, paced=False)
    source = only(sources)
    source.arrive()
    server.run(0.0)
    assert len(first.received) == len(second.received) == FETCHED_BYTES
    assert list(source.asked) == [5, 1]
    source.arrive()
    source.arrive(error)
    server.run(0.0)
    assert error_of(first) is error_of(second) is error
    assert first.received == second.received == AUDIO[:FETCHED_BYTES]
    receive_all(server, sources)
    assert ahead.received == AUDIO[5 * FETCHED_BYTES :]
    assert ahead.kinds[-1] == "EndOfStream"


@pytest.mark.parametrize("action", ["pause", "leave", "disconnect"])
def test_a_session_that_ends_or_pauses_meanwhile_is_not_served(action: str) -> None:
    """Whether what was fetched for it arrives or not."""
    server, sources = fetching()
    listener = server.join("s", paced=False)
    source = only(sources)
    getattr(server.service, action)("listener")
    source.on_arrival()
    server.run_until_idle()
    assert listener.received == b""
    if action != "pause":
        assert source.closed
        assert len(server.pool) == 0
        return
    source.arrive()
    server.run_until_idle()
    assert listener.received == b""
    server.service.resume("listener")
    receive_all(server, sources)
    assert listener.received == AUDIO


def test_a_session_that_seeks_meanwhile_is_sent_the_new_offset() -> None:
    """And nothing of what it awaited before."""
    server, sources = fetching()
    listener = server.join("s", paced=False)
    server.service.seek("listener", len(AUDIO) - 10)
    server.run(0.0)
    assert list(only(sources).asked) == [0, 9]
    receive_all(server, sources)
    assert listener.received == AUDIO[-10:]
    assert listener.kinds[-1] == "EndOfStream"


def test_an_acknowledgement_meanwhile_fetches_nothing_twice() -> None:
    """Nor sends anything twice."""
    server, sources = fetching()
    listener = server.join("s", window=10 * FETCHED_BYTES, paced=False)
    source = only(sources)
    for _ in range(3):
        server.service.acknowledge("listener", 0)
        server.run(0.0)
    assert list(source.asked) == [0]
    source.arrive()
    server.run(0.0)
    assert listener.received == AUDIO[:FETCHED_BYTES]


@pytest.mark.parametrize("state", [None, GENERATING, COMPLETE])
def test_a_session_on_opened_audio_sends_what_was_described(state: StreamState | None) -> None:
    """Whatever replaces it, or is announced, between its description and its first byte."""
    audios = {"s": b"one"}
    server = VirtualServer(audios)
    with server.service.open("s") as opened:
        audios["s"] = b"other"
        if state is not None:
            server.announce("s", state=state)
        first = server.join("s", "first", opened=opened)
        assert opened.total_bytes == 3
        assert first.received == b"one"
        assert first.kinds[-1] == "EndOfStream"
        second = server.join("s", "second")
        assert second.received == b"other"
        assert server.describe("s").fingerprint != opened.fingerprint
    server.service.disconnect("second")
    assert len(server.pool) == 0


def test_opened_audio_is_held_by_its_session() -> None:
    """And closed with it, or at the end of the context if none has started."""
    sources = FetchedAudioSources({"s": AUDIO})
    server = VirtualServer(sources=sources, max_listeners=1)
    server.announce("s")
    with server.service.open("s") as opened:
        listener = server.join("s", opened=opened)
    (source,) = sources.opened
    receive_all(server, sources)
    assert listener.received == AUDIO
    assert source.closed
    server.join("s")
    with pytest.raises(TooManyListeners), server.service.open("s") as opened:
        server.join("s", "other", opened=opened)
    server.service.disconnect("listener")
    assert all(source.closed for source in sources.opened)
    assert len(server.pool) == 0


def test_growing_audio_that_was_opened_is_followed_by_its_session() -> None:
    """To the end that was announced between its description and its first byte."""
    audios = {"s": b"abc"}
    server = VirtualServer(audios)
    server.announce("s", state=GENERATING)
    with server.service.open("s") as opened:
        assert (opened.total_bytes, opened.fingerprint) == (None, None)
        audios["s"] = b"abcdef"
        server.announce("s", state=COMPLETE)
        listener = server.join("s", opened=opened)
        server.run(1.0)
    assert listener.received == b"abcdef"
    assert listener.kinds[-1] == "EndOfStream"
    assert len(server.pool) == 0


class Queue:
    """A stream `s` from a queue, and the server that plays it."""

    def __init__(self, audio: bytes = b"abc", state: StreamState = GENERATING, **options: float) -> None:
        self.audios = {"s": audio}
        self.endings: dict[str, AudioEnding] = {}
        self.sources = QueuedAudioSources(self.audios, self.endings)
        self.server = VirtualServer(sources=self.sources, **options)  # type: ignore[arg-type]
        self.server.announce("s", state=state)

    def end(self, state: StreamState, reason: str | None = None) -> None:
        """Put the end marker into the queue."""
        self.endings["s"] = AudioEnding(state, reason)


@pytest.mark.parametrize("state", [GENERATING, COMPLETE])
@pytest.mark.parametrize("announced", [GENERATING, COMPLETE])
def test_a_queue_is_complete_when_it_says_so(state: StreamState, announced: StreamState) -> None:
    """Whatever was announced of it, and when."""
    queue = Queue(state=state)
    listener = queue.server.join("s")
    start = listener.events[1]
    assert isinstance(start, StartOfStream)
    assert (start.state, start.total_bytes) == (GENERATING, None)
    assert queue.server.describe("s").fingerprint is None
    if announced is COMPLETE:
        queue.server.announce("s", state=announced)
    queue.server.run(1.0)
    queue.audios["s"] = b"abcdef"
    queue.server.run(1.0)
    assert listener.kinds == ["joined", "StartOfStream"]
    queue.audios["s"] = b"abcdefghi"
    queue.end(COMPLETE)
    queue.server.run(1.0)
    end = listener.events[-1]
    assert isinstance(end, EndOfStream)
    assert end.total_bytes == 9
    assert listener.received == b"abcdefghi"
    assert len(queue.server.pool) == 0


@pytest.mark.parametrize("ends", [False, True])
def test_growth_that_a_join_finds_first_wakes_those_at_the_live_edge(ends: bool) -> None:
    """At their next look, as any other growth."""
    queue = Queue()
    listener = queue.server.join("s", "first")
    queue.server.run(1.0)
    queue.audios["s"] = b"abcdef"
    if ends:
        queue.end(COMPLETE)
    second = queue.server.join("s", "second", capacity=1)
    assert len(second.received) == 1
    queue.server.run(POLL_SECONDS)
    assert listener.received == b"abcdef"
    assert (listener.kinds[-1] == "EndOfStream") is ends


@pytest.mark.parametrize("state", [COMPLETE, FAILED])
def test_an_end_without_more_audio_ends_sessions(state: StreamState) -> None:
    """Those at the live edge, at the next look."""
    queue = Queue()
    listener = queue.server.join("s")
    queue.server.run(1.0)
    queue.end(state)
    queue.server.run(POLL_SECONDS)
    assert listener.kinds[-1] == ("EndOfStream" if state is COMPLETE else "StreamFailed")
    assert listener.received == b"abc"


def test_the_start_of_a_queue_that_has_ended_has_its_length() -> None:
    """Whether there are other listeners or not, and whatever was announced."""
    queue = Queue()
    others = [queue.server.join("s", "paused"), queue.server.join("s", "blocked", capacity=1)]
    queue.server.service.pause("paused")
    queue.end(COMPLETE)
    for _ in range(2):
        listener = queue.server.join("s")
        start = listener.events[1]
        assert isinstance(start, StartOfStream)
        assert (start.state, start.total_bytes) == (COMPLETE, 3)
        queue.server.run(1.0)
        assert listener.kinds[-1] == "EndOfStream"
        assert queue.server.describe("s").total_bytes == 3
        assert queue.server.describe("s").fingerprint is not None
        queue.server.service.disconnect("paused")
        queue.server.service.disconnect("blocked")
    assert [other.kinds[-1] for other in others] == ["paused", "StartOfStream"]
    assert len(queue.server.pool) == 0


def test_a_queue_may_say_that_it_has_failed() -> None:
    """After what there is of it; later listeners receive the same."""
    queue = Queue()
    early = queue.server.join("s", "early")
    queue.audios["s"] = b"abcdef"
    queue.end(FAILED, "Out of voice.")
    late = queue.server.join("s", "late")
    queue.server.run(1.0)
    for listener in (early, late):
        error = error_of(listener)
        assert isinstance(error, GenerationFailed)
        assert error.details == "Out of voice."
        assert listener.received == b"abcdef"


def test_a_failure_that_is_announced_ends_a_queue_at_what_there_is() -> None:
    """It has no end marker, and needs none."""
    queue = Queue()
    early = queue.server.join("s", "early")
    queue.server.catalog.announce(Announcement("s", None, FAILED, reason="The voice crashed."))
    late = queue.server.join("s", "late")
    queue.server.run(1.0)
    for listener in (early, late):
        assert isinstance(error_of(listener), GenerationFailed)
        assert listener.received == b"abc"


def test_a_queue_that_was_given_up_is_opened_again() -> None:
    """For later listeners, as it may grow again."""
    queue = Queue(stall_seconds=1.0, give_up_seconds=5.0)
    listener = queue.server.join("s")
    queue.server.service.join("other", ListenRequest("s"), other := ScriptedListener())
    queue.server.service.pause("other")
    queue.server.run(6.0)
    assert isinstance(error_of(listener), StreamStalled)
    again = queue.server.join("s", "again")
    queue.audios["s"] = b"abcdef"
    queue.end(COMPLETE)
    queue.server.run(1.0)
    assert again.received == b"abcdef"
    assert again.kinds[-1] == "EndOfStream"
    assert other.received == b"abc"


def test_two_joins_that_open_a_queue_at_the_same_time_share_it() -> None:
    """The slower one's source is closed."""
    queue = Queue()
    listeners: list[ScriptedListener] = []

    def join_meanwhile() -> None:
        queue.sources.while_opening = lambda: None
        listeners.append(queue.server.join("s", "meanwhile"))

    queue.sources.while_opening = join_meanwhile
    listeners.append(queue.server.join("s"))
    queue.audios["s"] = b"abcdef"
    queue.end(COMPLETE)
    assert len(queue.server.pool) == 1
    queue.server.run(1.0)
    assert [listener.received for listener in listeners] == [b"abcdef"] * 2
    assert len(queue.server.pool) == 0
    for source in queue.sources.opened:
        with pytest.raises(AudioUnavailable):
            source.read(0, 1)


def test_a_queue_that_cannot_be_opened_is_unavailable() -> None:
    """It is not polled until it exists, as a file is."""
    queue = Queue()
    del queue.audios["s"]
    with pytest.raises(AudioUnavailable):
        queue.server.join("s")
    assert (len(queue.server.service), len(queue.server.pool)) == (0, 0)


def test_waiting_sessions_share_audio_that_is_opened_once() -> None:
    """Opening takes time, whose length does not depend on the number of waiting sessions."""
    sources = FetchedAudioSources({"s": AUDIO})
    server = VirtualServer(sources=sources)
    listeners = [server.join("s", f"l{number}", wait=True, paced=False) for number in range(20)]
    late = server.join("s", "late", wait=True, epoch="epoch-7")
    server.announce("s")
    assert len(sources.opened) == 1
    assert isinstance(error_of(late), EpochChanged)
    receive_all(server, sources)
    assert all(listener.received == AUDIO for listener in listeners)
    assert (len(server.service), len(server.pool)) == (0, 0)
    assert sources.opened[0].closed
