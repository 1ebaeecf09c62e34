"""Receives the UI updates of one client on asyncio."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from asf.client.aio.ordered_events import AsyncOrderedClient
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.retry_window import RetryWindow
from asf.client.subscription import DEFAULT_UI_NAMESPACE, Item, Subscription


async def watch(
    base_url: str,
    client_id: str,
    namespace: str = DEFAULT_UI_NAMESPACE,
    *,
    history: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> AsyncGenerator[Item, None]:
    """Yield `Subscribed`, then the client's updates as they arrive, as `asf.client.watch` does.

    Close the generator to stop: with `contextlib.aclosing`, or by cancelling the task.
    """
    subscription = Subscription(client_id, token, history=history)
    window = RetryWindow(patience)
    while True:
        try:
            async with aclosing(_received(base_url, namespace, subscription)) as items:
                async for item in items:
                    window.renew()
                    if subscription.is_new(item):
                        yield item
        except (ServerUnreachable, RequestRejected) as error:
            pause = window.next_pause() if subscription.may_resume_after(error) else None
            if pause is None:
                raise
            await asyncio.sleep(pause)


async def _received(base_url: str, namespace: str, subscription: Subscription) -> AsyncGenerator[Item, None]:
    """Yield what one connection receives. Raises what ends it."""
    received: asyncio.Queue[Item | AsfClientError] = asyncio.Queue()
    client = AsyncOrderedClient()

    async def subscribe() -> None:
        await client.emit("subscribe_to_ui_updates", subscription.request(), namespace=namespace)

    for event, handler in (subscription.handlers(received.put_nowait) | {"connect": subscribe}).items():
        client.on(event, handler, namespace=namespace)
    await client.connect_to(base_url, namespace)
    try:
        while True:
            item = await client.next_of(received)
            if isinstance(item, AsfClientError):
                raise item
            yield item
    finally:
        await client.end()
