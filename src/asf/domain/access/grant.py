"""What the bearer of a token may do."""

from dataclasses import dataclass

ALL = "*"
"""Stands for every id: all streams, or all clients."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows `subject` to do: join `streams`, and subscribe to `clients`.

    Both are sets of ids, in which `ALL` stands for every id. The grant expires at `expires_at`, in seconds since the
    Unix epoch.
    """

    subject: str
    expires_at: float
    streams: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()

    def allows_stream(self, stream_id: str) -> bool:
        """Return whether the stream may be joined."""
        return stream_id in self.streams or ALL in self.streams

    def allows_client(self, client_id: str) -> bool:
        """Return whether the client's UI updates may be subscribed to."""
        return client_id in self.clients or ALL in self.clients
