"""What a grammar makes of HTTP, against a running server."""

import pytest

from tests.fuzz.campaign import PING, Campaign, fuzz
from tests.fuzz.grammar import http_sessions, side_by_side
from tests.support.fixtures import StartServer
from tests.support.ledger import Ledger


@pytest.mark.long
def test_requests(start_server: StartServer, fuzz_seconds: float, ledger: Ledger) -> None:
    """Heads, methods, paths, queries, ranges, bodies and their lengths."""
    campaign = Campaign(start_server(PING, observed=True))
    fuzz(campaign, side_by_side(http_sessions), fuzz_seconds, ledger, "HTTP requests from a grammar")
