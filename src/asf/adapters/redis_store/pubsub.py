"""Redis pub/sub: every server that has subscribed to a channel receives at once what any server publishes there."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis

from asf.adapters.redis_store.batches import batches
from asf.adapters.redis_store.dedicated_connection import DedicatedConnection
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.wrong_server import cause_of, run_id_of
from asf.backoff import Backoff

CONNECTION_SECONDS = 0.2
"""How long `follow` waits for the connection to be restored."""

CONFIRMATION_SECONDS = 0.2
"""How long Redis may take to confirm a subscription."""

WAIT_SLICES = 4
"""The wait is split into this many slices, so that replies that arrived while the process was busy are noticed."""

SILENCE_SECONDS = 1.0
"""Silence after which a PING is sent to Redis, and timeout of its response."""

FIRST_PAUSE_SECONDS = 0.1
LAST_PAUSE_SECONDS = 2.0
"""Pauses between attempts to connect: twice as long after each failure, between these bounds."""

CHANNELS_AT_ONCE = 500
"""Maximum number of channels in one command."""

NOT_CONNECTED = "Redis is unreachable."
REPLACED = "The address of Redis leads to another server now."

Listener = Callable[[bytes], object]

logger = logging.getLogger(__name__)


class SubscribeFailed(Exception):
    """Redis is unreachable, or did not respond in time."""


class RedisPubSub:
    """Receives messages from channels, over one connection of its own to the Redis of `client`.

    What is published while the connection is lost is missed. `on_interrupted` is called whenever all channels are
    subscribed to (again): messages may have been missed until then.

    A thread must run `run`. It calls listeners and `on_interrupted`, and receives nothing while those wait. All other
    methods may be called by any other thread, and all but `follow` from those calls too.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.on_interrupted: list[Callable[[], object]] = []
        self._client = client
        self._listeners: dict[bytes, Listener] = {}
        # Channels without a listener from which Redis has not been asked to unsubscribe yet.
        self._unwanted: set[bytes] = set()
        # Held to write to the connection; only the thread of `run` reads from it.
        self._lock = threading.Lock()
        self._connection: DedicatedConnection | None = None
        # The Redis process at the other end; empty while it is unknown.
        self._run_id = ""
        # Why there is no connection, for clients.
        self._problem = NOT_CONNECTED
        # In the order of the commands, in which Redis confirms them.
        self._confirmations: deque[_Confirmation] = deque()
        self._ready = threading.Event()
        self._closed = threading.Event()

    @property
    def is_connected(self) -> bool:
        """Whether all channels are subscribed to now, as far as known."""
        connection = self._connection
        return self._ready.is_set() and connection is not None and connection.is_connected

    def follow(self, channel: str, listener: Listener) -> None:
        """Call `listener` with every message that is published on `channel` after this has returned, in order.

        Replaces an earlier listener of the channel. Raises `SubscribeFailed` within half a second if Redis does not
        confirm it; then the channel has no listener.
        """
        name = channel.encode()
        confirmation = _Confirmation()
        self._ready.wait(CONNECTION_SECONDS)
        try:
            with self._lock:
                self._listeners[name] = listener
                self._unwanted.discard(name)
                connection = self._open(self._connection if self._ready.is_set() else None)
                self._confirmations.append(confirmation)
                connection.send("SUBSCRIBE", name)
            confirmation.wait()
        except SubscribeFailed:
            self.unfollow(channel)
            raise
        except (redis.RedisError, OSError) as error:
            self.unfollow(channel)
            raise SubscribeFailed(details_of(error)) from error

    def always_follow(self, channel: str, listener: Listener) -> None:
        """Call `listener` with every message of `channel` while there is a connection. Call it before `run`."""
        self._listeners[channel.encode()] = listener

    def unfollow(self, channel: str) -> None:
        """Remove the listener of `channel`, if there is one."""
        name = channel.encode()
        if self._listeners.pop(name, None) is not None:
            self._unwanted.add(name)

    def compare_run(self, run_id: str) -> None:
        """Reconnect if another Redis process than `run_id`, which serves the commands, is connected here.

        A replica that was left behind receives no more messages, and may keep this connection open for ever.
        """
        connection = self._connection
        if connection is not None and self.is_connected and self._run_id not in {"", run_id}:
            connection.give_up(REPLACED)

    def run(self) -> None:
        """Receive messages, until `close`. Reconnects."""
        backoff = Backoff(FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS)
        is_logged = False
        while not self._closed.is_set():
            try:
                self._connect()
                backoff.reset()
                is_logged = False
                self._start()
                self._receive()
            except (SubscribeFailed, redis.RedisError, OSError) as error:
                self._problem = str(error) if isinstance(error, SubscribeFailed) else cause_of(error) or NOT_CONNECTED
                if not is_logged:
                    is_logged = True
                    logger.warning("Not subscribed to Redis: %s", error)
            except Exception:
                logger.exception("Receiving messages from Redis failed")
            finally:
                self._disconnect()
            self._closed.wait(backoff.next_pause())

    def close(self) -> None:
        """Stop `run`, within two seconds."""
        self._closed.set()

    def _connect(self) -> None:
        """Open a connection, and subscribe to all channels."""
        # Outside the pool: its connections are for commands, and all of them may be in use.
        connection = DedicatedConnection(self._client)
        connection.connect()
        with self._lock:
            self._connection = connection
            self._unwanted.clear()
            channels = list(self._listeners)
        self._write("PING")
        self._read_one(SILENCE_SECONDS)
        self._identify()
        for some in batches(channels, CHANNELS_AT_ONCE):
            confirmations = [_Confirmation() for _ in some]
            with self._lock:
                self._confirmations += confirmations
            self._write("SUBSCRIBE", *some)
            while not confirmations[-1].has_arrived:
                self._read_one(SILENCE_SECONDS)

    def _identify(self) -> None:
        """Find out which Redis it is. Raises `redis.exceptions.ReadOnlyError` for a replica."""
        self._run_id = ""
        self._write("INFO")
        with suppress(redis.exceptions.NoPermissionError):
            self._run_id = run_id_of(self._read(SILENCE_SECONDS))

    def _start(self) -> None:
        """Let `follow` proceed, and report that messages may have been missed."""
        logger.info("Subscribed to Redis: %d channels", len(self._listeners))
        self._ready.set()
        for callback in self.on_interrupted:
            try:
                callback()
            except Exception:
                logger.exception("Handling an interruption of Redis pub/sub failed")

    def _receive(self) -> None:
        while not self._closed.is_set():
            self._unsubscribe()
            try:
                self._read_one(SILENCE_SECONDS)
            except redis.TimeoutError:
                self._write("PING")
                self._read_one(SILENCE_SECONDS)

    def _unsubscribe(self) -> None:
        """Unsubscribe from the channels that no longer have a listener."""
        if not self._unwanted:
            return
        with self._lock:
            unwanted, self._unwanted = list(self._unwanted), set()
            for some in batches(unwanted, CHANNELS_AT_ONCE):
                self._open(self._connection).send("UNSUBSCRIBE", *some)

    def _read_one(self, seconds: float) -> None:
        """Read one reply or message, and process it. Raises `redis.TimeoutError` after `seconds`."""
        match self._read(seconds):
            case [b"message", name, payload]:
                self._deliver(name, payload)
            case [b"subscribe", *_]:
                self._confirmations.popleft().arrive()

    def _deliver(self, name: bytes, payload: bytes) -> None:
        listener = self._listeners.get(name)
        if listener is None:
            return
        try:
            listener(payload)
        except Exception:
            logger.exception("A listener of a Redis channel failed")

    def _read(self, seconds: float) -> Any:
        connection = self._open(self._connection)
        try:
            return connection.read(seconds)
        except redis.TimeoutError:
            return connection.read(0)  # It may have arrived while this process was busy.

    def _write(self, *command: bytes | str) -> None:
        with self._lock:
            self._open(self._connection).send(*command)

    def _open(self, connection: DedicatedConnection | None) -> DedicatedConnection:
        """Return an open connection: a closed one would reopen without subscriptions. Raises `SubscribeFailed`."""
        if connection is None or not connection.is_connected:
            raise SubscribeFailed((connection and connection.problem) or self._problem)
        return connection

    def _disconnect(self) -> None:
        self._ready.clear()
        with self._lock:
            if self._connection is not None:
                self._connection.disconnect()
                self._connection = None
            confirmations, self._confirmations = self._confirmations, deque()
        for confirmation in confirmations:
            confirmation.fail()


class _Confirmation:
    """Redis's reply that a channel is subscribed to."""

    def __init__(self) -> None:
        self.has_arrived = False
        self._decided = threading.Event()

    def arrive(self) -> None:
        self.has_arrived = True
        self._decided.set()

    def fail(self) -> None:
        self._decided.set()

    def wait(self) -> None:
        """Wait for it. Raises `SubscribeFailed` if it does not arrive in time."""
        for _ in range(WAIT_SLICES):
            if self._decided.wait(CONFIRMATION_SECONDS / WAIT_SLICES):
                break
        if not self.has_arrived:
            raise SubscribeFailed("Redis did not confirm it in time.")
