"""The event loop is shared: whatever one client or backend asks for, the others have their turns meanwhile."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest
import requests

from tests.integration.test_ui_updates import Subscriber, has
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess, eventually

MIN_ANSWERS = 10
"""Answers that others get while the server does something in turns; in a single turn there are one or two."""


class Bystander:
    """Asks again as soon as it has an answer: counts how often others have their turn."""

    def __init__(self, server: ServerProcess) -> None:
        self.answers = 0
        self._url = f"{server.url}/asf/health"
        self._stopped = threading.Event()

    def run(self) -> None:
        with requests.Session() as session:
            while not self._stopped.is_set():
                assert session.get(self._url, timeout=PATIENCE_SECONDS).status_code == 200
                self.answers += 1

    def stop(self) -> None:
        self._stopped.set()


@contextmanager
def bystander(server: ServerProcess) -> Iterator[Bystander]:
    """Let a bystander ask while the context lasts."""
    other = Bystander(server)
    thread = threading.Thread(target=other.run)
    thread.start()
    eventually(lambda: other.answers or None)
    try:
        yield other
    finally:
        other.stop()
        thread.join()


def send_batch(server: ServerProcess, client_id: str, numbers: range, text: str) -> list[dict[str, Any]]:
    """Publish updates in one request, and return their results."""
    updates = [{"client_id": client_id, "event_name": "n", "data": [number, text]} for number in numbers]
    answer = requests.post(
        f"{server.url}/asf/internal/send_ui_updates", json={"updates": updates}, timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 200
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_batches_for_many_connections_hold_up_nobody_and_lose_nothing(server: ServerProcess, transport: str) -> None:
    """Two at once, of 1000 updates of 900 bytes each: more than may wait for one connection."""
    client_id = f"many-{transport}"
    answered: list[int] = []

    def send(first: int) -> list[dict[str, Any]]:
        with bystander(server) as other:
            results = send_batch(server, client_id, range(first, first + 1000), "x" * 900)
            answered.append(other.answers)
        return results

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            tabs = [await stack.enter_async_context(Subscriber(server.url, [transport])) for _ in range(10)]
            for tab in tabs:
                await tab.subscribe({"client_id": client_id, "since": {"epoch": "", "seq": 0}})
                await tab.until(has("subscribed_ui_updates"))
            sent = await asyncio.gather(*(asyncio.to_thread(send, first) for first in (0, 1000)))
            assert [one["subscribers"] for results in sent for one in results] == [10] * 2000
            for tab in tabs:
                await tab.until(lambda events: len(events) == 2002)
                assert [event[2]["seq"] for event in tab.events[2:]] == list(range(1, 2001))
                for first in (0, 1000):
                    numbers = [event[1][0] for event in tab.events[2:] if first <= event[1][0] < first + 1000]
                    assert numbers == list(range(first, first + 1000))

    asyncio.run(scenario())
    assert min(answered) >= MIN_ANSWERS
