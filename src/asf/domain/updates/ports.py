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
    """Numbers the updates of each client, keeps the latest for subscribers that come back, and tells of new ones.

    The numbers of one client are 1, 2, 3 … within an epoch; a log that has forgotten them begins another epoch.
    One that is kept elsewhere, for several servers, lets others run while it is asked, and raises `UiEmitFailed`
    where that cannot be reached; an update may be kept all the same.
    """

    on_appended: Callable[[SequencedUpdate], int]
    """Called with each update that is kept of a client that is followed, whichever server it came to: in their order.

    Returns how many connections it was handed to. None is left out, but for what `on_interrupted` tells of.
    """

    on_interrupted: Callable[[], object]
    """Called when updates may have been left out. It is called again, later, when it raises `UiEmitFailed`."""

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Keep `update` under the next number, unless its idempotency key shows that it was kept before.

        `timestamp` is the time now, in seconds since the Unix epoch, for whoever reads the update; `now` is the
        clock's, by which things grow old. Raises `IdempotencyConflict` when the key belongs to another update, and
        what `on_appended` raises where that is called at once; the update is kept then.
        """
        ...

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates behind `since`, or none where some of those are no longer kept.

        Without `since` only the latest place is asked for.
        """
        ...

    def follow(self, client_id: str) -> None:
        """Take note of one more subscriber to the client. `on_appended` is called from the return of this on."""
        ...

    def unfollow(self, client_id: str) -> None:
        """Take note of one subscriber less, after a `follow` that has returned. Waits for nothing."""
        ...


class UiUpdateEmitter(Protocol):
    """The way to the connections that subscribed to UI updates."""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Tell a connection what it has subscribed to, and send what it missed, with the places of the updates.

        Raises `UiEmitFailed` when the transport fails; the connection is broken off then.
        """
        ...

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Hand `update` to the transport of one connection, behind all that was handed to it before.

        `with_position` tells the connection the place of the update, too. Raises `UiEmitFailed` when the transport
        fails; the connection is broken off then.
        """
        ...

    def break_off(self, connection_id: str) -> None:
        """End the connection at once, so that its client comes back. An unknown one does no harm."""
        ...

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Tell a connection why its subscription has ended, behind all that was handed to it before.

        Raises `UiEmitFailed` when the transport fails; the connection is broken off then.
        """
        ...


class UiUpdateObserver(Protocol):
    """Whoever wants to know what happens to UI updates, such as metrics."""

    def relayed(self, outcome: str, seconds: float) -> None:
        """Take note that an update was dealt with in so many seconds.

        `outcome` is `relayed`, `no_subscriber`, `duplicate`, or the `error_code` of what went wrong.
        """
        ...

    def recovered(self, outcome: str) -> None:
        """Take note that a subscriber came back: `recovered` or `not_recovered`."""
        ...

    def subscriber_dropped(self) -> None:
        """Take note that a subscriber was given up, as it did not read."""
        ...
