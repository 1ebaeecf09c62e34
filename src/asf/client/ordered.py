"""A Socket.IO client that handles what it receives one by one, in order."""

from typing import Any

import engineio
import socketio

from asf.client.errors import ServerUnreachable

CONNECT_SECONDS = 10
"""How long the server may take to let a client into a namespace."""


class _OrderedEngineIoClient(engineio.Client):
    """Runs handlers in the thread that receives.

    The library's own way is a thread for each message, which leaves their order to the scheduler.
    """

    def _trigger_event(self, event: str, *arguments: Any, **options: Any) -> Any:
        if event == "message" and self.state != "connected":
            return None  # Another thread is disconnecting; what comes in meanwhile concerns nobody.
        options["run_async"] = False
        return super()._trigger_event(event, *arguments, **options)


class OrderedClient(socketio.Client):
    """The library's client, with ordered handlers. They must not wait for another event."""

    def connect_to(self, base_url: str, namespace: str) -> None:
        """Connect to one namespace. Raises `ServerUnreachable`."""
        try:
            self.connect(base_url, namespaces=[namespace], wait_timeout=CONNECT_SECONDS)
        except (socketio.exceptions.ConnectionError, ValueError, LookupError, OSError) as error:
            # An answer that is cut short trips the library up in many ways.
            raise ServerUnreachable(f"{base_url} does not answer as ASF does: {error}") from error

    @property
    def is_broken(self) -> bool:
        """Whether the connection is of no use any more.

        The library tells that only when a poll ends, and not at all of one that ends while it is being upgraded.
        """
        return self.eio.state != "connected" or self.eio.write_loop_task is None

    def end(self) -> None:
        """Disconnect; of a connection that is broken nothing is waited for."""
        if self.is_broken:
            self.eio.disconnect(abort=True)
        else:
            self.disconnect()

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _OrderedEngineIoClient
