"""Backends that go on and on: what they were promised, to be compared with what became of it."""

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Self, cast

import requests

from asf import client
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess

Item = client.Subscribed | client.Missed | client.Update


class Backend:
    """Calls `act` with 0, 1, 2 … until it is left, in `threads` threads. What fails is tried no more.

    `act` returns whether it had a 200; `answered` are the numbers for which it had one, `failed` the others.
    """

    def __init__(self, act: Callable[[int], bool], threads: int = 1) -> None:
        self.answered: set[int] = set()
        self.failed: set[int] = set()
        self._act = act
        self._numbers = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            try:
                succeeded = self._act(number)
            except requests.RequestException:
                succeeded = False
                self._stop.wait(0.02)  # Between two attempts at a server that is not there.
            (self.answered if succeeded else self.failed).add(number)


@dataclass
class Watcher:
    """Watches the UI updates of a client, whose data are numbers that grow, on the project's own client."""

    url: str
    client_id: str
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._watching = cast("Generator[Item]", client.watch(self.url, self.client_id, history=True))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def latest(self) -> int:
        """The number of the latest update that came; -1 before the first."""
        return max((item.data for item in list(self.items) if isinstance(item, client.Update)), default=-1)

    @property
    def told_missed(self) -> int:
        """How often it was told that it missed something."""
        return sum(isinstance(item, client.Missed) for item in self.items)

    def lost(self, answered: set[int]) -> int:
        """Count the updates of `answered` that are missing though none was told to be missed, and those repeated."""
        lost = 0
        last = -1
        is_told = False
        for item in self.items:
            if isinstance(item, client.Missed):
                is_told = True
            elif isinstance(item, client.Update):
                lost += item.data <= last
                if not is_told:
                    lost += len(answered & set(range(last + 1, item.data)))
                last, is_told = item.data, False
        return lost

    def close(self, server: ServerProcess) -> None:
        """End watching, all that watch this client: an update without a number tells them."""
        if self._thread.is_alive():
            assert server.send_ui_update(self.client_id, "n", None).status_code == 200
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with closing(self._watching) as watching:
            for item in watching:
                if isinstance(item, client.Update) and item.data is None:
                    return
                self.items.append(item)


def announcing(server: Callable[[], ServerProcess], epochs: dict[int, str], name: str) -> Callable[[int], bool]:
    """Return what announces a stream for each number, under `name` and the number, and keeps the epoch it is told."""

    def announce(number: int) -> bool:
        answer = server().notify(f"{name}-{number}", str(server().audio_root / f"{number}.mp3"))
        if answer.status_code == 200:
            epochs[number] = answer.json()["epoch"]
        return answer.status_code == 200

    return announce
