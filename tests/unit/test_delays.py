"""Fixed delays."""

import eventlet
import pytest

from asf.adapters.delays import FixedDelay
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from tests.support.bounds import PATIENCE_SECONDS


class Subject:
    """Counts the actions on it."""

    def __init__(self) -> None:
        self.count = 0

    def act(self) -> None:
        self.count += 1


def wait_for(*subjects: Subject) -> None:
    """Wait until all have been acted on."""
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not all(subject.count for subject in subjects):
            eventlet.sleep(0.001)


def test_each_subject_is_acted_on_once_for_each_time_it_is_added() -> None:
    """Also those that are added after the timer has stopped."""
    delay = FixedDelay(EventletRuntime(), 0.01, Subject.act)
    for _ in range(2):
        subjects = [Subject() for _ in range(3)]
        for subject in subjects:
            delay.add(subject)
        wait_for(*subjects)
        eventlet.sleep(0.02)
        assert [subject.count for subject in subjects] == [1, 1, 1]


def test_a_subject_that_no_longer_exists_or_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is logged."""
    delay = FixedDelay(EventletRuntime(), 0.01, Subject.act)
    broken, last = Subject(), Subject()
    broken.count = None  # type: ignore[assignment]
    for subject in (Subject(), broken, last):
        delay.add(subject)
    wait_for(last)
    assert "A delayed action failed" in caplog.text


def test_an_action_may_wait() -> None:
    """The others are acted on afterwards."""
    waited: list[Subject] = []

    def wait(subject: Subject) -> None:
        eventlet.sleep(0.01)
        waited.append(subject)
        subject.act()

    delay = FixedDelay(EventletRuntime(), 0.001, wait)
    first, second = Subject(), Subject()
    delay.add(first)
    delay.add(second)
    wait_for(first, second)
    assert waited == [first, second]


def test_others_may_run_after_each_action() -> None:
    """The runtime decides how many make a turn."""
    acted: list[Subject] = []
    runs: list[int] = []

    class CountingRuntime(EventletRuntime):
        def checkpoint(self) -> None:
            runs.append(len(acted))

        def checkpoint_at_end(self) -> None:
            raise NotImplementedError

    def act(subject: Subject) -> None:
        acted.append(subject)
        subject.act()

    delay = FixedDelay(CountingRuntime(), 0.001, act)
    subjects = [Subject() for _ in range(50)]
    for subject in subjects:
        delay.add(subject)
    wait_for(*subjects)
    eventlet.sleep(0)
    assert runs == list(range(1, 51))
