"""What the relay of UI updates needs from outside."""

from collections.abc import Callable
from typing import Protocol

from asf.domain.errors import AsfError
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
    """Numbers the updates of each client and keeps the latest for subscribers that come back.

    The numbers of one client are 1, 2, 3 … within an epoch; a log that has forgotten them starts another epoch.

    A log may be local to this process or shared by several servers. A shared one may yield to other tasks in every
    method but `connect` and `unfollow`, and raises `UiEmitFailed` when its backend cannot be reached; an update may
    have been kept all the same.
    """

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        """Set the listener of the log. Call it once, before all other methods.

        A shared log calls `on_appended` with each update of a client that is followed, whichever server appended it,
        this one included: in `seq` order, possibly more than once, and possibly before `append` has returned. It
        calls `on_interrupted` when some may have been lost on the way, and again later when that raises
        `UiEmitFailed`. `on_appended` must not block: it runs where all messages are received. What the listener
        raises is logged; it has no effect on the log. A local log calls neither: `append` returns all there is.
        """
        ...

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Keep `update` under the next number, unless its idempotency key shows that it was kept before.

        `timestamp` is the time now, in seconds since the Unix epoch, for those who read the update; `now` is the
        clock's, by which updates and keys expire. A return means that the update is kept, whatever becomes of its
        delivery: `append` never raises what the listener raises. Raises `IdempotencyConflict` when the key belongs to
        another update.
        """
        ...

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates after `since`, or none if some of them are no longer kept.

        Without `since` only the latest position is returned.
        """
        ...

    def follow(self, client_id: str) -> None:
        """Count one more subscriber of the client. Its updates are handed to `on_appended` from the return on."""
        ...

    def unfollow(self, client_id: str) -> None:
        """Count one subscriber less. Call it once for each `follow` that has returned."""
        ...


class UiUpdateEmitter(Protocol):
    """Sends to the connections that subscribed to UI updates. No method blocks or yields."""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Confirm a subscription to a connection, and send what it missed, with the positions of the updates.

        Raises `UiEmitFailed` when the transport fails; the connection is closed then.
        """
        ...

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Hand `update` to the transport of one connection, after everything that was handed to it before.

        `with_position` sends the position of the update, too. Raises `UiEmitFailed` when the transport fails; the
        connection is closed then.
        """
        ...

    def break_off(self, connection_id: str) -> None:
        """Close the connection at once, so that its client reconnects. An unknown one has no effect."""
        ...

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Send a connection the reason why its subscription has ended, after everything sent before.

        Raises `UiEmitFailed` when the transport fails; the connection is closed then.
        """
        ...


class UiUpdateObserver(Protocol):
    """Observes what happens to UI updates, for metrics."""

    def relayed(self, outcome: str, seconds: float) -> None:
        """Record that publishing an update took so many seconds.

        `outcome` is `relayed`, `no_subscriber`, `duplicate`, or the `error_code` of the failure.
        """
        ...

    def recovered(self, outcome: str) -> None:
        """Record that a subscriber came back: `recovered` or `not_recovered`."""
        ...

    def subscriber_dropped(self) -> None:
        """Record that a subscriber was dropped because it did not read."""
        ...
