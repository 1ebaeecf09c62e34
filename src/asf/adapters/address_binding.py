"""Binds sockets to the addresses of a host name: all that this machine has."""

import errno
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

LOCALHOST = "localhost"
LOOPBACK = ("127.0.0.1", "::1")
"""Addresses of `LOCALHOST` (RFC 6761), whatever the hosts file lists: clients try either."""

NOT_ON_THIS_MACHINE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
"""Errors for an address that this machine does not have, such as an IPv6 address without IPv6."""

MAX_ATTEMPTS = 10
"""How often another free port is tried, where one is free on some of the addresses only."""


class Binding(NamedTuple):
    """Bound sockets, IPv4 first, and the name's addresses that this machine does not have."""

    sockets: list[Any]
    missing: list[str]


def bind(host: str, port: int, create: Callable[[int], Any]) -> Binding:
    """Bind a socket of `create`, which receives the address family, to each address of `host`.

    Addresses that this machine does not have are left out if it has another one. Port 0 is a free port, the same for
    all addresses. Raises OSError if no address is available, or if the port is in use on one of them.
    """
    addresses = _addresses_of(host, port)
    attempts = MAX_ATTEMPTS if port == 0 and len(addresses) > 1 else 1
    while True:
        attempts -= 1
        try:
            return _bind_all(addresses, port, create)
        except OSError as error:
            if attempts == 0 or error.errno != errno.EADDRINUSE:
                raise


def _addresses_of(host: str, port: int) -> list[tuple[int, Any]]:
    """Return the address families and socket addresses, without repeats, IPv4 first. Raises OSError."""
    hosts = [host, *(LOOPBACK if host.lower() == LOCALHOST else ())]
    found: dict[tuple[int, Any], None] = {}
    failure: OSError | None = None
    for one in hosts:
        try:
            for family, _, _, _, address in socket.getaddrinfo(one, port, type=socket.SOCK_STREAM):
                found[family, address] = None
        except UnicodeError as error:  # A name that cannot be encoded (RFC 5890).
            raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
        except OSError as error:
            failure = failure or error
    if not found:
        raise failure or OSError(errno.EADDRNOTAVAIL, "The name has no address")
    return sorted(found, key=lambda one: one[0] != socket.AF_INET)


def _bind_all(addresses: list[tuple[int, Any]], port: int, create: Callable[[int], Any]) -> Binding:
    bound: list[Any] = []
    missing: list[str] = []
    failure: OSError | None = None
    with ExitStack() as stack:
        for family, address in addresses:
            try:
                one = create(family)
                stack.callback(one.close)
                if family == socket.AF_INET6 and len(addresses) > 1:  # An IPv4 address has a socket of its own.
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in NOT_ON_THIS_MACHINE:
                    raise
                failure = failure or error
                missing.append(address[0])
            else:
                bound.append(one)
                port = port or one.getsockname()[1]
        if not bound:
            raise failure or OSError(errno.EADDRNOTAVAIL, "No address")
        stack.pop_all()
    return Binding(bound, missing)
