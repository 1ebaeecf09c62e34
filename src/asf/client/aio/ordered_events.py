"""An asyncio client of Socket.IO that handles messages one at a time, in order."""

import asyncio
from typing import Any, TypeVar
from urllib.parse import urlsplit

import engineio
import socketio

from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.ordered_events import CONNECT_SECONDS
from asf.client.reception import connection_lost

T = TypeVar("T")

CHECK_SECONDS = 1.0
"""Interval between looks at a connection on which nothing arrives."""


class _OrderedEngineIoClient(engineio.AsyncClient):
    """Runs handlers in the receiving task. The library starts a task for each message."""

    async def _trigger_event(self, event: str, *arguments: Any, **options: Any) -> Any:
        options["run_async"] = False
        return await super()._trigger_event(event, *arguments, **options)


class AsyncOrderedClient(socketio.AsyncClient):
    """The library's client with ordered handlers. Handlers must not wait. It connects once."""

    def __init__(self) -> None:
        super().__init__(reconnection=False, handle_sigint=False)

    async def connect_to(self, base_url: str, namespace: str) -> None:
        """Connect to one namespace. `base_url` may have a path, below which a proxy serves ASF.

        Raises `ServerUnreachable`.
        """
        try:
            # The library takes the path from its own parameter only.
            path = f"{urlsplit(base_url).path.strip('/')}/socket.io".lstrip("/")
            await self.connect(base_url, namespaces=[namespace], socketio_path=path, wait_timeout=CONNECT_SECONDS)
        except (socketio.exceptions.ConnectionError, ValueError, LookupError, OSError) as error:
            # On a truncated response the library raises many kinds of errors.
            await self.end()
            raise _unreachable(base_url, error) from error

    async def next_of(self, received: "asyncio.Queue[T]") -> T:
        """Return what the handlers have put next. Raises `ServerUnreachable` if the connection is lost.

        The library does not always report that: see `OrderedClient.is_broken`.
        """
        while True:
            try:
                return await asyncio.wait_for(received.get(), CHECK_SECONDS)
            except TimeoutError:
                if self._is_broken:
                    raise connection_lost() from None

    @property
    def _is_broken(self) -> bool:
        return self.eio.state != "connected" or self.eio.write_loop_task is None

    async def end(self) -> None:
        """Disconnect, and close what the library has opened. Does not wait for a broken connection."""
        if self._is_broken:
            await self.eio.disconnect(abort=True)
        else:
            await self.disconnect()

    def _engineio_client_class(self) -> type[engineio.AsyncClient]:
        return _OrderedEngineIoClient


def _unreachable(base_url: str, error: Exception) -> AsfClientError:
    _, body = (*getattr(error.__cause__, "args", ()), None, None)[:2]
    if isinstance(body, dict) and "error_code" in body:  # The server has answered: it is over a limit, perhaps.
        return ServerUnreachable(f"The server at {base_url} rejected the connection: {RequestRejected(body)}")
    return ServerUnreachable(f"No ASF server responded at {base_url}: {str(error).rstrip('.')}.")
