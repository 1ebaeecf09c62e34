"""Receives the UI updates of one client."""

import queue
from collections.abc import Iterator

from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.ordered_events import OrderedClient
from asf.client.reception import connection_lost
from asf.client.retry_window import RetryWindow
from asf.client.subscription import DEFAULT_UI_NAMESPACE, Item, Subscription


def watch(
    base_url: str,
    client_id: str,
    namespace: str = DEFAULT_UI_NAMESPACE,
    *,
    history: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> Iterator[Item]:
    """Yield `Subscribed`, then the client's updates as they arrive, until you stop iterating.

    With `history` those in the server's history come first. `token` grants the client, if the server requires one;
    when it expires, `RequestRejected` is raised (`ASF_UNAUTHORIZED`). After a lost connection or a temporary error it
    reconnects for up to `patience` seconds and yields the missed updates. Raises `RequestRejected` and
    `ServerUnreachable`.
    """
    subscription = Subscription(client_id, token, history=history)
    window = RetryWindow(patience)
    while True:
        try:
            for item in _received(base_url, namespace, subscription):
                window.renew()
                if subscription.is_new(item):
                    yield item
        except (ServerUnreachable, RequestRejected) as error:
            if not subscription.may_resume_after(error) or not window.pause():
                raise


def _received(base_url: str, namespace: str, subscription: Subscription) -> Iterator[Item]:
    """Yield what one connection receives. Raises what ends it."""
    received: queue.SimpleQueue[Item | AsfClientError] = queue.SimpleQueue()
    client = OrderedClient()

    def subscribe() -> None:
        client.emit("subscribe_to_ui_updates", subscription.request(), namespace=namespace)

    for event, handler in (subscription.handlers(received.put) | {"connect": subscribe}).items():
        client.on(event, handler, namespace=namespace)
    client.connect_to(base_url, namespace)
    try:
        while True:
            try:
                item = received.get(timeout=1.0)  # A bounded wait lets Ctrl-C through.
            except queue.Empty:
                if client.is_broken:
                    raise connection_lost() from None
                continue
            if isinstance(item, AsfClientError):
                raise item
            yield item
    finally:
        client.end()
