"""The other end of a client's connection, as operators see it."""

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """How a client is connected."""

    POLLING = "socketio-polling"
    """Socket.IO over long polling, also until the upgrade to a WebSocket."""
    SOCKETIO = "socketio-websocket"
    WEBSOCKET = "websocket"
    """The stream's own URL, over a plain WebSocket."""
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is connected, and how. `address` is that of the TCP peer: behind a proxy, the proxy's.

    `forwarded_for` is the `X-Forwarded-For` that came with the request, if any. Clients can forge it.
    """

    transport: Transport
    address: str
    forwarded_for: str | None = None

    def has_address(self, address: str) -> bool:
        """Return whether this is the TCP peer's address, or one of those that it was forwarded for."""
        if address == self.address:
            return True
        forwarded = self.forwarded_for
        return forwarded is not None and address in {one.strip() for one in forwarded.split(",")}
