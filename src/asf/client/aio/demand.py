"""Who waits for the audio of a stream, asked by a task."""

import asyncio
import time
from contextlib import suppress

from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.calls import Filepath
from asf.client.demand import DemandState, DemandWait, is_beyond
from asf.client.errors import AsfClientError
from asf.client.responses import Demand


class AsyncDemandPoll:
    """Asks who waits for the audio of `epoch`, at most once in `POLL_SECONDS`, and only if somebody wants to know.

    `filepath` is where the audio is; None if it is uploaded.
    """

    def __init__(self, api: AsyncInternalApi, stream_id: str, epoch: str, filepath: Filepath | None = None) -> None:
        self._api = api
        self._state = DemandState(stream_id, epoch, filepath, time.monotonic())
        self._task: asyncio.Task[None] | None = None

    @property
    def latest(self) -> Demand | None:
        """The last answer, as in `DemandState`. Reading it never waits: it starts the next question."""
        now = time.monotonic()
        if self._state.is_due(now) and self.is_answered:
            self._state.begin(now)
            self._task = asyncio.get_running_loop().create_task(self._ask())
        return self._state.latest

    @property
    def is_answered(self) -> bool:
        """Whether no question is open."""
        return self._task is None or self._task.done()

    async def wait_until_beyond(self, total_bytes: int, seconds: float | None) -> bool:
        """Wait until a listener needs more than that, for at most `seconds`. Returns whether one does.

        Meanwhile the stream is announced as `generating`, so that it is not given up.
        """
        wait = DemandWait(seconds, time.monotonic())
        while True:
            await self._ask()
            if is_beyond(self._state.latest, total_bytes):
                return True
            now = time.monotonic()
            if wait.is_over(now):
                return False
            if wait.keeps(now):
                with suppress(AsfClientError):
                    await self._api.do(self._state.announcement, retries=0)
            await asyncio.sleep(wait.pause(now))

    async def _ask(self) -> None:
        try:
            demand = await self._api.do(self._state.question, retries=0)
        except AsfClientError:
            self._state.note(None)
        else:
            self._state.note(demand)
