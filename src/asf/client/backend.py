"""HTTP client of the internal API, for backend services."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from asf.client import calls, conversations
from asf.client.calls import RETRIES
from asf.client.errors import RequestRejected
from asf.client.generation import Generation
from asf.client.growing import GrowingAudio
from asf.client.internal_api import InternalApi
from asf.client.responses import Announced, CuesAdded, Delivered, Demand, State, Stream, UiUpdate
from asf.client.update_sender import UpdateSender
from asf.client.upload_calls import PATIENCE_SECONDS
from asf.client.uploading import UploadedAudio


class BackendClient:
    """Client of the internal API of the server at `base_url`, for example `http://127.0.0.1:5006`.

    `token` is the server's ASF_INTERNAL_API_TOKEN, if set. Calls are retried up to `retries` times with exponential
    back-off if the connection fails or ASF responds with a 5xx other than a configuration error. Every method raises
    `RequestRejected` if ASF responds with an error, and `ServerUnreachable` if there is no response. Not thread-safe.
    `close`, or a `with` statement, closes the connections.
    """

    def __init__(self, base_url: str, *, token: str | None = None, retries: int = RETRIES) -> None:
        self._api = InternalApi(base_url, token, retries)
        self._updates = UpdateSender(self._api, base_url, token)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._updates.close()
        self._api.close()

    def notify_new_audio(
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

        The file may still be written (`generating`), and need not exist yet. `filepath` may be None to report that
        an announced stream has failed, with a `reason`. `metadata`, at most 16 KiB of JSON, is sent to listeners.

        With `total_bytes`, the size of a complete file, ASF waits up to 10 s until it sees a file of that size: some
        network file systems report sizes late. Otherwise the stream is unchanged, and the error code
        `ASF_AUDIO_UNAVAILABLE`.
        """
        call = calls.notify_new_audio(stream_id, filepath, state, content_type, metadata, reason, total_bytes)
        return self._api.do(call)

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
    ) -> AbstractContextManager[UploadedAudio]: ...

    @overload
    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AbstractContextManager[GrowingAudio]: ...

    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str] | None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resume: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> AbstractContextManager[GrowingAudio | UploadedAudio]:
        """Announce a stream as `generating` and yield the file for its audio; listeners receive it as it grows.

        Without a `filepath` the audio is uploaded. If the connection is lost, the upload is resumed at the same byte,
        until `patience` seconds have passed without progress. With `resume`, the upload that another process has left
        open is continued, at `audio.tell()`.

        With a `filepath`, a path that the server reads, the file is created there, with its folder; an existing file
        is replaced. Raises OSError if the file cannot be created.

        On exit the stream becomes `complete`, or `failed` after an exception, with that as the reason.
        """
        generation = Generation(self._api, stream_id, content_type, metadata)
        if filepath is None:
            return generation.uploaded(patience, resume=resume)
        if resume:
            raise ValueError("Only an upload can be resumed: one without a filepath.")
        return generation.in_file(Path(filepath).absolute())

    def stream(self, stream_id: str) -> Stream:
        """Return one stream of the catalog."""
        return self._api.do(calls.get_stream(stream_id))

    def demand(self, stream_id: str) -> Demand:
        """Return how many listen to a stream, on all servers, and up to which byte they need it now.

        A producer whose audio ends there can pause: nobody waits for more.
        """
        return self._api.do(calls.get_demand(stream_id))

    def streams(self, page_size: int = 100) -> Iterator[Stream]:
        """Yield all streams of the catalog, ordered by id, fetched in pages of 1 to 1000."""
        cursor: str | None = ""
        while cursor is not None:
            page, cursor = self._api.do(calls.get_streams(page_size, cursor))
            yield from page

    def delete_stream(self, stream_id: str) -> None:
        """Delete a stream, its cues and audio that was uploaded; a file is kept."""
        self._api.run(conversations.delete_stream(stream_id))

    def add_cues(
        self, stream_id: str, cues: Iterable[Mapping[str, Any]], epoch: str | None = None
    ) -> CuesAdded | None:
        """Add cues to an announced stream: words, sentences, chapters with times. Returns None if there are none.

        A cue has `start`, in seconds from the beginning of the audio, and optionally `end`, `text`, `kind` (`word`,
        `sentence`, `chapter` or any name), `id` and `data`, any JSON value. A cue replaces one with the same id. One
        without an id gets a random one, which ensures that the retries of this call add it once.

        With `epoch` the stream must not have been regenerated since. Many cues are sent in several requests, all for
        the same epoch; if one is rejected, the cues of those before it have been added.
        """
        return self._api.run(conversations.add_cues(stream_id, cues, epoch))

    def send_ui_update(
        self, client_id: str, event_name: str, data: Any, idempotency_key: str | None = None
    ) -> Delivered:
        """Send an event with `data`, any JSON value, to the client.

        Within 5 minutes, the same update with the same `idempotency_key`, at most 128 characters, is sent once.
        Without a key, a random one ensures that the retries of this call send it once.

        While updates are fast, ten or more in a second, they share one long request, if the server supports it.
        """
        return self._updates.send(UiUpdate(client_id, event_name, data, idempotency_key))

    def send_ui_updates(self, updates: Iterable[UiUpdate]) -> list[Delivered | RequestRejected]:
        """Send several updates in order in one request: at most 1000, and 1 MiB of JSON.

        Returns a result for each of `updates`, in order. A rejected update does not affect the others.
        """
        call = calls.send_ui_updates(updates)
        return [] if call is None else self._api.do(call)
