"""Finds the master by asking several Sentinels at a time, and follows it through failovers."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

import redis

from asf.adapters.redis_store.master_choice import MasterChoice
from asf.adapters.redis_store.sentinel import MasterView, Sentinel
from asf.adapters.serial_executor import start_thread

WATCH_SECONDS = 1.0
"""Interval between questions to all Sentinels: how long connections can stay with a Redis that is no longer the
master, but responds as one."""

logger = logging.getLogger(__name__)


class MasterFinder:
    """Knows the address of the master `name`, from the `sentinels`.

    Each is asked in a thread of its own, so one that hangs delays nobody. `on_moved` is called with a sentence when
    the master is another one than before; it must not block or call back.
    """

    def __init__(self, name: str, sentinels: Sequence[Sentinel], on_moved: Callable[[str], object]) -> None:
        self._name = name
        self._sentinels = sentinels
        self._on_moved = on_moved
        # Guards all that follows; notified when a Sentinel has responded, or failed to.
        self._changed = threading.Condition(threading.Lock())
        self._asked: set[Sentinel] = set()
        self._answers = 0
        self._problems: dict[Sentinel, str] = {}
        self._choice = MasterChoice(len(sentinels))

    def find(self, seconds: float) -> tuple[str, int]:
        """Return host and port of the master, after one more answer than there was before, or `seconds` at most.

        Raises `redis.ConnectionError` if no Sentinel has named it yet.
        """
        with self._changed:
            answers = self._answers
            self._ask_all()
            self._changed.wait_for(lambda: self._answers > answers or not self._asked, seconds)
            master = self._choice.master
            if master is None:
                problems = ", ".join(f"{one.address}: {problem}" for one, problem in self._problems.items())
                text = f"No Sentinel names the master '{self._name}' ({problems or 'none has responded in time'})"
                raise redis.ConnectionError(text)
            return master.host, master.port

    def run(self) -> None:
        """Ask all Sentinels, again and again."""
        never = threading.Event()
        while True:
            with self._changed:
                self._ask_all()
            never.wait(WATCH_SECONDS)

    def _ask_all(self) -> None:
        """Ask all Sentinels that are not being asked."""
        for sentinel in self._sentinels:
            if sentinel not in self._asked:
                start_thread(partial(self._ask, sentinel))
                self._asked.add(sentinel)

    def _ask(self, sentinel: Sentinel) -> None:
        view, problem = None, ""
        try:
            view = sentinel.ask()
        except (redis.RedisError, OSError) as error:
            problem = str(error).rstrip(".")
        except Exception as error:
            logger.exception("Asking a Sentinel failed")
            problem = type(error).__name__
        with self._changed:
            self._asked.discard(sentinel)
            self._note(sentinel, view, problem)
            self._changed.notify_all()

    def _note(self, sentinel: Sentinel, view: MasterView | None, problem: str) -> None:
        if view is None:
            if sentinel not in self._problems:
                logger.warning("Sentinel %s does not name the master '%s': %s", sentinel.address, self._name, problem)
            self._problems[sentinel] = problem
        else:
            self._answers += 1
            if self._problems.pop(sentinel, None) is not None:
                logger.info("Sentinel %s names the master '%s' again", sentinel.address, self._name)
        has_moved = self._choice.note(sentinel, view)
        if has_moved and self._choice.master is not None:
            logger.warning("Redis has failed over: the master '%s' is %s", self._name, self._choice.master.address)
            self._on_moved("Redis has failed over.")
