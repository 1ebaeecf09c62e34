"""Uploads: the requests of this process that write audio, at most one for each stream."""

import itertools
import logging
from collections.abc import Callable, Container, Mapping
from typing import Any

from asf.domain.clock import Clock
from asf.domain.errors import (
    AsfError,
    CatalogUnavailable,
    Draining,
    EpochChanged,
    GenerationFailed,
    InvalidStreamId,
    StreamNotFound,
    UploadComplete,
    UploadEmpty,
    UploadError,
    UploadNotFound,
    UploadOffsetMismatch,
    UploadTakenOver,
    UploadTooLarge,
)
from asf.domain.identifiers import reserved_suffix_problem, stream_id_problem
from asf.domain.peer import Peer
from asf.domain.signal import Signal
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import AudioEnding, AudioStream, Locator, StreamState
from asf.domain.uploads.ports import UploadFile, UploadObserver, UploadSpool
from asf.domain.uploads.streams import UploadedStreams
from asf.domain.uploads.writer import UploadWriter

OnStop = Callable[[AsfError], object]

logger = logging.getLogger(__name__)


class Uploads:
    """Starts and resumes uploads, and owns who writes which stream in this process: the newest request.

    How much of an upload there is says the `spool` alone, and whether it is under way the catalog. `discard` deletes
    audio that no stream has, in a task of its own. An upload has at most `max_bytes`.

    `on_growth` is called with the id and the epoch of a stream whose audio has just grown, and its new size;
    `on_release` with the stream of a request that writes no more. `bytes_taken` counts bytes since the start of the
    process.
    """

    def __init__(
        self,
        catalog: StreamCatalog,
        streams: UploadedStreams,
        spool: UploadSpool,
        clock: Clock,
        observer: UploadObserver,
        discard: Callable[[Locator], object],
        max_bytes: int,
    ) -> None:
        self.on_growth: Signal[str, str, int] = Signal()
        self.on_release: Signal[AudioStream] = Signal()
        self.bytes_taken = 0
        self._catalog = catalog
        self._streams = streams
        self._spool = spool
        self._clock = clock
        self._observer = observer
        self._discard = discard
        self._max_bytes = max_bytes
        self._writers: dict[str, UploadWriter] = {}
        self._started: dict[UploadWriter, float] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        catalog.watch(self._stream_changed)

    def __len__(self) -> int:
        """Return how many requests are writing."""
        return len(self._started)

    def writers(self) -> list[tuple[UploadWriter, float]]:
        """Return the requests that are writing, in the order of their numbers, and when each has started.

        Times are in seconds of the clock.
        """
        return list(self._started.items())

    def is_writing(self, stream_id: str) -> bool:
        """Return whether a request is writing the audio of the stream."""
        return stream_id in self._writers

    def check(self, stream_id: str, total_bytes: int | None) -> None:
        """Raise the error of a request that cannot write `total_bytes` (None: unknown) more to the stream.

        `Draining`, `InvalidStreamId` or `UploadTooLarge`.
        """
        if self._closed:
            raise Draining
        if problem := reserved_suffix_problem(stream_id) or stream_id_problem(stream_id):
            raise InvalidStreamId(problem)
        if total_bytes is not None and total_bytes > self._max_bytes:
            raise UploadTooLarge(f"The limit is {self._max_bytes} bytes.")

    def begin(
        self,
        stream_id: str,
        on_stop: OnStop,
        content_type: str | None = None,
        total_bytes: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        peer: Peer | None = None,
    ) -> UploadWriter:
        """Start an upload under a new epoch, instead of the audio that the stream has. The stream is `generating`.

        `total_bytes` is how many bytes will come, if it is known, `peer` who sends them. Without `metadata`, the
        stream keeps its own. `on_stop` is called as in `UploadWriter`. May yield. Raises `Draining`,
        `InvalidStreamId`, `UploadTooLarge`, `StorageFull`, `UploadUnavailable`, `CatalogFull` or
        `CatalogUnavailable`; then the stream is unchanged.
        """
        self.check(stream_id, total_bytes)
        locator = self._spool.create()
        file: UploadFile | None = None
        try:
            file = self._spool.open(locator)
            earlier = self._streams.known(stream_id)
            if metadata is None and earlier is not None:
                metadata = earlier.metadata
            stream = self._catalog.announce(
                Announcement(stream_id, locator, StreamState.GENERATING, content_type, metadata)
            )
        except BaseException as error:
            if file is not None:
                file.close()
            if not isinstance(error, CatalogUnavailable):  # Else it may have been stored nevertheless.
                self._discard(locator)
            raise
        if earlier is not None:
            self._streams.forget_audio(earlier)
        return self._start(
            UploadWriter(
                self,
                stream,
                file,
                0,
                self._max_bytes,
                on_stop,
                is_new=earlier is None,
                number=next(self._numbers),
                peer=peer,
            )
        )

    def resume(
        self,
        stream_id: str,
        offset: int,
        on_stop: OnStop,
        epochs: Container[str] | None = None,
        total_bytes: int | None = None,
        peer: Peer | None = None,
    ) -> UploadWriter:
        """Continue an upload at byte `offset`, instead of an earlier request that may still be writing.

        `epochs` are those of which the current one must be one; None: any. `total_bytes` is how many more will come,
        if it is known, and `peer` who sends them. May yield. Raises what `begin` raises, `StreamNotFound`,
        `UploadNotFound`, `EpochChanged`, `UploadComplete`, `GenerationFailed` or `UploadOffsetMismatch`; then an
        earlier request continues.
        """
        self.check(stream_id, None if total_bytes is None else offset + total_bytes)
        stream = self._streams.find(stream_id)
        if epochs is not None and stream.epoch not in epochs:
            raise EpochChanged(epoch=stream.epoch)
        if stream.state is not StreamState.GENERATING:
            raise self._ended(stream, stream.epoch)
        file = self._open(stream, offset)
        try:
            writer = UploadWriter(
                self,
                self._renewed(stream),
                file,
                offset,
                self._max_bytes,
                on_stop,
                number=next(self._numbers),
                peer=peer,
            )
            has_earlier = stream_id in self._writers
            self._start(writer)
        except BaseException:
            file.close()
            raise
        if has_earlier:  # It may have been appending: from now on it cannot.
            try:
                _check_offset(offset, file.size())
            except AsfError as error:
                writer.fail(error)
                writer.close()
                raise
        return writer

    def find(self, stream_id: str) -> tuple[AudioStream, int]:
        """Return the stream and how many bytes of it are uploaded.

        May yield. Raises `StreamNotFound`, `UploadNotFound`, `UploadUnavailable` or `CatalogUnavailable`.
        """
        stream = self._streams.find(stream_id)
        return stream, self._spool.find(stream.locator).size

    def drain(self) -> None:
        """Start no further uploads. Those under way continue until `end_all`."""
        self._closed = True

    def end_all(self) -> None:
        """Break off the uploads that are under way: they can be resumed at their offsets on another server."""
        for writer in list(self._writers.values()):
            writer.stop(Draining())

    def wrote(self, writer: UploadWriter, byte_count: int) -> None:
        """Report that the writer's audio has grown."""
        self.bytes_taken += byte_count
        self.on_growth(writer.stream_id, writer.stream.epoch, writer.offset)

    def finish(self, writer: UploadWriter, *, is_complete: bool) -> AudioStream:
        """End the upload of a writer, or let more follow. Raises what `UploadWriter.finish` does."""
        writer.is_finishing = is_complete
        try:
            writer.stream = self._completed(writer) if is_complete else self._renewed(writer.stream)
        except AsfError as error:
            raise writer.fail(error) from error
        return writer.stream

    def close(self, writer: UploadWriter, outcome: str) -> None:
        """Forget a writer. Raises nothing."""
        started = self._started.pop(writer, None)
        if started is None:
            return
        if self._writers.get(writer.stream_id) is writer:
            del self._writers[writer.stream_id]
        self._catalog.unfollow(writer.stream_id)
        writer.file.close()
        seconds, byte_count = self._clock.now() - started, writer.offset - writer.start
        self._observer.upload_ended(writer.stream_id, writer.stream.epoch, outcome, byte_count, seconds)
        self.on_release(writer.stream)

    def _start(self, writer: UploadWriter) -> UploadWriter:
        """Let the writer take the place of an earlier one."""
        stream_id = writer.stream_id
        earlier = self._writers.get(stream_id)
        self._writers[stream_id] = writer
        self._started[writer] = self._clock.now()
        self._observer.upload_started(stream_id, writer.stream.epoch, writer.offset)
        if earlier is not None:
            earlier.stop(UploadTakenOver())
        try:
            current = self._catalog.follow(stream_id)
        except CatalogUnavailable:  # `_stream_changed` is called once the catalog can be reached.
            return writer
        self._stream_changed(stream_id, current)
        return writer

    def _stream_changed(self, stream_id: str, stream: AudioStream | None) -> None:
        """Stop the writer of a stream that is now `stream` (None: deleted) and takes no more audio from it."""
        writer = self._writers.get(stream_id)
        if writer is None:
            return
        if stream is None:
            writer.stop(StreamNotFound())
        elif stream.epoch != writer.stream.epoch:
            if stream.announced_at > writer.stream.announced_at:  # Else it is an older value.
                writer.stop(EpochChanged(epoch=stream.epoch))
        elif stream.state is StreamState.FAILED:
            writer.stop(GenerationFailed(stream.reason))
        elif stream.state is StreamState.COMPLETE and not writer.is_finishing:
            writer.stop(UploadComplete())

    def _open(self, stream: AudioStream, offset: int) -> UploadFile:
        """Open the audio of a stream, which must have `offset` bytes. Raises `EpochChanged` if it was replaced."""
        file: UploadFile | None = None
        try:
            file = self._spool.open(stream.locator)
            _check_offset(offset, file.size())
        except AsfError as error:
            if file is not None:
                file.close()
            current = self._streams.find(stream.stream_id) if isinstance(error, UploadNotFound) else stream
            if current.epoch != stream.epoch:
                raise EpochChanged(epoch=current.epoch) from error
            raise
        return file

    def _completed(self, writer: UploadWriter) -> AudioStream:
        if not writer.offset:
            raise self._empty(writer)
        writer.file.finish(AudioEnding(StreamState.COMPLETE))
        stream = self._catalog.end(writer.stream, StreamState.COMPLETE)
        if stream is None:
            raise self._ended(self._streams.find(writer.stream_id), writer.stream.epoch)
        return stream

    def _empty(self, writer: UploadWriter) -> AsfError:
        """Let the stream of a writer fail whose upload ends without a byte, and return the error of the request."""
        if self._catalog.end(writer.stream, StreamState.FAILED, UploadEmpty.message) is None:
            return self._ended(self._streams.find(writer.stream_id), writer.stream.epoch)
        writer.file.finish(AudioEnding(StreamState.FAILED, UploadEmpty.message))
        return UploadEmpty(offset=0)

    def _renewed(self, stream: AudioStream) -> AudioStream:
        renewed = self._catalog.renew(stream)
        if renewed is None:
            raise self._ended(self._streams.find(stream.stream_id), stream.epoch)
        return renewed

    def _ended(self, stream: AudioStream, epoch: str) -> AsfError:
        """Return why the upload of `epoch` cannot go on, now that its stream is `stream`."""
        if stream.epoch != epoch:
            return EpochChanged(epoch=stream.epoch)
        offset: int | None = None
        try:
            offset = self._spool.find(stream.locator).size
        except UploadError:
            logger.debug("The size of the upload to %r is not known", stream.stream_id)
        if stream.state is StreamState.COMPLETE:
            return UploadComplete(offset=offset)
        return GenerationFailed(stream.reason)


def _check_offset(offset: int, size: int) -> None:
    if offset != size:
        raise UploadOffsetMismatch(f"It continues at byte {size}.", size)
