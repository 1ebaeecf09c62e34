"""Receives the UI updates of one client."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.ordered_events import OrderedClient
from asf.client.retry_window import RetryWindow

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


def watch(
    base_url: str,
    client_id: str,
    namespace: str = DEFAULT_UI_NAMESPACE,
    *,
    history: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> Iterator[Subscribed | Update | Missed]:
    """Yield `Subscribed`, then the client's updates as they arrive, until you stop iterating.

    With `history` those in the server's history come first. `token` grants the client, if the server requires one;
    when it expires, `RequestRejected` is raised (`ASF_UNAUTHORIZED`). After a lost connection or a temporary error it
    reconnects for up to `patience` seconds and yields the missed updates. Raises `RequestRejected` and
    `ServerUnreachable`.
    """
    position = _Position("", 0) if history else None
    subscribed = False
    window = RetryWindow(patience)
    while True:
        watching = _Watching(client_id, namespace, position, token)
        try:
            for item in watching.run(base_url):
                window.renew()
                if not isinstance(item, Subscribed):
                    yield item
                elif not subscribed:
                    subscribed = True
                    yield item
        except (ServerUnreachable, RequestRejected) as error:
            position = watching.position
            is_final = isinstance(error, RequestRejected) and error.error_code not in TEMPORARY
            if is_final or not subscribed or not window.pause():
                raise


@dataclass(frozen=True, slots=True)
class _Position:
    """Position of the latest update received."""

    epoch: str
    seq: int

    def as_json(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seq": self.seq}


class _Watching:
    """One connection of a subscriber. `position` is that of the latest update received."""

    def __init__(self, client_id: str, namespace: str, position: _Position | None, token: str | None) -> None:
        self.position = position
        self._token = token
        self._client_id = client_id
        self._namespace = namespace
        self._received: queue.Queue[Subscribed | Update | Missed | AsfClientError] = queue.Queue()
        self._client = OrderedClient(reconnection=False)

    def run(self, base_url: str) -> Iterator[Subscribed | Update | Missed]:
        handlers = {
            "connect": self._subscribe,
            "ui_connection_ack": lambda _message: None,
            "subscribed_ui_updates": self._on_subscribed,
            "ui_error": lambda message: self._received.put(RequestRejected(message)),
            "disconnect": lambda *_reason: self._received.put(ServerUnreachable("The connection to ASF was lost.")),
            "*": self._on_update,
        }
        for event, handler in handlers.items():
            self._client.on(event, handler, namespace=self._namespace)
        self._client.connect_to(base_url, self._namespace)
        try:
            while True:
                try:
                    item = self._received.get(timeout=1.0)  # A bounded wait lets Ctrl-C through.
                except queue.Empty:
                    if self._client.is_broken:
                        raise ServerUnreachable("The connection to ASF was lost.") from None
                    continue
                if isinstance(item, AsfClientError):
                    raise item
                yield item
        finally:
            self._client.end()

    def _subscribe(self) -> None:
        payload: dict[str, Any] = {"client_id": self._client_id}
        if self.position is not None:
            payload["since"] = self.position.as_json()
        if self._token is not None:
            payload["token"] = self._token
        self._client.emit("subscribe_to_ui_updates", payload, namespace=self._namespace)

    def _on_subscribed(self, message: dict[str, Any]) -> None:
        self._received.put(Subscribed())
        if message.get("recovered") is not True:
            self.position = _Position(message["epoch"], message["seq"])
        elif self.position == _Position("", 0):
            # Until the first update arrives, everything since the start of the epoch may be missed.
            self.position = _Position(message["epoch"], 0)
        if message.get("recovered") is False:
            self._received.put(Missed())

    def _on_update(self, event: str, data: Any = None, position: dict[str, Any] | None = None, *_more: Any) -> None:
        if position is not None:
            self.position = _Position(position["epoch"], position["seq"])
        elif self.position is not None:  # It is the next one: updates arrive in order, without gaps.
            self.position = _Position(self.position.epoch, self.position.seq + 1)
        assert self.position is not None  # noqa: S101 - the confirmation came first
        self._received.put(Update(event, data, self.position.epoch, self.position.seq))
