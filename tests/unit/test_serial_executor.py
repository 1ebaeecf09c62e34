"""Items of one key are processed in order, one at a time, in a thread or in the caller's task."""

import threading

import pytest

from asf.adapters.serial_executor import SerialExecutor, run_at_once, start_thread
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually


def test_items_of_a_key_are_processed_in_order_by_threads() -> None:
    """Other keys do not wait for them."""
    done: list[tuple[str, int]] = []
    proceed = threading.Event()

    def work(key: str, item: int) -> None:
        if key == "slow":
            assert proceed.wait(PATIENCE_SECONDS)
        done.append((key, item))

    executor = SerialExecutor(work, start_thread)
    for item in range(100):
        executor.submit("slow", item)
        executor.submit("fast", item)
    eventually(lambda: len(done) == 100)
    assert done == [("fast", item) for item in range(100)]
    proceed.set()
    eventually(lambda: len(done) == 200)
    assert done[100:] == [("slow", item) for item in range(100)]


def test_an_item_is_processed_before_submit_returns() -> None:
    """Where work runs in the caller's task; what that submits comes after it."""
    done: list[str] = []

    def work(key: str, item: str) -> None:
        if item == "first":
            executor.submit(key, "second")
        done.append(item)

    executor = SerialExecutor(work, run_at_once)
    executor.submit("key", "first")
    assert done == ["first", "second"]


def test_an_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And the next item is processed."""
    done: list[int] = []

    def work(_key: str, item: int) -> None:
        done.append(item)
        raise ValueError("broken")

    executor = SerialExecutor(work, run_at_once)
    executor.submit("key", 1)
    executor.submit("key", 2)
    assert done == [1, 2]
    assert caplog.text.count("ValueError: broken") == 2


def test_a_task_that_is_stopped_leaves_the_rest_to_the_next() -> None:
    """Nothing is lost, and the key does not stay blocked."""
    done: list[int] = []

    def work(key: str, item: int) -> None:
        done.append(item)
        if item == 1:
            executor.submit(key, 2)
            raise KeyboardInterrupt

    executor = SerialExecutor(work, run_at_once)
    with pytest.raises(KeyboardInterrupt):
        executor.submit("key", 1)
    assert done == [1]
    executor.submit("key", 3)
    assert done == [1, 2, 3]
