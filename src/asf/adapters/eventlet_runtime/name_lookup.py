"""Looks up host names as the C library does, in threads of its own, within a bounded time.

eventlet's resolver caches addresses and failures in the process for as long as the name server permits: the server
would follow a name that moves, or that was missing for a moment, minutes later. The C library asks again each time,
but blocks.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from eventlet import event, hubs, patcher, spawn_n

WAIT_SECONDS = 0.35
"""How long a task waits for a lookup: as long as for a connection to Redis."""

RETRY_SECONDS = 1.0
"""Age at which a lookup without an answer is joined by another one: the C library asks again after 5 s at the
earliest, although the name server may have returned meanwhile."""

MAX_LOOKUPS = 8
"""Maximum number of lookups at a time, and so of threads."""

LATE_SECONDS = 2.0
"""How long an answer that came too late for its task is kept for the next one: otherwise a name server that always
takes longer than `WAIT_SECONDS` would be of no use."""

FUNCTIONS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "getnameinfo")
"""The functions of `socket` that look up names."""

_original_socket = patcher.original("socket")
_original_threads = patcher.original("_thread")
_original_os = patcher.original("os")

Outcome = tuple[Any, BaseException | None]
"""What a lookup returned, or raised."""


class NameLookup:
    """A function of `socket`, named `name`, for the tasks of one event loop; other threads call the original.

    Tasks that ask the same at the same time share a lookup. Raises `socket.gaierror` with EAI_AGAIN when there is no
    answer in time.
    """

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._now = now
        self._thread = _original_threads.get_ident()
        # By arguments: the lookups under way, the event of those who wait, and an answer that came too late.
        self._started: dict[Any, list[float]] = {}
        self._waiting: dict[Any, event.Event] = {}
        self._late: dict[Any, tuple[float, Any]] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return what the original function returns. Yields, except for numeric addresses."""
        if _original_threads.get_ident() != self._thread:
            return self._look_up(arguments, options)
        if self._name == "getaddrinfo" and (found := _numeric(*arguments, **options)):
            return found
        key = (arguments, tuple(sorted(options.items())))
        since, answer = self._late.pop(key, (float("-inf"), None))
        if self._now() - since <= LATE_SECONDS:
            return answer
        waiting = self._waiting.setdefault(key, event.Event())
        self._start(key, arguments, options)
        outcome: Outcome | None = waiting.wait(WAIT_SECONDS)
        if outcome is None:
            raise socket.gaierror(socket.EAI_AGAIN, "The name server does not answer")
        found, error = outcome
        if error is not None:
            raise type(error)(*error.args)  # One instance would collect the tracebacks of all tasks.
        return found

    def _start(self, key: Any, arguments: Any, options: Any) -> None:
        """Start a lookup, unless a recent one is under way or there are too many."""
        started = self._started.setdefault(key, [])
        is_recent = bool(started) and self._now() - started[-1] < RETRY_SECONDS
        if is_recent or sum(map(len, self._started.values())) >= MAX_LOOKUPS:
            return
        started.append(self._now())
        spawn_n(self._run, key, started[-1], arguments, options)

    def _run(self, key: Any, started_at: float, arguments: Any, options: Any) -> None:
        """Look up in a thread, and tell those who wait."""
        outcome: Outcome
        try:
            outcome = _in_thread(lambda: self._look_up(arguments, options)), None
        except Exception as error:  # noqa: BLE001 - those who wait raise it
            outcome = None, error
        self._started[key].remove(started_at)
        if not self._started[key]:
            del self._started[key]
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            is_late = self._now() - started_at > WAIT_SECONDS
            if is_late and outcome[1] is None:
                self._late[key] = self._now(), outcome[0]
            waiting.send(outcome)

    def _look_up(self, arguments: Any, options: Any) -> Any:
        return getattr(_original_socket, self._name)(*arguments, **options)


def install(green_socket: Any) -> None:
    """Replace the functions of `eventlet.green.socket`, before the standard library is patched with them."""
    for name in FUNCTIONS:
        setattr(green_socket, name, NameLookup(name))


def _numeric(host: Any = None, port: Any = None, *arguments: Any, **options: Any) -> Any:
    """Return the answer for an address that is no name, or None. Does not block."""
    family, kind, protocol, flags = (*arguments, 0, 0, 0, 0)[:4]
    flags = options.pop("flags", flags) | socket.AI_NUMERICHOST
    given = {"family": family, "type": kind, "proto": protocol} | options
    try:
        return _original_socket.getaddrinfo(host, port, flags=flags, **given)
    except (OSError, UnicodeError):
        return None


def _in_thread(work: Callable[[], Any]) -> Any:
    """Run `work` in a thread, while other tasks go on, and return what it returns."""
    outcomes: list[Outcome] = []
    read_end, write_end = os.pipe()

    def run() -> None:
        try:
            outcomes.append((work(), None))
        except Exception as error:  # noqa: BLE001 - raised by the caller
            outcomes.append((None, error))
        _original_os.close(write_end)

    try:
        try:
            _original_threads.start_new_thread(run, ())
        except RuntimeError as error:
            os.close(write_end)
            raise socket.gaierror(socket.EAI_AGAIN, "There is no thread to ask the name server") from error
        hubs.trampoline(read_end, read=True)
    finally:
        os.close(read_end)
    found, raised = outcomes[0]
    if raised is not None:
        raise raised
    return found
