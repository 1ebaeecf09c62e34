"""What real clients have sent, changed here and there, against a running server."""

import pytest

from tests.fuzz.campaign import PING, Campaign, fuzz
from tests.fuzz.grammar import side_by_side
from tests.fuzz.recordings import mutated, record
from tests.support.fixtures import StartServer
from tests.support.ledger import Ledger


@pytest.mark.long
def test_recordings(start_server: StartServer, fuzz_seconds: float, ledger: Ledger) -> None:
    """Bits flipped, parts cut, repeated, inserted and taken from elsewhere, below the masks and above them."""
    server = start_server(PING, observed=True)
    campaign = Campaign(server)
    recordings = record(server)
    fuzz(campaign, side_by_side(mutated(recordings)), fuzz_seconds, ledger, "mutated recordings of real clients")
