"""The audio by its URL, in this process: one look-up and one open audio for each request."""

from collections import Counter

import pytest

from asf.adapters.http_api import playback
from asf.adapters.http_api.playback import PlaybackBody
from asf.adapters.memory import InMemoryAudioSource
from asf.domain.errors import AudioUnavailable
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.short_reads import ShortReads
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import StreamState
from tests.contracts.listener_emitter import ListenerEmitterContract, Received
from tests.support.playback import GoneConnection, PlaybackApi
from tests.support.virtual import FetchedAudioSources, VirtualServer

AUDIO = bytes(range(200))


class Api(PlaybackApi):
    """The route, with one stream `s`."""

    def __init__(self, state: StreamState = StreamState.COMPLETE, max_listeners: int = 10) -> None:
        super().__init__(max_listeners)
        self.audio["s"] = AUDIO
        self.server.announce("s", state=state)
        self.store.reads = self.sources.opens = 0


@pytest.mark.parametrize(
    ("method", "headers", "status", "body"),
    [
        ("GET", {}, 200, AUDIO),
        ("GET", {"Range": "bytes=3-7"}, 206, AUDIO[3:8]),
        ("GET", {"If-Match": '"x"'}, 412, None),
        ("GET", {"Range": "bytes=0-1,5-6"}, 200, AUDIO),
        ("HEAD", {}, 200, b""),
        ("GET", {"Range": "bytes=200-"}, 416, None),
        ("GET", {"If-None-Match": "*"}, 304, b""),
    ],
)
def test_each_request_looks_the_stream_up_once_and_opens_its_audio_once(
    method: str, headers: dict[str, str], status: int, body: bytes | None
) -> None:
    """Whatever it is answered with; and nothing stays open."""
    api = Api()
    response = api.request(method, **headers)
    assert response.status_code == status
    if body is not None:
        assert response.data == body
    response.close()
    assert (api.store.reads, api.sources.opens) == (1, 1)
    assert api.aborted == []
    api.assert_nothing_is_held()


def test_what_cannot_begin_holds_nothing() -> None:
    """The audio that was opened for the headers is closed."""
    api = Api(max_listeners=0)
    assert api.request().status_code == 503
    api.assert_nothing_is_held()
    api.server.service.drain()
    assert api.request().status_code == 503
    api.assert_nothing_is_held()
    assert api.request(stream_id="unknown").status_code == 404
    assert api.server.observer.rejections == ["ASF_TOO_MANY_LISTENERS", "ASF_DRAINING", "ASF_STREAM_NOT_FOUND"]


def test_a_client_that_goes_before_the_end_ends_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """By WSGI's `close`; the emitter is detached once, and nobody asks for the session again."""
    detached: Counter[PlaybackBody] = Counter()
    monkeypatch.setattr(PlaybackBody, "detach", lambda body: detached.update([body]))
    api = Api(StreamState.GENERATING)
    response = api.request()
    body = iter(response.iter_encoded())
    assert next(body) == AUDIO
    assert len(api.server.service) == 1
    response.close()
    assert list(detached.values()) == [1]
    api.assert_nothing_is_held()
    assert api.server.observer.outcomes == ["left"]


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_response_that_cannot_be_sent_ends_in_a_reset(is_sent: bool) -> None:
    """Its session may have ended long before: the client has paused in the last part, and times out."""
    api = Api()
    response = api.request()
    body = iter(response.iter_encoded())
    assert next(body) == AUDIO
    assert api.server.observer.outcomes == ["complete"]
    if is_sent:
        assert list(body) == []
    response.close()
    assert set(api.aborted) == (set() if is_sent else {True})


@pytest.mark.parametrize("audio", [b"", AUDIO])
def test_audio_that_failed(audio: bytes) -> None:
    """Without any audio there is an error to answer with, whatever is asked for; else the connection is aborted."""
    api = PlaybackApi()
    api.audio["s"] = audio
    api.server.announce("s", state=StreamState.FAILED)
    response = api.request()
    assert (response.status_code, api.aborted) == (200 if audio else 410, [])
    if audio:
        assert "Content-Length" not in response.headers
        assert response.data == AUDIO
        assert api.aborted == [False], "it is reset once the client has all there is"
    for headers in ({"Range": "bytes=0-9"}, {"If-None-Match": "*"}):
        status = api.request(**headers).status_code
        assert (status in {206, 304}) if audio else (status == 410)
    assert api.request("HEAD").status_code == (200 if audio else 410)
    api.assert_nothing_is_held()


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-69999"}])
def test_a_response_whose_head_fails_ends_its_session(headers: dict[str, str]) -> None:
    """Its media type is read from the audio, which may fail although the first bytes could be read."""

    class Mute(InMemoryAudioSource):
        @property
        def content_type(self) -> str:  # type: ignore[override]
            if server.pump.bytes_sent:
                raise AudioUnavailable("Reading failed.")
            return "audio/mpeg"

    api = PlaybackApi()
    server = api.server
    api.audio["s"] = bytes(70_000)
    server.announce("s")
    api.sources.open = lambda locator, **_: Mute(api.audio, locator.text)  # type: ignore[method-assign]
    assert api.request(**headers).status_code == 404
    api.assert_nothing_is_held()


