"""How far one listener is in the cues of a stream."""

from collections.abc import Callable
from math import inf
from typing import Protocol

from asf.domain.cues.track import CuePiece


class Track(Protocol):
    """What a cursor needs of its `CueFeed`."""

    @property
    def end(self) -> float:
        """The number of the last cue; infinite while it is not known."""
        ...

    @property
    def has_failed(self) -> bool:
        """Whether cues cannot be read now."""
        ...

    def add(self, cursor: "CueCursor") -> None:
        """Offer the cursor the piece at its position as soon as there is one."""
        ...

    def remove(self, cursor: "CueCursor") -> None:
        """Remove a cursor that is closed."""
        ...


class CueCursor:
    """The position of one listener in a track. Between `next_piece` and `advance` it holds one piece.

    `wake` is called when `next_piece`, or `has_all`, may return something else than before.
    """

    __slots__ = (
        "_feed",
        "_goal",
        "_has_started",
        "_is_closed",
        "_is_waiting",
        "_piece",
        "_sent_at",
        "_wake",
        "position",
    )

    def __init__(self, feed: "Track", since: int, wake: Callable[[], object]) -> None:
        self._feed = feed
        self._wake = wake
        self.position = since
        self._piece: CuePiece | None = None
        self._sent_at = -1
        self._goal: float | None = None
        self._has_started = self._is_waiting = self._is_closed = False

    @property
    def has_piece(self) -> bool:
        """Whether `next_piece` returns one."""
        return self._piece is not None

    def next_piece(self) -> CuePiece | None:
        """Return the cues to send next; None if there are none, or they have yet to be read."""
        if self._piece is None and not self._is_waiting:
            self._is_waiting = True
            self._feed.add(self)
        return self._piece

    def advance(self, sent_bytes: int) -> None:
        """Record that the piece was sent, after `sent_bytes` of audio. Prepares the next one."""
        assert self._piece is not None  # noqa: S101 - it was sent
        self.position = self._piece.seq
        self._piece = None
        self._sent_at = sent_bytes
        self.next_piece()

    def yields_to_audio(self, sent_bytes: int) -> bool:
        """Return whether no audio was sent since the last piece, and `take_turn` was not called."""
        return self._sent_at == sent_bytes

    def take_turn(self) -> None:
        """Send the next piece whether or not audio was sent since the last one: there is none to send."""
        self._sent_at = -1

    def has_all(self) -> bool:
        """Return whether all cues were sent that there were at the first call, or they cannot be read now."""
        if self._goal is None:
            self._goal = inf
            self.confirm(self._feed.end)
        return self._piece is None and (self.position >= self._goal or self._feed.has_failed)

    def confirm(self, end: float) -> None:
        """Record that `end` is the number of the last cue now; infinite: it is not known."""
        self._has_started = self._has_started or end < inf
        if self._goal == inf:
            self._goal = end

    def wake_at_end(self) -> None:
        """Wake the listener if it waits for `has_all`."""
        if self._goal is not None:
            self._wake()

    def offer(self, piece: CuePiece) -> None:
        """Take the next piece, unless the cursor was closed."""
        if not self._is_closed:
            self._has_started = True
            self._is_waiting = False
            self._piece = piece
            self._wake()

    def rewind(self, end: int) -> None:
        """Continue in a track whose last number, `end`, is below the position.

        A listener that came with such a position has that of another track, and gets all cues. Otherwise the store
        has lost some, and will assign their numbers again.
        """
        self.position = end if self._has_started else 0

    def close(self) -> None:
        """End: nothing is offered any more. Safe to repeat."""
        if not self._is_closed:
            self._is_closed = True
            self._piece = None
            self._feed.remove(self)
