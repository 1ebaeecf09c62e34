"""Growing audio, waiting, offsets, windows and draining: in virtual time."""

import random
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources
from asf.domain.errors import (
    AsfError,
    AudioUnavailable,
    Draining,
    EpochChanged,
    GenerationFailed,
    InvalidAck,
    InvalidFilepath,
    NoSession,
    StreamNotFound,
)
from asf.domain.streaming.events import EndOfStream, SimulatedChunk, StartOfStream, StatusChanged, StreamFailed
from asf.domain.streaming.live_edge import POLL_SECONDS, REPORTED_SECONDS
from asf.domain.streaming.pump import LISTENERS_PER_TURN
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import Locator, StreamState
from tests.support.faults import KILLED_VOICE_AGENT
from tests.support.virtual import QueuedAudioSources, ScriptedListener, VirtualServer

GENERATING, COMPLETE, FAILED = StreamState.GENERATING, StreamState.COMPLETE, StreamState.FAILED


def audio_of(length: int) -> bytes:
    """Return bytes in which a misplaced piece shows."""
    return random.Random(length).randbytes(length)


def growing(audio: bytes = b"", **options: float) -> tuple[VirtualServer, dict[str, bytes]]:
    """Return a server with a stream `s` that is being generated, and the mapping in which its audio grows."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios, **options)  # type: ignore[arg-type]
    if audio:
        audios["s"] = audio
    server.announce("s", state=GENERATING)
    return server, audios


def error_of(listener: ScriptedListener) -> AsfError:
    """Return the error that ended the listener's session."""
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    return failure.error


@given(
    pieces=st.lists(st.tuples(st.integers(1, 9000), st.floats(0, 0.5)), max_size=20),
    chunk_bytes=st.integers(1, 5000),
    chunk_seconds=st.sampled_from([0.0, 0.003, 0.05]),
    join_after=st.integers(0, 20),
)
def test_however_it_is_written_the_listener_receives_all_of_it(
    pieces: list[tuple[int, float]], chunk_bytes: int, chunk_seconds: float, join_after: int
) -> None:
    """One big piece or byte by byte, joined before or in the middle: the same bytes, and the end after the last."""
    server, audios = growing(chunk_bytes=chunk_bytes, chunk_seconds=chunk_seconds)
    written, listener = b"", None
    for number, (length, pause) in enumerate(pieces):
        if number == join_after:
            listener = server.join("s")
        written += audio_of(length)
        audios["s"] = written
        server.run(pause)
        if listener is not None:
            assert written.startswith(listener.received)
            assert "EndOfStream" not in listener.kinds
    audios["s"] = written
    server.announce("s", state=COMPLETE)
    listener = listener or server.join("s")
    server.run_until_idle()
    assert listener.received == written
    assert [kind for kind in listener.kinds if kind != "stalled"] == ["joined", "StartOfStream", "EndOfStream"]
    assert len(server.pool) == 0


def test_what_is_written_is_sent_at_the_next_poll() -> None:
    """One poll for all listeners, and without waiting for a full chunk."""
    server, audios = growing()
    listeners = [server.join("s", str(number)) for number in range(100)]
    audios["s"] = b"a"
    server.run(POLL_SECONDS)
    assert all(listener.received == b"a" for listener in listeners)


class CountedSources(InMemoryAudioSources):
    """Counts how often the size of its audio is asked for."""

    asked = 0

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        source = super().open(locator, growing=growing)
        refresh = source.refresh

        def counted() -> int:
            self.asked += 1
            return refresh()

        source.refresh = counted  # type: ignore[method-assign]
        return source


