"""Sessions in virtual time: whatever the sizes and the schedule, each sends exactly the audio, at its pace."""

import random
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources
from asf.domain.access.grant import Grant
from asf.domain.errors import AudioUnavailable, NoSession, StreamNotFound, TooManyListeners, Unauthorized
from asf.domain.peer import Peer
from asf.domain.streaming.events import EndOfStream, ListenerEvent, StartOfStream, StreamFailed
from asf.domain.streaming.pump import LISTENERS_PER_LOOK, LISTENERS_PER_TURN, TURN_SECONDS
from asf.domain.streaming.schedule import TICK_SECONDS
from asf.domain.streaming.session import ListenRequest
from asf.domain.streaming.slow_listeners import LOOKS
from asf.domain.streams.stream import Locator, StreamState
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedListener, ScriptedTokens, VirtualServer

WHOLE_SESSION = ["joined", "StartOfStream", "EndOfStream"]


def audio_of(length: int) -> bytes:
    """Return bytes in which a misplaced piece shows."""
    return random.Random(length).randbytes(length)


@given(
    length=st.integers(0, 5000),
    chunk_bytes=st.integers(1, 700),
    chunk_seconds=st.sampled_from([0.0, 0.003, 0.01, 0.256, 1.5]),
    delays=st.lists(st.floats(0, 3), min_size=1, max_size=30),
)
def test_any_sizes_and_any_schedule_give_the_same_bytes(
    length: int, chunk_bytes: int, chunk_seconds: float, delays: list[float]
) -> None:
    """However late or early the pump is turned, a listener gets the audio, once and in order."""
    audio = audio_of(length)
    server = VirtualServer({"s": audio}, chunk_bytes, chunk_seconds)
    listener = server.join("s")
    for delay in delays:
        server.clock.advance(delay)
        server.pump.turn()
        assert audio.startswith(listener.received)
    server.run_until_idle()
    assert listener.received == audio
    assert listener.kinds == WHOLE_SESSION


@given(
    length=st.integers(1, 4000),
    chunk_bytes=st.integers(1, 300),
    capacity=st.integers(1, 1000),
    reads=st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 0.5)), max_size=60),
)
def test_back_pressure_loses_and_repeats_nothing(
    length: int, chunk_bytes: int, capacity: int, reads: list[tuple[int, float]]
) -> None:
    """A listener that reads irregularly, and pauses in between, receives the same audio."""
    audio = audio_of(length)
    server = VirtualServer({"s": audio}, chunk_bytes, 0.01)
    listener = server.join("s", capacity=capacity)
    for read, delay in reads:
        server.run(delay)
        assert audio.startswith(listener.received)
        listener.read(read)
    while "EndOfStream" not in listener.kinds:
        server.run(1.0)
        listener.read(capacity)
    assert listener.received == audio
    assert listener.kinds == WHOLE_SESSION


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=8))
def test_listeners_of_one_stream_do_not_disturb_each_other(gaps: list[float]) -> None:
    """Joined at different times, each receives the complete audio."""
    audio = audio_of(300_000)
    server = VirtualServer({"s": audio})
    listeners = []
    for number, gap in enumerate(gaps):
        listeners.append(server.join("s", f"listener-{number}"))
        server.run(gap)
    server.run_until_idle()
    assert all(listener.received == audio for listener in listeners)
    assert all(listener.kinds == WHOLE_SESSION for listener in listeners)


@given(st.floats(0, 0.3), st.sampled_from([(4096, 0.01), (1000, 0.25), (4096, 0.256), (100_000, 0.5)]))
def test_never_behind_the_pace_and_ahead_by_less_than_a_batch(start: float, sizes: tuple[int, float]) -> None:
    """At every moment all due chunks were sent, and at most one batch and one tick more."""
    chunk_bytes, chunk_seconds = sizes
    audio = bytes(chunk_bytes * 40)
    server = VirtualServer({"s": audio}, chunk_bytes, chunk_seconds)
    server.clock.advance(start)
    joined = server.clock.now()
    listener = server.join("s")
    tick_bytes = TICK_SECONDS / chunk_seconds * chunk_bytes
    for _ in range(100):
        elapsed = server.clock.now() - joined
        due = min(len(audio), (int(elapsed / chunk_seconds + 1e-9) + 1) * chunk_bytes)
        assert len(listener.received) >= due
        assert len(listener.received) <= due + server.pace.batch_bytes + tick_bytes
        server.run(0.013)


