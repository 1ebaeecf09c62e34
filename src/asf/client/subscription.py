"""What a subscriber has received of a client's UI updates, and what it sends. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.client.errors import AsfClientError, RequestRejected
from asf.client.reception import connection_lost

DEFAULT_UI_NAMESPACE = "/ui_updates"


TEMPORARY = {"ASF_INTERNAL_ERROR", "ASF_NOTHING_JOINED", "ASF_RATE_LIMITED", "ASF_SOCKETIO_EMIT_FAILED"}
"""Codes of temporary errors, after which an established subscription is retried."""


@dataclass(frozen=True, slots=True)
class Update:
    """One update: its event name, its data (any JSON value), and its position."""

    event_name: str
    data: Any
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Subscribed: from here on no update is missed, even across reconnections."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Updates may be missing here: more were sent while disconnected than ASF keeps, or ASF was restarted."""


Item = Subscribed | Update | Missed
"""What a subscriber gets."""


class Subscription:
    """A subscriber of the client, over all its connections."""

    def __init__(self, client_id: str, token: str | None, *, history: bool) -> None:
        self._client_id = client_id
        self._token = token
        self._position = _Position("", 0) if history else None
        self._is_announced = False

    def request(self) -> dict[str, Any]:
        """Return the payload of `subscribe_to_ui_updates`."""
        payload: dict[str, Any] = {"client_id": self._client_id}
        if self._position is not None:
            payload["since"] = self._position.as_json()
        if self._token is not None:
            payload["token"] = self._token
        return payload

    def handlers(self, put: Callable[[Item | AsfClientError], object]) -> dict[str, Callable[..., object]]:
        """Return the handlers of a connection's events, which `put` what arrives in its order."""
        return {
            "ui_connection_ack": lambda _message: None,
            "subscribed_ui_updates": lambda message: self._on_subscribed(message, put),
            "ui_error": lambda message: put(RequestRejected(message)),
            "disconnect": lambda *_reason: put(connection_lost()),
            "*": lambda event, data=None, position=None, *_more: put(self._update_of(event, data, position)),
        }

    def is_new(self, item: Item) -> bool:
        """Return whether the caller gets this: everything, but only the first `Subscribed`."""
        if not isinstance(item, Subscribed):
            return True
        is_first, self._is_announced = not self._is_announced, True
        return is_first

    def may_resume_after(self, error: AsfClientError) -> bool:
        """Return whether another connection may continue."""
        is_final = isinstance(error, RequestRejected) and error.error_code not in TEMPORARY
        return self._is_announced and not is_final

    def _on_subscribed(self, message: dict[str, Any], put: Callable[[Item], object]) -> None:
        put(Subscribed())
        if message.get("recovered") is not True:
            self._position = _Position(message["epoch"], message["seq"])
        elif self._position == _Position("", 0):
            # Until the first update arrives, everything since the start of the epoch may be missed.
            self._position = _Position(message["epoch"], 0)
        if message.get("recovered") is False:
            put(Missed())

    def _update_of(self, event: str, data: Any, position: dict[str, Any] | None) -> Update:
        if position is not None:
            self._position = _Position(position["epoch"], position["seq"])
        elif self._position is not None:  # It is the next one: updates arrive in order, without gaps.
            self._position = _Position(self._position.epoch, self._position.seq + 1)
        assert self._position is not None  # noqa: S101 - the confirmation came first
        return Update(event, data, self._position.epoch, self._position.seq)


@dataclass(frozen=True, slots=True)
class _Position:
    """Position of the latest update received."""

    epoch: str
    seq: int

    def as_json(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seq": self.seq}
