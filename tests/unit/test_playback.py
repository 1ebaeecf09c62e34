"""The audio by its URL, in this process: one look-up and one open audio for each request."""

from collections import Counter

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from asf.adapters.http_api import create_app, create_playback_blueprint, playback
from asf.adapters.http_api.playback import STREAM_URL, PlaybackBody
from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.runtime import CONNECTION_CONTROL
from asf.domain.errors import AsfError
from asf.domain.streams.stream import AudioStream, Locator, StreamState
from tests.contracts.listener_emitter import ListenerEmitterContract, Received
from tests.support.virtual import VirtualServer

AUDIO = bytes(range(200))


class CountedSources(InMemoryAudioSources):
    """Audio in memory, and how often it was opened."""

    def __init__(self) -> None:
        super().__init__({"s": AUDIO})
        self.opens = 0

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:
        self.opens += 1
        return super().open(locator, growing=growing)


class CountedStore(InMemoryCatalogStore):
    """A catalog in memory, and how often it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, stream_id: str) -> AudioStream | None:
        self.reads += 1
        return super().get(stream_id)


class GoneConnection:
    """The control of a connection that the client has closed."""

    rejection: AsfError | None = None

    def __init__(self, aborted: list[bool]) -> None:
        self._aborted = aborted

    def abort(self) -> None:
        self._aborted.append(True)

    def is_gone(self) -> bool:
        return True


class Api:
    """The route on a server in virtual time, with one stream `s`."""

    def __init__(self, state: StreamState = StreamState.COMPLETE, max_listeners: int = 10) -> None:
        self.sources = CountedSources()
        self.store = CountedStore()
        self.server = VirtualServer(sources=self.sources, store=self.store, max_listeners=max_listeners)
        self.server.announce("s", state=state)
        self.aborted: list[bool] = []
        self.app: Flask = create_app("secret", lambda _route, _status: None)
        self.app.register_blueprint(create_playback_blueprint(self.server.service, []))
        self.store.reads = self.sources.opens = 0

    def request(self, method: str = "GET", stream_id: str = "s", **headers: str) -> TestResponse:
        environ = {CONNECTION_CONTROL: GoneConnection(self.aborted)}
        return self.app.test_client().open(
            STREAM_URL + stream_id,
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_overrides=environ,
        )

    def assert_nothing_is_held(self) -> None:
        assert (len(self.server.service), len(self.server.pool)) == (0, 0)


@pytest.mark.parametrize(
    ("method", "headers", "status", "body"),
    [
        ("GET", {}, 200, AUDIO),
        ("GET", {"Range": "bytes=3-7"}, 206, AUDIO[3:8]),
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
        monkeypatch.setattr(playback, "POLL_SECONDS", 0.0)
        return self.Probe()

    @pytest.fixture
    def emitter(self, probe: Probe) -> PlaybackBody:
        return probe.body

    def seen(self, sent: Received) -> Received:
        audio = b"".join(part for part in sent if isinstance(part, bytes))
        return [audio, "end_of_stream"] if sent[-1] == "end_of_stream" else [audio]
