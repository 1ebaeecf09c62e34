"""How long a connection may be idle between two requests, as set by `ASF_KEEPALIVE_SECONDS`."""

import http.client
import time
from contextlib import closing

import pytest

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer

SHORT_SECONDS = 1.0
LONG_SECONDS = 3600.0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_is_closed_after_the_time_that_is_set(start_server: StartServer, method: str) -> None:
    """Not before; a longer time keeps it, so that a balancer that closes earlier never meets a closed one."""
    short = start_server({"ASF_KEEPALIVE_SECONDS": str(SHORT_SECONDS)})
    long = start_server({"ASF_KEEPALIVE_SECONDS": str(LONG_SECONDS)})
    connections = [
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS) for server in (short, long)
    ]
    with closing(connections[0]) as brief, closing(connections[1]) as lasting:
        _request(lasting, method)
        asked_at = time.monotonic()  # It has been idle since it was answered, which is later.
        _request(brief, method)
        assert brief.sock is not None
        assert brief.sock.recv(1) == b""
        assert time.monotonic() - asked_at >= SHORT_SECONDS - 0.1
        assert lasting.sock is not None
        kept = lasting.sock
        _request(lasting, method)
        assert lasting.sock is kept


def _request(connection: http.client.HTTPConnection, method: str) -> None:
    """Send a request, and read the response."""
    path = "/asf/health" if method == "GET" else "/asf/internal/notify_new_audio"
    connection.request(method, path, body=None if method == "GET" else b"{}")
    connection.getresponse().read()
