"""Cues in memory: implements the `CueStore` port, for one process. For tests and simulations."""

from collections.abc import Collection, Sequence

from asf.domain.cues.cue import Cue
from asf.domain.cues.track import CuePage, StoredCue, TrackLimits
from asf.domain.errors import TooManyCues
from asf.domain.signal import Signal


class _Track:
    """The cues of one stream and epoch, by their numbers, and the numbers of those that have an id."""

    def __init__(self) -> None:
        self.latest = 0
        self.cues: dict[int, Cue] = {}
        self.numbers: dict[str, int] = {}

    def copy(self) -> "_Track":
        copied = _Track()
        copied.latest, copied.cues, copied.numbers = self.latest, dict(self.cues), dict(self.numbers)
        return copied

    def put(self, cue: Cue) -> None:
        earlier = None if cue.id is None else self.numbers.get(cue.id)
        if earlier is not None:
            if self.cues[earlier].json == cue.json:
                return
            del self.cues[earlier]
        self.latest += 1
        self.cues[self.latest] = cue
        if cue.id is not None:
            self.numbers[cue.id] = self.latest


class InMemoryCueStore:
    """Tracks in a dictionary."""

    def __init__(self) -> None:
        self.on_appended: Signal[str, str] = Signal()
        self.on_interrupted: Signal[()] = Signal()
        self._tracks: dict[tuple[str, str], _Track] = {}

    def append(self, stream_id: str, epoch: str, cues: Sequence[Cue], limits: TrackLimits) -> int:
        """Store all of `cues` or none, and return how many the track has. Raises `TooManyCues`."""
        track = self._track(stream_id, epoch).copy()
        for cue in cues:
            track.put(cue)
        if len(track.cues) > limits.max_cues or sum(cue.size for cue in track.cues.values()) > limits.max_bytes:
            raise TooManyCues.of(limits.max_cues)
        self._tracks[stream_id, epoch] = track
        self.on_appended(stream_id, epoch)
        return len(track.cues)

    def page(self, stream_id: str, epoch: str, after: int, max_cues: int, max_bytes: int) -> CuePage:
        """Return the first cues above `after` within both limits, at least one."""
        track = self._track(stream_id, epoch)
        found: list[StoredCue] = []
        size = 0
        for seq, cue in track.cues.items():
            if seq <= after:
                continue
            size += cue.size
            if found and (len(found) >= max_cues or size > max_bytes):
                break
            found.append(StoredCue(seq, cue.json))
        return CuePage(tuple(found), track.latest)

    def select(self, stream_id: str, epoch: str, seqs: Sequence[int]) -> list[StoredCue]:
        """Return the cues with these numbers."""
        cues = self._track(stream_id, epoch).cues
        return [StoredCue(seq, cues[seq].json) for seq in seqs if seq in cues]

    def epochs(self, stream_id: str) -> Collection[str]:
        """Return the epochs of the stream that have a track."""
        return {epoch for of_stream, epoch in self._tracks if of_stream == stream_id}

    def forget(self, stream_id: str, epochs: Collection[str]) -> None:
        """Delete the stream's tracks of these epochs."""
        for epoch in epochs:
            self._tracks.pop((stream_id, epoch), None)

    def check(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def _track(self, stream_id: str, epoch: str) -> _Track:
        return self._tracks.get((stream_id, epoch)) or _Track()
