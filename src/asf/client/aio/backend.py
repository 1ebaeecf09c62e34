"""HTTP client of the internal API, for backend services that run on asyncio."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from asf.client import calls, conversations
from asf.client.aio.generation import AsyncGeneration, Endings
from asf.client.aio.growing import AsyncGrowingAudio
from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.aio.update_sender import AsyncUpdateSender
from asf.client.aio.uploading import AsyncUploadedAudio
from asf.client.calls import RETRIES
from asf.client.errors import RequestRejected
from asf.client.responses import Announced, CuesAdded, Delivered, Demand, State, Stream, UiUpdate
from asf.client.upload_calls import PATIENCE_SECONDS


class AsyncBackendClient:
    """`asf.client.BackendClient` for asyncio: the same methods, to be awaited, and the same errors.

    `base_url` is the server's, for example `http://127.0.0.1:5006`, and `token` its ASF_INTERNAL_API_TOKEN, if set.
    Calls are retried up to `retries` times with exponential back-off. Tasks of one event loop may share a client.
    `close`, or an `async with` statement, closes the connections.
    """

    def __init__(self, base_url: str, *, token: str | None = None, retries: int = RETRIES) -> None:
        self._api = AsyncInternalApi(base_url, token, retries)
        self._endings = Endings()
        self._updates = AsyncUpdateSender(self._api, base_url, token)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close the connections, once what was cancelled has been announced as failed. Idempotent."""
        await self._endings.wait()
        await self._updates.close()
        await self._api.close()

    async def notify_new_audio(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str] | None,
        state: State = "complete",
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
        total_bytes: int | None = None,
    ) -> Announced:
        """Announce the audio of `stream_id` at `filepath`, a path on the server, and its state.

        See `BackendClient.notify_new_audio`.
        """
        call = calls.notify_new_audio(stream_id, filepath, state, content_type, metadata, reason, total_bytes)
        return await self._api.do(call)

    @overload
    def generating(
        self,
        stream_id: str,
        filepath: None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resume: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> AbstractAsyncContextManager[AsyncUploadedAudio]: ...

    @overload
    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[AsyncGrowingAudio]: ...

    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str] | None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resume: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> AbstractAsyncContextManager[AsyncGrowingAudio | AsyncUploadedAudio]:
        """Announce a stream as `generating` and yield its audio, to `await audio.write(…)`.

        See `BackendClient.generating`. A stream has failed, too, if its task is cancelled.
        """
        generation = AsyncGeneration(self._api, self._endings, stream_id, content_type, metadata)
        if filepath is None:
            return generation.uploaded(patience, resume=resume)
        if resume:
            raise ValueError("Only an upload can be resumed: one without a filepath.")
        return generation.in_file(Path(filepath).absolute())

    async def stream(self, stream_id: str) -> Stream:
        """Return one stream of the catalog."""
        return await self._api.do(calls.get_stream(stream_id))

    async def demand(self, stream_id: str) -> Demand:
        """Return how many listen to a stream, on all servers, and up to which byte they need it now."""
        return await self._api.do(calls.get_demand(stream_id))

    async def streams(self, page_size: int = 100) -> AsyncIterator[Stream]:
        """Yield all streams of the catalog, ordered by id, fetched in pages of 1 to 1000: `async for`."""
        cursor: str | None = ""
        while cursor is not None:
            page, cursor = await self._api.do(calls.get_streams(page_size, cursor))
            for stream in page:
                yield stream

    async def delete_stream(self, stream_id: str) -> None:
        """Delete a stream from the catalog; its file is kept, uploaded audio is deleted."""
        await self._api.run(conversations.delete_stream(stream_id))

    async def add_cues(
        self, stream_id: str, cues: Iterable[Mapping[str, Any]], epoch: str | None = None
    ) -> CuesAdded | None:
        """Add cues to an announced stream: words, sentences, chapters with times. See `BackendClient.add_cues`."""
        return await self._api.run(conversations.add_cues(stream_id, cues, epoch))

    async def send_ui_update(
        self, client_id: str, event_name: str, data: Any, idempotency_key: str | None = None
    ) -> Delivered:
        """Send an event with `data`, any JSON value, to the client. See `BackendClient.send_ui_update`."""
        return await self._updates.send(UiUpdate(client_id, event_name, data, idempotency_key))

    async def send_ui_updates(self, updates: Iterable[UiUpdate]) -> list[Delivered | RequestRejected]:
        """Send several updates in order in one request. See `BackendClient.send_ui_updates`."""
        call = calls.send_ui_updates(updates)
        return [] if call is None else await self._api.do(call)
