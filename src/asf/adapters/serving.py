"""What a server runs, and what the entry point needs from the runtime that runs it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asf.adapters.connection_quota import ConnectionQuota
from asf.domain.signal import Signal

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""


@dataclass(frozen=True, slots=True)
class HttpTimeouts:
    """Deadlines of HTTP connections, in seconds."""

    first_request: float = 30.0
    """From accepting a connection to the first byte of its first request."""

    over_limit: float = 2.0
    """For an over-limit connection: each of its first byte, its request head and its request body. It may send one
    request (health, metrics and the internal API are still served), then it is closed."""

    idle: float = 75.0
    """Between two requests (ASF_KEEPALIVE_SECONDS)."""

    head: float = 10.0
    """From the first byte of a request to the end of its head."""

    body: float = 30.0
    """From the end of a request's head to the end of its body."""

    write: float = 60.0
    """While the client acknowledges no byte of a response."""


class ListeningSocket(Protocol):
    """A bound and listening socket."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        ...


class Pump(Protocol):
    """Work that is due at certain times: the runtime calls `turn` whenever its delay has passed."""

    @property
    def on_due(self) -> Signal[()]:
        """Called when work has become due before the delay has passed. The runtime connects to it."""
        ...

    def turn(self) -> float | None:
        """Do what is due. Returns the delay to the next turn in seconds; None when only `on_due` brings work."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """What a server runs."""

    application: Application
    pump: Pump
    shut_down: Callable[[Callable[[float], object]], object]
    """Called at SIGTERM or SIGINT, with a function that suspends the calling task for the seconds it is passed."""

    connections: ConnectionQuota
    """Limits the open connections, and counts them."""

    timeouts: HttpTimeouts
    is_unthrottled: Callable[[str], bool]
    """Returns whether a request is exempt from the rate limit of its connection, given its path."""

    on_slow_turn: Callable[[float], object]
    """Called with the seconds of each turn of the event loop that held up all clients noticeably."""

    background: tuple[Callable[[], object], ...] = ()
    """Each runs in a task of its own while the server runs."""


class Server(Protocol):
    """What the entry point needs from a runtime that serves."""

    def listen(self, host: str, port: int) -> Sequence[ListeningSocket]:
        """Return a listening socket for each address of `host` that this machine has, IPv4 first.

        Port 0 takes any free port, the same for all. Raises OSError when no address is available, or the port is in
        use.
        """
        ...

    def serve(self, listeners: Sequence[ListeningSocket], service: Service, on_ready: Callable[[], object]) -> None:
        """Serve until SIGTERM or SIGINT arrives, shut down, and return.

        Calls `on_ready` when the signals are handled. Raises OSError when connections can no longer be accepted.
        """
        ...
