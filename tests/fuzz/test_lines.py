"""Lines of HTTP heads, allowed and forbidden ones, and several polls of one session, against a running server."""

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.campaign import PING, Campaign, fuzz
from tests.fuzz.grammar import side_by_side
from tests.fuzz.lines import allowed_lines, forbidden_lines, head, line_sessions, polling_sessions, versions
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess

EACH = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def test_lines(start_server: StartServer, fuzz_seconds: float, ledger: Ledger) -> None:
    """With conditions, ranges, control characters, and both versions of HTTP."""
    campaign = Campaign(start_server(PING, observed=True))
    fuzz(campaign, side_by_side(line_sessions), fuzz_seconds, ledger, "lines of HTTP heads from a grammar")


def test_polls(start_server: StartServer, fuzz_seconds: float, ledger: Ledger) -> None:
    """Several at a time, whose connections are broken off or not."""
    campaign = Campaign(start_server(PING, observed=True))
    fuzz(campaign, side_by_side(polling_sessions), fuzz_seconds, ledger, "several polls of one session")


@EACH
@given(version=versions, lines=st.lists(allowed_lines, max_size=5))
def test_what_rfc_9112_allows_is_served(server: ServerProcess, version: bytes, lines: list[bytes]) -> None:
    """Optional spaces, empty values, long lists, any characters."""
    assert _status(server, version, lines) == b"200"


@EACH
@given(
    version=versions,
    before=st.lists(allowed_lines, max_size=2),
    line=forbidden_lines,
    after=st.lists(allowed_lines, max_size=2),
)
def test_what_rfc_9112_forbids_is_rejected(
    server: ServerProcess, version: bytes, before: list[bytes], line: bytes, after: list[bytes]
) -> None:
    """Folded lines among it, which a server may replace by spaces, or reject."""
    assert _status(server, version, [*before, line, *after]) == b"400"


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_empty_lines_in_front_of_a_request_are_ignored(server: ServerProcess, ending: bytes) -> None:
    """RFC 9112, section 2.2: some clients send one behind a body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(ending + head(b"GET", b"/asf/health", b"HTTP/1.1", []))
        assert client.recv(12).endswith(b" 200")


def _status(server: ServerProcess, version: bytes, lines: list[bytes]) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(head(b"GET", b"/asf/health", version, lines))
        return client.recv(4096)[9:12]
