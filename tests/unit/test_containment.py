"""Failures that concern one stream, one timer or one turn, and nobody else."""

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

import eventlet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.eventlet_runtime import pump_driver
from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources
from asf.domain.errors import AsfError, AudioUnavailable
from asf.domain.signal import Signal
from asf.domain.streaming.events import StreamFailed
from asf.domain.streaming.live_edge import POLL_SECONDS
from asf.domain.streaming.timers import LOG_SECONDS, RETRY_SECONDS, Timers
from asf.domain.streams.stream import FileLocator, Locator, StreamState
from tests.support.faults import DISK_ERRORS
from tests.support.virtual import ScriptedListener, VirtualServer

GENERATING = StreamState.GENERATING
DISK_ERROR = OSError(errno.EIO, os.strerror(errno.EIO))


class FaultySources(InMemoryAudioSources):
    """Audio in memory. Opening and closing that of stream `bad` raises the errors that are set."""

    def __init__(self, audios: dict[str, bytes]) -> None:
        super().__init__(audios)
        self.open_error: Exception | None = None
        self.close_error: Exception | None = None
        self.opened: list[InMemoryAudioSource] = []

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        is_bad = locator.text == "bad"
        if is_bad and self.open_error:
            raise self.open_error
        source = super().open(locator, growing=growing)
        if is_bad and (error := self.close_error):

            def fail() -> None:
                raise error

            source.close = fail  # type: ignore[method-assign]
        self.opened.append(source)
        return source


class Streams:
    """Two growing streams, `bad` and `good`, each with a listener at its live edge."""

    def __init__(self) -> None:
        self.audios: dict[str, bytes] = {"good": b"abc"}
        self.sources = FaultySources(self.audios)
        self.server = VirtualServer(self.audios, sources=self.sources, wait_seconds=5.0)
        for name in ("bad", "good"):
            self.server.announce(name, state=GENERATING)
        self.bad = self.server.join("bad", "bad")
        self.good = self.server.join("good", "good")

    def grow(self, seconds: float = 1.0) -> None:
        """Let the audio of `good` grow, and require that its listener receives it."""
        self.audios["good"] += b"more"
        self.server.run(seconds)
        assert self.good.received == self.audios["good"]


def error_code_of(listener: ScriptedListener) -> str:
    """Return the code of the error that ended the listener's session."""
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    return failure.error.error_code


@DISK_ERRORS
@given(
    steps=st.lists(
        st.sampled_from(["unavailable", "disk error", "error at close", "recover", "write", "join", "finish"]),
        max_size=30,
    )
)
def test_whatever_fails_of_one_stream_the_other_is_heard(steps: list[str]) -> None:
    """At once, whenever it fails and recovers; and nothing of the failed sessions is left."""
    streams = Streams()
    for step in steps:
        match step:
            case "unavailable":
                streams.sources.open_error = AudioUnavailable("Reading failed.")
            case "disk error":
                streams.sources.open_error = DISK_ERROR
            case "error at close":
                streams.sources.close_error = DISK_ERROR
            case "recover":
                streams.sources.open_error = streams.sources.close_error = None
            case "write":
                streams.audios["bad"] = streams.audios.get("bad", b"") + b"xyz"
            case "join":
                with suppress(AsfError, OSError):
                    streams.server.join("bad", "bad")
            case "finish":
                streams.server.announce("bad")
        streams.grow(3 * POLL_SECONDS)
    for listener in ("bad", "good"):
        streams.server.service.disconnect(listener)
    assert (len(streams.server.pool), len(streams.server.service)) == (0, 0)


def test_audio_that_cannot_be_opened_for_a_while_is_waited_for() -> None:
    """Its listener receives it when the disk has recovered; the other one notices nothing."""
    streams = Streams()
    streams.audios["bad"] = b"xyz"
    streams.sources.open_error = AudioUnavailable("Reading failed: Input/output error.")
    for _ in range(3):
        streams.grow()
    assert streams.bad.kinds == ["joined", "StartOfStream"]
    streams.sources.open_error = None
    streams.grow()
    assert streams.bad.received == b"xyz"


def test_an_unexpected_error_of_a_poll_ends_that_stream_only() -> None:
    """It is no error that the port names: the sessions of that audio end, once, and it is closed."""
    streams = Streams()
    streams.sources.open_error = DISK_ERROR
    streams.grow()
    assert error_code_of(streams.bad) == "ASF_INTERNAL_ERROR"
    streams.grow()
    assert len(streams.server.pool) == 1


def test_an_unexpected_error_at_the_end_of_a_generation_ends_its_sessions() -> None:
    """They would wait at the live edge until the stream counts as stalled."""
    streams = Streams()
    streams.sources.open_error = DISK_ERROR
    streams.server.announce("bad")
    streams.server.run(POLL_SECONDS / 2)
    assert error_code_of(streams.bad) == "ASF_INTERNAL_ERROR"


def test_audio_that_cannot_be_closed_is_released_nevertheless() -> None:
    """The session ends, the server forgets it, and the turn goes on."""
    streams = Streams()
    streams.sources.close_error = DISK_ERROR
    streams.audios["bad"] = b"xyz"
    streams.server.run(POLL_SECONDS)
    streams.server.announce("bad")
    streams.grow()
    assert streams.bad.kinds[-1] == "EndOfStream"
    assert streams.server.observer.outcomes == ["complete"]
    assert (len(streams.server.pool), len(streams.server.service)) == (1, 1)


