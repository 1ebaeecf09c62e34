"""Sends UI updates over asyncio: by line in one long request while they are fast."""

import asyncio
import time
from contextlib import suppress

from asf.client import calls
from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.aio.line_request import AsyncLineRequest, KeptBack, ServerFailed, Updates, Waiting
from asf.client.calls import Call
from asf.client.errors import AsfClientError, ServerUnreachable
from asf.client.line_address import line_address
from asf.client.line_exchange import MAX_LINE_BYTES, LinesEnded, is_final, probe
from asf.client.line_pace import LinePace
from asf.client.responses import Delivered, UiUpdate


class AsyncUpdateSender:
    """Sends updates to the server at `base_url`, those of one client in the order of the calls while they are fast.

    What was not answered by line is sent again with its key: in another such request, or in requests of their own.
    """

    def __init__(self, api: AsyncInternalApi, base_url: str, token: str | None) -> None:
        self._api = api
        self._base_url = base_url
        self._token = token
        self._pace = LinePace()
        self._updates = Updates()
        self._request: AsyncLineRequest | None = None
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the request. Updates that are not answered yet fail. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._request is not None and not self._updates:
            self._request.is_closing = True
            self._updates.changed.set()
        else:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def send(self, update: UiUpdate) -> Delivered:
        """Return the result of an update. Raises `RequestRejected` and `ServerUnreachable`."""
        call = calls.send_ui_update(update)
        if not self._goes_by_line(call):
            return await self._api.do(call)
        waiting = Waiting(update.client_id, call, asyncio.get_running_loop().create_future())
        self._updates.add(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send_all())
        return await waiting.result

    def _goes_by_line(self, call: Call[Delivered]) -> bool:
        """Return whether the update follows others, or is fast."""
        now = time.monotonic()
        self._pace.note(now)
        if len(call.body or b"") > MAX_LINE_BYTES:
            return False
        is_sending = self._task is not None and not self._task.done()
        return is_sending or (self._pace.is_fast(now) and line_address(self._base_url, self._token) is not None)

    async def _send_all(self) -> None:
        """Send updates until none has come for long."""
        try:
            while True:
                if await self._may_send_lines():
                    await self._send_lines()
                await self._send_each()
                if not self._updates:
                    return
        finally:
            self._updates.put_back()
            while self._updates.queued:
                self._updates.queued.popleft().settle(_closed())

    async def _may_send_lines(self) -> bool:
        """Return whether to send by line, after trying it with the first update."""
        now = time.monotonic()
        if not self._pace.is_fast(now):
            return False
        if self._pace.is_known or not self._updates.queued:
            return True
        waiting = self._updates.queued[0]
        try:
            status, result = await self._api.do(probe(waiting.call), retries=0)
        except ServerUnreachable:
            self._pace.failed(time.monotonic())
            return False
        self._pace.probed(status, time.monotonic(), is_known=result is not None)
        if result is not None and is_final(result):
            self._updates.queued.popleft().settle(result)
        return self._pace.is_known

    async def _send_lines(self) -> None:
        """Send by line until the request ends. Afterwards what was not answered is queued."""
        while self._updates:
            address = line_address(self._base_url, self._token)
            if address is None:
                return
            request = self._request = AsyncLineRequest(address, self._token, self._updates)
            try:
                await request.run()
            except (LinesEnded, OSError, ServerUnreachable) as error:
                now = time.monotonic()
                if isinstance(error, KeptBack):
                    self._pace.kept_back(now)
                    return
                if isinstance(error, ServerFailed) or not request.has_answered:
                    self._pace.failed(now)
                    return
                self._pace.answered()
            finally:
                self._request = None
                self._updates.put_back()

    async def _send_each(self) -> None:
        """Send what is queued in requests of their own: those of one client one after the other."""
        groups: dict[str, list[Waiting]] = {}
        while self._updates.queued:
            waiting = self._updates.queued.popleft()
            groups.setdefault(waiting.client_id, []).append(waiting)
        if groups:
            async with asyncio.TaskGroup() as tasks:
                for group in groups.values():
                    tasks.create_task(self._send_in_order(group))

    async def _send_in_order(self, group: list[Waiting]) -> None:
        retries: int | None = None
        try:
            for waiting in group:
                if waiting.result.done():
                    continue
                try:
                    delivered = await self._api.do(waiting.call, retries)
                except AsfClientError as error:
                    waiting.settle(error)
                    if isinstance(error, ServerUnreachable):
                        retries = 0  # Those that follow have waited just as long.
                else:
                    waiting.settle(delivered)
        finally:
            for waiting in group:
                waiting.settle(_closed())


def _closed() -> ServerUnreachable:
    return ServerUnreachable("The client was closed before the update was answered.", temporary=False)
