"""What the relay of UI updates needs from outside."""

from collections.abc import Callable, Sequence
from typing import Protocol

from asf.domain.errors import AsfError
from asf.domain.peer import Peer
from asf.domain.updates.update import (
    AppendResult,
    Handover,
    Position,
    Recovery,
    SequencedUpdate,
    Subscription,
    UiUpdate,
)


class UpdateLog(Protocol):
    """Numbers the updates of each client, and keeps the latest ones for subscribers that reconnect.

    The numbers of one client are 1, 2, 3 … within an epoch; a log that has forgotten them starts another epoch.

    A log may be local to this process or shared by several servers. A shared one may yield to other tasks in every
    method except `connect` and `unfollow`, and raises `UiEmitFailed` when its store cannot be reached; an update may
    still have been stored.
    """

    @property
    def is_local(self) -> bool:
        """Whether no method waits for another machine."""
        ...

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        """Set the callbacks of the log. Call it once, before all other methods.

        A shared log calls `on_appended` with each update of a followed client, whichever server appended it, this one
        included: in `seq` order, possibly more than once, and possibly before `append` has returned. It calls
        `on_interrupted` when updates may have been lost on the way, and again later if that raises `UiEmitFailed`.
        `on_appended` may yield, but must not wait: it runs in the task that receives all messages. Exceptions of
        either callback are logged, and have no effect on the log. A local log calls neither: `append` returns
        everything.
        """
        ...

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Store `update` under the next number, unless its idempotency key shows that it was stored before.

        `timestamp` is the current time in seconds since the Unix epoch, for the readers of the update; `now` is the
        time of the clock, by which updates and keys expire. When this returns, the update is stored, whether or not
        its delivery succeeds: exceptions of the callbacks are not raised here. Raises `IdempotencyConflict` when the
        key belongs to another update.
        """
        ...

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates after `since`, or none if some of them are no longer kept.

        Without `since` only the latest position is returned.
        """
        ...

    def follow(self, client_id: str) -> None:
        """Count one more subscriber of the client. Once this returns, its updates are passed to `on_appended`."""
        ...

    def unfollow(self, client_id: str) -> None:
        """Count one subscriber fewer. Call it once for each `follow` that has returned."""
        ...


class UiUpdateEmitter(Protocol):
    """Sends to the connections that subscribed to UI updates. No method blocks or yields."""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Confirm a subscription to a connection, before the updates that it missed.

        Raises `UiEmitFailed` when the transport fails, which also closes the connection.
        """
        ...

    def replay(self, connection_id: str, updates: Sequence[SequencedUpdate]) -> Handover:
        """Send updates that a connection missed, with their positions, after everything that was handed to it before.

        Raises `UiEmitFailed` when the transport fails, which also closes the connection.
        """
        ...

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Hand `update` to the transport of one connection, after everything that was handed to it before.

        With `with_position` the position of the update is sent, too. Raises `UiEmitFailed` when the transport fails,
        which also closes the connection.
        """
        ...

    def peer(self, connection_id: str) -> Peer | None:
        """Return who is connected, and how; None for an unknown connection."""
        ...

    def waiting(self, connection_id: str) -> float:
        """Return how much waits to be sent to the connection, as a fraction of what may; 0 for an unknown one."""
        ...

    def break_off(self, connection_id: str) -> None:
        """Close the connection at once, so that its client reconnects. An unknown one is ignored."""
        ...

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Send a connection the reason why its subscription has ended, after everything that was sent before.

        Raises `UiEmitFailed` when the transport fails, which also closes the connection.
        """
        ...


class UiUpdateObserver(Protocol):
    """Observes what happens to UI updates, for metrics."""

    def relayed(self, outcome: str, seconds: float) -> None:
        """Record that publishing an update took `seconds`.

        `outcome` is `relayed`, `no_subscriber`, `duplicate`, or the `error_code` of the failure.
        """
        ...

    def recovered(self, outcome: str) -> None:
        """Record that a subscriber came back: `recovered` or `not_recovered`."""
        ...

    def subscriber_dropped(self) -> None:
        """Record that a subscriber was dropped because it did not read."""
        ...
