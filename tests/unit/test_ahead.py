"""Audio is sent no faster than it can be heard, to listeners that do not say how fast that is."""

import struct
from bisect import bisect_right
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters.audio_formats import WavScanner, scanner_of
from asf.adapters.memory import InMemoryAudioSource
from asf.domain.errors import AudioUnavailable
from asf.domain.streaming.ahead import MAX_AHEAD_BYTES, AheadLimit, Lead
from asf.domain.streaming.durations import Durations
from asf.domain.streaming.pacing import MAX_BATCH_BYTES, Pace
from asf.domain.streaming.ports import DurationScanner
from asf.domain.streaming.schedule import TICK_SECONDS
from asf.domain.streams.stream import StreamState
from tests.support.examples import examples
from tests.support.frames import BIT_RATES, FRAME_SECONDS, Frames, mp3_of
from tests.support.player import Player, run
from tests.support.virtual import FETCHED_BYTES, FetchedAudioSources, VirtualServer

AHEAD_SECONDS = 120.0
HALF_AN_HOUR = mp3_of((128, 1800.0))
QUIET_FIRST = mp3_of((32, 40.0), (320, 300.0))
SLACK_SECONDS = TICK_SECONDS + 0.03
"""A tick, and a frame."""


def listen(audio: Frames, seconds: float, offset: int = 0, **options: float) -> tuple[VirtualServer, Player]:
    """Play the audio for so long."""
    server = VirtualServer({"s": audio.data}, **options)  # type: ignore[arg-type]
    player = Player(audio, server.join("s", keeps=False, offset=offset), offset)
    for _ in run(server, player, seconds):
        pass
    return server, player


def check_limits(player: Player, ahead_seconds: float = AHEAD_SECONDS) -> None:
    """Nothing was missing, and nothing was too early."""
    assert player.waited <= SLACK_SECONDS
    assert player.most_seconds <= ahead_seconds + SLACK_SECONDS
    assert player.most_bytes <= MAX_AHEAD_BYTES


def test_half_an_hour_is_played_to_its_end() -> None:
    """At 128 kbit/s, in a browser's quota: 120 s are sent at the documented pace, and the rest in real time."""
    server = VirtualServer({"s": HALF_AN_HOUR.data})
    listener = server.join("s")
    player = Player(HALF_AN_HOUR, listener)
    steps = run(server, player, 1799.0)
    for _ in range(20):
        next(steps)
    assert player.end == pytest.approx(AHEAD_SECONDS + 9.5, abs=5)
    for _ in steps:
        pass
    check_limits(player)
    assert listener.kinds[-1] == "EndOfStream"
    assert bytes(listener.received) == HALF_AN_HOUR.data
    assert len(listener.sends) <= len(HALF_AN_HOUR.data) / MAX_BATCH_BYTES + 2


def test_no_more_than_4_mib_are_ahead() -> None:
    """At 320 kbit/s that is less than 120 s."""
    _, player = listen(mp3_of((320, 900.0)), 899.0)
    check_limits(player)
    assert player.most_bytes > MAX_AHEAD_BYTES - 2 * MAX_BATCH_BYTES


def test_quiet_first() -> None:
    """Variable bit rate: 40 s of near silence at a tenth of the rate neither starve the listener nor overrun it."""
    _, player = listen(QUIET_FIRST, 339.0)
    check_limits(player)


@settings(max_examples=examples(20), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(BIT_RATES), st.floats(5, 60)), min_size=3, max_size=8),
    st.sampled_from([5.0, 20.0, 120.0]),
    st.sampled_from([(4096, 0.01), (700, 0.001), (65536, 0.05)]),
    st.floats(0, 0.5),
)
def test_any_variable_bit_rate(
    parts: list[tuple[int, float]], ahead_seconds: float, sizes: tuple[int, float], start: float
) -> None:
    """From any offset, at any pace, the limits hold; a batch may be longer than half of what may be ahead."""
    audio = mp3_of(*parts)
    pace = Pace(*sizes)
    offset = int(len(audio.data) * start)
    seconds = audio.seconds_before(len(audio.data)) - audio.seconds_before(offset)
    server, player = listen(
        audio, seconds - 1, offset, ahead_seconds=ahead_seconds, chunk_bytes=sizes[0], chunk_seconds=sizes[1]
    )
    longest = pace.batch_bytes * 8 / 32_000
    assert player.waited <= 2 * SLACK_SECONDS
    assert player.most_seconds <= ahead_seconds + longest + SLACK_SECONDS
    server.run_until_idle()
    assert player.listener.received_bytes == len(audio.data) - offset