def test_a_late_pump_catches_up_and_does_not_drift() -> None:
    """After a gap of a second the listener is at its pace again, counted from its own start."""
    server = VirtualServer({"s": bytes(4_096_000)})
    listener = server.join("s")
    server.clock.advance(1.0)
    server.run(0.001)
    assert len(listener.received) >= 101 * 4096
    server.run(3.0)
    assert len(listener.received) <= 401 * 4096 + server.pace.batch_bytes + 2 * 4096


def test_the_first_batch_is_sent_while_joining() -> None:
    """No turn of the pump stands between joining and the first sound."""
    server = VirtualServer({"s": audio_of(100_000)})
    assert len(server.join("s").received) == server.pace.batch_bytes


@pytest.mark.parametrize("chunk_seconds", [0.0, 0.01])
def test_joining_wakes_a_sleeping_pump(chunk_seconds: float) -> None:
    """Whether the rest is due at once or later, without another event."""
    audio = audio_of(200_000)
    server = VirtualServer({"s": audio}, chunk_seconds=chunk_seconds)
    server.run(1.0)
    listener = server.join("s")
    server.run_until_idle()
    assert listener.received == audio


def test_due_sessions_are_served_in_turns() -> None:
    """Unpaced, no session is sent a second batch before all others were sent one."""
    server = VirtualServer({"s": bytes(64 * 65536)}, chunk_seconds=0.0)
    listeners = [server.join("s", str(number), keeps=False) for number in range(3 * LISTENERS_PER_TURN)]
    for _ in range(60):
        server.pump.turn()
        batches = [len(listener.sends) for listener in listeners]
        assert max(batches) - min(batches) <= 1


def test_one_turn_serves_a_bounded_number_of_listeners() -> None:
    """Other tasks of the process run in between, however many sessions are due."""
    server = VirtualServer({"s": bytes(10 * 65536)}, chunk_seconds=0.0)
    listeners = [server.join("s", str(number)) for number in range(2 * LISTENERS_PER_TURN)]
    before = sum(len(listener.sends) for listener in listeners)
    assert server.pump.turn() == 0.0
    assert sum(len(listener.sends) for listener in listeners) - before == LISTENERS_PER_TURN


