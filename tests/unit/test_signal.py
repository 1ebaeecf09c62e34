"""Signals: each callback is called once, in order."""

import pytest

from asf.domain.signal import Signal


def test_callbacks_are_called_in_the_order_in_which_they_were_connected() -> None:
    """With what the signal was called with."""
    signal: Signal[str, int] = Signal()
    calls: list[tuple[str, str, int]] = []
    signal.connect(lambda text, number: calls.append(("first", text, number)))
    signal.connect(lambda text, number: calls.append(("second", text, number)))
    signal("a", 1)
    assert calls == [("first", "a", 1), ("second", "a", 1)]


def test_a_signal_that_nothing_is_connected_to_does_nothing() -> None:
    """The part that offers it works alone."""
    Signal[()]()()


def test_what_a_callback_raises_goes_to_the_caller() -> None:
    """And the callbacks after it are not called."""
    signal: Signal[()] = Signal()

    def fail() -> None:
        raise RuntimeError("It is broken.")

    signal.connect(fail)
    signal.connect(lambda: pytest.fail("called"))
    with pytest.raises(RuntimeError):
        signal()


def test_a_callback_that_is_connected_during_a_call_is_called_from_the_next_one_on() -> None:
    """The current call is not changed."""
    signal: Signal[()] = Signal()
    calls: list[str] = []

    def connect_another() -> None:
        calls.append("first")
        signal.connect(lambda: calls.append("second"))

    signal.connect(connect_another)
    signal()
    assert calls == ["first"]
    signal()
    assert calls == ["first", "first", "second"]