def test_from_an_offset_the_clock_starts_there() -> None:
    """As after a reconnection."""
    _, player = listen(HALF_AN_HOUR, 300.0, len(HALF_AN_HOUR.data) // 2 + 12_345)
    check_limits(player)
    assert player.end == pytest.approx(300 + AHEAD_SECONDS, abs=5)


def test_the_clock_stops_during_a_pause() -> None:
    """What was sent stays; nothing follows while as much is ahead."""
    server, player = listen(HALF_AN_HOUR, 60.0)
    server.service.pause("listener")
    server.run(500.0)
    server.service.resume("listener")
    for _ in run(server, player, 100.0):
        pass
    check_limits(player)
    assert player.end == pytest.approx(160 + AHEAD_SECONDS, abs=5)


def test_the_clock_starts_again_after_a_seek() -> None:
    """At the new offset, in a pause, too, when that ends."""
    server, player = listen(HALF_AN_HOUR, 60.0)
    server.service.pause("listener")
    sent = player.listener.received_bytes
    server.service.seek("listener", 20_000_000)
    server.run(300.0)
    assert player.listener.received_bytes == sent
    server.service.resume("listener")
    server.run(10.0)
    assert (player.listener.received_bytes - sent) / 16_000 == pytest.approx(10 + AHEAD_SECONDS, abs=5)


def test_paused_before_the_stream_is_announced() -> None:
    """The clock starts when the listener resumes."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios)
    audios["s"] = HALF_AN_HOUR.data
    listener = server.join("s", keeps=False, wait=True)
    server.service.pause("listener")
    server.run(50.0)
    server.announce("s")
    server.run(300.0)
    assert listener.received_bytes == 0
    server.service.resume("listener")
    server.run(10.0)
    assert listener.received_bytes / 16_000 == pytest.approx(10 + AHEAD_SECONDS, abs=5)


def test_growing_audio_is_limited_by_what_has_been_written() -> None:
    """Who joins late is sent 120 s, and who has waited at the live edge has not heard what was not there."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios)
    audios["s"] = HALF_AN_HOUR.data[: 16_000 * 300]
    server.announce("s", state=StreamState.GENERATING)
    late, edge = server.join("s", "late", keeps=False), server.join("s", "edge", keeps=False, offset=16_000 * 290)
    server.run(100.0)
    assert late.received_bytes / 16_000 == pytest.approx(100 + AHEAD_SECONDS, abs=5)
    assert edge.received_bytes == 16_000 * 10
    audios["s"] = HALF_AN_HOUR.data[: 16_000 * 1000]
    server.run(10.0)
    assert edge.received_bytes / 16_000 == pytest.approx(10 + 10 + AHEAD_SECONDS, abs=5)


def test_bytes_that_are_fetched_are_limited_as_well() -> None:
    """Audio of an object store or a queue, of which nothing is there at first."""
    sources = FetchedAudioSources({"s": mp3_of((32, 400.0)).data})
    server = VirtualServer(sources=sources)
    server.announce("s")
    listener = server.join("s", keeps=False)
    for _ in range(300):
        server.run(0.1)
        while sources.arrive():
            pass
    assert listener.received_bytes / 4_000 == pytest.approx(30 + AHEAD_SECONDS, abs=17)


@pytest.mark.parametrize("offset", [0, 2_000_000])
def test_the_beginning_is_fetched_where_the_rate_is_written_there_alone(offset: int) -> None:
    """WAV, at the beginning and elsewhere: the rate is known when that has arrived. If it fails, nobody notices."""
    form = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16)
    data = form + b"data\0\0\0\0" + bytes(5_000_000)
    for fails in (False, True):
        sources = FetchedAudioSources({"s": data})
        server = VirtualServer(sources=sources, scanner_of=lambda _: WavScanner())
        server.announce("s")
        listener = server.join("s", keeps=False, offset=offset)
        source = sources.opened[0]
        for _ in range(100):
            server.run(0.1)
            while source.asked:
                is_beginning = next(iter(source.asked)) * FETCHED_BYTES < 4096
                source.arrive(AudioUnavailable("It fails.") if fails and offset and is_beginning else None)
        if fails and offset:
            assert listener.received_bytes == len(data) - offset
        else:
            assert listener.received_bytes / 16_000 == pytest.approx(10 + AHEAD_SECONDS, abs=20)
        assert "StreamFailed" not in listener.kinds


@pytest.mark.parametrize(
    ("options", "request_"),
    [({"ahead_seconds": 0.0}, {}), ({}, {"window": 100_000_000}), ({}, {"paced": False})],
    ids=["0", "window", "HTTP"],
)
def test_not_limited(options: dict[str, float], request_: dict[str, Any]) -> None:
    """Without a limit, with a window, and by URL: all of it within seconds."""
    server = VirtualServer({"s": HALF_AN_HOUR.data}, **options)  # type: ignore[arg-type]
    listener = server.join("s", keeps=False, **request_)
    server.run(80.0)
    assert listener.received_bytes == len(HALF_AN_HOUR.data)


def test_audio_of_unknown_rate_is_sent_at_the_documented_pace() -> None:
    """Other bytes under the name of a format, and other types."""
    for content_type in ("audio/mpeg", "audio/midi"):
        server = VirtualServer({"s": bytes(8_000_000)})
        InMemoryAudioSource.content_type, before = content_type, InMemoryAudioSource.content_type
        try:
            listener = server.join("s", keeps=False)
            server.run(8_000_000 / 409_600)
        finally:
            InMemoryAudioSource.content_type = before
        assert listener.received_bytes == 8_000_000


