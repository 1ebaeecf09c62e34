"""The audio by its URL, in this process: one look-up and one open audio for each request."""

from collections import Counter

import pytest

from asf.adapters.http_api import playback
from asf.adapters.http_api.playback import PlaybackBody
from asf.domain.streams.stream import StreamState
from tests.contracts.listener_emitter import ListenerEmitterContract, Received
from tests.support.playback import PlaybackApi
from tests.support.virtual import VirtualServer

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


class TestPlaybackBody(ListenerEmitterContract):
    """The contract, over HTTP: no events but the end, and audio without the boundaries of chunks."""

    class Probe(ListenerEmitterContract.Probe):
        def __init__(self) -> None:
            service = VirtualServer().service
            self.aborts = 0
            self.body = PlaybackBody(service, "http-1", "s", self.abort, is_gone=lambda: True)
            self.audio = b""
            self.ended = False
            self.reading = True

        def abort(self) -> None:
            self.aborts += 1

        def received(self) -> Received:
            if self.reading and not self.ended:
                aborts_before = self.aborts
                self.audio += b"".join(self.body)
                self.ended = self.aborts == aborts_before  # Else there was nothing more as yet.
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
