"""News over Redis: what one server publishes, every server that follows the topic hears at once (Redis's pub/sub)."""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import redis

from asf.adapters.redis_store.failures import details_of

CONNECTION_SECONDS = 0.2
"""How long whoever wants to follow a topic waits for the connection, where that has just been lost."""

CONFIRMATION_SECONDS = 0.2
"""How long it may take until Redis has confirmed that a topic is followed."""

LOOKS = 4
"""In how many parts that is waited. Between them confirmations are seen that came while this process was busy."""

SILENCE_SECONDS = 1.0
"""After how long without a word Redis is asked whether it is there, and how long it has to answer that."""

FIRST_PAUSE_SECONDS = 0.1
LAST_PAUSE_SECONDS = 2.0
"""How long it takes until Redis is looked for again: twice as long after each failure, between these bounds."""

TOPICS_AT_ONCE = 500
"""Most topics in one command."""

Listener = Callable[[bytes], object]

logger = logging.getLogger(__name__)


class SubscribeFailed(Exception):
    """Redis is lost, or takes too long."""


class RedisPubSub:
    """Hears what is published on topics, over one connection of its own to the Redis of `client`.

    A topic is a channel of Redis by its name. While that is lost, so is what is published meanwhile. Each of
    `on_interrupted` is called when all topics are followed (again): something may have been missed until then.

    `run` is to be run by a thread, which calls listeners and `on_interrupted`: nothing is heard while they wait. All
    other methods may be called by any other thread, and from those calls too, but for `follow`.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.on_interrupted: list[Callable[[], object]] = []
        self._pool = client.connection_pool
        self._listeners: dict[bytes, Listener] = {}
        # Nobody wants these any more, and Redis has not been told.
        self._unwanted: set[bytes] = set()
        # Held by whoever writes to the connection; what is read concerns only the thread of `run`.
        self._lock = threading.Lock()
        self._connection: redis.Connection | None = None
        # In the order of the commands: Redis confirms them in it.
        self._confirmations: deque[_Confirmation] = deque()
        self._ready = threading.Event()
        self._closed = threading.Event()

    @property
    def is_connected(self) -> bool:
        """Whether all topics are followed now, as far as is known."""
        return self._ready.is_set()

    def follow(self, topic: str, listener: Listener) -> None:
        """Call `listener` with everything that is published on `topic` after this has returned, and in its order.

        It takes the place of an earlier listener to the topic. Raises `SubscribeFailed` within half a second where
        Redis does not confirm it; then nobody follows the topic.
        """
        channel = topic.encode()
        confirmation = _Confirmation()
        self._ready.wait(CONNECTION_SECONDS)
        try:
            with self._lock:
                self._listeners[channel] = listener
                self._unwanted.discard(channel)
                connection = _open(self._connection if self._ready.is_set() else None)
                self._confirmations.append(confirmation)
                _send(connection, "SUBSCRIBE", channel)
            confirmation.wait()
        except SubscribeFailed:
            self.unfollow(topic)
            raise
        except (redis.RedisError, OSError) as error:
            self.unfollow(topic)
            raise SubscribeFailed(details_of(error)) from error

    def unfollow(self, topic: str) -> None:
        """Call nobody for `topic` any more. An unknown one does no harm."""
        channel = topic.encode()
        if self._listeners.pop(channel, None) is not None:
            self._unwanted.add(channel)

    def run(self) -> None:
        """Hear, until `close`."""
        pause = FIRST_PAUSE_SECONDS
        told = False
        while not self._closed.is_set():
            try:
                self._connect()
                pause, told = FIRST_PAUSE_SECONDS, False
                self._begin()
                self._hear()
            except (SubscribeFailed, redis.RedisError, OSError) as error:
                if not told:
                    told = True
                    logger.warning("News from Redis cannot be heard: %s", error)
            except Exception:
                logger.exception("Hearing news from Redis failed")
            finally:
                self._disconnect()
            self._closed.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that servers do not come as one
            pause = min(2 * pause, LAST_PAUSE_SECONDS)

    def close(self) -> None:
        """Let `run` end, within two seconds."""
        self._closed.set()

    def _connect(self) -> None:
        """Open a connection, and follow all topics over it."""
        # Not one of the pool: those are for commands, and all of them may be in use.
        connection: redis.Connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()  # type: ignore[no-untyped-call]
        with self._lock:
            self._connection = connection
            self._unwanted.clear()
            channels = list(self._listeners)
        self._write("PING")
        self._read_one(SILENCE_SECONDS)
        for some in _batches(channels, TOPICS_AT_ONCE):
            confirmations = [_Confirmation() for _ in some]
            with self._lock:
                self._confirmations += confirmations
            self._write("SUBSCRIBE", *some)
            while not confirmations[-1].is_there:
                self._read_one(SILENCE_SECONDS)

    def _begin(self) -> None:
        """Let topics be followed, and tell that something may have been missed."""
        logger.info("News from Redis are heard: %d topics", len(self._listeners))
        self._ready.set()
        for callback in self.on_interrupted:
            try:
                callback()
            except Exception:
                logger.exception("Looking for what was missed failed")

    def _hear(self) -> None:
        while not self._closed.is_set():
            self._forget_unwanted()
            try:
                self._read_one(SILENCE_SECONDS)
            except redis.TimeoutError:
                self._write("PING")
                self._read_one(SILENCE_SECONDS)

    def _forget_unwanted(self) -> None:
        """Tell Redis which topics nobody follows any more."""
        if not self._unwanted:
            return
        with self._lock:
            unwanted, self._unwanted = list(self._unwanted), set()
            for some in _batches(unwanted, TOPICS_AT_ONCE):
                _send(self._connection, "UNSUBSCRIBE", *some)

    def _read_one(self, seconds: float) -> None:
        """Read one answer or message, and do what is to be done about it.

        Raises `redis.TimeoutError` where none comes in so many seconds.
        """
        try:
            answer = _read(self._connection, seconds)
        except redis.TimeoutError:
            answer = _read(self._connection, 0)  # It may have come while this process was busy.
        match answer:
            case [b"message", channel, payload]:
                self._tell(channel, payload)
            case [b"subscribe", *_]:
                self._confirmations.popleft().come()

    def _tell(self, channel: bytes, payload: bytes) -> None:
        listener = self._listeners.get(channel)
        if listener is None:
            return
        try:
            listener(payload)
        except Exception:
            logger.exception("A listener to news failed")

    def _write(self, *command: bytes | str) -> None:
        with self._lock:
            _send(self._connection, *command)

    def _disconnect(self) -> None:
        self._ready.clear()
        with self._lock:
            if self._connection is not None:
                self._connection.disconnect()  # type: ignore[no-untyped-call]
                self._connection = None
            confirmations, self._confirmations = self._confirmations, deque()
        for confirmation in confirmations:
            confirmation.fail()


class _Confirmation:
    """Redis's word that a topic is followed."""

    def __init__(self) -> None:
        self.is_there = False
        self._decided = threading.Event()

    def come(self) -> None:
        self.is_there = True
        self._decided.set()

    def fail(self) -> None:
        self._decided.set()

    def wait(self) -> None:
        """Wait until it is there. Raises `SubscribeFailed` where it does not come."""
        for _ in range(LOOKS):
            if self._decided.wait(CONFIRMATION_SECONDS / LOOKS):
                break
        if not self.is_there:
            raise SubscribeFailed("Redis did not confirm it in time.")


def _send(connection: redis.Connection | None, *command: bytes | str) -> None:
    _open(connection).send_command(*command, check_health=False)  # type: ignore[no-untyped-call]


def _read(connection: redis.Connection | None, seconds: float) -> Any:
    return _open(connection).read_response(disable_decoding=True, timeout=seconds, disconnect_on_error=False)


def _open(connection: redis.Connection | None) -> redis.Connection:
    """Return it, if it is open: otherwise it would open itself, without its topics."""
    if connection is None or not connection.is_connected:
        raise SubscribeFailed("Redis cannot be reached.")
    return connection


def _batches(items: Iterable[bytes], size: int) -> Iterator[Sequence[bytes]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
