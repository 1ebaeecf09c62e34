"""The cues of streams: accepts them from backends, and reads them."""

import logging
from collections.abc import Callable, Iterator, Sequence

from asf.domain.cues.cue import Cue
from asf.domain.cues.ports import CueObserver, CueStore
from asf.domain.cues.track import Accepted, StoredCue, TrackLimits
from asf.domain.errors import CatalogUnavailable, CuesUnavailable, EpochChanged, InvalidStreamId, StreamNotFound
from asf.domain.identifiers import reserved_suffix_problem
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioStream

READ_CUES = 500
READ_BYTES = 64 * 1024
"""Cues, and bytes of them, that are read from the store at once."""

logger = logging.getLogger(__name__)


class Cues:
    """Stores the cues of announced streams, each in the track of the stream's current epoch.

    Tracks of former epochs, and of deleted streams, are deleted. `checkpoint` is called between parts of long work,
    and may yield.
    """

    def __init__(
        self,
        store: CueStore,
        catalog: StreamCatalog,
        max_cues: int,
        observer: CueObserver,
        checkpoint: Callable[[], object],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._limits = TrackLimits(max_cues)
        self._observer = observer
        self._checkpoint = checkpoint
        catalog.on_epoch_end.connect(lambda stream_id, _epoch: self._forget_ended(stream_id))

    def add(self, stream_id: str, cues: Sequence[Cue], epoch: str | None = None) -> Accepted:
        """Store all of `cues` in the stream's current epoch, which must be `epoch` if that is given, or none of them.

        Of those with the same id, the last one is stored.

        Raises `InvalidStreamId`, `StreamNotFound`, `EpochChanged`, `TooManyCues`, `CuesUnavailable` or
        `CatalogUnavailable`.
        """
        stream = self.find(stream_id, epoch)
        total = self._store.append(stream_id, stream.epoch, _last_of_each_id(cues), self._limits)
        self._check_still_current(stream)
        self._observer.cues_accepted(len(cues))
        return Accepted(len(cues), total, stream.epoch)

    def find(self, stream_id: str, epoch: str | None = None) -> AudioStream:
        """Return the stream that cues belong to. Raises as `add` does."""
        if problem := reserved_suffix_problem(stream_id):
            raise InvalidStreamId(problem)
        stream = self._catalog.find(stream_id)
        if epoch is not None and epoch != stream.epoch:
            raise EpochChanged(f"The current epoch is '{stream.epoch}'.", stream.epoch)
        return stream

    def latest(self, stream: AudioStream) -> int:
        """Return the highest number of the stream's cues, 0 if it has none. Raises `CuesUnavailable`."""
        return self._store.page(stream.stream_id, stream.epoch, 0, 1, 1).latest

    def read(self, stream: AudioStream, since: int, until: int) -> Iterator[StoredCue]:
        """Yield the stream's cues one by one. See `pages`."""
        for cues in self.pages(stream, since, until):
            yield from cues

    def pages(self, stream: AudioStream, since: int, until: int) -> Iterator[Sequence[StoredCue]]:
        """Yield the stream's cues with numbers above `since`, up to `until`, which was the latest one, in order.

        Some at a time. Those that are replaced meanwhile have numbers above `until`. May yield to other tasks. Raises
        `CuesUnavailable`, also if the track is deleted meanwhile.
        """
        while since < until:
            page = self._store.page(stream.stream_id, stream.epoch, since, READ_CUES, READ_BYTES)
            if page.latest < until:
                raise CuesUnavailable("The stream was regenerated or deleted.")
            last = page.cues[-1].seq if page.cues else until
            yield page.cues if last <= until else [cue for cue in page.cues if cue.seq <= until]
            since = last
            self._checkpoint()

    def select(self, stream: AudioStream, seqs: Sequence[int]) -> list[StoredCue]:
        """Return the stream's cues with these numbers, without those that were replaced. Raises `CuesUnavailable`."""
        return self._store.select(stream.stream_id, stream.epoch, seqs)

    def _check_still_current(self, stream: AudioStream) -> None:
        """Delete what was stored in an epoch that had ended by then. Raises `EpochChanged` or `StreamNotFound`."""
        try:
            self.find(stream.stream_id, stream.epoch)
        except (EpochChanged, StreamNotFound):
            self._forget_ended(stream.stream_id)
            raise

    def _forget_ended(self, stream_id: str) -> None:
        """Delete the tracks of ended epochs. If that fails, they are unreachable, and deleted later.

        Meanwhile the stream may be announced again. An epoch that had a track before the current one was looked up,
        and is another, has ended: it does not come again.
        """
        try:
            epochs = set(self._store.epochs(stream_id))
            self._store.forget(stream_id, epochs - {self._current_epoch(stream_id)})
        except (CuesUnavailable, CatalogUnavailable) as error:
            logger.warning("Deleting the cues of former epochs of stream %r failed: %s", stream_id, error)

    def _current_epoch(self, stream_id: str) -> str | None:
        try:
            return self._catalog.find(stream_id).epoch
        except StreamNotFound:
            return None


def _last_of_each_id(cues: Sequence[Cue]) -> Sequence[Cue]:
    last = {cue.id: cue for cue in cues}
    return cues if None in last and len(last) == 1 else [cue for cue in cues if cue.id is None or last[cue.id] is cue]