def test_growth_that_is_reported_is_sent_at_once_and_needs_no_polls() -> None:
    """When no more is reported, the polls go on; reports of other audio have no effect."""
    audios = {"s": audio_of(10)}
    sources = CountedSources(audios)
    server = VirtualServer(sources=sources)
    server.announce("s", state=GENERATING)
    listener = server.join("s")
    server.run(2 * POLL_SECONDS)
    epoch = server.catalog.find("s").epoch
    server.pump.look("s", "another", 10)
    server.pump.look("t", epoch, 10)
    for length in range(20, 120, 10):
        audios["s"] = audio_of(10) + bytes(length)
        before = sources.asked
        server.pump.look("s", epoch, len(audios["s"]))
        server.run(REPORTED_SECONDS / 2)
        assert listener.received == audios["s"]
        assert sources.asked == before + 1
    server.run(REPORTED_SECONDS)
    audios["s"] += b"by somebody else"
    server.run(2 * POLL_SECONDS)
    assert listener.received == audios["s"]


def test_growth_that_cannot_be_seen_yet_is_polled_for() -> None:
    """It was reported before the audio shows it, as in a queue or on a network file system."""
    server, audios = growing(audio_of(10))
    listener = server.join("s")
    server.run(2 * POLL_SECONDS)
    epoch = server.catalog.find("s").epoch
    server.pump.look("s", epoch, 20)
    audios["s"] += bytes(10)
    server.run(2 * POLL_SECONDS)
    assert listener.received == audios["s"]


def test_reported_growth_does_not_hide_a_stall() -> None:
    """Nor does a report without growth keep a stream alive."""
    server, audios = growing(audio_of(10), stall_seconds=5.0, give_up_seconds=20.0)
    listener = server.join("s")
    epoch = server.catalog.find("s").epoch
    for _ in range(30):
        server.pump.look("s", epoch, 10)
        server.run(1.0)
    assert listener.received == audios["s"]
    assert error_of(listener).error_code == "ASF_STREAM_STALLED"


def test_the_length_is_sent_when_it_is_known() -> None:
    """None while generating; the size at the end."""
    server, _audios = growing(b"abc")
    listener = server.join("s")
    server.announce("s", state=COMPLETE)
    server.run_until_idle()
    start, end = listener.events[1], listener.events[-1]
    assert isinstance(start, StartOfStream)
    assert isinstance(end, EndOfStream)
    assert (start.total_bytes, start.state, start.epoch) == (None, "generating", "epoch-1")
    assert end.total_bytes == 3


def test_a_stream_that_does_not_grow_is_stalled_and_then_given_up() -> None:
    """Its listeners receive both events, once each."""
    server, audios = growing(b"abc", stall_seconds=10.0, give_up_seconds=30.0)
    listener = server.join("s")
    server.run(9.9)
    assert "stalled" not in listener.kinds
    server.run(0.2)
    assert listener.kinds.count("stalled") == 1
    audios["s"] = b"abcdef"
    server.run(1.0)
    assert listener.received == b"abcdef"
    server.run(28.0)
    assert listener.kinds.count("stalled") == 2
    server.run(2.0)
    assert error_of(listener).error_code == "ASF_STREAM_STALLED"
    assert len(server.pool) == 0


def test_a_failed_generation_ends_in_an_error_after_what_there_is() -> None:
    """Never in an end of stream; later listeners receive the same."""
    audio = audio_of(200_000)
    server, _audios = growing(audio)
    early = server.join("s", "early")
    server.catalog.announce(Announcement("s", None, FAILED, reason="Out of voice."))
    late = server.join("s", "late")
    server.run_until_idle()
    for listener in (early, late):
        assert listener.received == audio
        assert error_of(listener).error_code == "ASF_GENERATION_FAILED"
        assert error_of(listener).details == "Out of voice."
        assert "EndOfStream" not in listener.kinds


def test_a_failed_generation_of_nothing_is_rejected() -> None:
    """At the join, and for earlier listeners."""
    server, _audios = growing()
    waiting = server.join("s")
    server.announce("s", state=FAILED)
    server.run_until_idle()
    assert error_of(waiting).error_code == "ASF_GENERATION_FAILED"
    with pytest.raises(GenerationFailed):
        server.join("s")


