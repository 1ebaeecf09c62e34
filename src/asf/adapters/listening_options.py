"""The options of listening sockets, which the connections that they accept inherit."""

import socket
from collections.abc import Sequence
from typing import Any

LISTEN_BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""

UNSENT_BYTES = 65536
"""Bytes that the kernel buffers per connection beyond what is in flight: about one batch. It bounds what a listener
that stops reading costs, and how long an event waits behind audio, and leaves what is in flight to the kernel's own
tuning (TCP_NOTSENT_LOWAT, tcp(7))."""

KEEPALIVE_IDLE_SECONDS = 60
"""Silence after which the kernel probes whether the peer is still there."""


def set_options(listening: Any, keepalive_idle_seconds: int = KEEPALIVE_IDLE_SECONDS) -> None:
    """Set the options of a TCP socket that will listen."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # With Nagle's algorithm every first chunk waits for a delayed ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _set_tcp_option(listening, ("TCP_NOTSENT_LOWAT",), UNSENT_BYTES)
    # A connection whose peer has vanished silently ends some minutes later.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set_tcp_option(listening, ("TCP_KEEPIDLE", "TCP_KEEPALIVE"), keepalive_idle_seconds)


def _set_tcp_option(listening: Any, names: Sequence[str], value: int) -> None:
    """Set the first option of `names` that this system has: the names differ, and none is necessary."""
    for name in names:
        option: int | None = getattr(socket, name, None)
        if option is not None:
            listening.setsockopt(socket.IPPROTO_TCP, option, value)
            return
