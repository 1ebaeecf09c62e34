"""Whatever happens to a session in whatever order: its invariants hold."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asf.adapters.memory import InMemoryAudioSources
from asf.domain.errors import InvalidAck, NoSession
from asf.domain.streaming.events import StartOfStream
from asf.domain.streaming.lifecycle import TRANSITIONS, ImpossibleTransition, SessionEvent, SessionState, next_state
from asf.domain.streaming.seek_limit import SEEKS_AT_ONCE
from asf.domain.streams.stream import StreamState
from tests.support.examples import examples
from tests.support.virtual import FetchedAudioSources, VirtualServer

STALL_SECONDS, GIVE_UP_SECONDS, WAIT_SECONDS, SLOW_SECONDS = 3.0, 9.0, 8.0, 7.0
AUDIO = random.Random(1).randbytes(50_000)
ENDS = {"EndOfStream", "StreamFailed", "left"}


class Listening(RuleBasedStateMachine):
    """One listener of one stream, in virtual time, beside another that must not be affected."""

    @initialize(
        chunk_bytes=st.integers(1, 60),
        chunk_seconds=st.sampled_from([0.0, 0.01, 0.3]),
        window=st.none() | st.integers(1, 400),
        offset=st.sampled_from([0, 0, 1, 500]),
        announced=st.booleans(),
        capacity=st.sampled_from([None, None, 150, 1000]),
    )
    def join(
        self,
        chunk_bytes: int,
        chunk_seconds: float,
        window: int | None,
        offset: int,
        announced: bool,
        capacity: int | None,
    ) -> None:
        self.audios: dict[str, bytes] = {}
        self.sources = self.sources_of(self.audios)
        self.server = VirtualServer(
            self.audios,
            chunk_bytes,
            chunk_seconds,
            self.sources,
            slow_seconds=SLOW_SECONDS,
            wait_seconds=WAIT_SECONDS,
            stall_seconds=STALL_SECONDS,
            give_up_seconds=GIVE_UP_SECONDS,
        )
        self.announced = False
        self.state = StreamState.GENERATING
        self.written = b""
        if announced:
            self.announce()
        self.window = window
        self.acknowledged = offset
        self.seeks = 0
        self.listener = self.server.join("s", capacity=capacity, offset=offset, window=window, wait=True)
        self.other_left = False
        self.other = self.server.join("s", "other", wait=True)
        self.base, self.heard_before = offset, 0

    def sources_of(self, audios: dict[str, bytes]) -> InMemoryAudioSources:
        return InMemoryAudioSources(audios)

    def announce(self) -> None:
        self.announced = True
        self.server.announce("s", state=self.state)

    @property
    def offset(self) -> int:
        """The offset of the first byte that the listener has not received."""
        return self.base + len(self.listener.received) - self.heard_before

    @property
    def over(self) -> bool:
        return bool(ENDS & set(self.listener.kinds))

    @precondition(lambda self: self.state is StreamState.GENERATING)
    @rule(length=st.sampled_from([1, 100, 1000]))
    def write(self, length: int) -> None:
        self.written = AUDIO[: len(self.written) + length]
        self.audios["s"] = self.written

    @precondition(lambda self: not self.announced)
    @rule()
    def announce_generating(self) -> None:
        self.announce()

    @precondition(lambda self: self.announced and self.written and self.state is StreamState.GENERATING)
    @rule(state=st.sampled_from([StreamState.COMPLETE, StreamState.FAILED]))
    def finish(self, state: StreamState) -> None:
        self.state = state
        self.announce()

    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0, 4.0]))
    def pass_time(self, seconds: float) -> None:
        self.server.run(seconds)

    @rule(length=st.integers(1, 500))
    def read(self, length: int) -> None:
        self.listener.read(length)

    @rule(share=st.floats(0, 1.2))
    def acknowledge_some(self, share: float) -> None:
        self.acknowledge(int(share * self.offset))

    def acknowledge(self, received: int) -> None:
        try:
            self.server.service.acknowledge("listener", received)
        except NoSession:
            assert self.over
        except InvalidAck:
            assert received > self.offset
        else:
            assert received <= self.offset
            self.acknowledged = max(self.acknowledged, received)

    @rule()
    def acknowledge_all(self) -> None:
        self.acknowledge(self.offset)

    @rule()
    def pause(self) -> None:
        self._command("pause")

    @rule()
    def resume(self) -> None:
        self._command("resume")

    @precondition(lambda self: "joined" in self.listener.kinds and not self.over and self.seeks < SEEKS_AT_ONCE)
    @rule(share=st.floats(0, 1.1))
    def seek(self, share: float) -> None:
        self.seeks += 1  # Those beyond the rate limit would be delayed.
        offset = int(share * len(self.written))
        self.server.service.seek("listener", offset)
        start = self.listener.events[-1]
        assert isinstance(start, StartOfStream)
        assert start.offset == offset
        self.base, self.heard_before, self.acknowledged = offset, len(self.listener.received), offset

    @rule()
    def disconnect_the_other(self) -> None:
        self.other_left = True
        self.server.service.disconnect("other")

    @precondition(lambda self: self.server.clock.time > 1030)
    @rule()
    def leave(self) -> None:
        self._command("leave")

    def _command(self, name: str) -> None:
        try:
            getattr(self.server.service, name)("listener")
        except NoSession:
            assert self.over

    @invariant()
    def bytes_are_the_audio_from_the_offset_on(self) -> None:
        heard = bytes(self.listener.received[self.heard_before :])
        assert self.written[self.base :].startswith(heard)

    @invariant()
    def the_window_is_kept(self) -> None:
        assert self.window is None or self.offset - self.acknowledged <= self.window

    @invariant()
    def nothing_follows_an_end(self) -> None:
        ends = [number for number, kind in enumerate(self.listener.kinds) if kind in ENDS]
        assert ends in ([], [len(self.listener.kinds) - 1])
        if not ends:
            return
        assert self.listener.detached
        if not hasattr(self, "at_end"):
            self.at_end = len(self.listener.received)
        assert self.at_end == len(self.listener.received)

    @invariant()
    def an_end_of_stream_comes_after_all_of_a_complete_audio(self) -> None:
        if "EndOfStream" in self.listener.kinds:
            assert self.state is StreamState.COMPLETE
            assert self.offset >= len(self.written)

    def _listen_to_the_end(self) -> None:
        for _ in range(len(self.written) + 10_000):  # With a window of 1 each byte takes a turn.
            if self.over:
                return
            self._let_all_arrive()
            self.server.run(0.5)
            self.listener.read(0)
            self.acknowledge(self.offset)
        raise AssertionError("The session never ends.")

    def _let_the_other_listen_to_the_end(self) -> None:
        """Without any command: it receives more whenever there is more, and an end."""
        if not self.announced:
            self.server.run(WAIT_SECONDS)
        while not self.other_left and not ENDS & set(self.other.kinds):
            heard_before = len(self.other.received)
            for _ in range(2):  # What is due in the first may have to be fetched for the second.
                self._let_all_arrive()
                self.server.run(2 * GIVE_UP_SECONDS)
            assert len(self.other.received) > heard_before or ENDS & set(self.other.kinds)
        if "EndOfStream" in self.other.kinds:
            assert self.other.received == self.written

    def _let_all_arrive(self) -> None:
        pass

    def teardown(self) -> None:
        """An ended session holds nothing open, and a listener that takes everything receives everything."""
        if not hasattr(self, "server"):
            return
        if not self.over:
            self.listener.capacity = None
            self.listener.read(0)
            self._command("resume")
            self._listen_to_the_end()
        self._let_the_other_listen_to_the_end()
        assert len(self.server.service) == 0
        assert len(self.server.pool) == 0
        assert len(self.server.slow_listeners) == 0
        self.server.run(1000.0)
        assert self.server.pump.turn() is None


TestListening = Listening.TestCase
TestListening.settings = settings(max_examples=examples(200), stateful_step_count=50, deadline=None)


class ListeningToWhatIsFetched(Listening):
    """The same where the audio is fetched as it is read, and arrives at any time."""

    sources: FetchedAudioSources

    def sources_of(self, audios: dict[str, bytes]) -> FetchedAudioSources:
        return FetchedAudioSources(audios)

    @rule()
    def arrive(self) -> None:
        self.sources.arrive()

    def _let_all_arrive(self) -> None:
        while self.sources.arrive():
            pass


TestListeningToWhatIsFetched = ListeningToWhatIsFetched.TestCase
TestListeningToWhatIsFetched.settings = settings(max_examples=examples(200), stateful_step_count=50, deadline=None)


def test_the_table_knows_every_state_and_nothing_follows_the_end() -> None:
    """Every state can be reached and, but for the last, left by leaving."""
    assert set(TRANSITIONS) == set(SessionState)
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached == set(SessionState)
    for state, row in TRANSITIONS.items():
        assert (row == {}) is (state is SessionState.ENDED)
        if row:
            assert row[SessionEvent.LEAVE] is row[SessionEvent.FAIL] is SessionState.ENDED


EMPTY_CELLS = {
    SessionState.WAITING: {SessionEvent.STALL, SessionEvent.WAKE, SessionEvent.COMPLETE},
    SessionState.WAITING_PAUSED: {SessionEvent.STALL, SessionEvent.WAKE, SessionEvent.COMPLETE},
    SessionState.FLOWING: {SessionEvent.START, SessionEvent.WAKE},
    SessionState.STALLED: {SessionEvent.START, SessionEvent.STALL, SessionEvent.COMPLETE},
    SessionState.PAUSED: {SessionEvent.START, SessionEvent.STALL, SessionEvent.WAKE, SessionEvent.COMPLETE},
    SessionState.ENDED: set(SessionEvent),
}
"""What cannot happen in which state, written down a second time."""


@pytest.mark.parametrize("event", SessionEvent)
@pytest.mark.parametrize("state", SessionState)
def test_every_cell_of_the_table(state: SessionState, event: SessionEvent) -> None:
    """An empty one raises; any other is the next state."""
    if event in EMPTY_CELLS[state]:
        with pytest.raises(ImpossibleTransition, match=f"{event.name} in {state.name}"):
            next_state(state, event)
    else:
        assert next_state(state, event) is TRANSITIONS[state][event]
