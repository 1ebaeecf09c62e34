"""A network cable that can be pulled: a server on one end, clients on the other, neither of which hears of it.

Two network namespaces (network_namespaces(7)), joined by a pair of virtual devices, which nothing else is connected
to. Needs root.
"""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.browser.prerequisites import missing
from tests.support.processes import eventually

SERVER_ADDRESS = "10.231.77.1"
CLIENT_ADDRESS = "10.231.77.2"
DEVICE = "cable"

KERNEL_SETTINGS = {"tcp_retries2": 3, "tcp_keepalive_intvl": 1, "tcp_keepalive_probes": 2}
"""So that the kernel gives up in seconds (tcp(7)): by default it takes a quarter of an hour over what is not
acknowledged, and eleven minutes of silence after the first question whether a peer is there."""

CLONE_NEWNET = 0x40000000  # sched.h
_libc = ctypes.CDLL(None, use_errno=True)


class Cable:
    """Both ends. While it is entered, the thread that entered it, and those that it starts, are at the server's end.

    Skips the test where namespaces cannot be made.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        for program, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")):
            if shutil.which(program) is None:
                missing(program, f"apt-get install {package}")
        self._ends: list[subprocess.Popen[bytes]] = []
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        _enter(self._home)
        os.close(self._home)
        for end in self._ends:  # The namespaces and what is in them end with their processes.
            end.kill()
            end.wait()

    @property
    def wrapper(self) -> list[str]:
        """The command in front of another that runs it at the server's end."""
        return _at(self._ends[0])

    def client_socket(self) -> socket.socket:
        """Return a socket at the clients' end."""
        with self._at_clients_end():
            return socket.socket()

    def pull(self) -> None:
        """Let nothing through any more, in either direction."""
        _run(*_at(self._ends[1]), "ip", "link", "set", DEVICE, "down")

    def give_up_soon(self) -> None:
        """Let the kernel give up in seconds, from now on."""
        for name, value in KERNEL_SETTINGS.items():
            Path(f"/proc/sys/net/ipv4/{name}").write_text(str(value))

    def _make(self) -> None:
        home = os.readlink("/proc/thread-self/ns/net")  # noqa: PTH115 - no path of a file
        for _ in range(2):
            end = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
            self._ends.append(end)
            eventually(lambda: os.readlink(f"/proc/{end.pid}/ns/net") != home)  # noqa: B023, PTH115
        server, client = self._ends
        device = ["link", "add", DEVICE, "netns", str(server.pid), "type", "veth"]
        _run("ip", *device, "peer", "name", DEVICE, "netns", str(client.pid))
        for end, address in ((server, SERVER_ADDRESS), (client, CLIENT_ADDRESS)):
            _run(*_at(end), "ip", "link", "set", "lo", "up")
            _run(*_at(end), "ip", "address", "add", f"{address}/24", "dev", DEVICE)
            _run(*_at(end), "ip", "link", "set", DEVICE, "up")
        with Path(f"/proc/{server.pid}/ns/net").open("rb") as namespace:
            _enter(namespace.fileno())

    @contextmanager
    def _at_clients_end(self) -> Iterator[None]:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            with Path(f"/proc/{self._ends[1].pid}/ns/net").open("rb") as namespace:
                _enter(namespace.fileno())
            yield
        finally:
            _enter(before)
            os.close(before)


def _at(end: subprocess.Popen[bytes]) -> list[str]:
    return ["nsenter", f"--net=/proc/{end.pid}/ns/net"]


def _enter(namespace: int) -> None:
    """Put the calling thread into a network namespace."""
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
