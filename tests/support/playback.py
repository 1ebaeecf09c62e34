"""The audio by its URL, in this process: the route on a server in virtual time."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse
from werkzeug.wsgi import ClosingIterator

from asf.adapters.http_api import create_app, create_playback_blueprint
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.runtime import CONNECTION_CONTROL, Progress
from asf.domain.errors import AsfError
from asf.domain.streams.stream import AudioStream, Locator
from tests.support.virtual import VirtualServer


class CountedSources(InMemoryAudioSources):
    """Audio in memory, and how often it was opened."""

    def __init__(self) -> None:
        self.audio: dict[str, bytes] = {}
        super().__init__(self.audio)
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
    connection = None
    was_reset = False

    def __init__(self, aborted: list[bool]) -> None:
        self._aborted = aborted

    def abort(self) -> None:
        self._aborted.append(True)

    def reset(self) -> None:
        self._aborted.append(False)

    def is_gone(self) -> bool:
        return True

    def progress(self) -> Progress:
        return Progress(0, answers=True)

    def limit_write(self, seconds: float) -> None:
        assert seconds > 900.0


class ImpatientConnection(GoneConnection):
    """The control of a connection that the client closes when no more audio comes for now."""

    def __init__(self, server: VirtualServer, aborted: list[bool]) -> None:
        super().__init__(aborted)
        self._server = server

    def is_gone(self) -> bool:
        sent_bytes = self._server.pump.bytes_sent
        sessions = len(self._server.service)
        self._server.run(0.1)
        return (self._server.pump.bytes_sent, len(self._server.service)) == (sent_bytes, sessions)


class PlaybackApi:
    """The route on a server in virtual time. `audio` has the streams' audio, which may change and grow."""

    def __init__(self, max_listeners: int = 10) -> None:
        self.sources = CountedSources()
        self.audio = self.sources.audio
        self.store = CountedStore()
        self.server = VirtualServer(sources=self.sources, store=self.store, max_listeners=max_listeners)
        self.aborted: list[bool] = []
        self.app: Flask = create_app("secret", lambda _route, _status: None)
        self.app.wsgi_app = UntilReset(self.app.wsgi_app)  # type: ignore[method-assign]
        self.app.register_blueprint(
            create_playback_blueprint(self.server.service, self.server.reads, [], 900.0, "tag")
        )

    def request(self, method: str = "GET", stream_id: str = "s", **headers: str) -> TestResponse:
        environ = {CONNECTION_CONTROL: ImpatientConnection(self.server, self.aborted)}
        return self.app.test_client().open(
            STREAM_URL + stream_id,
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_overrides=environ,
        )

    def assert_nothing_is_held(self) -> None:
        assert (len(self.server.service), len(self.server.pool)) == (0, 0)


class UntilReset:
    """A WSGI application whose responses end where those of `application` are reset, as clients receive them."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application

    def __call__(self, environ: Any, start_response: Any) -> ClosingIterator:
        body = self._application(environ, start_response)
        return ClosingIterator(self._parts(body), getattr(body, "close", None))

    def _parts(self, body: Any) -> Iterator[bytes]:
        with suppress(ConnectionResetError):
            yield from body
