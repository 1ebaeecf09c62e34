"""The connections of a server to Redis. All are closed when one turns out to lead to the wrong Redis."""

import logging
import time
from collections.abc import Callable
from queue import Empty, LifoQueue
from typing import Any

import redis

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.redis_store.wrong_server import cause_of

FINAL_READ_SECONDS = 0.05
"""Timeout of one more read after that of a response: one that arrived while the process was busy was merely not read
yet."""

WAIT_SLICES = 4
"""The wait for a connection is split into this many slices, so that responses that arrived while the process was busy
are noticed."""

LOG_SECONDS = 10.0
"""Shortest interval between two log lines about the wrong Redis: as long as the address leads there, each command of
a new connection notices it again."""

logger = logging.getLogger(__name__)


class RedisPool(redis.BlockingConnectionPool):
    """A pool whose connections read once more when a response has timed out, and that leaves the wrong Redis.

    Proxies and service addresses keep connections open to a Redis that a failover has made a replica, although new
    connections lead to the new one. So after a reply that only the wrong Redis gives, each connection that was open
    by then is closed: at once if it is idle, otherwise when it is returned.

    If `find_master` is set, it returns host and port for each new connection, or raises `redis.ConnectionError`.
    `tasks` must run as long as the program.
    """

    def __init__(self, **options: Any) -> None:
        self.find_master: Callable[[], tuple[str, int]] | None = None
        self.tasks: tuple[Callable[[], None], ...] = ()
        # Counts how often all connections were given up, with the latest reason. Those opened before are obsolete.
        self.generation = 0
        self.problem: str | None = None
        self._throttle = LogThrottle(LOG_SECONDS)
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.connection_class = _pooled(self.connection_class, self)

    def release(self, connection: Any) -> None:
        """Take a connection back, or close it if all were given up meanwhile."""
        if connection.problem:
            connection.disconnect()
        super().release(connection)  # type: ignore[no-untyped-call]

    def give_up_connections(self, problem: str, details: object) -> None:
        """Close all connections of now, because of `problem`, a sentence for clients; `details` are for the log."""
        self.generation += 1
        self.problem = problem
        if self._throttle.permits():
            logger.warning("Redis: closing all connections, as they lead to the wrong server: %s", details)
        idle: list[Any] = []
        try:
            # Those that are taken out of the queue are in nobody else's hands.
            while (connection := self.pool.get_nowait()) is not None:
                idle.append(connection)
            self.pool.put_nowait(None)
        except Empty:
            pass
        for connection in idle:
            connection.disconnect()
            self.pool.put_nowait(connection)


def _pooled(kind: type[redis.Connection], pool: RedisPool) -> type[redis.Connection]:
    """Return a subclass of `kind` for the connections of `pool`."""
    with_final_read = _with_final_read(kind)

    class PooledConnection(with_final_read):  # type: ignore[misc, valid-type]
        generation = 0

        @property
        def problem(self) -> str | None:
            """Why the connection was given up while it was open, for clients; None if it was not."""
            return None if self._sock is None or self.generation == pool.generation else pool.problem

        def _connect(self) -> Any:
            if pool.find_master is not None:
                self.host, self.port = pool.find_master()
            self.generation = pool.generation
            return super()._connect()

        def on_connect_check_health(self, *arguments: Any, **options: Any) -> None:
            super().on_connect_check_health(*arguments, **options)
            if isinstance(self, redis.SSLConnection):
                # TLS 1.3 sends session tickets after the handshake. The pool would take them for unread data.
                self.send_command("PING", check_health=False)
                self.read_response()

        def read_response(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().read_response(*arguments, **options)
            except redis.RedisError as error:
                cause = cause_of(error)
                if cause and self.generation == pool.generation:
                    pool.give_up_connections(cause, error)
                raise

    return PooledConnection


def _with_final_read(kind: type[redis.Connection]) -> type[redis.Connection]:
    """Return a subclass of `kind` that reads once more when a response has timed out."""

    class WithFinalRead(kind):  # type: ignore[misc, valid-type]
        def read_response(self, *arguments: Any, **options: Any) -> Any:
            # The caller has its own timeout, or handles errors itself.
            if "timeout" in options or not options.get("disconnect_on_error", True):
                return super().read_response(*arguments, **options)
            try:
                return super().read_response(*arguments, **(options | {"disconnect_on_error": False}))
            except redis.TimeoutError:
                return super().read_response(*arguments, **options, timeout=FINAL_READ_SECONDS)
            except redis.ResponseError:  # An error reply: the connection is intact.
                raise
            except BaseException:
                self.disconnect()
                raise

    return WithFinalRead


class IdleConnections(LifoQueue[redis.Connection | None]):
    """The connections of the pool that are not in use; None stands for one to be created.

    The timeout restarts with each response to another command: as long as Redis responds, the process is busy.
    """

    responded_at = 0.0

    def get(self, block: bool = True, timeout: float | None = None) -> redis.Connection | None:  # noqa: FBT001, FBT002 - as defined by the library
        """Return one. Raises `queue.Empty` after `timeout` seconds without a response on any connection."""
        seconds = None if timeout is None else timeout / WAIT_SLICES
        start, slices = time.monotonic(), 0
        while True:
            try:
                return super().get(block, seconds)
            except Empty:
                slices += 1
                if self.responded_at > start:
                    start, slices = time.monotonic(), 0
                elif not block or slices >= WAIT_SLICES:
                    raise

    def _put(self, item: redis.Connection | None) -> None:
        if item is not None and item.is_connected:  # A failed one is closed before it is put back.
            self.responded_at = time.monotonic()
        super()._put(item)
