"""One request with UI updates by line, over asyncio."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from asf.client.calls import TIMEOUT_SECONDS, Call
from asf.client.line_address import LineAddress
from asf.client.line_exchange import LineExchange, LinesEnded, is_final, result_of
from asf.client.line_pace import FIRST_ANSWER_SECONDS, IDLE_SECONDS
from asf.client.responses import Delivered

RECEIVED_AT_ONCE = 64 * 1024

MAX_UNANSWERED = 256
MAX_UNANSWERED_BYTES = 256 * 1024
"""Most updates, and bytes of updates, that are sent and not answered yet. One that is longer is sent alone."""

LOOK_SECONDS = 0.5
"""Interval between looks whether an answer is overdue."""


@dataclass(slots=True, eq=False)
class Waiting:
    """An update whose sender waits for its `result`."""

    client_id: str
    call: Call[Delivered]
    result: "asyncio.Future[Delivered]"
    sent_at: float = 0.0

    @property
    def body(self) -> bytes:
        """The update as JSON."""
        return self.call.body or b""

    def settle(self, result: Delivered | Exception) -> None:
        """Return the result to the sender, or raise the error there, unless it was cancelled."""
        if self.result.done():
            return
        if isinstance(result, Delivered):
            self.result.set_result(result)
        else:
            self.result.set_exception(result)


@dataclass(slots=True)
class Updates:
    """The updates to send, in order: those that are sent and not answered yet, and those that follow.

    `changed` is set when there are more.
    """

    unanswered: deque[Waiting] = field(default_factory=deque)
    queued: deque[Waiting] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __bool__(self) -> bool:
        return bool(self.unanswered or self.queued)

    def add(self, waiting: Waiting) -> None:
        """Add an update behind all others."""
        self.queued.append(waiting)
        self.changed.set()

    def take(self) -> list[Waiting]:
        """Return the updates that can be sent now, which then are not answered. Drops those that were cancelled."""
        taken: list[Waiting] = []
        size = sum(len(one.body) for one in self.unanswered)
        while self.queued and len(self.unanswered) < MAX_UNANSWERED:
            if self.queued[0].result.done():
                self.queued.popleft()
                continue
            size += len(self.queued[0].body)
            if size > MAX_UNANSWERED_BYTES and self.unanswered:
                break
            self.unanswered.append(self.queued.popleft())
            taken.append(self.unanswered[-1])
        return taken

    def put_back(self) -> None:
        """Queue again, in front, what was not answered."""
        while self.unanswered:
            self.queued.appendleft(self.unanswered.pop())


class KeptBack(LinesEnded):
    """Nothing was answered in time: something on the way keeps the lines."""


class ServerFailed(LinesEnded):
    """An update was answered by an error that may pass."""


class AsyncLineRequest:
    """Sends `updates` until none has come for `IDLE_SECONDS`, or `is_closing` is set."""

    def __init__(self, address: LineAddress, token: str | None, updates: Updates) -> None:
        self._address = address
        self._exchange = LineExchange(address, token)
        self._updates = updates
        self.is_closing = False

    @property
    def has_answered(self) -> bool:
        """Whether an update was answered."""
        return self._exchange.answered > 0

    async def run(self) -> None:
        """Send updates, and settle them. Raises `LinesEnded` and OSError; then some may not be answered."""
        secure = httpx.create_ssl_context() if self._address.is_secure else None
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(self._address.host, self._address.port, ssl=secure)
        try:
            receiving = asyncio.ensure_future(self._receive(reader))
            try:
                await self._send(writer, receiving)
            finally:
                receiving.cancel()
                with suppress(asyncio.CancelledError, LinesEnded, OSError):
                    await receiving
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, receiving: "asyncio.Future[None]") -> None:
        while taken := await self._next(receiving):
            now = time.monotonic()
            for one in taken:
                one.sent_at = now
            writer.write(self._exchange.lines([one.body for one in taken]))
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await writer.drain()
        if self.has_answered:
            writer.write(self._exchange.end())

    async def _next(self, receiving: "asyncio.Future[None]") -> list[Waiting]:
        """Wait for updates to send; returns none if there is none for long. Raises what ended the answers."""
        waiting_since = time.monotonic()
        while True:
            if receiving.done():
                receiving.result()
            self._updates.changed.clear()
            if taken := self._updates.take():
                return taken
            is_idle = time.monotonic() - waiting_since > IDLE_SECONDS or self.is_closing
            if is_idle and not self._updates:
                return []
            change = asyncio.ensure_future(self._updates.changed.wait())
            changes: set[asyncio.Future[Any]] = {change, receiving}
            try:
                await asyncio.wait(changes, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        """Settle what is answered. Raises `LinesEnded` and OSError."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    data = await reader.read(RECEIVED_AT_ONCE)
            except TimeoutError:
                self._check_time()
                continue
            for answer in self._exchange.receive(data):
                result = result_of(answer)
                if not self._updates.unanswered:
                    raise LinesEnded
                if not is_final(result):
                    raise ServerFailed
                self._updates.unanswered.popleft().settle(result)
            self._updates.changed.set()

    def _check_time(self) -> None:
        """Raise `LinesEnded` if an answer is overdue."""
        if not self._updates.unanswered:
            return
        waited = time.monotonic() - self._updates.unanswered[0].sent_at
        if not self.has_answered and waited > FIRST_ANSWER_SECONDS:
            raise KeptBack
        if waited > TIMEOUT_SECONDS:
            raise LinesEnded
