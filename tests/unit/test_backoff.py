"""Pauses between attempts grow up to a bound, and start anew after a success."""

from asf.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    """Without jitter they are exact."""
    backoff = Backoff(0.1, 0.5, jitter=0)
    assert [backoff.next_pause() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_reset_starts_with_the_first_pause() -> None:
    """After any number of pauses."""
    backoff = Backoff(0.1, 0.5, jitter=0)
    for _ in range(5):
        backoff.next_pause()
    backoff.reset()
    assert (backoff.pause, backoff.next_pause(), backoff.pause) == (0.1, 0.1, 0.2)


def test_jitter_only_shortens() -> None:
    """By no more than its share."""
    for _ in range(1000):
        backoff = Backoff(2.0, 8.0, jitter=0.25)
        assert 1.5 <= backoff.next_pause() <= 2.0
        assert 3.0 <= backoff.next_pause() <= 4.0
