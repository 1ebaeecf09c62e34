"""A connection to Redis outside the pool: for pub/sub and for reads that block on the server."""

from typing import Any

import redis


class DedicatedConnection:
    """One connection with the address and the options of `client`; `options` replace some of those.

    The only module that uses redis-py's `Connection` directly, whose methods are not documented. The methods raise
    `redis.RedisError` or `OSError` when Redis is unreachable. One task reads; writers take turns.
    """

    def __init__(self, client: redis.Redis, **options: Any) -> None:
        self._pool: Any = client.connection_pool
        self._connection: Any = self._pool.connection_class(**(self._pool.connection_kwargs | options))

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as known, and not given up."""
        return bool(self._connection.is_connected) and not self.problem

    @property
    def problem(self) -> str | None:
        """Why the connection was given up, with all others of the client, for clients; None if it was not.

        It leads to what has proved to be the wrong Redis: disconnect.
        """
        problem: str | None = self._connection.problem
        return problem

    def give_up(self, problem: str) -> None:
        """Give up this connection and all others of the client: they lead to the wrong Redis."""
        self._pool.give_up_connections(problem, problem)

    def connect(self) -> None:
        """Open the connection. Has no effect if it is open."""
        self._connection.connect()

    def disconnect(self) -> None:
        """Close the connection. Safe to repeat."""
        self._connection.disconnect()

    def ask(self, *command: Any) -> Any:
        """Send a command and return the reply to it, within the timeouts of the options. Opens the connection.

        After any error but an error reply the connection is closed. Raises `redis.ResponseError` for an error reply.
        """
        self._connection.send_command(*command)
        return self._connection.read_response()

    def send(self, *command: bytes | str) -> None:
        """Send a command, and leave its reply to `read`. Opens the connection if it is closed."""
        self._connection.send_command(*command, check_health=False)

    def read(self, seconds: float) -> Any:
        """Return the next reply or message, as bytes.

        Raises `redis.TimeoutError` after `seconds`; then the connection stays open, and what arrives later can still
        be read.
        """
        return self._connection.read_response(disable_decoding=True, timeout=seconds, disconnect_on_error=False)