@pytest.mark.parametrize(
    ("header", "measures"),
    [("bytes=0-", 0), ("bytes=0-1,5-6", 0), ("bytes=0-9", 1), ("bytes=5-", 1), ("bytes=-5", 1)],
)
def test_only_a_part_waits_for_the_size_of_growing_audio(
    header: str, measures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever plays all of it, which media players ask for as a range, hears what is there at once."""
    measured: list[str] = []
    measure = ShortReads.measure

    def counted(reads: ShortReads, opened: OpenedAudio) -> int:
        measured.append(opened.epoch)
        return measure(reads, opened)

    monkeypatch.setattr(ShortReads, "measure", counted)
    response = Api(StreamState.GENERATING).request(Range=header)
    assert response.status_code == (206 if measures else 200)
    assert len(measured) == measures
    response.close()


def test_short_ranges_count_what_they_send() -> None:
    """They are no sessions, and wait for bytes that are fetched; a server that shuts down answers no more of them."""
    api = PlaybackApi()
    api.audio["s"] = AUDIO
    api.server.announce("s")
    assert api.request(Range="bytes=10-19").data == AUDIO[10:20]
    assert (api.server.pump.bytes_sent, api.server.observer.joins) == (10, 0)
    api.server.service.drain()
    assert api.request(Range="bytes=10-19").status_code == 503
    assert api.request("HEAD").status_code == 200
    sources = FetchedAudioSources({"s": AUDIO})
    server = VirtualServer(sources=sources)
    server.announce("s")
    server.meanwhile = sources.arrive
    with server.service.open("s") as opened:
        assert server.reads.read(opened, 3, 150) == AUDIO[3:150]
    assert len(server.pool) == 0


def test_stored_types_that_cannot_be_sent_are_replaced() -> None:
    """An earlier version may have stored one with a line break."""
    api = PlaybackApi()
    api.audio["s"] = AUDIO
    announcement = Announcement("s", api.server.catalog.locate("s"), StreamState.COMPLETE, content_type="audio/x\n;y")
    api.server.catalog.announce(announcement)
    assert api.request().headers["Content-Type"] == "application/octet-stream"


def test_short_ranges_look_ever_less_often_for_what_does_not_come() -> None:
    """However many wait for a store that hangs, the event loop has time for others."""
    sources = FetchedAudioSources({"s": AUDIO})
    server = VirtualServer(sources=sources)
    server.announce("s")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if sum(pauses) > 30.0:
            sources.arrive()

    reads = ShortReads(server.pool, server.pump, pause)
    with server.service.open("s") as opened:
        assert reads.read(opened, 3, 150) == AUDIO[3:150]
    assert pauses[0] <= 0.01
    assert 1.0 / max(pauses) <= len(pauses) / sum(pauses) <= 11.0


class TestPlaybackBody(ListenerEmitterContract):
    """The contract, over HTTP: no events but the end, and audio without the boundaries of chunks."""

    carries_cues = False
    transport = Transport.HTTP

    class Probe(ListenerEmitterContract.Probe):
        def __init__(self) -> None:
            service = VirtualServer().service
            self.aborted: list[bool] = []
            self.body = PlaybackBody(
                service, "http-1", "s", GoneConnection(self.aborted), 900.0, Peer(Transport.HTTP, "192.0.2.1")
            )
            self.audio = b""
            self.ended = False
            self.reading = True

        def received(self) -> Received:
            if self.reading and not self.ended:
                aborts_before = len(self.aborted)
                self.audio += b"".join(self.body)
                self.ended = len(self.aborted) == aborts_before  # Else there was nothing more as yet.
            return [self.audio, "end_of_stream"] if self.ended else [self.audio]

        def stop_reading(self) -> None:
            self.reading = False

        def read_on(self) -> None:
            self.reading = True

    @pytest.fixture
    def probe(self, monkeypatch: pytest.MonkeyPatch) -> Probe:
        monkeypatch.setattr(playback.body, "POLL_SECONDS", 0.0)
        return self.Probe()

    @pytest.fixture
    def emitter(self, probe: Probe) -> PlaybackBody:
        return probe.body

    def seen(self, sent: Received) -> Received:
        audio = b"".join(part for part in sent if isinstance(part, bytes))
        return [audio, "end_of_stream"] if sent[-1] == "end_of_stream" else [audio]
