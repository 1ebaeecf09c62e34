"""Whether a client reads: by what its machine acknowledges, and by its answers to pings."""

import pytest

from asf.adapters.client_intake import BEHIND_BYTES, ClientIntake
from asf.adapters.runtime import Progress
from asf.domain.streaming.intake import STEP_BYTES, longest_reading, longest_silence

PERIOD = 30.0


class Client:
    """A client, its machine, and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.acknowledged = 500
        self.answers = True
        self.has_all = False
        monkeypatch.setattr("asf.adapters.client_intake.time.monotonic", lambda: self.now)
        self.intake = ClientIntake(lambda: Progress(self.acknowledged, self.answers, self.has_all))


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


def test_a_client_whose_machine_has_all_may_acknowledge_nothing_while_it_reads(client: Client) -> None:
    """There is nothing left to acknowledge, however large the steps were before."""
    unread = 3 * STEP_BYTES
    client.acknowledged += unread
    client.intake.look()
    client.now += longest_silence(PERIOD, unread) + 1
    assert not client.intake.is_taking(PERIOD)
    client.has_all = True
    assert client.intake.is_taking(PERIOD)
    client.now += longest_reading(PERIOD, unread) - longest_silence(PERIOD, unread)
    assert not client.intake.is_taking(PERIOD)


def test_an_answer_shows_what_was_read(client: Client) -> None:
    """All that was acknowledged when the question was sent; a late answer shows no more than that."""
    client.acknowledged += 40_000
    first = client.intake.mark()
    client.acknowledged += 30_000
    second = client.intake.mark()
    assert client.intake.look().unread == 70_000
    client.intake.note_answer(first)
    assert client.intake.look().unread == 30_000
    client.intake.note_answer(second)
    client.intake.note_answer(first)
    assert client.intake.look().unread == 0


def test_a_client_that_answers_reads(client: Client) -> None:
    """From then on it has its time for what it has not read by then."""
    client.acknowledged += 40_000
    mark = client.intake.mark()
    client.acknowledged += STEP_BYTES - 40_000
    client.intake.look()
    client.now += longest_silence(PERIOD, STEP_BYTES) - 1
    client.intake.note_answer(mark)
    assert client.intake.is_taking(PERIOD)
    client.now += longest_silence(PERIOD, STEP_BYTES - 40_000)
    assert not client.intake.is_taking(PERIOD)
    client.intake.note_answer(mark)
    assert not client.intake.is_taking(PERIOD)


def test_only_a_client_with_much_unread_is_behind(client: Client) -> None:
    """Another one would have read a ping by now, once its machine has it."""
    client.acknowledged += BEHIND_BYTES - 1
    assert client.intake.is_behind(PERIOD)
    client.has_all = True
    assert not client.intake.is_behind(PERIOD)
    client.acknowledged += 1
    assert client.intake.is_behind(PERIOD)
    client.now += PERIOD
    assert not client.intake.is_behind(PERIOD)
