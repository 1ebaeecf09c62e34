"""Requests to subscribe that have to wait, in tasks of their own: the connection's further events do not wait."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from asf.adapters.realtime_api.replay_limits import ReplayLimits
from asf.domain.errors import TooManySubscriptions
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS
from asf.domain.updates.update import Position

LOOK_SECONDS = 1.0
"""Longest time until a task notices that its request is no longer wanted."""


@dataclass(slots=True)
class Request:
    """A request to subscribe, as `UiUpdateRouter.subscribe` takes it."""

    since: Position | None
    token: object


Spawn = Callable[[Callable[[], object]], object]
"""Runs work in a task of its own, as soon as the caller waits."""

Subscribe = Callable[[str, str, Request], object]
"""Subscribes a connection to a client. Raises nothing."""


class SubscriptionRequests:
    """Subscribes connections: at once if nothing has to be waited for, else in a task.

    A request waits while the updates that were replayed to its connection exceed `limits`. It is replaced by a later
    one of the connection for the same client, and dropped if the connection ends. `is_local` is whether subscribing
    itself waits for no other machine. `spawn` runs a function in a task, `pause` suspends the calling one.
    """

    def __init__(
        self,
        subscribe: Subscribe,
        limits: ReplayLimits,
        spawn: Spawn,
        pause: Callable[[float], object],
        *,
        is_local: bool,
    ) -> None:
        self._subscribe = subscribe
        self._limits = limits
        self._spawn = spawn
        self._pause = pause
        self._is_local = is_local
        # By connection and client.
        self._waiting: dict[str, dict[str, Request]] = {}

    def start(self, connection_id: str, client_id: str, request: Request, transport: object) -> None:
        """Subscribe a connection, which sends on `transport`, now or later. Raises `TooManySubscriptions`."""
        earlier = self._waiting.get(connection_id, {}).get(client_id)
        if earlier is not None:  # Its task has yet to begin, and finds this one.
            self._waiting[connection_id][client_id] = request
        elif self._is_local and not self._delay(request, transport):
            self._subscribe(connection_id, client_id, request)
        else:
            waiting = self._waiting.setdefault(connection_id, {})
            if len(waiting) >= MAX_SUBSCRIPTIONS:
                raise TooManySubscriptions(f"The limit is {MAX_SUBSCRIPTIONS} per connection.")
            waiting[client_id] = request
            self._spawn(partial(self._run, connection_id, client_id, waiting, transport))

    def cancel(self, connection_id: str, client_id: str) -> bool:
        """Drop a request that waits. Returns whether there was one."""
        return self._waiting.get(connection_id, {}).pop(client_id, None) is not None

    def drop(self, connection_id: str) -> None:
        """Drop all requests of a connection that has ended."""
        self._waiting.pop(connection_id, {}).clear()

    def _delay(self, request: Request, transport: object) -> float:
        return 0.0 if request.since is None else self._limits.delay(transport)

    def _run(self, connection_id: str, client_id: str, waiting: dict[str, Request], transport: object) -> None:
        while (request := waiting.get(client_id)) is not None:
            delay = self._delay(request, transport)
            if not delay:
                del waiting[client_id]
                if not waiting:
                    self._waiting.pop(connection_id, None)
                self._subscribe(connection_id, client_id, request)
                return
            self._pause(min(delay, LOOK_SECONDS))
