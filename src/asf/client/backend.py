"""HTTP client of the internal API, for backend services."""

import io
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from asf.client.errors import AsfClientError, RequestRejected
from asf.client.growing import GrowingAudio, out_of_the_way
from asf.client.internal_api import RETRIES, SIZE_SECONDS, TIMEOUT_SECONDS, InternalApi
from asf.client.responses import Announced, Delivered, State, Stream, UiUpdate, read_field, read_response

MAX_REASON_CHARACTERS = 1000
"""Longest failure reason that ASF accepts."""

KEY_BYTES = 16
"""Random bytes of an idempotency key; enough to be unique."""

STREAM_NOT_FOUND = "ASF_STREAM_NOT_FOUND"


class BackendClient:
    """Client of the internal API of the server at `base_url`, for example `http://127.0.0.1:5006`.

    `token` is the server's ASF_INTERNAL_API_TOKEN, if set. Calls are retried up to `retries` times with exponential
    back-off if the connection fails or ASF responds with a 5xx other than a configuration error. Every method raises
    `RequestRejected` if ASF responds with an error, and `ServerUnreachable` if there is no response. Not thread-safe.
    `close`, or a `with` statement, closes the connections.
    """

    def __init__(self, base_url: str, *, token: str | None = None, retries: int = RETRIES) -> None:
        self._api = InternalApi(base_url, token, retries)

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
        fields = {
            "stream_id": stream_id,
            "filepath": None if filepath is None else os.fspath(filepath),
            "state": state,
            "content_type": content_type,
            "metadata": None if metadata is None else dict(metadata),
            "reason": reason,
            "total_bytes": total_bytes,
        }
        payload = {name: value for name, value in fields.items() if value is not None}
        timeout = TIMEOUT_SECONDS if total_bytes is None else TIMEOUT_SECONDS + SIZE_SECONDS
        return read_response(Announced, self._api.call("POST", "notify_new_audio", payload, timeout=timeout))

    @contextmanager
    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Iterator[GrowingAudio]:
        """Announce a stream as `generating` and yield the file for its audio; listeners receive it as it grows.

        The file is created at `filepath`, with its folder; an existing file is replaced. On exit the stream becomes
        `complete` with the size that was written, or `failed` after an exception, with that as the reason. Raises
        OSError if the file cannot be created.
        """
        path = Path(filepath).absolute()
        with out_of_the_way(path):
            self._end_current_epoch(stream_id)
            try:
                announced = self.notify_new_audio(stream_id, path, "generating", content_type, metadata)
            except RequestRejected:
                raise
            except BaseException as error:  # The announcement may have arrived.
                self._report_failure(stream_id, path, error)
                raise
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with GrowingAudio(io.FileIO(path, "x"), stream_id, announced.epoch) as audio:
                yield audio
        except BaseException as error:
            self._report_failure(stream_id, path, error)
            raise
        self.notify_new_audio(stream_id, path, "complete", total_bytes=audio.total_bytes)

    def stream(self, stream_id: str) -> Stream:
        """Return one stream of the catalog."""
        return read_response(Stream, self._api.call("GET", _route_of(stream_id)))

    def streams(self, page_size: int = 100) -> Iterator[Stream]:
        """Yield all streams of the catalog, ordered by id, fetched in pages of 1 to 1000."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._api.call("GET", "streams", query={"limit": str(page_size), "cursor": cursor})
            for stream in read_field(page, "streams"):
                yield read_response(Stream, stream)
            cursor = read_field(page, "next_cursor")

    def delete_stream(self, stream_id: str) -> None:
        """Delete a stream from the catalog; its file is kept."""
        try:
            self._api.call("DELETE", _route_of(stream_id))
        except RequestRejected as rejection:
            # Deleted by an earlier attempt whose response was lost.
            if rejection.error_code != STREAM_NOT_FOUND or rejection.attempt == 1:
                raise

    def send_ui_update(
        self, client_id: str, event_name: str, data: Any, idempotency_key: str | None = None
    ) -> Delivered:
        """Send an event with `data`, any JSON value, to the client.

        Within 5 minutes, the same update with the same `idempotency_key`, at most 128 characters, is sent once.
        Without a key, a random one ensures that the retries of this call send it once.
        """
        payload = _payload_of(UiUpdate(client_id, event_name, data, idempotency_key))
        return read_response(Delivered, self._api.call("POST", "send_ui_update", payload))

    def send_ui_updates(self, updates: Iterable[UiUpdate]) -> list[Delivered | RequestRejected]:
        """Send several updates in order in one request: at most 1000, and 1 MiB of JSON.

        Returns a result for each of `updates`, in order. A rejected update does not affect the others.
        """
        payloads = [_payload_of(update) for update in updates]
        if not payloads:
            return []
        results = read_field(self._api.call("POST", "send_ui_updates", {"updates": payloads}), "results")
        return [RequestRejected(one) if "error_code" in one else read_response(Delivered, one) for one in results]

    def _end_current_epoch(self, stream_id: str) -> None:
        """Ensure that the next announcement starts a new epoch, even if the last one was never ended."""
        try:
            earlier = self.stream(stream_id)
        except RequestRejected as rejection:
            if rejection.error_code != STREAM_NOT_FOUND:
                raise
            return
        if earlier.state == "generating":
            self.notify_new_audio(stream_id, None, "failed", reason="The audio is being regenerated.")

    def _report_failure(self, stream_id: str, path: Path, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARACTERS]
        try:
            self.notify_new_audio(stream_id, path, "failed", reason=reason)
        except AsfClientError as failure:
            error.add_note(f"Could not report to ASF that '{stream_id}' has failed: {failure}")


def _route_of(stream_id: str) -> str:
    return "streams/" + quote(stream_id, safe="")


def _payload_of(update: UiUpdate) -> dict[str, Any]:
    key = secrets.token_urlsafe(KEY_BYTES) if update.idempotency_key is None else update.idempotency_key
    return {
        "client_id": update.client_id,
        "event_name": update.event_name,
        "data": update.data,
        "idempotency_key": key,
    }
