"""Listening to a stream on asyncio."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable

from socketio.exceptions import SocketIOError

from asf.client.aio.ordered_events import AsyncOrderedClient
from asf.client.errors import AsfClientError, ServerUnreachable, StreamRejected
from asf.client.reception import AUDIO_NAMESPACE, CuesMessage, Received, Reception, StreamCues, StreamStart
from asf.client.retry_window import RetryWindow

Write = Callable[[bytes], Awaitable[object] | object]
OnStart = Callable[[StreamStart], Awaitable[object] | object]
OnCues = Callable[[StreamCues], Awaitable[object] | object]


async def listen(
    base_url: str,
    stream_id: str,
    write: Write,
    on_start: OnStart = lambda _start: None,
    *,
    on_cues: OnCues | None = None,
    wait: bool = False,
    token: str | None = None,
    patience: float = 60.0,
) -> None:
    """Receive the complete stream, as `asf.client.listen` does.

    `write`, `on_start` and `on_cues` are functions or coroutine functions; each call has returned before the next
    one. To stop listening, cancel the task.
    """
    reception = Reception(stream_id, wait, token, with_cues=on_cues is not None)
    window = RetryWindow(patience)
    while True:
        before = reception.written
        try:
            await _Listening(reception, write, on_start, on_cues).run(base_url)
        except (ServerUnreachable, StreamRejected) as error:
            if reception.written > before:
                window.renew()
            pause = window.next_pause() if reception.may_resume_after(error) else None
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            return


class _Listening:
    """One connection of a listener. The receiving task only queues what arrives; the caller's task writes it."""

    def __init__(self, reception: Reception, write: Write, on_start: OnStart, on_cues: OnCues | None) -> None:
        self._reception = reception
        self._write = write
        self._on_start = on_start
        self._on_cues = on_cues
        self._received: asyncio.Queue[Received] = asyncio.Queue()
        self._client = AsyncOrderedClient()

    async def run(self, base_url: str) -> None:
        """Write the stream from where it was to its end. Raises what ends the connection before that."""
        handlers = self._reception.handlers(self._received.put_nowait) | {"connect": self._join}
        for event, handler in handlers.items():
            self._client.on(event, handler, namespace=AUDIO_NAMESPACE)
        await self._client.connect_to(base_url, AUDIO_NAMESPACE)
        try:
            while await self._handle(await self._client.next_of(self._received)):
                pass
        finally:
            await self._client.end()

    async def _handle(self, item: Received) -> bool:
        """Handle what was received. Returns False at the end of the stream. Raises the failure."""
        if isinstance(item, AsfClientError):
            raise item
        if isinstance(item, bytes):
            await _done(self._write(item))
            await self._acknowledge(len(item))
        elif isinstance(item, StreamStart):
            await _done(self._on_start(item))
        elif isinstance(item, CuesMessage):
            if self._on_cues is not None:
                await _done(self._on_cues(item.cues))
            self._reception.cues_seq = item.message["seq"]
        return item is not None

    async def _acknowledge(self, byte_count: int) -> None:
        acknowledgement = self._reception.wrote(byte_count)
        if acknowledgement is not None:
            with suppress(SocketIOError):  # The connection is lost, which is queued behind what it has brought.
                await self._client.emit("audio_ack", acknowledgement, namespace=AUDIO_NAMESPACE)

    async def _join(self) -> None:
        await self._client.emit("join_stream", self._reception.request(), namespace=AUDIO_NAMESPACE)


async def _done(result: Awaitable[object] | object) -> None:
    if isawaitable(result):
        await result
