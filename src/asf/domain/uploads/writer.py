"""One request that uploads audio: it appends at its offset until it is finished, or another ends it."""

from collections.abc import Callable
from typing import Protocol

from asf.domain.errors import AsfError, UploadError, UploadTooLarge
from asf.domain.peer import Peer
from asf.domain.streams.stream import AudioStream
from asf.domain.uploads.ports import UploadFile


class WriterOwner(Protocol):
    """What a writer belongs to: it keeps at most one writer for each stream."""

    def wrote(self, writer: "UploadWriter", byte_count: int) -> None:
        """Take note that the writer's audio has grown by `byte_count`."""
        ...

    def finish(self, writer: "UploadWriter", *, is_complete: bool) -> AudioStream:
        """End the upload at its offset, or let more follow. May yield."""
        ...

    def close(self, writer: "UploadWriter", outcome: str) -> None:
        """Forget the writer."""
        ...


class UploadWriter:
    """Appends the audio of `stream` from `offset` on, at most `max_bytes` in all.

    `number` is unique in the process; `peer` is who sends the request, if known.
    `is_new` says whether the stream was unknown before, `is_finishing` whether the writer completes it. Another part
    may end the writer, by `stop`: then every method raises the error. `on_stop` is called with it, once; it must not
    yield. Pair every writer with `close`.
    """

    def __init__(
        self,
        owner: WriterOwner,
        stream: AudioStream,
        file: UploadFile,
        offset: int,
        max_bytes: int,
        on_stop: Callable[[AsfError], object],
        *,
        is_new: bool = False,
        number: int = 0,
        peer: Peer | None = None,
    ) -> None:
        self.number = number
        self.peer = peer
        self.stream = stream
        self.offset = offset
        self.start = offset
        self.is_new = is_new
        self.error: AsfError | None = None
        self.outcome = "cut"
        self.is_finishing = False
        self.file = file
        self._owner = owner
        self._max_bytes = max_bytes
        self._on_stop = on_stop

    @property
    def stream_id(self) -> str:
        """The id of the stream."""
        return self.stream.stream_id

    def write(self, data: bytes) -> None:
        """Append `data`. May yield; all of it is kept when this returns.

        Raises `UploadTooLarge`, after as much as there may be, what `UploadFile.append` raises, and the error of
        `stop`.
        """
        self.check()
        allowed = data[: max(0, self._max_bytes - self.offset)] if len(data) > self._max_bytes - self.offset else data
        if allowed:
            self._append(allowed)
        if len(allowed) < len(data):
            raise self.fail(UploadTooLarge(f"The limit is {self._max_bytes} bytes.", self.offset))

    def finish(self, *, is_complete: bool) -> AudioStream:
        """End the upload: the audio is complete, or more of it is to follow. Returns the stream as it is now.

        May yield. Raises `UploadEmpty` for complete audio without bytes, after which the stream has failed, what
        `UploadFile.finish` raises, `CatalogUnavailable`, and the error of `stop`.
        """
        self.check()
        stream = self._owner.finish(self, is_complete=is_complete)
        self.outcome = "complete" if is_complete else "paused"
        return stream

    def stop(self, error: AsfError) -> None:
        """Write nothing more, because of `error`. Only the first one counts."""
        if self.error is None:
            self.error = error
            self._on_stop(error)

    def check(self) -> None:
        """Raise the error of `stop`, if it was called."""
        if self.error is not None:
            raise self.fail(self.error)

    def fail(self, error: AsfError) -> AsfError:
        """Record that the request ends with `error`, and return that."""
        self.outcome = error.error_code
        if isinstance(error, UploadError) and error.offset is not None:
            self.offset = error.offset
        return error

    def close(self) -> None:
        """End the writer. What it has written is kept. Safe to repeat. Raises nothing."""
        self._owner.close(self, self.outcome)

    def _append(self, data: bytes) -> None:
        before = self.offset
        try:
            self.offset = self.file.append(before, data)
        except AsfError as error:
            raise self.fail(self.error or error) from error
        finally:
            if self.offset > before:
                self._owner.wrote(self, self.offset - before)
