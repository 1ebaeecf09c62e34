"""What every `ListenerEmitter` promises."""

import pytest

from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, SessionStatus, StatusChanged
from asf.domain.streaming.ports import ListenerEmitter

BATCH = AudioBatch(4000, bytes(range(250)) * 400, 1000)


class ListenerEmitterContract:
    """Inherit, and provide the fixtures `emitter` and `probe`."""

    class Probe:
        """The listener's end."""

        def received(self) -> list[str | bytes]:
            """Return what arrived: the words joined, start_of_stream, end_of_stream, stream_error, or chunks."""
            raise NotImplementedError

        def stop_reading(self) -> None:
            """Take nothing more."""
            raise NotImplementedError

        def read_on(self) -> None:
            """Take everything again."""
            raise NotImplementedError

    @pytest.fixture
    def probe(self) -> Probe:
        raise NotImplementedError

    @pytest.fixture
    def emitter(self, probe: Probe) -> ListenerEmitter:
        raise NotImplementedError

    def test_events_and_audio_arrive_in_order(self, emitter: ListenerEmitter, probe: Probe) -> None:
        emitter.emit(StatusChanged("s", SessionStatus.JOINED))
        assert emitter.send_audio(BATCH, 4000, 7000) == 3000
        emitter.emit(EndOfStream("s", 1.0, 7000))
        chunks = [BATCH.data[:1000], BATCH.data[1000:2000], BATCH.data[2000:3000]]
        assert probe.received() == ["joined", *chunks, "end_of_stream"]

    def test_chunks_end_at_multiples_of_their_size(self, emitter: ListenerEmitter, probe: Probe) -> None:
        assert emitter.send_audio(BATCH, 4050, 6220) == 2170
        assert probe.received() == [BATCH.data[50:1000], BATCH.data[1000:2000], BATCH.data[2000:2220]]

    def test_a_listener_that_takes_nothing_is_offered_the_rest_again(
        self, emitter: ListenerEmitter, probe: Probe
    ) -> None:
        probe.stop_reading()
        sent = bytearray()
        offset = self.send_until_refused(emitter, sent)
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
        assert b"".join(part for part in probe.received() if isinstance(part, bytes)) == sent

    def send_until_refused(self, emitter: ListenerEmitter, sent: bytearray) -> int:
        """Offer the batch again and again, until not all of it is taken; return where the rest begins."""
        taken = len(BATCH.data)
        while taken == len(BATCH.data):
            taken = emitter.send_audio(BATCH, BATCH.offset, BATCH.end)
            sent += BATCH.data[:taken]
        return BATCH.offset + taken

    def test_after_detach_the_callback_is_forgotten(self, emitter: ListenerEmitter, probe: Probe) -> None:
        probe.stop_reading()
        self.send_until_refused(emitter, bytearray())
        ready: list[str] = []
        emitter.when_ready(lambda: ready.append("called"))
        emitter.detach()
        probe.read_on()
        probe.received()
        assert not ready