def test_an_audio_that_was_never_written_is_unavailable() -> None:
    """Complete, and not there."""
    server, _audios = growing()
    waiting = server.join("s")
    server.announce("s", state=COMPLETE)
    server.run_until_idle()
    assert isinstance(error_of(waiting), AudioUnavailable)


@pytest.mark.parametrize("now", [b"ab", b"other", None])
def test_an_audio_that_is_not_what_it_was_ends_in_an_error(now: bytes | None) -> None:
    """Shrunk, replaced or deleted: no other bytes than those of the audio that was joined."""
    server, audios = growing(b"abc")
    listener = server.join("s")
    if now is None:
        del audios["s"]
    else:
        audios["s"] = now
    server.run(1.0)
    assert listener.received == b"abc"
    assert isinstance(error_of(listener), AudioUnavailable)


def test_what_was_given_up_is_freed_by_its_last_listener() -> None:
    """Also where the audio was opened again by then."""
    server, _audios = growing(b"abc", stall_seconds=1.0, give_up_seconds=2.0)
    server.join("s", "paused")
    server.service.pause("paused")
    server.join("s", "parked")
    server.run(1.5)
    server.announce("s", state=GENERATING)  # So it is not given up for later listeners.
    server.run(1.5)
    assert len(server.service) == 1
    server.join("s", "later")
    server.service.disconnect("paused")
    server.service.disconnect("later")
    assert len(server.pool) == 0
    assert server.observer.outcomes == ["ASF_STREAM_STALLED", "left", "left"]


class LaggingSources(InMemoryAudioSources):
    """Audio whose growth is known one poll late, like that of a file whose attributes are cached."""

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        class Lagging(InMemoryAudioSource):
            def __init__(self, audio_by_name: Mapping[str, bytes], name: str) -> None:
                super().__init__(audio_by_name, name)
                self._found = self.size

            def refresh(self) -> int:
                self.size, self._found = self._found, super().refresh()
                return self.size

        assert isinstance(growing, bool)
        return Lagging(self._audio_by_name, locator.text)


@KILLED_VOICE_AGENT
@pytest.mark.parametrize(
    "sources_of", [InMemoryAudioSources, LaggingSources, lambda audios: QueuedAudioSources(audios, {})]
)
def test_audio_that_grew_while_nobody_waited_has_not_stalled(
    sources_of: Callable[[dict[str, bytes]], InMemoryAudioSources],
) -> None:
    """Its only listener paused at the live edge; another one joins there long after, and both receive the rest."""
    audios = {"s": b"abc"}
    server = VirtualServer(sources=sources_of(audios), stall_seconds=10.0, give_up_seconds=120.0)
    server.announce("s", state=GENERATING)
    first = server.join("s", "first")
    server.run(5.0)
    server.service.pause("first")
    for _ in range(130):
        audios["s"] += b"more"
        server.run(1.0)
    second = server.join("s", "second", offset=len(audios["s"]))
    server.run(5.0)
    server.service.resume("first")
    server.run(1.0)
    audios["s"] += b"rest"
    server.run(1.0)
    assert first.received == audios["s"]
    assert second.received == b"rest"
    assert "stalled" not in first.kinds + second.kinds


def test_a_pause_does_not_count_as_silence() -> None:
    """Only the time in which the audio was polled without growth counts, before the pause and after it."""
    server, _audios = growing(b"abc", stall_seconds=10.0, give_up_seconds=30.0)
    listener = server.join("s")
    server.run(20.0)
    server.service.pause("listener")
    server.run(1000.0)
    server.service.resume("listener")
    server.run(9.0)
    assert listener.kinds[-2:] == ["resumed", "stalled"]
    server.run(2.0)
    assert error_of(listener).error_code == "ASF_STREAM_STALLED"


def test_a_start_of_stream_has_the_present_state() -> None:
    """After a seek behind the end of the generation, the audio is complete."""
    server, _audios = growing(b"abc")
    listener = server.join("s")
    server.service.pause("listener")
    server.announce("s", state=COMPLETE)
    server.service.seek("listener", 1)
    start = listener.events[-1]
    assert isinstance(start, StartOfStream)
    assert (start.state, start.total_bytes, start.offset) == (COMPLETE, 3, 1)


