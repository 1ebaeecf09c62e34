"""What a grammar makes of WebSockets, Engine.IO and Socket.IO, against a running server."""

import pytest

from tests.fuzz.campaign import PING, Campaign, fuzz
from tests.fuzz.grammar import message_sessions, side_by_side
from tests.support.fixtures import StartServer
from tests.support.ledger import Ledger


@pytest.mark.long
def test_messages(start_server: StartServer, fuzz_seconds: float, ledger: Ledger) -> None:
    """Frames, packets, events, and the order in which they come."""
    campaign = Campaign(start_server(PING, observed=True))
    fault = "WebSocket frames, Engine.IO and Socket.IO packets from a grammar"
    fuzz(campaign, side_by_side(message_sessions), fuzz_seconds, ledger, fault)