def test_a_connection_that_cannot_be_detached_is_forgotten_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session would count as a listener for ever."""
    streams = Streams()

    def fail() -> None:
        raise DISK_ERROR

    monkeypatch.setattr(streams.bad, "detach", fail)
    streams.audios["bad"] = b"xyz"
    streams.server.announce("bad")
    streams.grow()
    assert (len(streams.server.pool), len(streams.server.service)) == (1, 1)


def test_growing_audio_that_cannot_be_read_at_a_join_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each join would leave a descriptor open."""
    streams = Streams()
    streams.audios["bad"] = b"xyz"
    streams.server.service.disconnect("bad")

    def fail(_source: InMemoryAudioSource) -> int:
        raise AudioUnavailable("Reading failed.")

    monkeypatch.setattr(InMemoryAudioSource, "refresh", fail)
    with pytest.raises(AudioUnavailable):
        streams.server.join("bad", "again")
    with pytest.raises(AudioUnavailable, match="closed"):
        streams.sources.opened[-1].read(0, 1)


class FailingTimer:
    """A timer that is due, and raises while `fails`."""

    def __init__(self) -> None:
        self.fails = True
        self.fired: list[float] = []
        self.next_time: float | None = 0.0

    def fire(self, now: float) -> None:
        self.fired.append(now)
        if self.fails:
            raise DISK_ERROR
        self.next_time = None


def test_a_timer_that_fails_is_retried_after_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    """The others fire, and the log has one line for many failures."""
    failing, other = FailingTimer(), FailingTimer()
    other.fails = False
    timers = Timers([failing, other])
    now = 100.0
    for _ in range(int(LOG_SECONDS) - 1):
        timers.fire(now)
        timers.fire(now)
        assert timers.next_time == now + RETRY_SECONDS
        now += RETRY_SECONDS
    assert len(failing.fired) == LOG_SECONDS - 1
    assert (other.fired, timers.failing_since) == ([100.0], 100.0)
    assert len(caplog.records) == 1
    failing.fails = False
    timers.fire(now)
    assert (timers.failing_since, timers.next_time) == (None, None)


def test_a_timer_that_fails_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audio that is due is sent, in as many turns as before, and the pump says since when the timer fails."""
    streams = Streams()
    streams.server.join("later", "waiting", wait=True)

    def fail(_now: float) -> None:
        raise DISK_ERROR

    monkeypatch.setattr(streams.server.waiting, "fire", fail)
    streams.server.run(85.0)
    turns, turn = 0, streams.server.pump.turn

    def count() -> float | None:
        nonlocal turns
        turns += 1
        return turn()

    monkeypatch.setattr(streams.server.pump, "turn", count)
    streams.grow()
    assert turns <= 2 / POLL_SECONDS
    overdue = streams.server.pump.overdue(streams.server.clock.now())
    assert 80.0 < overdue < 82.0


def test_the_pump_says_since_when_it_does_not_turn() -> None:
    """Only while something is due: a pump that has nothing to do may sleep."""
    server = VirtualServer({"s": b"abc" * 100_000})
    server.clock.advance(100.0)
    assert server.pump.overdue(server.clock.now()) == 0.0
    server.join("s")
    server.service.pause("listener")
    server.run(100.0)
    server.service.resume("listener")
    assert server.pump.overdue(server.clock.now()) == 0.0
    server.clock.advance(7.0)
    assert 6.9 < server.pump.overdue(server.clock.now()) <= 7.0
    server.run_until_idle()
    assert server.pump.overdue(server.clock.now()) == 0.0


class ScriptedPump:
    """A pump whose turns fail or sleep as scripted; then the driver is stopped."""

    def __init__(self, outcomes: list[bool]) -> None:
        self.on_due: Signal[()] = Signal()
        self._outcomes = outcomes

    def turn(self) -> float | None:
        if not self._outcomes:
            raise KeyboardInterrupt
        if not self._outcomes.pop(0):
            raise DISK_ERROR
        return 0.0


def test_turns_that_fail_back_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """They would take the whole core and fill the log; one that succeeds ends that."""
    pauses: list[float] = []
    monkeypatch.setattr(eventlet, "sleep", pauses.append)
    with caplog.at_level(logging.ERROR), pytest.raises(KeyboardInterrupt):
        pump_driver.drive(ScriptedPump([False] * 7 + [True, False]))
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0, 0.05]
    assert len(caplog.records) == 1


def descriptors() -> int:
    """Return how many descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@DISK_ERRORS
@pytest.mark.parametrize("call", ["fstat", "pread"])
def test_a_file_that_cannot_be_examined_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """It is unavailable, and may be opened many times a second."""
    path = tmp_path / "growing.mp3"
    path.write_bytes(b"abc")
    sources = FileAudioSources([tmp_path])
    before = descriptors()

    def fail(*_arguments: object) -> None:
        raise DISK_ERROR

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        for _ in range(10):
            with pytest.raises(AudioUnavailable, match="Input/output error"):
                sources.open(FileLocator(str(path)), growing=True)
    assert descriptors() == before


def test_a_file_is_closed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor whose close reports an error is free, and may already be another file's."""
    path = tmp_path / "audio.mp3"
    path.write_bytes(b"abc")
    source = FileAudioSources([tmp_path]).open(FileLocator(str(path)))
    close, closed = os.close, []

    def close_and_fail(descriptor: int) -> None:
        close(descriptor)
        closed.append(descriptor)
        raise DISK_ERROR

    monkeypatch.setattr(os, "close", close_and_fail)
    source.close()
    source.close()
    assert len(closed) == 1
