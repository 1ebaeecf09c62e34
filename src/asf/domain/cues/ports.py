"""What cues need from outside."""

from collections.abc import Collection, Sequence
from typing import Protocol

from asf.domain.cues.cue import Cue
from asf.domain.cues.track import CuePage, StoredCue, TrackLimits
from asf.domain.signal import Signal


class CueStore(Protocol):
    """Stores the cues of each stream and epoch, its track. Several servers may share it.

    A track's cues are numbered 1, 2, 3 … in the order in which they were stored; the numbers of replaced ones are
    missing. The last cue always has the highest number that was assigned.

    Every method may yield, and raises `CuesUnavailable` when the store cannot be reached; cues may nevertheless have
    been stored.
    """

    @property
    def on_appended(self) -> Signal[str, str]:
        """Called with a stream id and an epoch whose track has new cues, whichever server stored them.

        The call is made in the task of `append` or in another one. It must not wait. May be repeated.
        """
        ...

    @property
    def on_interrupted(self) -> Signal[()]:
        """Called when calls of `on_appended` may be missing. It must not wait."""
        ...

    def append(self, stream_id: str, epoch: str, cues: Sequence[Cue], limits: TrackLimits) -> int:
        """Store all of `cues`, in order, or none of them; return how many the track has then. Their ids differ.

        A cue with the id of a stored one replaces it, under a new number, unless the two are equal: then nothing
        changes. Raises `TooManyCues` if the track would exceed `limits`.
        """
        ...

    def page(self, stream_id: str, epoch: str, after: int, max_cues: int, max_bytes: int) -> CuePage:
        """Return the first cues of a track whose numbers are above `after`, within both limits, at least one.

        An unknown track is empty.
        """
        ...

    def select(self, stream_id: str, epoch: str, seqs: Sequence[int]) -> list[StoredCue]:
        """Return the cues with these numbers, in this order, without those that are missing."""
        ...

    def epochs(self, stream_id: str) -> Collection[str]:
        """Return the epochs of the stream that have a track."""
        ...

    def forget(self, stream_id: str, epochs: Collection[str]) -> None:
        """Delete the stream's tracks of these epochs, if there are any."""
        ...

    def check(self) -> None:
        """Raise `CuesUnavailable` unless cues can be read and stored now. Changes no cues."""
        ...

    def close(self) -> None:
        """Release the store's resources; it must not be used afterwards. Safe to repeat."""
        ...


class CueObserver(Protocol):
    """Observes cues, for metrics."""

    def cues_accepted(self, count: int) -> None:
        """Record that `count` cues were accepted."""
        ...
