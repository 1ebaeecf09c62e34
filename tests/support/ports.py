"""Free ports of the loopback interface, and servers on them."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

ATTEMPTS = 5
"""How often other ports are tried: another process may be faster to listen on one that was free."""


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens, no two of them the same."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def start_on_free_ports(count: int, start: Callable[..., bool], describe_failure: Callable[[], str]) -> None:
    """Call `start` with `count` free ports, with others if it returns False: the server has not started there.

    Raises RuntimeError with what `describe_failure` returns if it never does.
    """
    for _ in range(ATTEMPTS):
        if start(*free_ports(count)):
            return
    raise RuntimeError(describe_failure())
