"""What every `ListenerEmitter` promises."""

import pytest

from asf.domain.cues.track import CuePiece
from asf.domain.peer import Transport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, SessionStatus, StatusChanged
from asf.domain.streaming.ports import ListenerEmitter

BATCH = AudioBatch(4000, bytes(range(250)) * 400, 1000)

CUES = CuePiece("s", "epoch", 3, '[{"start":1,"text":"ü \\u0000"}]')
LARGE_CUES = CuePiece("s", "epoch", 4, f'[{{"start":1,"text":"{"ü" * 30_000}"}}]')

Received = list[str | bytes]
"""What a listener receives: the word of each event ("joined", "end_of_stream"), and pieces of audio."""


def audio_of(received: Received) -> bytes:
    """Return the audio in what was received."""
    return b"".join(part for part in received if isinstance(part, bytes))


class ListenerEmitterContract:
    """Inherit, and provide `transport`, and the fixtures `emitter` and `probe`, whose address is 192.0.2.1.

    Override `seen` where not all is carried.
    """

    carries_cues = True
    transport: Transport

    class Probe:
        """The listener's end of the connection."""

        def received(self) -> Received:
            """Return all that has arrived until now, and let what is under way arrive, unless `stop_reading`."""
            raise NotImplementedError

        def stop_reading(self) -> None:
            """Read nothing more."""
            raise NotImplementedError

        def read_on(self) -> None:
            """Read everything again."""
            raise NotImplementedError

    @pytest.fixture
    def probe(self) -> Probe:
        raise NotImplementedError

    @pytest.fixture
    def emitter(self, probe: Probe) -> ListenerEmitter:
        raise NotImplementedError

    def seen(self, sent: Received) -> Received:
        """Return what the listener sees of the events and whole chunks that were sent: by default, all of it."""
        return sent

    def test_events_and_audio_arrive_in_order(self, emitter: ListenerEmitter, probe: Probe) -> None:
        emitter.emit(StatusChanged("s", SessionStatus.JOINED))
        assert emitter.send_audio(BATCH, 4000, 7000) == 3000
        emitter.emit(EndOfStream("s", 1.0, 7000))
        chunks = [BATCH.data[:1000], BATCH.data[1000:2000], BATCH.data[2000:3000]]
        assert probe.received() == self.seen(["joined", *chunks, "end_of_stream"])

    def test_chunks_end_at_multiples_of_their_size(self, emitter: ListenerEmitter, probe: Probe) -> None:
        assert emitter.send_audio(BATCH, 4050, 6220) == 2170
        assert probe.received() == self.seen([BATCH.data[50:1000], BATCH.data[1000:2000], BATCH.data[2000:2220]])

    def test_a_listener_that_takes_nothing_is_offered_the_rest_again(
        self, emitter: ListenerEmitter, probe: Probe
    ) -> None:
        probe.stop_reading()
        sent = bytearray()
        offset = self.send_until_blocked(emitter, sent)
        ready: list[str] = []
        emitter.when_ready(lambda: ready.append("forgotten"))
        emitter.when_ready(lambda: ready.append("once"))
        probe.read_on()
        probe.received()
        assert ready == ["once"]
        while offset < BATCH.end:
            taken = emitter.send_audio(BATCH, offset, BATCH.end)
            sent += BATCH.data[offset - BATCH.offset :][:taken]
            offset += taken
            probe.received()
        assert audio_of(probe.received()) == sent
        assert ready == ["once"]

    def test_cues_arrive_in_their_place(self, emitter: ListenerEmitter, probe: Probe) -> None:
        emitter.emit(StatusChanged("s", SessionStatus.JOINED))
        assert emitter.send_audio(BATCH, 4000, 5000) == 1000
        probe.received()
        assert emitter.send_cues(CUES)
        probe.received()
        assert emitter.send_audio(BATCH, 5000, 6000) == 1000
        emitter.emit(EndOfStream("s", 1.0, 7000))
        chunks = [BATCH.data[:1000], BATCH.data[1000:2000]]
        assert probe.received() == self.seen(["joined", chunks[0], "stream_cues", chunks[1], "end_of_stream"])

    def test_a_listener_that_takes_nothing_is_offered_cues_again(
        self, emitter: ListenerEmitter, probe: Probe
    ) -> None:
        """None is kept for it meanwhile."""
        if not self.carries_cues:
            pytest.skip("It carries no cues.")
        probe.stop_reading()
        self.send_until_blocked(emitter, bytearray())
        assert [emitter.send_cues(CUES) for _ in range(3)] == [False] * 3
        ready: list[bool] = []
        emitter.when_ready(lambda: ready.append(emitter.send_cues(CUES)))
        probe.read_on()
        probe.received()
        assert ready == [True]
        assert [part for part in probe.received() if isinstance(part, str)] == ["stream_cues"]

    def test_cues_alone_block_a_listener_that_takes_nothing(self, emitter: ListenerEmitter, probe: Probe) -> None:
        """At most a few pieces are under way."""
        if not self.carries_cues:
            pytest.skip("It carries no cues.")
        probe.stop_reading()
        taken = 0
        while emitter.send_cues(LARGE_CUES):
            taken += 1
            assert taken < 20
        ready: list[None] = []
        emitter.when_ready(lambda: ready.append(None))
        probe.read_on()
        probe.received()
        assert ready == [None]
        assert probe.received() == ["stream_cues"] * taken

    def send_until_blocked(self, emitter: ListenerEmitter, sent: bytearray) -> int:
        """Offer the batch again and again, until not all of it is taken; return where the rest begins."""
        taken = len(BATCH.data)
        while taken == len(BATCH.data):
            taken = emitter.send_audio(BATCH, BATCH.offset, BATCH.end)
            sent += BATCH.data[:taken]
        return BATCH.offset + taken

    def test_the_intake_of_a_listener_that_reads_nothing_stays_as_it_is(
        self, emitter: ListenerEmitter, probe: Probe
    ) -> None:
        probe.stop_reading()
        self.send_until_blocked(emitter, bytearray())
        intake = emitter.intake()
        assert intake.unread >= 0
        assert emitter.intake() == intake

    def test_the_peer_is_known(self, emitter: ListenerEmitter) -> None:
        peer = emitter.peer()
        assert (peer.transport, peer.address) == (self.transport, "192.0.2.1")

    def test_a_detached_emitter_calls_nothing_back(self, emitter: ListenerEmitter, probe: Probe) -> None:
        probe.stop_reading()
        self.send_until_blocked(emitter, bytearray())
        ready: list[str] = []
        emitter.when_ready(lambda: ready.append("called"))
        emitter.detach()
        probe.read_on()
        probe.received()
        assert not ready

    def test_what_was_taken_before_detach_still_arrives(self, emitter: ListenerEmitter, probe: Probe) -> None:
        probe.stop_reading()
        sent = bytearray()
        self.send_until_blocked(emitter, sent)
        emitter.emit(EndOfStream("s", 1.0, len(sent)))
        emitter.detach()
        probe.read_on()
        received = probe.received()
        assert audio_of(received) == sent
        assert received[-1] == "end_of_stream"
