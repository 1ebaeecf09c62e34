"""Whether a client reads: by what its machine acknowledges, and by its answers to pings."""

import pytest

from asf.adapters.client_intake import BEHIND_BYTES, ClientIntake
from asf.adapters.runtime import Progress
from asf.domain.streaming.intake import STEP_BYTES, longest_silence

PERIOD = 30.0


class Client:
    """A client, its machine, and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.acknowledged = 500
        self.answers = True
        monkeypatch.setattr("asf.adapters.client_intake.time.monotonic", lambda: self.now)
        self.intake = ClientIntake(lambda: Progress(self.acknowledged, self.answers))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Return a client of which nothing is known."""
    return Client(monkeypatch)


def test_a_client_that_takes_something_reads(client: Client) -> None:
    """However little, since the last look."""
    for _ in range(10):
        client.now += 10 * PERIOD
        client.acknowledged += 1
        assert client.intake.is_taking(PERIOD)
    client.now += PERIOD
    assert not client.intake.is_taking(PERIOD)


def test_a_client_with_much_unread_may_take_nothing_for_longer(client: Client) -> None:
    """As long as reading it takes at the slowest rate."""
    client.acknowledged += STEP_BYTES
    assert client.intake.look() == (500 + STEP_BYTES, STEP_BYTES, True)
    client.now += longest_silence(PERIOD, STEP_BYTES) - 1
    assert client.intake.is_taking(PERIOD)
    client.now += 2
    assert not client.intake.is_taking(PERIOD)


def test_a_machine_that_has_vanished_takes_nothing(client: Client) -> None:
    """Something that was sent to it stays unacknowledged."""
    client.acknowledged += STEP_BYTES
    client.intake.look()
    client.now += 1
    client.answers = False
    assert not client.intake.is_taking(PERIOD)
    assert not client.intake.look().answers


def test_an_answer_to_a_ping_shows_what_was_read(client: Client) -> None:
    """All that was acknowledged when that was sent."""
    client.acknowledged += 40_000
    client.intake.note_ping(is_answered=False)
    client.acknowledged += 30_000
    assert client.intake.look().unread == 70_000
    client.intake.note_ping(is_answered=True)
    assert client.intake.look().unread == 30_000
    client.intake.note_ping(is_answered=True)
    assert client.intake.look().unread == 0


def test_only_a_client_with_much_unread_is_behind(client: Client) -> None:
    """Another one would have read a ping by now."""
    client.acknowledged += BEHIND_BYTES - 1
    assert not client.intake.is_behind(PERIOD)
    client.acknowledged += 1
    assert client.intake.is_behind(PERIOD)
    client.now += PERIOD
    assert not client.intake.is_behind(PERIOD)
