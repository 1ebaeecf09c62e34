"""The green threads that serve connections, as many as the quota permits."""

import sys
from collections.abc import Callable
from typing import Any

import eventlet

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.eventlet_runtime.handed_over import ConnectionState


class ConnectionPool(eventlet.GreenPool):
    """The green threads of all connections; counts these in `quota`."""

    def __init__(self, quota: ConnectionQuota) -> None:
        super().__init__(sys.maxsize)  # Its own limit would keep connections waiting without a response.
        self._quota = quota

    def spawn(self, serve: Callable[..., object], connection: list[Any]) -> Any:
        """Serve a connection, given as the library's list. Appends the error if it is over a limit, else None."""
        address = _host_of(connection[0])
        state: ConnectionState | None = getattr(connection[1], "state", None)
        is_counted = state is not None and state.is_within_limits  # By the worker that has handed it over.
        connection.append(None if is_counted else self._quota.rejection(address))
        self._quota.take(address)
        thread = super().spawn(serve, connection)
        thread.link(self._served, address)
        return thread

    def _served(self, _thread: Any, address: str) -> None:
        self._quota.release(address)


def _host_of(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) else ""
