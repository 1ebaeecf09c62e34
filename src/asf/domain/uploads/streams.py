"""The streams whose audio was uploaded: how they are found, announced, and rid of their audio."""

from collections.abc import Callable
from dataclasses import replace

from asf.domain.errors import InvalidField, InvalidStreamId, StreamNotFound, UploadError, UploadNotFound
from asf.domain.identifiers import reserved_suffix_problem, stream_id_problem
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import AudioStream, Locator, StreamState
from asf.domain.uploads.ports import UploadSpool


class UploadedStreams:
    """Those streams of the `catalog` whose audio is in the `spool`.

    `discard` deletes audio that no stream has any more, in a task of its own. Every method but `forget_audio` raises
    `CatalogUnavailable`, and may yield.
    """

    def __init__(self, catalog: StreamCatalog, spool: UploadSpool, discard: Callable[[Locator], object]) -> None:
        self._catalog = catalog
        self._spool = spool
        self._discard = discard

    def known(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id, whatever its audio is, or None."""
        try:
            return self._catalog.find(stream_id)
        except StreamNotFound:
            return None

    def find(self, stream_id: str) -> AudioStream:
        """Return the stream with that id. Raises `InvalidStreamId`, `StreamNotFound`, `UploadNotFound`."""
        if problem := reserved_suffix_problem(stream_id) or stream_id_problem(stream_id):
            raise InvalidStreamId(problem)
        stream = self._catalog.find(stream_id)
        if not self._spool.owns(stream.locator):
            raise UploadNotFound
        return stream

    def has_upload(self, stream_id: str) -> bool:
        """Return whether there is a stream with this id whose audio was uploaded."""
        stream = self.known(stream_id)
        return stream is not None and self._spool.owns(stream.locator)

    def announcement_of(self, announcement: Announcement, *, has_state: bool) -> Announcement:
        """Return an announcement without locator as it is meant if the stream's audio was uploaded.

        Without a state, it leaves the stream's as it is. Raises `InvalidField` for `generating` after the end: only
        an upload starts over; and for `complete` while nothing was uploaded.
        """
        stream = self.known(announcement.stream_id)
        if stream is None or not self._spool.owns(stream.locator):
            return announcement
        if not has_state:
            return replace(announcement, state=stream.state, reason=announcement.reason or stream.reason)
        if announcement.state is StreamState.GENERATING and stream.state is not StreamState.GENERATING:
            raise InvalidField("The upload has ended: upload other audio with PUT.", "state")
        if announcement.state is StreamState.COMPLETE and stream.state is StreamState.GENERATING:
            self._check_audio(stream)
        return announcement

    def _check_audio(self, stream: AudioStream) -> None:
        try:
            size = self._spool.find(stream.locator).size
        except UploadError:  # What it has cannot be found out now.
            return
        if size == 0:
            raise InvalidField("Nothing was uploaded: announce the stream as failed, or upload its audio.", "state")

    def forget_audio(self, stream: AudioStream) -> None:
        """Delete the audio of a stream that was deleted, or has other audio now, if it was uploaded."""
        if self._spool.owns(stream.locator):
            self._discard(stream.locator)