def test_the_type_of_growing_audio_may_be_known_late() -> None:
    """Its first bytes may be too few. Of a type that is not known, it is asked for each part of the first block."""
    asked: list[str] = []
    scanner = scanner_of("audio/mpeg")

    def late(content_type: str) -> DurationScanner | None:
        asked.append(content_type)
        return None if len(asked) < 3 else scanner

    audios: dict[str, bytes] = {}
    server = VirtualServer(audios, scanner_of=late)
    audios["s"] = b""
    server.announce("s", state=StreamState.GENERATING)
    listener = server.join("s", keeps=False)
    for size in (100, 200, 300, len(HALF_AN_HOUR.data)):
        audios["s"] = HALF_AN_HOUR.data[:size]
        server.run(0.1)
    server.run(10.0)
    assert listener.received_bytes / 16_000 == pytest.approx(10 + AHEAD_SECONDS, abs=5)
    assert len(asked) == 3


def test_the_type_is_asked_for_once() -> None:
    """However long complete audio of an unknown rate is, and however many listen: looking may cost a read."""
    asked: list[str] = []
    server = VirtualServer({"s": bytes(2_000_000)}, scanner_of=asked.append)
    for number in range(10):
        server.join("s", str(number), keeps=False)
    server.run_until_idle()
    assert asked == ["audio/mpeg"]


def test_listeners_share_batches_at_the_limit() -> None:
    """Each batch is read once for all, in turns that serve many of them."""
    server = VirtualServer({"s": HALF_AN_HOUR.data})
    listeners = [server.join("s", str(number), keeps=False) for number in range(50)]
    server.run(300.0)
    assert {tuple(listener.sends) for listener in listeners} == {tuple([MAX_BATCH_BYTES] * len(listeners[0].sends))}
    assert len(listeners[0].sends) == pytest.approx(420 * 16_000 / MAX_BATCH_BYTES, abs=2)


@pytest.mark.parametrize("audio", [HALF_AN_HOUR.data, bytes(8_000_000)], ids=["known rate", "unknown rate"])
def test_few_batches_are_counted_until_a_limit_is_near(monkeypatch: pytest.MonkeyPatch, audio: bytes) -> None:
    """It would be most of what the limits cost where there are many listeners."""
    counted: list[int] = []
    record = AheadLimit.record

    def count_record(limit: AheadLimit, lead: Lead, *arguments: Any) -> None:
        counted.append(id(lead))
        record(limit, lead, *arguments)

    monkeypatch.setattr(AheadLimit, "record", count_record)
    server = VirtualServer({"s": audio})
    listeners = [server.join("s", str(number), keeps=False) for number in range(50)]
    server.run(4.0)
    batches = sum(len(listener.sends) for listener in listeners)
    assert batches > 50 * 20
    assert len(counted) < batches / 4


class FailingScanner:
    """A scanner with a bug."""

    beginning_bytes = 0

    def begin(self, beginning: bytes) -> None:
        raise AssertionError(beginning)

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:
        raise ZeroDivisionError(offset, len(data))


def test_a_scanner_that_fails_limits_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is logged once, and the audio is sent at the documented pace."""
    server = VirtualServer({"s": HALF_AN_HOUR.data}, scanner_of=lambda _: FailingScanner())
    listener = server.join("s", keeps=False)
    server.run(80.0)
    assert listener.received_bytes == len(HALF_AN_HOUR.data)
    assert [record.getMessage() for record in caplog.records] == ["Finding the rate of the audio failed"]


class SlowScanner(FailingScanner):
    """A scanner that claims an hour for each byte."""

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:  # noqa: ARG002
        return len(data), 3600.0 * len(data)


def test_damaged_audio_counts_for_no_less_than_1_kbit() -> None:
    """However long its bytes claim to play."""
    server = VirtualServer({"s": HALF_AN_HOUR.data})
    durations = Durations(SlowScanner, MAX_BATCH_BYTES)
    batch = server.batches.batch(server.pool.acquire(server.catalog.find("s")), 0)
    assert batch is not None
    durations.observe(InMemoryAudioSource({"s": HALF_AN_HOUR.data}, "s"), batch, 1000)
    assert durations.seconds(0, 1250) == pytest.approx(10.0)


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_invalid_seconds_are_rejected(seconds: float) -> None:
    """With a ValueError."""
    with pytest.raises(ValueError, match="seconds must be"):
        AheadLimit(seconds, Pace(4096, 0.01), lambda _: None)


def test_pauses_may_be_repeated() -> None:
    """The first one counts."""
    lead = Lead()
    lead.restart(0, 10.0)
    lead.pause(20.0)
    lead.pause(30.0)
    lead.resume(50.0)
    lead.resume(60.0)
    assert lead.played_since == 40.0


def test_a_frame_is_what_the_support_says() -> None:
    """The tests' own arithmetic."""
    index = bisect_right(HALF_AN_HOUR.offsets, 16_000 * 60)
    assert index * FRAME_SECONDS == pytest.approx(60, abs=0.1)