def test_a_turn_ends_when_it_has_lasted_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a listener costs depends on what is due to it."""
    server = VirtualServer({"s": bytes(10 * 65536)}, chunk_seconds=0.0)
    listeners = [server.join("s", str(number)) for number in range(LISTENERS_PER_TURN)]
    before = sum(len(listener.sends) for listener in listeners)
    start, times = server.clock.now(), count()
    monkeypatch.setattr(server.clock, "now", lambda: start + next(times) * TURN_SECONDS / 2)
    assert server.pump.turn() == 0.0
    assert 1 <= sum(len(listener.sends) for listener in listeners) - before <= 2 * LISTENERS_PER_LOOK


def test_thirty_thousand_listeners_stay_at_their_pace() -> None:
    """Fairness at scale, in virtual time: after two seconds no session is behind, and none is far ahead."""
    server = VirtualServer({"s": bytes(4_000_000)}, chunk_bytes=4096, chunk_seconds=0.256)
    listeners = []
    for number in range(30_000):
        listeners.append((server.clock.now(), server.join("s", str(number), keeps=False)))
        if number % 100 == 0:
            server.run(0.005)
    server.run(2.0)
    for joined, listener in listeners:
        due = (int((server.clock.now() - joined) / 0.256) + 1) * 4096
        assert due <= listener.received_bytes <= due + server.pace.batch_bytes + 4096


def test_start_and_end_tell_the_offsets_and_the_length() -> None:
    """What the two control events carry."""
    server = VirtualServer({"s": audio_of(10_000)}, chunk_bytes=1000)
    listener = server.join("s")
    server.run_until_idle()
    start, end = listener.events[1], listener.events[-1]
    assert isinstance(start, StartOfStream)
    assert isinstance(end, EndOfStream)
    assert (start.offset, start.total_bytes, start.chunk_bytes, start.content_type) == (0, 10_000, 1000, "audio/mpeg")
    assert end.total_bytes == 10_000
    assert start.timestamp <= end.timestamp


def test_an_empty_audio_ends_at_once() -> None:
    """Nothing to send is not an error."""
    server = VirtualServer({"s": b""})
    assert server.join("s").kinds == WHOLE_SESSION
    assert len(server.pool) == 0


def test_an_unknown_stream_is_refused() -> None:
    """And leaves no session behind."""
    server = VirtualServer({})
    with pytest.raises(StreamNotFound):
        server.join("nowhere")
    assert len(server.service) == 0


def test_a_missing_audio_is_refused() -> None:
    """The stream is known, the audio is not there (yet)."""
    server = VirtualServer({})
    server.announce("s", "missing")
    with pytest.raises(AudioUnavailable):
        server.join("s")
    assert len(server.service) == 0
    assert len(server.pool) == 0


def test_a_disconnected_session_holds_nothing() -> None:
    """The audio is closed with its last listener, and nothing more is sent."""
    server = VirtualServer({"s": audio_of(1_000_000)})
    first, second = server.join("s", "first"), server.join("s", "second")
    assert len(server.pool) == 1
    server.service.disconnect("first")
    assert first.detached
    assert len(server.pool) == 1
    server.service.disconnect("second")
    assert (len(server.service), len(server.pool)) == (0, 0)
    received = len(second.received)
    server.run(1.0)
    assert len(second.received) == received
    assert second.kinds == ["joined", "StartOfStream"]


def test_a_second_disconnect_is_ignored() -> None:
    """As is one without a join."""
    server = VirtualServer({"s": b"x"})
    server.service.disconnect("nobody")
    server.join("s")
    server.service.disconnect("listener")
    server.service.disconnect("listener")


def test_a_blocked_listener_that_left_is_not_woken() -> None:
    """Its transport may still call back once, which is ignored."""
    server = VirtualServer({"s": audio_of(1_000_000)})
    listener = server.join("s", capacity=100)
    callback = listener.callback
    assert callback is not None
    server.service.disconnect("listener")
    callback()
    assert server.pump.turn() is None


def test_joining_again_replaces_the_session() -> None:
    """One stream a connection: the second join ends the first session."""
    server = VirtualServer({"a": audio_of(500_000), "b": audio_of(200_000)})
    first = server.join("a")
    second = server.join("b")
    server.run_until_idle()
    assert first.detached
    assert first.kinds == ["joined", "StartOfStream", "left"]
    assert second.received == audio_of(200_000)


def test_a_connection_that_breaks_while_sending_ends_its_session() -> None:
    """A transport may notice in the middle of a send that the client has disconnected."""
    server = VirtualServer({"s": audio_of(500_000)})
    listener = ScriptedListener()
    listener.before_send = lambda: server.service.disconnect("listener")
    server.service.join("listener", ListenRequest("s"), listener)
    assert (len(server.service), len(server.pool)) == (0, 0)
    assert server.pump.turn() is None


def test_a_slow_listener_is_dropped() -> None:
    """With the reason and its offset; nothing is held for it, and other listeners are not affected."""
    audio = audio_of(500_000)
    server = VirtualServer({"s": audio}, slow_seconds=10.0)
    slow, other = server.join("s", "slow", capacity=70_000), server.join("s", "other")
    server.run(10.0)
    assert len(server.slow_listeners) == 1
    assert slow.kinds == ["joined", "StartOfStream"]
    server.run(10.0 / LOOKS * 2)
    failure = slow.events[-1]
    assert isinstance(failure, StreamFailed)
    assert failure.error.error_code == "ASF_LISTENER_TOO_SLOW"
    assert failure.error.retryable
    assert failure.offset == len(slow.received) == 70_000
    assert other.received == audio
    assert len(server.slow_listeners) == 0
    assert (len(server.service), len(server.pool)) == (0, 0)
    assert server.observer.outcomes == ["complete", "ASF_LISTENER_TOO_SLOW"]


def test_a_player_that_may_pause_is_dropped_later() -> None:
    """Each kind after its own time, whoever was blocked first; one that goes on in time receives everything."""
    audio = audio_of(500_000)
    server = VirtualServer({"s": audio}, slow_seconds=10.0)
    paused = server.join("s", "paused", capacity=70_000, silence_seconds=100.0)
    brief = server.join("s", "brief", capacity=70_000, silence_seconds=100.0)
    server.run(50.0)
    slow = server.join("s", "slow", capacity=70_000)
    assert len(server.slow_listeners) == 2
    server.run(20.0)
    assert [type(listener.events[-1]) for listener in (slow, paused)] == [StreamFailed, StartOfStream]
    brief.capacity = None
    brief.read(70_000)
    server.run(20.0)
    assert brief.received == audio
    server.run(20.0)
    assert isinstance(paused.events[-1], StreamFailed)
    assert server.observer.outcomes == ["ASF_LISTENER_TOO_SLOW", "complete", "ASF_LISTENER_TOO_SLOW"]
    assert (len(server.service), len(server.slow_listeners)) == (0, 0)


@given(
    length=st.integers(1, 3000),
    chunk_bytes=st.integers(1, 300),
    cuts=st.tuples(st.integers(0, 3500), st.integers(0, 3500)),
    paced=st.booleans(),
    state=st.sampled_from(StreamState),
)
def test_a_session_ends_where_the_listener_wants_no_more(
    length: int, chunk_bytes: int, cuts: tuple[int, int], paced: bool, state: StreamState
) -> None:
    """It is complete then, whether or not there is more, and however the rest of the audio will end."""
    audio = audio_of(length)
    offset, stop = sorted(min(cut, length) for cut in cuts)
    server = VirtualServer({"s": audio}, chunk_bytes)
    server.announce("s", state=StreamState.GENERATING)
    server.announce("s", state=state)
    listener = server.join("s", offset=offset, stop=stop, paced=paced)
    server.run(1000.0)
    assert listener.received == audio[offset:stop]
    assert listener.kinds == WHOLE_SESSION
    assert server.observer.outcomes == ["complete"]


def test_a_listener_that_takes_a_little_now_and_then_is_not_dropped() -> None:
    """However slow it is, as long as it takes something within the time."""
    audio = audio_of(200_000)
    server = VirtualServer({"s": audio}, slow_seconds=10.0)
    listener = server.join("s", capacity=10_000)
    while "EndOfStream" not in listener.kinds:
        assert "StreamFailed" not in listener.kinds
        server.run(9.5)
        listener.read(5_000)
    assert listener.received == audio


def test_the_limit_of_listeners() -> None:
    """One more is rejected with a retryable error, until another session ends."""
    server = VirtualServer({"s": audio_of(500_000)}, max_listeners=2)
    server.join("s", "first")
    server.join("s", "second")
    with pytest.raises(TooManyListeners) as refusal:
        server.join("s", "third")
    assert refusal.value.retryable
    server.join("s", "second")
    server.service.disconnect("first")
    server.join("s", "third")


def test_what_happens_is_observed() -> None:
    """Joins, first audio, ends, lag, and how much was sent."""
    audio = audio_of(150_001)
    server = VirtualServer({"s": audio})
    server.join("s", "one")
    server.join("s", "two")
    server.service.disconnect("two")
    server.clock.advance(1.5)
    server.run_until_idle()
    assert server.observer.joins == 2
    assert server.observer.first_audio == [0.0, 0.0]
    assert server.observer.outcomes == ["left", "complete"]
    assert server.observer.sent_bytes == [65536, len(audio)]
    assert max(server.observer.lags) == pytest.approx(1.5 - 0.16, abs=TICK_SECONDS)
    assert server.pump.bytes_sent == len(audio) + 65536
    assert server.pump.chunks_sent == 37 + 16


def test_each_session_has_an_id_of_its_own() -> None:
    """The same at its start and its end; a listener that joins again gets another one."""
    server = VirtualServer({"s": AUDIO})
    server.join("s", "websocket-7")
    server.join("s", "websocket-7")
    assert server.observer.session_ids == ["websocket-7.1"] * 2 + ["websocket-7.2"] * 2


def test_rejected_joins_are_observed() -> None:
    """Whether the audio was to be opened first or not; one that is let in is not among them."""
    server = VirtualServer({"s": AUDIO}, max_listeners=1)
    for error in (StreamNotFound, AudioUnavailable):
        with pytest.raises(error):
            server.join("missing")
        with pytest.raises(error):
            server.describe("missing")
        server.announce("missing")
    server.join("s", window=1)
    with pytest.raises(TooManyListeners), server.service.open("s") as opened:
        server.join("s", "other", opened=opened)
    codes = ["ASF_STREAM_NOT_FOUND", "ASF_AUDIO_UNAVAILABLE"]
    assert server.observer.rejections == [code for code in codes for _ in range(2)] + ["ASF_TOO_MANY_LISTENERS"]


def test_the_lag_of_a_tick_that_a_join_serves_is_observed() -> None:
    """As in a turn."""
    server = VirtualServer({"s": audio_of(500_000)})
    server.join("s", "one")
    server.clock.advance(2.0)
    server.join("s", "two")
    assert server.observer.lags == [pytest.approx(2.0 - 0.16, abs=TICK_SECONDS)]


def test_on_due_is_called_only_when_something_is_due_sooner() -> None:
    """Not for a join whose next batch is due after the time that the last turn returned."""
    server = VirtualServer({"s": audio_of(500_000)})
    woken: list[bool] = []
    server.pump.on_due.connect(lambda: woken.append(True))
    server.join("s", "first")
    assert len(woken) == 1
    server.pump.turn()
    server.clock.advance(0.05)
    server.join("s", "second")
    assert len(woken) == 1


class ShrinkingSources(InMemoryAudioSources):
    """Audio whose later bytes cannot be read."""

    def __init__(self, data: bytes, readable: int, error: Exception) -> None:
        super().__init__({"s": data})
        self.readable = readable
        self.error = error

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        source = super().open(locator, growing=growing)
        read = source.read

        def read_some(offset: int, length: int) -> bytes | None:
            if offset + length > self.readable:
                raise self.error
            return read(offset, length)

        source.read = read_some  # type: ignore[method-assign]
        return source


@pytest.mark.parametrize(
    ("error", "code"),
    [(AudioUnavailable("gone"), "ASF_AUDIO_UNAVAILABLE"), (RuntimeError("bug"), "ASF_INTERNAL_ERROR")],
)
def test_a_failed_read_ends_the_session_with_an_error(error: Exception, code: str) -> None:
    """With the reason and the offset; the pump and the other sessions are not affected."""
    audio = audio_of(500_000)
    server = VirtualServer(sources=ShrinkingSources(audio, 200_000, error))
    server.announce("s")
    listener = server.join("s")
    server.run_until_idle()
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    assert failure.error.error_code == code
    assert failure.offset == len(listener.received) <= 200_000
    assert audio.startswith(listener.received)
    assert (len(server.service), len(server.pool)) == (0, 0)


TOKEN_SECONDS = 5.0


def locked_server(audios: dict[str, bytes], **more: Any) -> VirtualServer:
    """Return a server that wants tokens: `short` for the stream "s" and 5 seconds, `long` for all streams, longer."""
    now = ManualClock().timestamp()
    grants = {
        "short": Grant("alice", now + TOKEN_SECONDS, frozenset({"s"})),
        "long": Grant("bob", now + 1000.0, frozenset({"*"})),
    }
    return VirtualServer(audios, tokens=ScriptedTokens(grants), **more)


def failures(listener: ScriptedListener) -> list[str]:
    """Return the codes of the errors that a listener received."""
    return [event.error.error_code for event in listener.events if isinstance(event, StreamFailed)]


@pytest.mark.parametrize("token", [None, "", "unknown", 5])
def test_nobody_joins_without_a_token(token: object) -> None:
    """Nor learns whether there is such a stream, even at the limit of listeners."""
    server = locked_server({"s": b"audio"}, max_listeners=0)
    for stream_id in ("s", "unknown", "simulation"):
        with pytest.raises(Unauthorized):
            server.join(stream_id, token=token, wait=True)
        with pytest.raises(Unauthorized), server.service.open(stream_id, token):
            pass
    assert len(server.service) == len(server.expiries) == 0


def test_a_token_is_for_its_streams() -> None:
    """And for no other."""
    server = locked_server({"s": b"audio", "other": b"more"})
    with pytest.raises(Unauthorized):
        server.join("other", token="short")  # noqa: S106
    assert server.join("s", token="short").received == b"audio"  # noqa: S106
    assert server.join("other", token="long").received == b"more"  # noqa: S106
    assert len(server.expiries) == 0


def flowing(server: VirtualServer) -> ScriptedListener:
    """Listens."""
    return server.join("s", token="short")  # noqa: S106


def blocked(server: VirtualServer) -> ScriptedListener:
    """Takes nothing any more."""
    return server.join("s", capacity=100, token="short")  # noqa: S106


def without_credit(server: VirtualServer) -> ScriptedListener:
    """Acknowledges nothing."""
    return server.join("s", window=100, token="short")  # noqa: S106


def paused(server: VirtualServer) -> ScriptedListener:
    """Has paused."""
    listener = flowing(server)
    server.service.pause("listener")
    return listener


def waiting(server: VirtualServer) -> ScriptedListener:
    """Waits for the announcement."""
    server.catalog.delete("s")
    return server.join("s", wait=True, token="short")  # noqa: S106


def held(server: VirtualServer) -> ScriptedListener:
    """Waits, and has paused."""
    listener = waiting(server)
    server.service.pause("listener")
    return listener


def stalled(server: VirtualServer) -> ScriptedListener:
    """Has all of a stream that does not grow."""
    server.announce("s", state=StreamState.GENERATING)
    return server.join("s", offset=1_000_000, token="short")  # noqa: S106


@pytest.mark.parametrize("begin", [flowing, blocked, without_credit, paused, waiting, held, stalled])
def test_a_session_ends_with_its_token(begin: Callable[[VirtualServer], ScriptedListener]) -> None:
    """In every state; nothing is held for it any more, and another session is not affected."""
    audio = audio_of(1_000_000)
    server = locked_server({"s": audio}, chunk_seconds=0.1, stall_seconds=2.0)
    other = server.join("s", "other", token="long")  # noqa: S106
    listener = begin(server)
    server.run(TOKEN_SECONDS - 0.01)
    assert failures(listener) == []
    assert "listener" in server.service._sessions  # noqa: SLF001
    server.run(0.01)
    assert failures(listener) == ["ASF_UNAUTHORIZED"]
    assert listener.detached
    heard = len(listener.received)
    assert len(server.service) == len(server.expiries) == 1
    assert server.observer.outcomes == ["ASF_UNAUTHORIZED"]
    with pytest.raises(NoSession):
        server.service.resume("listener")
    server.run(1.0)
    assert len(listener.received) == heard
    assert failures(other) == []


def test_many_sessions_that_end_at_once_all_end() -> None:
    """Over several turns."""
    server = locked_server({"s": audio_of(1_000_000)}, chunk_seconds=0.1)
    listeners = [server.join("s", str(number), token="short") for number in range(100)]  # noqa: S106
    server.run(TOKEN_SECONDS)
    assert [failures(listener) for listener in listeners] == [["ASF_UNAUTHORIZED"]] * 100
    assert len(server.service) == len(server.expiries) == len(server.pool) == 0


def test_a_new_token_is_taken_by_joining_again() -> None:
    """The new session lasts as long as the new token."""
    server = locked_server({"s": audio_of(1_000_000)}, chunk_seconds=0.1)
    first = flowing(server)
    server.run(TOKEN_SECONDS - 1)
    second = server.join("s", offset=len(first.received), token="long")  # noqa: S106
    server.run(100.0)
    assert failures(first) == failures(second) == []
    assert first.received + second.received == audio_of(1_000_000)
    assert server.observer.outcomes == ["left", "complete"]


def test_a_listener_that_joins_with_a_bad_token_has_left() -> None:
    """As with every rejected join."""
    server = locked_server({"s": audio_of(1_000_000)}, chunk_seconds=0.1)
    listener = flowing(server)
    with pytest.raises(Unauthorized):
        server.join("s", token="expired")  # noqa: S106
    assert listener.kinds[-1] == "left"
    assert len(server.service) == len(server.expiries) == 0


def test_a_change_of_the_wall_clock_does_not_change_when_a_session_ends() -> None:
    """The time that was left at joining is that of the monotonic clock."""
    server = locked_server({"s": audio_of(1_000_000)}, chunk_seconds=0.1)
    listener = flowing(server)
    for jump in (-86_400.0, 86_400.0):
        server.clock.epoch += jump
        server.run(2.0)
        assert failures(listener) == []
    server.run(TOKEN_SECONDS - 4.0)
    assert failures(listener) == ["ASF_UNAUTHORIZED"]


def test_many_joins_with_long_tokens_leave_nothing() -> None:
    """Joining again and again does not fill the memory."""
    server = locked_server({"s": b"audio"})
    for _ in range(500):
        server.join("s", wait=True, token="long")  # noqa: S106
    assert len(server.expiries._heap) < 100  # noqa: SLF001


AUDIO = random.Random(3).randbytes(20_000)


class UnreachableListener(ScriptedListener):
    """Raises when events are emitted, from a certain number of events on."""

    def __init__(self, events_before: int) -> None:
        super().__init__()
        self.events_before = events_before

    def emit(self, *events: ListenerEvent) -> None:
        if len(self.events) >= self.events_before:
            raise RuntimeError("The connection is broken.")
        super().emit(*events)


@pytest.mark.parametrize("events_before", [0, 2])
def test_an_emitter_that_fails_ends_its_session(events_before: int) -> None:
    """At its start, and at its end: nothing is held for it, and other sessions are not affected."""
    server = VirtualServer({"s": AUDIO})
    broken = UnreachableListener(events_before)
    server.service.join("broken", ListenRequest("s"), broken)
    other = server.join("s", "other")
    server.run_until_idle()
    assert broken.broken_off
    assert broken.received == (AUDIO if events_before else b"")
    assert other.received == AUDIO
    assert (len(server.service), len(server.pool)) == (0, 0)
    assert sorted(server.observer.outcomes) == ["ASF_INTERNAL_ERROR", "complete"]


def test_an_emitter_that_fails_does_not_affect_others_that_wait() -> None:
    """The announcement succeeds, and the next waiting session starts."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios)
    broken = UnreachableListener(1)
    server.service.join("broken", ListenRequest("s", wait=True), broken)
    other = server.join("s", "other", wait=True)
    audios["s"] = AUDIO
    server.announce("s")
    server.run_until_idle()
    assert broken.broken_off
    assert other.received == AUDIO
    assert (len(server.service), len(server.pool)) == (0, 0)


def test_a_join_that_cannot_be_observed_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a session nor open audio."""

    def fail(_observer: RecordingObserver, _session_id: str, _stream_id: str, _offset: int, _peer: Peer) -> None:
        raise RuntimeError("The metrics are broken.")

    monkeypatch.setattr(RecordingObserver, "joined", fail)
    server = VirtualServer({"s": AUDIO})
    with pytest.raises(RuntimeError):
        server.join("s")
    assert (len(server.service), len(server.pool)) == (0, 0)
