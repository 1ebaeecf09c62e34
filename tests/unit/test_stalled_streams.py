"""Streams whose producer is gone are given up once, for all later listeners and on all servers."""

import pytest

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.domain.errors import CatalogUnavailable, GenerationFailed
from asf.domain.streaming.events import StreamFailed
from asf.domain.streams.catalog import ATTEMPTS, Announcement
from asf.domain.streams.stream import AudioStream, StreamState
from tests.support.faults import KILLED_VOICE_AGENT
from tests.support.virtual import QueuedAudioSources, ScriptedListener, VirtualServer

GENERATING, COMPLETE, FAILED = StreamState.GENERATING, StreamState.COMPLETE, StreamState.FAILED
GIVE_UP_SECONDS = 30.0
REASON = "The audio has not grown for 30 s."


class ScriptedStore(InMemoryCatalogStore):
    """A catalog that others change, or that fails, between the read and the write of a change."""

    def __init__(self) -> None:
        super().__init__()
        self.before_put: list[object] = []

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        if self.before_put and stream.state is FAILED:
            step = self.before_put.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, AudioStream):
                super().put(step, instead_of, max_streams)
            else:
                return False
        return super().put(stream, instead_of, max_streams)


class Generation:
    """A stream `s` that its agent stopped writing, on any number of servers that share a catalog."""

    def __init__(self) -> None:
        self.audios = {"s": b"abc"}
        self.store = ScriptedStore()
        self.servers = [self.start()]
        self.servers[0].announce("s", state=GENERATING)

    def start(self) -> VirtualServer:
        """Start another server, as after a restart."""
        return VirtualServer(
            sources=InMemoryAudioSources(self.audios), store=self.store, give_up_seconds=GIVE_UP_SECONDS
        )

    def wait_in_vain(self, server: VirtualServer | None = None) -> ScriptedListener:
        """Let a listener join, receive what there is, and be given up."""
        server = server or self.servers[0]
        listener = server.join("s")
        server.run(GIVE_UP_SECONDS + 1)
        assert code_of(listener) == "ASF_STREAM_STALLED"
        return listener

    @property
    def stream(self) -> AudioStream | None:
        """The stream as it is stored."""
        return self.store.get("s")


def code_of(listener: ScriptedListener) -> str:
    """Return the code of the error that ended the listener's session."""
    failure = listener.events[-1]
    assert isinstance(failure, StreamFailed)
    return failure.error.error_code


@KILLED_VOICE_AGENT
def test_a_stream_is_given_up_once_for_all() -> None:
    """Later listeners receive what was written and the reason at once: here, and on a server that starts later."""
    generation = Generation()
    generation.wait_in_vain()
    assert generation.stream is not None
    assert (generation.stream.state, generation.stream.reason) == (FAILED, REASON)
    for server in (generation.servers[0], generation.start()):
        later = server.join("s", "later")
        server.run(1.0)
        assert later.received == b"abc"
        failure = later.events[-1]
        assert isinstance(failure, StreamFailed)
        assert isinstance(failure.error, GenerationFailed)
        assert failure.error.details == REASON


@KILLED_VOICE_AGENT
def test_after_a_restart_the_first_listener_decides() -> None:
    """It waits as long as any listener does; the server cannot know for how long the audio has not grown."""
    generation = Generation()
    restarted = generation.start()
    restarted.clock.advance(1000.0)
    generation.wait_in_vain(restarted)
    assert generation.stream is not None
    assert generation.stream.state is FAILED


def test_a_listener_elsewhere_ends_with_it() -> None:
    """One that joined another server later does not wait any longer."""
    generation = Generation()
    other = generation.start()
    listener = other.join("s")
    generation.wait_in_vain()
    other.run(0.1)
    assert listener.received == b"abc"
    assert code_of(listener) == "ASF_GENERATION_FAILED"


@KILLED_VOICE_AGENT
def test_a_producer_that_was_only_slow_completes_its_stream() -> None:
    """The epoch stays, so that listeners resume at their offset."""
    generation = Generation()
    generation.wait_in_vain()
    given_up = generation.stream
    generation.audios["s"] = b"abcdef"
    server = generation.servers[0]
    server.announce("s", state=COMPLETE)
    assert given_up is not None
    later = server.join("s", "later", offset=3, epoch=given_up.epoch)
    server.run(1.0)
    assert later.received == b"def"
    assert later.kinds[-1] == "EndOfStream"


def test_a_stream_that_was_announced_again_is_not_given_up() -> None:
    """Its producer is at work, though it has written nothing; its listeners end all the same."""
    generation = Generation()
    server = generation.servers[0]
    listener = server.join("s")
    server.run(GIVE_UP_SECONDS - 1)
    server.announce("s", state=GENERATING)
    server.run(2.0)
    assert code_of(listener) == "ASF_STREAM_STALLED"
    assert generation.stream is not None
    assert generation.stream.state is GENERATING
    generation.wait_in_vain()
    assert generation.stream.state is FAILED


def test_only_the_generation_that_stalled_is_given_up() -> None:
    """Not one that has ended, was regenerated or was deleted meanwhile."""
    generation = Generation()
    server = generation.servers[0]
    stalled = generation.stream
    assert stalled is not None
    for change in (
        Announcement("s", None, COMPLETE),
        Announcement("s", None, FAILED, reason="Out of voice."),
        Announcement("s", None, GENERATING),
    ):
        now = server.catalog.announce(change)
        server.clock.advance(GIVE_UP_SECONDS)
        assert not server.catalog.give_up(stalled, GIVE_UP_SECONDS)
        assert generation.stream == now
    server.catalog.delete("s")
    assert not server.catalog.give_up(stalled, GIVE_UP_SECONDS)
    assert generation.stream is None


def test_a_change_between_read_and_write_wins() -> None:
    """Announced as complete, by another server, in that moment."""
    generation = Generation()
    complete = AudioStream("s", generation.servers[0].catalog.locate("s"), COMPLETE, "epoch-1")
    generation.store.before_put = [complete]
    generation.wait_in_vain()
    assert generation.stream == complete


def test_a_stream_that_changes_all_the_time_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """After a number of attempts; as with a catalog that cannot be reached, the next listener brings it up again."""
    generation = Generation()
    generation.store.before_put = [None] * ATTEMPTS
    generation.wait_in_vain()
    generation.store.before_put = [CatalogUnavailable("It is locked.")]
    generation.wait_in_vain()
    assert generation.stream is not None
    assert generation.stream.state is GENERATING
    assert "It is locked." in caplog.text
    generation.wait_in_vain()
    assert generation.stream.state is FAILED


def test_audio_with_an_end_marker_is_not_given_up_for_all() -> None:
    """It tells its own end, whenever that comes."""
    server = VirtualServer(sources=QueuedAudioSources({"s": b"abc"}, {}), give_up_seconds=GIVE_UP_SECONDS)
    server.announce("s", state=GENERATING)
    listener = server.join("s")
    server.run(GIVE_UP_SECONDS + 1)
    assert code_of(listener) == "ASF_STREAM_STALLED"
    assert server.catalog.find("s").state is GENERATING


def test_a_server_that_was_held_up_gives_nothing_up() -> None:
    """The time in which it could not poll says nothing of the producer."""
    generation = Generation()
    server = generation.servers[0]
    listener = server.join("s")
    server.run(1.0)
    server.clock.advance(10 * GIVE_UP_SECONDS)
    server.run(1.0)
    generation.audios["s"] = b"abcdef"
    server.run(1.0)
    assert listener.received == b"abcdef"
