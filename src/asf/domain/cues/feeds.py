"""The tracks that have listeners."""

from collections.abc import Callable

from asf.domain.cues.cursor import CueCursor
from asf.domain.cues.feed import CueFeed
from asf.domain.cues.piece_cache import PieceCache
from asf.domain.cues.ports import CueStore


class CueFeeds:
    """Opens cursors in tracks, and lets those of a track know when `store` has new cues.

    Cues are read in tasks, which `spawn` starts: nobody waits for the store. `checkpoint` is called after each of the
    listeners that something is done with in a row, and may yield. `pause` suspends a task for some seconds.
    """

    def __init__(
        self,
        store: CueStore,
        spawn: Callable[[Callable[[], object]], object],
        checkpoint: Callable[[], object],
        pause: Callable[[float], object],
    ) -> None:
        self._store = store
        self._spawn = spawn
        self._checkpoint = checkpoint
        self._pause = pause
        self._cache = PieceCache()
        self._feeds: dict[tuple[str, str], CueFeed] = {}
        store.on_appended.connect(self._changed)
        store.on_interrupted.connect(self._all_changed)

    def __len__(self) -> int:
        """Return how many tracks have listeners."""
        return len(self._feeds)

    def open(self, stream_id: str, epoch: str, since: int, wake: Callable[[], object]) -> CueCursor:
        """Return a cursor in a track, behind the cue with the number `since`; pair every call with its `close`."""
        feed = self._feeds.get((stream_id, epoch))
        if feed is None:
            feed = self._feeds[stream_id, epoch] = CueFeed(
                stream_id, epoch, self._store, self._cache, self._spawn, self._checkpoint, self._pause, self._close
            )
        return feed.open(since, wake)

    def _close(self, feed: CueFeed) -> None:
        self._feeds.pop((feed.stream_id, feed.epoch), None)

    def _changed(self, stream_id: str, epoch: str) -> None:
        feed = self._feeds.get((stream_id, epoch))
        if feed is not None:
            feed.change()

    def _all_changed(self) -> None:
        self._cache.clear()
        for feed in list(self._feeds.values()):
            feed.change()
