"""The server runs on systems that lack options of Linux: each has an alternative, or is omitted."""

import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import eventlet
import pytest
import requests
from eventlet.green import os as green_os
from eventlet.green import socket as green_socket

from asf.adapters import listening_options
from asf.adapters.eventlet_runtime import listening, os_signals, socket_control
from asf.adapters.eventlet_runtime.socket_control import SocketControl
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess

MISSING = {"os": ("pipe2",), "socket": ("TCP_KEEPIDLE", "TCP_INFO", "TCP_NOTSENT_LOWAT")}
"""Names that macOS does not have, or not in each version."""

WITHOUT = f"""
import os, resource, runpy, socket, sys
for module, names in ((os, {MISSING["os"]}), (socket, {MISSING["socket"]})):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
genuine, getlimit = resource.setrlimit, resource.getrlimit

def setrlimit(kind, limits):
    if limits[0] == resource.RLIM_INFINITY:
        raise ValueError("current limit exceeds maximum limit")
    genuine(kind, (limits[0], getlimit(kind)[1]))

unlimited = resource.RLIM_INFINITY
resource.setrlimit = setrlimit
resource.getrlimit = lambda kind: (getlimit(kind)[0], unlimited)
sys.argv = ["asf", "serve"]
runpy.run_module("asf", run_name="__main__")
"""


@pytest.fixture
def _unlike_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in ((green_os, MISSING["os"]), (green_socket, MISSING["socket"])):
        for name in names:
            monkeypatch.delattr(module, name, raising=False)
    monkeypatch.setattr(listening_options, "socket", green_socket)
    monkeypatch.setattr(socket_control, "TCP_INFO", None)


@pytest.mark.usefixtures("_unlike_linux")
def test_sockets_are_created_without_the_options_of_linux() -> None:
    """They are improvements, not conditions."""
    (listener,) = listening.listen("127.0.0.1", 0)
    listener.close()


@pytest.mark.usefixtures("_unlike_linux")
def test_the_other_name_of_an_option_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_KEEPIDLE is TCP_KEEPALIVE on macOS. Connections inherit it."""
    monkeypatch.setattr(green_socket, "TCP_KEEPALIVE", socket.TCP_KEEPIDLE, raising=False)
    (listener,) = listening.listen("127.0.0.1", 0)
    with closing(listener), socket.create_connection(listener.address):
        accepted, _ = listener.accept()
        assert (
            accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == listening_options.KEEPALIVE_IDLE_SECONDS
        )
        accepted.close()


@pytest.mark.usefixtures("_unlike_linux")
def test_a_signal_wakes_the_event_loop_through_an_ordinary_pipe() -> None:
    """Neither end blocks, and children do not inherit it."""
    called: list[bool] = []
    earlier, wakeup = signal.getsignal(signal.SIGUSR1), signal.set_wakeup_fd(-1)
    try:
        os_signals.call_on_signals([signal.SIGUSR1], lambda: called.append(True))
        writer = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(writer)
        assert not green_os.get_blocking(writer)
        assert not green_os.get_inheritable(writer)
        eventlet.sleep(0)
        signal.raise_signal(signal.SIGUSR1)
        with eventlet.Timeout(PATIENCE_SECONDS):
            while not called:
                eventlet.sleep(0.001)
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGUSR1, earlier)


@pytest.fixture
def connection() -> Iterator[tuple[SocketControl, Any, socket.socket]]:
    """Return the server's control of a connection, and both of its ends, the server's first."""
    server = green_socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    server.listen()
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        yield SocketControl(accepted, None), accepted, client
        accepted.close()
        server.close()


@pytest.mark.usefixtures("_unlike_linux")
def test_a_client_that_has_left_is_noticed(connection: tuple[SocketControl, Any, socket.socket]) -> None:
    """By looking at what can be read. What it has sent stays to be read."""
    control, accepted, client = connection
    assert not control.is_gone()
    client.sendall(b"GET")
    client.shutdown(socket.SHUT_WR)
    assert not control.is_gone(), "what was sent is answered"
    assert accepted.recv(10) == b"GET"
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not control.is_gone():
            eventlet.sleep(0.001)


@pytest.mark.parametrize(
    ("permitted", "raised"), [(2**40, 1_048_576), (70_000, 65_536), (20_000, 10_240), (300, 256)]
)
def test_an_unlimited_number_of_files_is_a_limit_after_all(
    monkeypatch: pytest.MonkeyPatch, permitted: int, raised: int
) -> None:
    """As high as the kernel permits; unchanged where it permits nothing."""
    limits: list[int] = []

    def setrlimit(_kind: int, wanted: tuple[int, int]) -> None:
        if wanted[0] == resource.RLIM_INFINITY or wanted[0] > permitted:
            raise ValueError("current limit exceeds maximum limit")
        limits.append(wanted[0])

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert listening.raise_file_limit() == raised
    assert limits == ([raised] if raised > 256 else [])
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert listening.raise_file_limit() == resource.RLIM_INFINITY


@pytest.mark.programs
def test_a_server_without_them_streams_and_stops(tmp_path: Path) -> None:
    """By HTTP, which needs to know whether its client is still there, and until a signal."""
    server = ServerProcess(tmp_path, {"ASF_STALL_SECONDS": "60"}, wrapper=[sys.executable, "-c", WITHOUT])
    audio = audio_of(300_000)
    path = server.announce("s", audio)
    assert requests.get(server.stream_url("s"), timeout=PATIENCE_SECONDS).content == audio
    assert server.notify("growing", str(path), state="generating").status_code == 200
    with requests.get(server.stream_url("growing"), stream=True, timeout=PATIENCE_SECONDS) as response:
        assert response.raw.read(len(audio)) == audio
    assert server.stop() == 0
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)
