"""What adapters need from the runtime that carries them: tasks, timers, worker threads and raw connections.

`asf.adapters.eventlet_runtime` implements it. To support another runtime, such as gevent, add a package beside it. It
implements `Runtime` and `RawConnection` from here and `Server` from `asf.adapters.serving`, and is chosen in
`entrypoints`: `parts/storage.py`, `server.py`, and `cli/serve.py`, which patches the standard library first.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from asf.domain.errors import AsfError

CONNECTION_CONTROL = "asf.connection_control"
"""Key of a request's WSGI environment: the `ConnectionControl` of the connection that carries the request."""


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Do not make the call. After the call, or a second time, this has no effect."""
        ...


class Runtime(Protocol):
    """Where work runs. Tasks are cooperative: one runs until it waits for something."""

    @property
    def name(self) -> str:
        """python-engineio's name for this runtime (`async_mode`), such as "eventlet"."""
        ...

    def spawn(self, work: Callable[[], object]) -> None:
        """Run `work` in a task of its own, as soon as the caller waits. An exception in it is logged."""
        ...

    def pause(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        ...

    def checkpoint(self) -> None:
        """Let other tasks run if none has for a few milliseconds: to be called often by work that may take long.

        May yield: re-check state afterwards. Costs next to nothing otherwise.
        """
        ...

    def checkpoint_at_end(self) -> None:
        """Do as `checkpoint`, in a task whose connection has ended.

        Such tasks wait among themselves: when thousands of connections end at once, no other task waits behind them.
        """
        ...

    def was_behind(self, seconds: float) -> bool:
        """Return whether, within the last `seconds`, what clients had sent waited for long because of other work."""
        ...

    def call_later(self, seconds: float, work: Callable[[], object]) -> Timer:
        """Call `work` on the event loop after `seconds`. It must not wait."""
        ...

    def make_event(self) -> "Event":
        """Return an event that tasks of this runtime can wait for."""
        ...

    def make_thread(self) -> "Thread":
        """Return a worker thread of the caller's own."""
        ...

    def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work`, which may block, in a worker thread, and `done` in a task after it. Returns at once.

        `work` must not touch what tasks wait for: no lock, no log. An exception in it is logged; `done` runs
        nevertheless.
        """
        ...


class Thread(Protocol):
    """A worker thread for short work that is frequent. It ends with the process."""

    def run(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work` in the thread, after what was passed before, and `done` on the event loop after it.

        Returns at once. `work` must not touch what tasks wait for, and `done` must not wait. An exception in `work`
        is logged; `done` is called nevertheless.
        """
        ...


class Event(Protocol):
    """Something that happens once and that tasks can wait for; `threading.Event` has these methods, too."""

    def set(self) -> None:
        """Wake all waiting tasks. Safe to repeat."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `set`, at most `timeout` seconds. Returns whether it was called."""
        ...


class Progress(NamedTuple):
    """How far the peer's machine has taken what was sent to it on a connection.

    `acknowledged` changes whenever it acknowledges bytes; on Linux it is their number. `answers` is False when it has
    not reacted to what was sent to it, though it may have no room for that: it has vanished. `has_all` says
    that it is known to have acknowledged all that was written.
    """

    acknowledged: int
    answers: bool
    has_all: bool = False


class RawConnection(Protocol):
    """One accepted TCP connection, as bytes. One task receives; any may write."""

    def write_now(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes at once, and return how many bytes that was: 0 under back-pressure.

        Raises OSError when the connection is broken or closed.
        """
        ...

    def when_writable(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` once on the event loop when the kernel takes bytes again, or the connection has failed.

        Only one call is pending: a later callback replaces the earlier one, and None cancels it. `callback` must not
        wait.
        """
        ...

    def progress(self) -> Progress:
        """Return how far the peer's machine has taken what was written. Does not raise."""
        ...

    def receive(self, timeout: float | None) -> bytes:
        """Wait for bytes and return them; empty at the end of the connection.

        Raises TimeoutError after `timeout` seconds (None: waits without limit), OSError when the connection fails.
        """
        ...

    def abort(self) -> None:
        """Shut the connection down in both directions, so that `receive` returns. Safe to repeat.

        The kernel still sends what it has taken.
        """
        ...

    def make_event(self) -> Event:
        """Return an event that tasks of this runtime can wait for."""
        ...

    def pause(self, seconds: float) -> None:
        """Suspend the calling task for `seconds`."""
        ...

    def checkpoint(self) -> None:
        """Let other tasks run if none has for a few milliseconds, as `Runtime.checkpoint` does. May yield."""
        ...


STREAMED_BODY = "asf.streamed_body"
"""Key of a request's WSGI environment: a function without arguments that returns the request's body as a
`StreamedBody`. It is to be called at most once, instead of reading `wsgi.input`, and has no deadline."""


class BrokenBody(Exception):
    """The rest of a request's body will not arrive: the connection is lost, or what it carries is not HTTP."""


class BodyInterrupted(Exception):
    """The body is read no further, because `StreamedBody.interrupt` was called."""


class StreamedBody(Protocol):
    """The body of a request of any length, which the application reads as it arrives. One task reads."""

    def read(self, timeout: float) -> bytes:
        """Wait for bytes, and return those that have arrived, at most 64 KiB; empty at the end of the body.

        The first call asks a client to send that waits for this (`Expect: 100-continue`). Raises TimeoutError when
        nothing has arrived for `timeout` seconds, `BrokenBody`, and `BodyInterrupted`.
        """
        ...

    def interrupt(self) -> None:
        """Let `read` raise `BodyInterrupted`, now and later. The request can still be answered."""
        ...


TAKE_CONNECTION = "asf.take_connection"
"""Key of a request's WSGI environment: a function without arguments that returns the request's connection, as a
`RawConnection`. From then on the WSGI server neither reads from it nor writes to it, and closes it when the
application returns. Bytes that arrived behind the request are the first that `receive` returns."""


class ConnectionControl(Protocol):
    """The HTTP connection of one request, beyond what WSGI offers: see `control_of`."""

    @property
    def rejection(self) -> AsfError | None:
        """Why the connection is over a limit; None when it is within all limits."""
        ...

    @property
    def connection(self) -> object:
        """Identifies the connection: the same object for all its requests. It can be referenced weakly."""
        ...

    @property
    def was_reset(self) -> bool:
        """Whether the client, or something on the way, has reset the connection after this request was answered."""
        ...

    def abort(self) -> None:
        """End the connection at once, with a reset: a task that writes to it gets an error."""
        ...

    def reset(self) -> None:
        """Let the response end with a reset, so that a client does not mistake a part of it for all of it.

        Waits until the client's machine has what was written, unless it reads nothing. The application must raise an
        error afterwards, in the place of the rest of the response.
        """
        ...

    def is_gone(self) -> bool:
        """Return whether the client has closed the connection, or the connection is broken."""
        ...

    def progress(self) -> Progress:
        """Return how far the client's machine has taken what was written. Does not raise."""
        ...

    def limit_write(self, seconds: float) -> None:
        """Close the connection when the client's machine acknowledges nothing of this response for `seconds`."""
        ...


def control_of(environ: Mapping[str, Any]) -> ConnectionControl:
    """Return the control of the connection that carries a request, from the request's WSGI environment."""
    control: ConnectionControl = environ[CONNECTION_CONTROL]
    return control
