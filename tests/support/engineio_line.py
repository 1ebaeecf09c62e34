"""An Engine.IO server of the library with ASF's parts installed, and one connection of it, without HTTP."""

from collections.abc import Callable, Iterator
from typing import Any

import engineio
import eventlet
from engineio.packet import MESSAGE, Packet
from eventlet.event import Event

from asf.adapters.client_intake import ClientIntake
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.engineio import patches as engineio_server
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.runtime import CONNECTION_CONTROL, Progress
from asf.adapters.websocket.frames import ChunkFraming
from asf.domain.errors import AsfError
from asf.domain.streaming.audio import AudioBatch
from tests.unit.test_frames import messages_in

WEBSOCKET = "tests.websocket"
"""Key of a handshake's environment: the WebSocket that it results in."""

HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "REMOTE_ADDR": "192.0.2.1",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_UPGRADE": "websocket",
    "HTTP_SEC_WEBSOCKET_KEY": "key",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


class Control:
    """The HTTP connection of a request, which a test breaks as it likes."""

    rejection = None
    was_reset = False

    def __init__(self) -> None:
        self.connection = self
        self.gone = False

    def abort(self) -> None:
        self.gone = True

    def is_gone(self) -> bool:
        return self.gone

    def progress(self) -> Progress:
        return Progress(0, answers=True)


class EngineIoServer:
    """The server. `notified` holds the errors that clients were notified of, by session id."""

    def __init__(
        self, ping_seconds: float = 3600, was_behind: Callable[[float], bool] = lambda _seconds: False
    ) -> None:
        runtime = EventletRuntime()
        runtime.was_behind = was_behind  # type: ignore[assignment]
        self.library = engineio.Server(
            async_mode="eventlet",
            async_handlers=False,
            monitor_clients=False,
            ping_interval=ping_seconds,
            ping_timeout=3600,
        )
        self.quota = ConnectionQuota(100, 0)
        self.beginnings = ConnectionQuota(100, 0)
        self.notified: list[tuple[str, AsfError]] = []
        self.received: list[tuple[str, Any]] = []
        self.ended: list[str] = []
        self.library.on("connect", lambda _sid, _environ: None)
        self.library.on("message", lambda sid, data: self.received.append((sid, data)))
        self.library.on("disconnect", lambda sid, _reason: self.ended.append(sid))
        self.connections = engineio_server.install(
            self.library,
            runtime,
            self.quota,
            self.beginnings,
            lambda sid, error: self.notified.append((sid, error)),
            lambda handler, _max_bytes: lambda environ, _start_response: handler(environ[WEBSOCKET]),
        )

    def request(self, query: str, environ: dict[str, Any]) -> list[str]:
        """Handle one request; return what `start_response` was called with."""
        statuses: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.1", CONNECTION_CONTROL: Control()} | environ
        self.library.handle_request(
            environ | {"QUERY_STRING": f"EIO=4&{query}"}, lambda status, _headers: statuses.append(status)
        )
        return statuses

    def open(self, query: str, environ: dict[str, Any]) -> "EngineIoLine":
        """Open a connection by one request, in a task of its own, and return the connection."""
        known = set(self.library.sockets)
        task = eventlet.spawn(self.request, query, environ)
        eventlet.sleep(0)
        (sid,) = set(self.library.sockets) - known
        return EngineIoLine(self, sid, task)

    def open_websocket(self, websocket: Any) -> "EngineIoLine":
        """Open a connection that is a WebSocket from the beginning."""
        return self.open("transport=websocket", HANDSHAKE | {WEBSOCKET: websocket})

    def open_upgraded(self, websocket: Any) -> "EngineIoLine":
        """Open a connection whose client has upgraded it to a WebSocket."""
        line = self.open_polling()
        line.poll()
        line.connection.connected = False  # So the library does not wait for the messages of an upgrade.
        upgrade = line.connection._upgrade_websocket  # noqa: SLF001 - as it does
        line.task.kill()
        line.task = eventlet.spawn(upgrade, HANDSHAKE | {WEBSOCKET: websocket}, lambda *_arguments: None)
        eventlet.sleep(0)
        return line

    def open_polling(self) -> "EngineIoLine":
        """Open a connection on long polling."""
        return self.open("transport=polling", {})


class EngineIoLine:
    """One connection: the library's object, its transport, and the task of its request."""

    def __init__(self, server: EngineIoServer, sid: str, task: Any) -> None:
        self.server = server
        self.sid = sid
        self.task = task
        self.connection = server.library.sockets[sid]
        transport = server.connections.get(sid)
        assert transport is not None
        self.transport: EngineIoTransport = transport

    def queue(self, text: str) -> None:
        """Queue a message, as where the kernel takes no more for now."""
        self.connection.queue.put(Packet(MESSAGE, text))

    def poll(self) -> list[Any]:
        """Return the data of the packets of one poll, as the client gets them; none where nothing is queued."""
        return [packet.data for packet in self.connection.poll()] if self.connection.queue.qsize() else []

    def close(self) -> None:
        """End the connection, and the task of its request."""
        self.task.kill()
        self.connection.close(wait=False, abort=True)


class RecordingWebSocket:
    """A WebSocket that keeps what is sent on it.

    `acknowledged` is how many bytes its client's machine has acknowledged. `yields` tells at each opportunity whether
    other tasks run: in the midst of a `send`, during which nothing else can be sent, and after it.
    """

    def __init__(self, yields: Iterator[bool] = iter(())) -> None:  # noqa: B008 - it never yields
        self._yields = yields
        self._is_sending = False
        self._end = Event()
        self.websocket_closed = False
        self.timeout: float | None = None
        self.on_idle: Callable[[], None] | None = None
        self.on_throttled: Callable[[], None] | None = None
        self.message_timeout: Callable[[], float | None] = lambda: None
        self.is_excused: Callable[[], bool] = lambda: False
        self.messages: list[str | bytes] = []
        self.acknowledged = 0
        self.intake = ClientIntake(lambda: Progress(self.acknowledged, answers=True))

    @property
    def idle(self) -> bool:
        return not self._is_sending

    def wait(self) -> None:
        """Receive nothing until the end."""
        self._end.wait()

    def wait_ahead(self) -> bool:
        return False

    def send(self, message: str | bytes) -> None:
        """Send as the library's writer does."""
        self._is_sending = True
        self._may_yield()
        self.messages.append(message)
        self._is_sending = False
        if self.on_idle is not None:
            self.on_idle()
        self._may_yield()

    def write_whole(self, frames: bytes) -> None:
        assert self.idle
        self.messages += messages_in(frames)

    def write_chunks(self, framing: ChunkFraming, batch: AudioBatch, start: int, stop: int) -> int:
        assert self.idle
        self.messages += messages_in(bytes(framing.render(batch, start, stop)))
        return stop - start

    def close(self) -> None:
        self.break_off()

    def break_off(self) -> None:
        if not self.websocket_closed:
            self.websocket_closed = True
            self._end.send()

    def _may_yield(self) -> None:
        if next(self._yields, False):
            eventlet.sleep(0)
