"""Which addresses of a name are listened on: all that the machine has."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from asf.adapters import address_binding
from asf.adapters.address_binding import bind
from asf.adapters.eventlet_runtime.listening import listen
from asf.application.diagnosis.finding import Severity
from asf.application.diagnosis.network import examine_address, explain_listening_error
from tests.support.addresses import needs_ipv6

OF_ANOTHER_MACHINE = "192.0.2.1"

Resolve = Callable[[dict[str, list[str]]], None]


def create(family: int) -> socket.socket:
    """Return a socket."""
    return socket.socket(family, socket.SOCK_STREAM)


def addresses(sockets: list[Any]) -> list[str]:
    """Return the addresses, and close the sockets, which must have one port."""
    bound = [one.getsockname() for one in sockets]
    for one in sockets:
        one.close()
    assert len({address[1] for address in bound}) == 1
    return [address[0] for address in bound]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return a function that replaces the hosts file."""
    genuine = socket.getaddrinfo

    def install(hosts: dict[str, list[str]]) -> None:
        def getaddrinfo(host: str, port: int, **options: Any) -> Iterator[Any]:
            if host in hosts and not hosts[host]:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            for address in hosts.get(host, [host]):
                yield from genuine(address, port, **options)

        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *arguments, **options: [*getaddrinfo(*arguments, **options)]
        )

    return install


@needs_ipv6
@pytest.mark.parametrize("listed", [[], ["::1"], ["127.0.0.1"], ["::1", "127.0.0.1"]])
def test_localhost_is_both_loopback_addresses(resolve: Resolve, listed: list[str]) -> None:
    """Whatever the hosts file lists, on one port, and IPv4 first, for the address that is logged."""
    resolve({"localhost": listed})
    assert addresses(bind("localhost", 0, create).sockets) == ["127.0.0.1", "::1"]


def test_without_ipv6_the_rest_is_listened_on(resolve: Resolve) -> None:
    """Whether sockets cannot be created, or not bound. At least one must work."""
    resolve({"localhost": ["::1"], "asf.example": ["::1"]})
    for number in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):

        def create_four(family: int, number: int = number) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(number, os.strerror(number))
            return create(family)

        binding = bind("localhost", 0, create_four)
        assert binding.missing == ["::1"]
        assert addresses(binding.sockets) == ["127.0.0.1"]
        with pytest.raises(OSError, match=os.strerror(number)):
            bind("asf.example", 0, create_four)


def test_addresses_of_other_machines_are_left_out(resolve: Resolve, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning. Alone they are an error."""
    resolve({"asf.example": [OF_ANOTHER_MACHINE, "127.0.0.2"], "other.example": [OF_ANOTHER_MACHINE]})
    (listener,) = listen("asf.example", 0)
    assert listener.address[0] == "127.0.0.2"
    listener.close()
    assert f"ASF_HOST=asf.example: not listening on {OF_ANOTHER_MACHINE}" in caplog.text
    with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
        bind("other.example", 0, create)


def test_a_port_in_use_on_one_of_the_addresses_is_an_error(resolve: Resolve) -> None:
    """Clients would reach the other program there. What was bound before is free again."""
    resolve({"asf.example": ["127.0.0.3", "127.0.0.2"]})  # Other programs may have that port on 127.0.0.1.
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            bind("asf.example", port, create)
        with closing(create(socket.AF_INET)) as again:
            again.bind(("127.0.0.3", port))


def test_a_free_port_is_free_on_all_addresses(resolve: Resolve) -> None:
    """Others are tried until one is, a limited number of times."""
    resolve({"asf.example": ["127.0.0.1", "127.0.0.2"]})
    attempts = 0

    class Busy(socket.socket):
        def bind(self, address: Any) -> None:
            nonlocal attempts
            if address[0] == "127.0.0.2":
                attempts += 1
                if attempts < address_binding.MAX_ATTEMPTS:
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            super().bind(address)

    def create_busy(family: int) -> socket.socket:
        return Busy(family, socket.SOCK_STREAM)

    assert addresses(bind("asf.example", 0, create_busy).sockets) == ["127.0.0.1", "127.0.0.2"]
    attempts = -1
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        bind("asf.example", 0, create_busy)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 64, "[::1]", "http://127.0.0.1", "300.1.1.1"])
def test_names_that_cannot_be_resolved(host: str) -> None:
    """Nor encoded. The setting, its value and a remedy are named."""
    found = examine_address(host, 5006)
    assert found.severity is Severity.PROBLEM
    assert found.text.startswith(f"ASF_HOST '{host}' cannot be resolved: ")
    assert "127.0.0.1" in found.remedy


@pytest.mark.parametrize(
    ("number", "said", "remedy"),
    [
        (
            errno.EADDRINUSE,
            "Port 5006 on 10.0.0.1 is in use (ASF_PORT)",
            "Stop the other program or set another ASF_PORT",
        ),
        (errno.EADDRNOTAVAIL, "ASF_HOST '10.0.0.1' is not an address of this machine", "0.0.0.0 for all"),
        (errno.EACCES, "Port 5006 on 10.0.0.1 is not permitted (ASF_PORT)", "set a higher ASF_PORT"),
        (errno.EINVAL, "Cannot listen on ASF_HOST '10.0.0.1', ASF_PORT 5006", "Correct"),
    ],
)
def test_each_error_names_the_setting_the_value_and_a_remedy(number: int, said: str, remedy: str) -> None:
    """And no number of an error."""
    problem, what_to_do = explain_listening_error("10.0.0.1", 5006, OSError(number, os.strerror(number)))
    assert problem.startswith(said)
    assert remedy in what_to_do
    assert "Errno" not in problem


@needs_ipv6
def test_an_address_in_two_families_needs_no_second_port() -> None:
    """The wildcard of IPv6 alone accepts IPv4 as well."""
    with ExitStack() as stack:
        (one,) = (stack.enter_context(one) for one in bind("::", 0, create).sockets)
        one.listen()
        socket.create_connection(("127.0.0.1", one.getsockname()[1])).close()
