"""Keeps the private Redis running until the server stops."""

import logging
import signal
from collections.abc import Callable

from asf.adapters.private_redis import NoRedisServer, PrivateRedis
from asf.backoff import Backoff
from asf.entrypoints.supervisor.events import Events

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
"""Pauses before one that has ended is started again."""

LOOK_SECONDS = 0.02
"""Interval between looks whether it answers after its start."""

STOP_SECONDS = 10.0
"""How long it may take to write what it has and to end."""

logger = logging.getLogger(__name__)


class RedisKeeper:
    """Starts `redis`, and starts it again when it ends.

    Calls `on_up` when it answers for the first time, `on_failed` if it ends before that, and `on_stopped` when it has
    ended after `stop`.
    """

    def __init__(
        self,
        redis: PrivateRedis,
        events: Events,
        on_up: Callable[[], object],
        on_failed: Callable[[NoRedisServer], object],
        on_stopped: Callable[[], object],
    ) -> None:
        self._redis = redis
        self._events = events
        self._on_up = on_up
        self._on_failed = on_failed
        self._on_stopped = on_stopped
        self._pause = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, 0)
        self._was_up = False
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        """Id of the process; None if it is not running."""
        process = self._redis.process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Start it."""
        if self._is_stopping:
            return
        try:
            self._redis.start()
        except OSError as error:
            logger.error("The private Redis cannot be started: %s", error)  # noqa: TRY400 - nothing to trace
            self._events.call_later(self._pause.next_pause(), self.start)
        else:
            self._events.call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """End it. What it has is written."""
        self._is_stopping = True
        if self.pid is None:
            self._on_stopped()
            return
        self._redis.signal(signal.SIGTERM)
        self._events.call_later(STOP_SECONDS, lambda: self._redis.signal(signal.SIGKILL))

    def ended(self, code: int, how: str) -> None:
        """Take note that the process has ended."""
        self._redis.note_end(code)
        if self._is_stopping:
            self._on_stopped()
        elif not self._was_up:
            self._on_failed(self._redis.failure())
        else:
            pause = self._pause.next_pause()
            logger.error("The private Redis has ended (%s). Starting it again in %g s", how, pause)
            self._events.call_later(pause, self.start)

    def _look(self) -> None:
        if self.pid is None:
            return
        if not self._redis.is_answering():
            self._events.call_later(LOOK_SECONDS, self._look)
            return
        self._pause.reset()
        if self._was_up:
            logger.info("The private Redis answers again")
        else:
            self._was_up = True
            if not self._is_stopping:
                self._on_up()
