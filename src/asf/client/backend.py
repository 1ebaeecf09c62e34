"""What a backend service says to ASF, over HTTP."""

import io
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from asf.client.answers import Announced, Delivered, State, Stream, UiUpdate, read_answer, read_field
from asf.client.errors import AsfClientError, RequestRefused
from asf.client.growing import GrowingAudio, out_of_the_way
from asf.client.internal_api import RETRIES, InternalApi

MAX_REASON_CHARACTERS = 1000
"""Longest reason of a failure that ASF takes."""

KEY_BYTES = 16
"""Randomness of an idempotency key: no two calls ever make the same one."""

STREAM_NOT_FOUND = "ASF_STREAM_NOT_FOUND"


class BackendClient:
    """Calls the internal API of the ASF at `base_url`, such as `http://127.0.0.1:5006`.

    `token` is the server's ASF_INTERNAL_API_TOKEN, where it has one. A call is tried again, `retries` times at most
    and after growing pauses, when the connection fails or ASF answers with a 5xx other than an error of its
    configuration. Every method raises `RequestRefused` when ASF answers with an error and `ServerUnreachable` when it
    does not answer. For one thread; `close`, or a `with` statement, closes the connections.
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
        """Close the connections. Closing twice does no harm."""
        self._api.close()

    def notify_new_audio(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str] | None,
        state: State = "complete",
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Announced:
        """Announce that the audio of `stream_id` is at `filepath`, a path on ASF's machine, and what its state is.

        The file may still be written (`generating`), and need not exist yet. `filepath` may be None to say that a
        known stream has failed, with the `reason` for it. `metadata`, at most 16 KiB of JSON, is told to listeners.
        """
        fields = {
            "stream_id": stream_id,
            "filepath": None if filepath is None else os.fspath(filepath),
            "state": state,
            "content_type": content_type,
            "metadata": None if metadata is None else dict(metadata),
            "reason": reason,
        }
        payload = {name: value for name, value in fields.items() if value is not None}
        return read_answer(Announced, self._api.call("POST", "notify_new_audio", payload))

    @contextmanager
    def generating(
        self,
        stream_id: str,
        filepath: str | os.PathLike[str],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Iterator[GrowingAudio]:
        """Announce a stream as being generated and yield the file to write its audio to; listeners hear it grow.

        The file is made at `filepath`, with its folder, and replaces one that is there. On leaving, the stream is
        complete, or failed when an exception leaves, with that as the reason. Raises OSError when the file cannot be
        made.
        """
        path = Path(filepath).absolute()
        with out_of_the_way(path):
            self._end_earlier_making(stream_id)
            try:
                announced = self.notify_new_audio(stream_id, path, "generating", content_type, metadata)
            except RequestRefused:
                raise
            except BaseException as error:  # It may have been taken all the same.
                self._tell_failure(stream_id, path, error)
                raise
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with GrowingAudio(io.FileIO(path, "x"), stream_id, announced.epoch) as audio:
                yield audio
        except BaseException as error:
            self._tell_failure(stream_id, path, error)
            raise
        self.notify_new_audio(stream_id, path, "complete")

    def stream(self, stream_id: str) -> Stream:
        """Return one stream of the catalog."""
        return read_answer(Stream, self._api.call("GET", _route_of(stream_id)))

    def streams(self, page_size: int = 100) -> Iterator[Stream]:
        """Yield all streams of the catalog in the order of their ids, fetched in pages of 1 to 1000."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._api.call("GET", "streams", query={"limit": str(page_size), "cursor": cursor})
            for stream in read_field(page, "streams"):
                yield read_answer(Stream, stream)
            cursor = read_field(page, "next_cursor")

    def delete_stream(self, stream_id: str) -> None:
        """Let ASF forget a stream; its file stays."""
        try:
            self._api.call("DELETE", _route_of(stream_id))
        except RequestRefused as refusal:
            # An attempt before this one has deleted it, and the answer to that was lost.
            if refusal.error_code != STREAM_NOT_FOUND or refusal.attempt == 1:
                raise

    def send_ui_update(
        self, client_id: str, event_name: str, data: Any, idempotency_key: str | None = None
    ) -> Delivered:
        """Send an event with `data`, any JSON value, to the client.

        The same update with the same `idempotency_key`, at most 128 characters, is sent once within 5 minutes.
        Without one, a random key sees to it that no attempt of this call repeats another.
        """
        payload = _payload_of(UiUpdate(client_id, event_name, data, idempotency_key))
        return read_answer(Delivered, self._api.call("POST", "send_ui_update", payload))

    def send_ui_updates(self, updates: Iterable[UiUpdate]) -> list[Delivered | RequestRefused]:
        """Send several updates in one request: 1000 and 1 MiB of JSON at most. Their order is kept.

        Returns what became of each, in the order of `updates`: one that is refused does not hold up the others.
        """
        payloads = [_payload_of(update) for update in updates]
        if not payloads:
            return []
        results = read_field(self._api.call("POST", "send_ui_updates", {"updates": payloads}), "results")
        return [RequestRefused(one) if "error_code" in one else read_answer(Delivered, one) for one in results]

    def _end_earlier_making(self, stream_id: str) -> None:
        """See to it that the next announcement begins an epoch: one that was never ended would go on otherwise."""
        try:
            earlier = self.stream(stream_id)
        except RequestRefused as refusal:
            if refusal.error_code != STREAM_NOT_FOUND:
                raise
            return
        if earlier.state == "generating":
            self.notify_new_audio(stream_id, None, "failed", reason="It is being made anew.")

    def _tell_failure(self, stream_id: str, path: Path, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARACTERS]
        try:
            self.notify_new_audio(stream_id, path, "failed", reason=reason)
        except AsfClientError as failure:
            error.add_note(f"ASF could not be told that '{stream_id}' has failed: {failure}")


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
