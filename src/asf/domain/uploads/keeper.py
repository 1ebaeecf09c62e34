"""Looks after uploads that nobody writes: gives up abandoned ones, and deletes what is kept no longer."""

import logging
from collections.abc import Callable, Iterator

from asf.domain.clock import Clock
from asf.domain.errors import AsfError, CatalogUnavailable, StreamNotFound, UploadNotFound, UploadUnavailable
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioEnding, AudioStream, Locator, StreamState
from asf.domain.uploads.ports import StoredUpload, UploadSpool

SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 10.0
"""Interval between looks at unfinished uploads: a tenth of the time after which they are given up, within these."""

SWEEP_SECONDS = 900.0
"""Interval between sweeps, which read the entire catalog."""

ORPHAN_SECONDS = 600.0
"""Age of audio of which the catalog knows nothing before it is deleted: a request may be about to announce it."""

PAGE = 200
"""Streams that are read at once in a sweep."""

logger = logging.getLogger(__name__)


class UploadKeeper:
    """Marks uploads as failed that have not grown for `give_up_seconds`, and deletes uploaded audio.

    A sweep deletes the audio that no stream has, and streams whose audio is complete or failed and older than
    `keep_seconds` (0: never). `is_writing` returns whether a request of this process writes a stream. `discard`
    deletes audio. `is_shared` says whether other servers write to the spool. `checkpoint` may yield.
    """

    def __init__(
        self,
        catalog: StreamCatalog,
        spool: UploadSpool,
        clock: Clock,
        discard: Callable[[Locator], object],
        is_writing: Callable[[str], bool],
        checkpoint: Callable[[], object],
        give_up_seconds: float,
        keep_seconds: float,
        *,
        is_shared: bool,
    ) -> None:
        self._catalog = catalog
        self._spool = spool
        self._clock = clock
        self._discard = discard
        self._is_writing = is_writing
        self._checkpoint = checkpoint
        self._give_up_seconds = give_up_seconds
        self._keep_seconds = keep_seconds
        self._is_shared = is_shared
        self._started_at = clock.timestamp()
        self._unfinished: dict[str, AudioStream] = {}

    def note(self, stream: AudioStream) -> None:
        """Look after a stream that a request has written, or may have completed."""
        if stream.state is StreamState.GENERATING:
            self._unfinished[stream.stream_id] = stream

    def run(self, pause: Callable[[float], object]) -> None:
        """Look and sweep forever; `pause` suspends the calling task for the seconds it is passed."""
        interval = min(LONGEST_LOOK_SECONDS, max(SHORTEST_LOOK_SECONDS, self._give_up_seconds / 10))
        sweep_at = self._clock.now()
        while True:
            try:
                if self._clock.now() >= sweep_at:
                    self.sweep()
                    sweep_at = self._clock.now() + SWEEP_SECONDS
                self.look()
            except (CatalogUnavailable, UploadUnavailable) as error:
                logger.debug("Uploads cannot be looked after now: %s", error.details)
            except Exception:
                logger.exception("Looking after uploads failed")
                sweep_at = self._clock.now() + SWEEP_SECONDS
            pause(interval)

    def look(self) -> None:
        """Give up unfinished uploads that have not grown for too long.

        Raises `CatalogUnavailable` or `UploadUnavailable`; the next call continues.
        """
        for stream in list(self._unfinished.values()):
            needs_no_look = self._is_writing(stream.stream_id) or self._is_settled(stream)
            if needs_no_look and self._unfinished.get(stream.stream_id) is stream:
                del self._unfinished[stream.stream_id]
            self._checkpoint()

    def sweep(self) -> None:
        """Delete what is kept no longer, and find the uploads that another process has left unfinished.

        Raises `CatalogUnavailable` or `UploadUnavailable`; then what is not deleted yet stays.
        """
        now = self._clock.timestamp()
        stored = {upload.locator: upload for upload in self._spool.stored()}
        for stream in self._uploaded_streams():
            upload = stored.pop(stream.locator, None)
            if stream.state is StreamState.GENERATING:
                if not self._is_writing(stream.stream_id):
                    self._unfinished.setdefault(stream.stream_id, stream)
            elif upload is not None and self._is_expired(upload, now):
                self._expire(stream)
        newest = now - ORPHAN_SECONDS if self._is_shared else max(now - ORPHAN_SECONDS, self._started_at)
        for upload in stored.values():
            if upload.grown_at < newest:
                logger.info("Deleting uploaded audio that no stream has: %s bytes", upload.size)
                self._discard(upload.locator)

    def _is_settled(self, stream: AudioStream) -> bool:
        """Return whether the upload needs no looking after any more; give it up if it is abandoned."""
        try:
            known = self._catalog.find(stream.stream_id)
            if known.epoch != stream.epoch or known.state is not StreamState.GENERATING:
                return True
            grown_at = self._spool.find(known.locator).grown_at
        except StreamNotFound:
            return True
        except UploadNotFound:  # It was lost.
            grown_at = 0.0
        if self._clock.timestamp() - max(grown_at, known.announced_at) < self._give_up_seconds:
            return False
        self._give_up(known)
        return False  # The next look finds out the state.

    def _give_up(self, stream: AudioStream) -> None:
        seconds = self._give_up_seconds
        reason = f"The audio has not grown for {seconds:g} s."
        if stream.locator.has_end_marker:
            self._mark_end(stream.locator, reason)
            is_failed = self._catalog.end(stream, StreamState.FAILED, reason) is not None
        else:
            is_failed = self._catalog.give_up(stream, seconds)
        if is_failed:
            logger.warning(
                "Stream %r is marked as failed: its upload has not grown for %g s", stream.stream_id, seconds
            )

    def _mark_end(self, locator: Locator, reason: str) -> None:
        file = None
        try:
            file = self._spool.open(locator)
            file.finish(AudioEnding(StreamState.FAILED, reason))
        except AsfError as error:  # The catalog says that it has failed.
            logger.debug("An abandoned upload cannot be ended: %s", error.details)
        finally:
            if file is not None:
                file.close()

    def _is_expired(self, upload: StoredUpload, now: float) -> bool:
        return bool(self._keep_seconds) and now - upload.grown_at >= self._keep_seconds

    def _expire(self, stream: AudioStream) -> None:
        if self._catalog.forget(stream):
            logger.info("Stream %r is deleted: its audio was uploaded %g s ago", stream.stream_id, self._keep_seconds)
            self._discard(stream.locator)

    def _uploaded_streams(self) -> Iterator[AudioStream]:
        after = ""
        while page := self._catalog.page(PAGE, after):
            yield from (stream for stream in page if self._spool.owns(stream.locator))
            after = page[-1].stream_id
            self._checkpoint()
