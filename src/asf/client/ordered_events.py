"""A Socket.IO client that handles messages one at a time, in order."""

from typing import Any
from urllib.parse import urlsplit

import engineio
import requests
import socketio

from asf.client.calls import unreachable
from asf.client.errors import RequestRejected, ServerUnreachable

CONNECT_SECONDS = 10
"""Timeout for connecting to a namespace."""


class _OrderedEngineIoClient(engineio.Client):
    """Runs handlers in the receiving thread.

    The library starts a thread for each message, which leaves their order to the scheduler.
    """

    def _trigger_event(self, event: str, *arguments: Any, **options: Any) -> Any:
        if event == "message" and self.state != "connected":
            return None  # Another thread is disconnecting: drop what arrives meanwhile.
        options["run_async"] = False
        return super()._trigger_event(event, *arguments, **options)


class _Session(requests.Session):
    """The HTTP session of one client. `failure` is why its latest request failed, which the library does not tell."""

    failure: Exception | None = None

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request, as `requests.Session` does."""
        self.failure = None
        try:
            return super().request(*arguments, **options)
        except requests.RequestException as error:
            self.failure = error
            raise


class OrderedClient(socketio.Client):
    """The library's client with ordered handlers. Handlers must not wait for another event. It connects once."""

    def __init__(self) -> None:
        self._session = _Session()
        super().__init__(reconnection=False, http_session=self._session)

    def connect_to(self, base_url: str, namespace: str) -> None:
        """Connect to one namespace. `base_url` may have a path, below which a proxy serves ASF.

        Raises `ServerUnreachable`.
        """
        try:
            # The library takes the path from its own parameter only.
            path = f"{urlsplit(base_url).path.strip('/')}/socket.io".lstrip("/")
            self.connect(base_url, namespaces=[namespace], socketio_path=path, wait_timeout=CONNECT_SECONDS)
        except (socketio.exceptions.ConnectionError, ValueError, LookupError, OSError) as error:
            # On a truncated response the library raises many kinds of errors.
            self._session.close()
            raise self._unreachable(base_url, error) from error

    @property
    def is_broken(self) -> bool:
        """Whether the connection is lost.

        The library reports that only when a poll ends, and not at all if it ends during the upgrade.
        """
        return self.eio.state != "connected" or self.eio.write_loop_task is None

    def end(self) -> None:
        """Disconnect. Does not wait for a broken connection."""
        if self.is_broken:
            self.eio.disconnect(abort=True)
        else:
            self.disconnect()
        self._session.close()

    def _unreachable(self, base_url: str, error: Exception) -> ServerUnreachable:
        """Return the error of a connection that was not made, in one line."""
        if self._session.failure is not None:
            return unreachable(base_url, self._session.failure)
        _, body = (*getattr(error.__cause__, "args", ()), None, None)[:2]
        if isinstance(body, dict) and "error_code" in body:  # The server has answered: it is over a limit, perhaps.
            return ServerUnreachable(f"The server at {base_url} rejected the connection: {RequestRejected(body)}")
        return ServerUnreachable(f"No ASF server responded at {base_url}: {str(error).rstrip('.')}.")

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _OrderedEngineIoClient