class MutteringSources(InMemoryAudioSources):
    """Audio whose media type cannot be read."""

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        class Muttering(InMemoryAudioSource):
            @property
            def content_type(self) -> str:  # type: ignore[override]
                raise AudioUnavailable("Reading failed.")

        assert locator.text in self._audio_by_name
        assert isinstance(growing, bool)
        return Muttering(self._audio_by_name, locator.text)


@pytest.mark.parametrize("wait", [True, False])
def test_a_session_that_fails_as_it_starts_leaves_nothing_behind(wait: bool) -> None:
    """Its listener receives the error, and it gives back what it held."""
    server = VirtualServer(sources=MutteringSources({"s": b"abc"}))
    if not wait:
        server.announce("s")
    listener = server.join("s", wait=wait)
    server.announce("s")
    assert isinstance(error_of(listener), AudioUnavailable)
    assert (len(server.service), len(server.pool)) == (0, 0)


class SlowlyFinalizedSources(InMemoryAudioSources):
    """Audio whose final size takes time to find, in which other tasks run: `meanwhile` is called then."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        sources = self

        class SlowlyFinalized(InMemoryAudioSource):
            def finalize(self) -> int:
                sources.meanwhile()
                return super().finalize()

        assert isinstance(growing, bool)
        return SlowlyFinalized(self._audio_by_name, locator.text)


@pytest.mark.parametrize("is_readable", [True, False])
def test_audio_is_complete_once_its_final_size_is_known(is_readable: bool) -> None:
    """Not while that is looked for, and never if it cannot be read any more."""
    audios = {"s": b"abc"}
    sources = SlowlyFinalizedSources(audios)
    server = VirtualServer(sources=sources)
    server.announce("s", state=GENERATING)
    listener = server.join("s")
    seen: list[object] = []
    with server.service.open("s") as opened:

        def look() -> None:
            seen.extend([opened.total_bytes, opened.fingerprint, opened.failure])
            server.service.seek("listener", 1)
            if not is_readable:
                del audios["s"]

        sources.meanwhile = look
        server.announce("s", state=COMPLETE)
        assert (opened.total_bytes == 3) is is_readable
        assert (opened.fingerprint is not None) is is_readable
    assert seen == [None, None, None]
    starts = [event for event in listener.events if isinstance(event, StartOfStream)]
    assert [(start.state, start.total_bytes) for start in starts] == [(GENERATING, None)] * 2


def test_the_audio_of_many_who_waited_is_sent_in_turns() -> None:
    """An announcement starts all waiting sessions at once, with their events; the pump sends their audio."""
    server = VirtualServer(audios := {})
    listeners = [server.join("s", f"listener-{number}", wait=True) for number in range(100)]
    audios["s"] = b"abc"
    server.announce("s")
    assert [listener.kinds for listener in listeners] == [["waiting", "joined", "StartOfStream"]] * 100
    assert [listener.received for listener in listeners] == [b""] * 100
    server.pump.turn()
    assert sum(map(bool, (listener.received for listener in listeners))) == LISTENERS_PER_TURN
    server.run_until_idle()
    assert all(listener.received == b"abc" for listener in listeners)


def test_regenerated_audio_starts_an_epoch_and_ends_sessions_of_the_old_one() -> None:
    """After what was written of it; offsets do not carry over."""
    server, audios = growing(b"abc")
    old = server.join("s")
    audios["t"] = b"other"
    server.announce("s", "t", GENERATING)
    server.run(1.0)
    error = error_of(old)
    assert isinstance(error, EpochChanged)
    assert error.epoch == "epoch-2"
    assert old.received == b"abc"
    with pytest.raises(EpochChanged):
        server.join("s", offset=3, epoch="epoch-1")
    assert server.join("s", offset=3, epoch="epoch-2").received == b"er"


@pytest.mark.parametrize(
    ("first", "second", "same_locator", "kept"),
    [
        (GENERATING, COMPLETE, True, True),
        (GENERATING, FAILED, True, True),
        (GENERATING, GENERATING, True, True),
        (COMPLETE, COMPLETE, True, True),
        (COMPLETE, GENERATING, True, False),
        (FAILED, GENERATING, True, False),
        (GENERATING, COMPLETE, False, False),
        (COMPLETE, COMPLETE, False, False),
    ],
)
def test_what_keeps_an_epoch(first: StreamState, second: StreamState, same_locator: bool, kept: bool) -> None:
    """The same locator with a further state does, and keeps what was announced of the audio."""
    server = VirtualServer()
    before = server.catalog.announce(
        Announcement("s", server.catalog.locate("a"), first, "audio/wav", {"title": "t"})
    )
    after = server.catalog.announce(Announcement("s", server.catalog.locate("a" if same_locator else "b"), second))
    assert (after.epoch == before.epoch) is kept
    assert (after.content_type, after.metadata) == (("audio/wav", {"title": "t"}) if kept else (None, None))
    assert server.catalog.find("s") == after


def test_only_a_known_stream_can_fail_without_a_filepath() -> None:
    """There is no locator otherwise."""
    server = VirtualServer()
    with pytest.raises(InvalidFilepath):
        server.catalog.announce(Announcement("s", None, FAILED))


def test_listeners_of_a_deleted_stream_receive_what_was_written() -> None:
    """Of a complete audio that is all; growing audio ends with an error."""
    audio = audio_of(200_000)
    server, audios = growing(audio)
    audios["t"] = audio
    server.announce("t")
    of_growing, of_whole = server.join("s", "1"), server.join("t", "2")
    server.catalog.delete("s")
    server.catalog.delete("t")
    server.run_until_idle()
    assert of_growing.received == of_whole.received == audio
    assert isinstance(error_of(of_growing), StreamNotFound)
    assert of_whole.kinds[-1] == "EndOfStream"
    with pytest.raises(StreamNotFound):
        server.catalog.delete("s")


def test_waiting_for_an_announcement() -> None:
    """The listener receives that it waits, and then the events of every session."""
    server = VirtualServer(audios := {})
    listener = server.join("s", wait=True)
    assert listener.kinds == ["waiting"]
    server.run(60.0)
    audios["s"] = b"abc"
    server.announce("s")
    server.run_until_idle()
    assert listener.kinds == ["waiting", "joined", "StartOfStream", "EndOfStream"]
    assert listener.received == b"abc"


def test_waiting_times_out() -> None:
    """And leaves nothing behind."""
    server = VirtualServer(wait_seconds=5.0)
    listener = server.join("s", wait=True)
    server.run(4.9)
    assert listener.kinds == ["waiting"]
    server.run(0.2)
    assert isinstance(error_of(listener), StreamNotFound)
    assert len(server.service) == 0
    server.announce("s", "missing")


def test_waiting_for_audio_that_cannot_be_opened_ends_in_an_error() -> None:
    """Missing, or of another epoch than the listener asked for."""
    server = VirtualServer({})
    missing, other = server.join("s", "1", wait=True), server.join("s", "2", wait=True, epoch="old")
    disconnected = server.join("s", "3", wait=True)
    server.service.disconnect("3")
    server.announce("s", "missing")
    assert isinstance(error_of(missing), AudioUnavailable)
    assert isinstance(error_of(other), EpochChanged)
    assert disconnected.kinds == ["waiting"]
    assert len(server.service) == 0


def test_a_paused_wait_starts_paused() -> None:
    """Pausing, seeking and resuming while waiting hold for later."""
    server = VirtualServer(audios := {})
    listener = server.join("s", wait=True)
    server.service.pause("listener")
    server.service.seek("listener", 1)
    audios["s"] = b"abc"
    server.announce("s")
    server.run(1.0)
    assert listener.kinds == ["waiting", "paused", "joined", "StartOfStream"]
    assert listener.received == b""
    server.service.resume("listener")
    server.run_until_idle()
    assert listener.received == b"bc"


@given(length=st.integers(0, 3000), offset=st.integers(0, 5000), chunk_bytes=st.integers(1, 700))
def test_beginning_anywhere(length: int, offset: int, chunk_bytes: int) -> None:
    """From the offset to the end; past the end, the end at once."""
    audio = audio_of(length)
    server = VirtualServer({"s": audio}, chunk_bytes)
    listener = server.join("s", offset=offset)
    server.run_until_idle()
    assert listener.received == audio[offset:]
    assert listener.kinds == ["joined", "StartOfStream", "EndOfStream"]


def test_an_offset_past_the_end_waits_while_the_audio_grows() -> None:
    """As the end is not known yet."""
    server, audios = growing(b"abc")
    listener = server.join("s", offset=5)
    server.run(1.0)
    assert listener.kinds == ["joined", "StartOfStream"]
    audios["s"] = b"abcdefgh"
    server.run(1.0)
    assert listener.received == b"fgh"


def test_pausing_and_resuming() -> None:
    """Nothing is sent in between, and the pace continues from there, without a burst."""
    audio = audio_of(4_000_000)
    server = VirtualServer({"s": audio})
    listener = server.join("s")
    server.run(1.0)
    server.service.pause("listener")
    before = len(listener.received)
    server.run(60.0)
    assert len(listener.received) == before
    server.service.resume("listener", "s")
    server.run(1.0)
    assert len(listener.received) <= before + 409_600 + 2 * server.pace.batch_bytes
    server.run_until_idle()
    assert listener.received == audio
    assert listener.kinds == ["joined", "StartOfStream", "paused", "resumed", "EndOfStream"]


def test_seeking() -> None:
    """Forwards, backwards and past the end; each begins with its own start."""
    audio = audio_of(300_000)
    server = VirtualServer({"s": audio}, chunk_seconds=1.0)
    listener = server.join("s")
    heard = len(listener.received)
    server.service.seek("listener", 200_001)
    server.run(0.1)
    assert bytes(listener.received[heard:]) == audio[200_001:][: len(listener.received) - heard]
    server.service.seek("listener", 5)
    heard = len(listener.received)
    server.run(0.1)
    assert bytes(listener.received[heard:]) == audio[5:][: len(listener.received) - heard]
    server.service.seek("listener", 300_001)
    server.run_until_idle()
    starts = [event.offset for event in listener.events if isinstance(event, StartOfStream)]
    assert starts == [0, 200_001, 5, 300_001]
    assert listener.kinds[-1] == "EndOfStream"


def test_leaving_is_confirmed() -> None:
    """And there is nothing to leave, pause, resume, seek or acknowledge then."""
    server = VirtualServer({"s": audio_of(1_000_000)})
    listener = server.join("s")
    with pytest.raises(NoSession):
        server.service.leave("listener", "t")
    server.service.leave("listener", "s")
    assert listener.kinds[-1] == "left"
    service = server.service
    for command in (service.leave, service.pause, service.resume):
        with pytest.raises(NoSession):
            command("listener")
    with pytest.raises(NoSession):
        service.seek("listener", 0)
    with pytest.raises(NoSession):
        service.acknowledge("listener", 0)


@given(
    length=st.integers(1, 5000),
    chunk_bytes=st.integers(1, 700),
    window=st.integers(1, 2000),
    acks=st.lists(st.floats(0, 1), max_size=40),
)
def test_a_window_is_never_exceeded(length: int, chunk_bytes: int, window: int, acks: list[float]) -> None:
    """Whatever is acknowledged when; a listener that acknowledges everything receives everything."""
    audio = audio_of(length)
    server = VirtualServer({"s": audio}, chunk_bytes, 0.0)
    listener = server.join("s", window=window)
    acknowledged = 0
    for share in acks:
        server.run(0.1)
        assert len(listener.received) - acknowledged <= window
        if "EndOfStream" in listener.kinds:
            break
        ack = int(share * len(listener.received))
        server.service.acknowledge("listener", ack)
        acknowledged = max(acknowledged, ack)
    while "EndOfStream" not in listener.kinds:
        server.service.acknowledge("listener", len(listener.received))
        before = len(listener.received)
        server.run(0.1)
        assert "EndOfStream" in listener.kinds or len(listener.received) > before
    assert listener.received == audio


def test_acknowledging_more_than_was_sent_is_an_error_and_less_is_ignored() -> None:
    """Neither grants anything."""
    server = VirtualServer({"s": audio_of(1_000_000)}, chunk_seconds=0.0)
    listener = server.join("s", window=10_000)
    with pytest.raises(InvalidAck):
        server.service.acknowledge("listener", len(listener.received) + 1)
    server.service.acknowledge("listener", 4096)
    server.service.acknowledge("listener", 0)
    server.run(1.0)
    assert len(listener.received) == 3 * 4096


def test_seeking_restarts_the_window() -> None:
    """What was sent before counts as acknowledged."""
    server = VirtualServer({"s": audio_of(1_000_000)}, chunk_seconds=0.0)
    listener = server.join("s", window=8192)
    server.service.seek("listener", 500_000)
    server.run(1.0)
    assert len(listener.received) == 8192 + 8192 - 500_000 % 4096


def test_the_simulation() -> None:
    """Texts between the two control messages; audio that is announced under its name takes precedence."""
    server = VirtualServer(audios := {})
    listener = server.join("simulation")
    texts = [event.text for event in listener.events if isinstance(event, SimulatedChunk)]
    assert texts == ["Audio chunk 1", "Audio chunk 2", "Audio chunk 3", "End of stream"]
    assert listener.kinds == ["joined", "StartOfStream", *["SimulatedChunk"] * 4, "EndOfStream"]
    assert len(server.service) == 0
    audios["simulation"] = b"abc"
    server.announce("simulation")
    listener = server.join("simulation")
    server.run_until_idle()
    assert listener.received == b"abc"


def test_draining_ends_the_remaining_sessions_at_their_offsets() -> None:
    """All listeners receive the status at once, more audio, and the offset at the end; joins are rejected."""
    audio = audio_of(2_000_000)
    server = VirtualServer({"s": audio})
    listener, waiting = server.join("s", "one"), server.join("later", "two", wait=True)
    server.run(1.0)
    server.service.drain()
    before = len(listener.received)
    status = listener.events[-1]
    assert isinstance(status, StatusChanged)
    assert (status.status, status.offset) == ("server_draining", before)
    assert waiting.kinds[-1] == "server_draining"
    with pytest.raises(Draining):
        server.join("s", "three")
    server.run(0.5)
    assert before < len(listener.received) < len(audio)
    server.service.end_all()
    for one in (listener, waiting):
        assert error_of(one).error_code == "ASF_DRAINING"
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    assert failure.offset == len(listener.received)
    assert (len(server.service), len(server.pool)) == (0, 0)


def test_opened_audio_describes_what_is_known() -> None:
    """A length and a fingerprint only of what is complete; nothing stays open."""
    server, audios = growing(b"abc")
    assert server.describe("s").total_bytes is None
    server.announce("s", state=COMPLETE)
    complete = server.describe("s")
    assert (complete.total_bytes, complete.content_type) == (3, "audio/mpeg")
    audios["s"] = b"abd"
    assert server.describe("s").fingerprint != complete.fingerprint
    assert len(server.pool) == 0


@given(steps=st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=10))
def test_an_announcement_is_later_than_the_one_that_it_replaces(steps: list[float]) -> None:
    """Also by a clock that is behind, or stands still: so it tells which of two values is older."""
    server = VirtualServer()
    times = []
    for step in steps:
        server.clock.advance(step)
        locator = server.catalog.locate("a")
        times.append(server.catalog.announce(Announcement("s", locator, StreamState.COMPLETE)).announced_at)
        assert times[-1] >= server.clock.timestamp()
    assert all(earlier < later for earlier, later in pairwise(times))
