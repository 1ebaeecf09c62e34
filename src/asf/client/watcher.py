"""Watching the UI updates of one client."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from asf.client.errors import AsfClientError, RequestRefused, ServerUnreachable
from asf.client.ordered import OrderedClient

DEFAULT_UI_NAMESPACE = "/ui_updates"


@dataclass(frozen=True, slots=True)
class Update:
    """One update: the name of its event and its data, any JSON value."""

    event_name: str
    data: Any


@dataclass(frozen=True, slots=True)
class Subscribed:
    """From here on no update is missed."""


def watch(base_url: str, client_id: str, namespace: str = DEFAULT_UI_NAMESPACE) -> Iterator[Subscribed | Update]:
    """Yield `Subscribed`, and then the client's updates as they come, without end.

    Raises `RequestRefused` and `ServerUnreachable`.
    """
    received: queue.Queue[Subscribed | Update | AsfClientError] = queue.Queue()
    client = OrderedClient(reconnection=False)

    def on_any(event: str, data: Any = None, *_more: Any) -> None:
        received.put(Update(event, data))

    client.on(
        "connect",
        lambda: client.emit("subscribe_to_ui_updates", {"client_id": client_id}, namespace=namespace),
        namespace=namespace,
    )
    client.on("ui_connection_ack", lambda _message: None, namespace=namespace)
    client.on("subscribed_ui_updates", lambda _message: received.put(Subscribed()), namespace=namespace)
    client.on("ui_error", lambda message: received.put(RequestRefused(message)), namespace=namespace)
    client.on(
        "disconnect",
        lambda *_reason: received.put(ServerUnreachable("The connection to ASF was lost.")),
        namespace=namespace,
    )
    client.on("*", on_any, namespace=namespace)
    client.connect_to(base_url, namespace)
    try:
        while True:
            try:
                item = received.get(timeout=1.0)  # A bounded wait lets Ctrl-C through.
            except queue.Empty:
                continue
            if isinstance(item, AsfClientError):
                raise item
            yield item
    finally:
        client.disconnect()
