"""What is remembered of Redis is what is stored there, whatever happens while it is read."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.redis_store.recent_streams import MAX_AGE_SECONDS, MAX_STREAMS, RecentStreams
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState
from tests.support.virtual import ManualClock

STREAM = AudioStream("s", FileLocator("/audio/one.mp3"), StreamState.COMPLETE, "1")


class World:
    """Two servers and their Redis. A change is counted when it is answered, which is after it was stored."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stored = STREAM
        self.answered = STREAM
        self.changes = 0
        self.servers = [RecentStreams(self, self.clock.now) for _ in range(2)]
        self.meanwhile: list[Callable[[], object]] = []

    def note(self) -> None:
        """Count a change."""
        self.changes += 1

    def total(self) -> int:
        """Return how many changes there were."""
        return self.changes

    def store(self) -> None:
        """Let Redis store another value, which is not answered yet."""
        self.stored = replace(STREAM, epoch=str(int(self.stored.epoch) + 1))

    def answer(self) -> None:
        """Answer what was stored."""
        self.servers[0].note_change()
        self.answered = self.stored

    def read(self, server: int = 0) -> None:
        """Read, while something happens before Redis has read, and something before its answer has come."""

        def ask(_: str) -> AudioStream:
            self._go_on()
            stream = self.stored
            self._go_on()
            return stream

        assert self.servers[server].read("s", ask) is not None

    def _go_on(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


ACTIONS: dict[str, Callable[[World], object]] = {
    "store": World.store,
    "answer": World.answer,
    "read": World.read,
    "read at the other": lambda world: world.read(1),
    "store during a read": lambda world: world.meanwhile.append(world.store),
    "answer during a read": lambda world: world.meanwhile.append(world.answer),
}


@given(st.lists(st.sampled_from(sorted(ACTIONS))))
def test_nothing_older_is_returned_than_what_was_answered(actions: list[str]) -> None:
    """Neither what was read before, nor what was being read."""
    world = World()
    for action in actions:
        ACTIONS[action](world)
        for server in world.servers:
            known = server.get("s")
            assert known is None or int(known.epoch) >= int(world.answered.epoch)


def test_what_was_read_is_remembered_for_a_while() -> None:
    """If it has ended: growing audio has to be followed."""
    world = World()
    world.read()
    assert world.servers[0].get("s") == STREAM
    assert world.servers[1].get("s") is None
    world.store()
    world.answer()
    world.read()
    assert world.servers[0].get("s") == world.stored
    world.clock.advance(MAX_AGE_SECONDS)
    assert world.servers[0].get("s") is None
    world.read()
    assert world.servers[0].get("s") == world.stored
    world.stored = replace(STREAM, state=StreamState.GENERATING)  # By a change that was not counted.
    world.read()
    assert world.servers[0].get("s") is None


def test_the_number_of_streams_is_bounded() -> None:
    """However many are read."""
    recent = World().servers[0]
    for number in range(MAX_STREAMS + 1):
        stream = replace(STREAM, stream_id=str(number))
        recent.read(stream.stream_id, lambda _, stream=stream: stream)  # type: ignore[misc]
    known = [number for number in range(MAX_STREAMS + 1) if recent.get(str(number)) is not None]
    assert known == [MAX_STREAMS]
